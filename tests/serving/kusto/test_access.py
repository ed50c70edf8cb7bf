"""Who may ask, decided before Spark starts and for each request."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.serving import settings
from lakehunt.serving.endpoint import Address
from lakehunt.serving.kusto import access
from lakehunt.serving.kusto.access import Access, check
from lakehunt.serving.kusto.errors import KustoError
from lakehunt.serving.settings import KustoSettings
from tests.support.certificates import Authority
from tests.support.commands import WITHOUT_JAVA, lakehunt
from tests.support.serving import free_port

OPEN = "0.0.0.0"
SECRET = "a-token-of-32-characters-or-more"


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(access.TOKEN, raising=False)


@pytest.fixture
def files(tmp_path: Path) -> KustoSettings:
    """A token, and files for TLS."""
    token = tmp_path / "token"
    token.write_text(SECRET + "\n")
    token.chmod(0o600)
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("server")
    return KustoSettings(token_file=token, certificate=certificate, key=key, client_ca=authority.file)


def checked(of: KustoSettings = KustoSettings(), host: str = "127.0.0.1") -> Access:  # noqa: B008 (it is immutable)
    return check(Address(host, free_port()), of)


def status(of: Access, **headers: str) -> int:
    sent = {"host": "127.0.0.1:8082"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        of.check(sent)
    except KustoError as refused:
        return refused.status
    return 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.10"])
def test_this_machine_needs_no_proof(host: str) -> None:
    assert status(checked(host=host)) == 200


def test_other_machines_need_a_proof_and_encryption(files: KustoSettings) -> None:
    with pytest.raises(UsageError, match="clients need not prove who they are"):
        checked(replace(files, token_file=None, client_ca=None), OPEN)
    with pytest.raises(UsageError, match="without encryption"):
        checked(replace(files, certificate=None, key=None, client_ca=None), OPEN)
    for given in (files, replace(files, token_file=None), replace(files, client_ca=None)):
        checked(given, OPEN)


def test_a_token(files: KustoSettings) -> None:
    with_token = checked(files)
    assert status(with_token, authorization=f"Bearer {SECRET}") == 200
    assert status(with_token, authorization=f"bearer  {SECRET} ") == 200
    for wrong in (
        "",
        SECRET,
        f"Basic {SECRET}",
        f"Bearer {SECRET}x",
        f"Bearer {SECRET[:-1]}",
        "Bearer ",
        "Bearer \xff",
    ):
        assert status(with_token, authorization=wrong) == 401
    assert status(with_token) == 401


def test_the_environment_goes_before_the_file(files: KustoSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(access.TOKEN, "another-token-of-some-length")
    assert status(checked(files), authorization="Bearer another-token-of-some-length") == 200
    assert status(checked(files), authorization=f"Bearer {SECRET}") == 401


@pytest.mark.parametrize("token", ["", "short", "has a space in the middle", "\x07" * 20, "caf\u00e9" * 8])
def test_a_token_that_is_none(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(access.TOKEN, token)
    with pytest.raises(LakehuntError, match="is not a token") as refused:
        checked()
    assert not token or token not in str(refused.value)


def test_a_token_that_others_can_read(files: KustoSettings) -> None:
    assert files.token_file is not None
    files.token_file.chmod(0o640)
    with pytest.raises(LakehuntError, match="other users can read") as refused:
        checked(files)
    assert "chmod 600" in refused.value.hint


def test_a_file_that_is_not_there(files: KustoSettings, tmp_path: Path) -> None:
    with pytest.raises(LakehuntError, match=r"kusto\.client_ca: there is no file"):
        checked(replace(files, client_ca=tmp_path / "no"))
    with pytest.raises(LakehuntError, match=r"kusto\.token_file .* cannot be read"):
        checked(replace(files, token_file=tmp_path / "no"))


def test_files_that_are_not_for_tls(files: KustoSettings, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").issue("other")[1]
    text = tmp_path / "text"
    text.write_text("no certificate")
    for wrong in (replace(files, key=other), replace(files, certificate=text), replace(files, client_ca=text)):
        with pytest.raises(LakehuntError, match="the files for TLS cannot be used"):
            checked(wrong)


@pytest.mark.parametrize("host", ["127.0.0.1:8082", "localhost", "LOCALHOST:1", "[::1]:8082", "lakehunt.example.com"])
def test_names_of_the_server(host: str) -> None:
    assert status(checked(KustoSettings(hosts=("lakehunt.example.com",))), host=host) == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example:8082", "127.0.0.1.evil.example", "[::2]:1", "evil.example@127.0.0.1"]
)
def test_a_name_that_somebody_else_has_given_to_this_machine(host: str) -> None:
    """DNS rebinding: a page of evil.example, of which the name leads to 127.0.0.1 by now."""
    assert status(checked(), host=host) == 403


def test_pages_in_a_browser() -> None:
    page = "https://dataexplorer.azure.com"
    listed = checked(KustoSettings(origins=(page,)))
    assert status(listed, origin=page, sec_fetch_site="cross-site") == 200
    assert status(listed, origin="https://evil.example") == 403
    assert status(listed, origin="null") == 403
    assert status(checked(), origin=page) == 403
    assert status(checked(), sec_fetch_site="cross-site") == 403, "as an image or a script of another page"
    assert status(checked(), sec_fetch_site="none") == 200, "from the address bar"


# The command


def test_the_command_says_so_before_it_starts_java() -> None:
    done = lakehunt("serve", "--kusto", "--host", OPEN, **WITHOUT_JAVA)
    assert (done.returncode, done.stdout) == (2, "")
    assert "other machines can reach 0.0.0.0" in done.stderr


def test_options_of_the_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = lakehunt("serve", "--kusto", "--port", port, **WITHOUT_JAVA)
    assert taken.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in taken.stderr
    refreshed = lakehunt("serve", "--kusto", "--refresh", "5", **WITHOUT_JAVA)
    assert refreshed.returncode == 2
    assert "leave it out with --kusto" in refreshed.stderr
    nowhere = lakehunt("serve", "--kusto", "--host", "no.such.host.invalid", **WITHOUT_JAVA)
    assert nowhere.returncode == 2
    assert "no address of this machine" in nowhere.stderr


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehunt.serving import kusto

    monkeypatch.setattr(kusto, "NEEDED", ("starlette", "no_such_package"))
    with pytest.raises(LakehuntError, match="needs no_such_package") as refused:
        kusto.check_installed()
    assert refused.value.hint == "pip install 'lakehunt[kusto]'"


# The configuration


def read(tmp_path: Path, section: str) -> KustoSettings:
    from lakehunt import config

    file = tmp_path / "lakehunt.yaml"
    file.write_text(f"kusto: {section}\n")
    return config.load(str(file)).kusto


def test_settings(tmp_path: Path) -> None:
    found = read(tmp_path, "{database: hunts, token_file: t, certificate: c, key: k, client_ca: /ca, "
                           "origins: ['https://dataexplorer.azure.com'], hosts: [a.example]}")  # fmt: skip
    assert (found.database, found.token_file, found.client_ca) == ("hunts", tmp_path / "t", Path("/ca"))
    assert (found.origins, found.hosts) == (("https://dataexplorer.azure.com",), ("a.example",))
    assert read(tmp_path, "{}") == KustoSettings()


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ("5", "expected a mapping"),
        ("{token: abc}", "unknown key 'token'"),
        ("{database: 'a b'}", "database is not a name"),
        ("{certificate: c}", "certificate needs key"),
        ("{client_ca: c}", "client_ca needs certificate"),
        ("{origins: ['*']}", "origins is not a list"),
        ("{origins: 'https://a.example'}", "origins is not a list"),
        ("{hosts: ['a.example:80']}", "hosts is not a list"),
        ("{token_file: 5}", "token_file is 5"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, section: str, what: str) -> None:
    with pytest.raises(LakehuntError, match="kusto: ") as refused:
        read(tmp_path, section)
    assert what in str(refused.value)
    assert set(settings.KEYS) == set(KustoSettings.__dataclass_fields__)
