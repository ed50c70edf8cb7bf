"""The sample telemetry is what its script writes, byte for byte, and looks like what Defender delivers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def blobs(folder: Path) -> dict[str, bytes]:
    return {str(blob.relative_to(folder)): blob.read_bytes() for blob in folder.rglob("PT1H.json")}


@pytest.fixture(scope="module")
def committed() -> dict[str, bytes]:
    return blobs(SAMPLES)


@pytest.fixture(scope="module")
def delivered(committed: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(name, line) for name, blob in committed.items() for line in blob.decode().split("\r\n")[:-1]]


def test_writing_them_again_changes_nothing(tmp_path: Path, committed: dict[str, bytes]) -> None:
    subprocess.run([sys.executable, SAMPLES / "generate.py", tmp_path], check=True, capture_output=True)
    assert blobs(tmp_path) == committed
    assert (tmp_path / "expected.json").read_bytes() == (SAMPLES / "expected.json").read_bytes()


def test_they_stay_small(committed: dict[str, bytes]) -> None:
    assert sum(map(len, committed.values())) < 2_000_000


def test_every_line_ends_as_azure_ends_it(committed: dict[str, bytes]) -> None:
    assert all(blob.endswith(b"\r\n") and blob.count(b"\n") == blob.count(b"\r\n") for blob in committed.values())


def test_a_blob_holds_what_was_exported_in_its_hour(delivered: list[tuple[str, str]]) -> None:
    for name, line in delivered:
        time = line[len('{"time":"') :]
        assert f"y={time[:4]}/m={time[5:7]}/d={time[8:10]}/h={time[11:13]}/" in name


def test_the_imperfections_are_there(delivered: list[tuple[str, str]]) -> None:
    whole, broken = [], 0
    for _, line in delivered:
        try:
            whole.append(json.loads(line)["properties"])
        except ValueError:
            broken += 1
    identities = [(row["Timestamp"], row["DeviceId"], row["ReportId"]) for row in whole]
    assert broken == 1
    assert sum(row["DeviceId"] is None for row in whole) == 1
    assert len(identities) - len(set(identities)) == 2
    assert sum("InitiatingProcessCloudVerdict" in row for row in whole) == 1
    expected = json.loads((SAMPLES / "expected.json").read_text())["landing"]
    assert expected["delivered"] == len(delivered)
    assert expected["events"] == len(set(identities)) - 1
