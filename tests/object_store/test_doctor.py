"""`lakehunt doctor` on a lake in S3: whether it can be used, without Spark and without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehunt.cli import main
from tests.support.s3_server import SECRET_KEY

pytestmark = pytest.mark.campaign


def doctor(lake: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code, and what was found about the lake's place, each behind its outcome."""
    code = main(["doctor", "--format", "json", "--lake", lake])
    said = capsys.readouterr().out
    assert SECRET_KEY not in said
    return code, [f"{one['outcome']}: {one['found']}" for one in json.loads(said) if one["check"] == "lake"]


def test_a_bucket(bucket: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = doctor(f"s3://{bucket}/lake", capsys)
    assert code == 0
    assert [one.partition(" at ")[0] for one in said] == [f"ok: s3a://{bucket}/lake can be listed, read and written"]
    assert not [file for file in folder.rglob("*") if file.is_file()]


def test_no_bucket(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = doctor("s3://another-one/lake", capsys)
    assert code == 1
    assert said[0].startswith("failure: the lake s3a://another-one/lake: ")
    assert said[0].endswith("has no bucket another-one")


def test_credentials_that_are_refused(
    bucket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-one")
    code, said = doctor(f"s3://{bucket}/lake", capsys)
    assert code == 1
    assert "refuses the credentials" in said[0]
