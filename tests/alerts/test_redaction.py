"""Secrets planted in command lines, of every shape that tools take them in, and lines that hold none."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.alerts.redaction import redacted

SHAPES = [
    "net user anna {} /add",
    'net.exe user "anna b" {} /add /domain',
    r"net use Z: \\srv\share {} /user:contoso\anna",
    r"net use \\srv\c$ /user:contoso\anna {}",
    "sqlcmd -S db -U sa -P {} -Q x",
    "mysql -uroot -p{} -e x",
    "mysqldump --password={} --all-databases",
    r"psexec \\srv -u anna -p {} cmd.exe",
    "schtasks /create /tn x /ru anna /rp {} /tr y",
    "wmic /node:srv /user:anna /password:{} process call create x",
    "cmdkey /add:srv /user:anna /pass:{}",
    "curl -u anna:{} https://example.com",
    "curl -H 'Authorization: Bearer {}' https://example.com",
    'curl -H "X-Api-Key: {}" https://example.com',
    "git clone https://anna:{}@example.com/a.git",
    "az login --service-principal --client-secret {} -t x",
    "aws configure set aws_secret_access_key={}",
    "setx GITHUB_TOKEN={}",
    "bcp x out y -c 'Server=db;Database=x;User Id=sa;Password={};'",
    "app.exe DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x",
    'app.exe {{"user":"anna","password":"{}"}}',
    "app.exe --api-key {}",
    "app.exe /token:{}",
    "powershell ConvertTo-SecureString '{}' -AsPlainText -Force",
    "powershell ConvertTo-SecureString -String {} -AsPlainText",
    "powershell -Password '{}'",
    "powershell -nop -EncodedCommand {}",
    "powershell -e {}",
    "powershell [Convert]::FromBase64String('{}')",
    "azcopy copy https://a.blob.core.windows.net/c?sv=2020&sig={} x",
    "7z a -p{} x.7z y",
    "sshpass -p {} ssh anna@srv",
]

secrets = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#_+.", min_size=8, max_size=30
).filter(lambda text: text[0].isalnum())


@pytest.mark.parametrize("shape", SHAPES)
@given(secret=secrets)
def test_a_planted_secret_goes(shape: str, secret: str) -> None:
    told = redacted(shape.format(secret))
    assert secret not in told
    assert told.split()[0] == shape.split(maxsplit=1)[0]


@given(st.sampled_from(SHAPES), st.sampled_from(SHAPES), secrets, secrets)
def test_two_of_them_go(one: str, other: str, first: str, second: str) -> None:
    told = redacted(f"{one.format(first)} & {other.format(second)}")
    assert first not in told
    assert second not in told


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a" * 36,
        "xoxb-123456789012-abcdefghijkl",
        "glpat-abcdefghijklmnopqrst",
    ],
)
def test_known_tokens_go_wherever_they_stand(secret: str) -> None:
    assert redacted(f"echo {secret} > x") == "echo [redacted] > x"


AWKWARD = [
    ("sqlcmd -U sa -P Su,mmer2024! -Q x", "sqlcmd -U sa -P [redacted] -Q x"),
    ("psexec -p Abc&def;g|h cmd", "psexec -p [redacted] cmd"),
    (r'mysql --password="a\"bcd" -D x', 'mysql --password="[redacted]" -D x'),
    ("app --password=Abc&def --x", "app --password=[redacted] --x"),
    ("bcp -c 'Password=a,b;Server=db'", "bcp -c 'Password=[redacted];Server=db'"),
    ("curl https://x/?token=abc&page=1", "curl https://x/?token=[redacted]&page=1"),
    ("mysql8 -uroot", "mysql8 -uroot"),
]


@pytest.mark.parametrize(("command", "told"), AWKWARD)
def test_a_secret_goes_whole_and_nothing_behind_it(command: str, told: str) -> None:
    assert redacted(command) == told


HOSTILE = [
    "net use " * 100 + "\\" * 32_000,
    "net use \\\\" * 3_000,
    "net use /u:" * 3_000,
    "mysql" * 6_000,
    "mysql " * 5_000,
    "mysql -" * 4_000,
    "-" + "pass" * 8_000,
    "--" + "a" * 32_000,
    "password" * 4_000,
    "a" * 32_000,
    "a+" * 16_000,
    "a://" * 8_000,
    "a:" * 16_000,
    "eyJaaaaa-" * 4_000,
    "xoxb-" * 6_000,
    "-----BEGIN PRIVATE KEY-----" * 1_200,
    "-----BEGIN " + "PRIVATE " * 4_000,
    'password="' * 3_000,
    "password='" * 3_000,
    "pwd" + " " * 32_000,
    "net user " * 3_500,
    'net user "' * 3_000,
    "-u a:" * 6_000,
    "bearer " * 4_000,
    "-e " * 10_000,
]


@pytest.mark.parametrize("command", HOSTILE, ids=lambda text: text[:12])
def test_no_text_takes_long(command: str) -> None:
    """A minute for the longest command line that Windows knows would be a way to keep alerts from being sent."""
    begun = time.process_time()
    redacted(command)
    assert time.process_time() - begun < 5


PLAIN = [
    "cmd.exe /c whoami",
    r"C:\Windows\System32\svchost.exe -k netsvcs -s Schedule",
    "ping -n 3 10.0.0.1",
    "net user anna /domain",
    "net user",
    "net localgroup administrators anna /add",
    "powershell.exe -NoProfile -ExecutionPolicy Bypass -File x.ps1",
    "certutil -urlcache -split -f http://example.com:8080/a.exe a.exe",
    "",
]


@pytest.mark.parametrize("command", PLAIN)
def test_what_holds_no_secret_stays(command: str) -> None:
    assert redacted(command) == command


@given(st.text(max_size=200))
def test_any_text_is_taken_and_a_second_look_changes_nothing_more(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once
