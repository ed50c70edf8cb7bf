"""No error shows a credential."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lakehunt import config
from lakehunt.core import credentials
from lakehunt.core.credentials import masked, redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.kql.errors import Kind, KqlError, QueryErrors, Span
from tests.support.commands import WITHOUT_JAVA, lakehunt


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_hidden", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at s3a://AKIAKEY:s/ec+r@t@bucket/t: gone", "at s3a://[redacted]@bucket/t: gone"),
        ("https://u:pa?ss;w#d@h.example/x.csv", "https://[redacted]@h.example/x.csv"),
        ("https://ghp_token@h.example/x.csv", "https://[redacted]@h.example/x.csv"),
        (
            "abfss://c@a.dfs.core.windows.net/t?sv=2024-01&sig=a%2Fb%3D",
            "abfss://c@a.dfs.core.windows.net/t?sv=[redacted]&sig=[redacted]",
        ),
        ("'https://h/f.csv;c2VjcmV0IQ=='", "'https://h/f.csv;[redacted]'"),
        ("https://h/f.csv;c2VjcmV0IQE=", "https://h/f.csv;[redacted]"),
        ("https://h/f.csv;accountkey", "https://h/f.csv;[redacted]"),
        ("s3://b/f.csv;AwsCredentials=AKIA123,secret", "s3://b/f.csv;AwsCredentials=[redacted]"),
        # What is no credential stays
        ("abfss://container@account.dfs.core.windows.net/lake", "abfss://container@account.dfs.core.windows.net/lake"),
        ("https://h/f.csv?raw=true&v=12, see", "https://h/f.csv?raw=true&v=12, see"),
        ("https://h/f.csv;impersonate", "https://h/f.csv;impersonate"),
        ("no address: a:b@c?d=efghijk", "no address: a:b@c?d=efghijk"),
        ("https://h:8443/a/b#L12", "https://h:8443/a/b#L12"),
    ],
)
def test_an_address(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(shown) == shown
    assert len(masked(text)) == len(text)


SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=8, max_size=30)
PLACES = (
    "s3a://AKIA:{}@bucket/x",
    "https://user:{}@host.example/list.csv",
    "https://{}@host.example/list.csv",
    "https://a.blob.core.windows.net/c/list.csv?sv=2024-11-04&sig={}",
    "https://a.blob.core.windows.net/c/list.csv;{}",
    "https://a.blob.core.windows.net/c/list.csv;{}==",
    "wasbs://c@a.blob.core.windows.net/c?{}",
)


@given(SECRETS, st.sampled_from(PLACES))
def test_a_secret_in_an_address_is_in_no_error(secret: str, place: str) -> None:
    address = place.format(quote(secret, safe=""))
    query = f'externaldata(a: string) [h"{address}"] | foo'
    at = Span(query.index("foo"), len(query))
    errors = [
        LakehuntError(f"there is no copy of {address}", f"see {address}"),
        QueryErrors(query, [KqlError(Kind.SYNTAX, f"foo at {address}", at)]),
    ]
    for told in map(str, errors):
        assert secret not in unquote(told)
        assert quote(secret, safe="") not in told
    line, marks = str(errors[1]).splitlines()[1:3]
    assert line.index("foo") == marks.index("^")


@given(
    SECRETS, st.sampled_from(["fs.s3a.secret.key", "fs.azure.account.key.a", "x.keystore.password", "fs.azure.sas.c.a"])
)
def test_a_secret_of_the_configuration_is_in_no_error(
    tmp_path_factory: pytest.TempPathFactory, secret: str, name: str
) -> None:
    assume(secret not in "[redacted]")
    file = tmp_path_factory.mktemp("configured") / "lakehunt.yaml"
    quoted = secret.replace("'", "''")
    file.write_text(f"spark:\n  spark.hadoop.{name}: '{quoted}'\n")
    config.load(str(file))
    for told in (secret, quote(secret), quote(secret, safe="")):
        assert told not in str(LakehuntError(f"Invalid configuration value ({told}) detected"))


def test_check_shows_no_secret(tmp_path: Path) -> None:
    query = tmp_path / "q.kql"
    query.write_text('externaldata(a: string) [h"https://u:Pl4ntedOne@h.example/f.csv?sig=Pl4ntedTwo"] | foo')
    done = lakehunt("check", query, **WITHOUT_JAVA)
    assert done.returncode == 1
    assert "https://" in done.stderr
    assert "Pl4nted" not in done.stdout + done.stderr


def test_a_traceback_shows_no_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from lakehunt.cli import main

    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    main(["--version"])
    try:
        raise ValueError("cannot open s3a://k:Pl4nted@b/x")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "ValueError: cannot open s3a://[redacted]@b/x" in told


def test_a_column_or_key_of_a_lookup_is_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(
        "lookups: {watchlists: {VIPs: {path: vips.csv, search_key: DeviceName}}}\n"
        "tables: {Registry: {path: registry, columns: {RegistryKey: string}}}\n"
        "spark: {spark.hadoop.fs.s3a.secret.key: c2VjcmV0}\n"
    )
    config.load(str(file))
    assert redacted("no column DeviceName of type string") == "no column DeviceName of type string"
    assert redacted("not c2VjcmV0") == "not [redacted]"
