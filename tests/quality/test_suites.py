"""The suites that ship can be used, and a broken one is named before anything runs. No Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.landing.outcomes import COUNTS
from lakehunt.quality.suites import load
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from tests.support.paths import PROJECT

COLUMNS = {column.name for column in DEVICE_PROCESS_EVENTS.columns}
TYPE = "expect_column_values_to_not_be_null"


def write(folder: Path, **expectation: Any) -> Path:
    file = folder / "suite.json"
    file.write_text(json.dumps({"name": "s", "expectations": [expectation]}))
    return file


def test_mostly_bad_lines_warn_but_never_refuse() -> None:
    suite = load(PROJECT / "expectations" / "landing.json", set(COUNTS))
    assert {rule.severity for rule in suite.expectations} == {"info", "warning"}


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        ({"type": TYPE, "kwargs": {"column": "timestamp"}}, r"expectation 1 \(.*\): no column 'timestamp'"),
        ({"type": TYPE, "kwargs": {"column": "DeviceId"}, "severity": "fatal"}, "unknown severity 'fatal'"),
        ({"type": TYPE, "kwargs": {"column": "DeviceId"}, "mostly": 1}, "unknown key 'mostly'"),
        ({"type": TYPE, "kwargs": {"column": "DeviceId"}, "meta": {"on_failure": "drop"}}, "on_failure"),
        ({"type": TYPE}, r"needs a `type` and `kwargs`"),
    ],
)
def test_errors_name_the_expectation(tmp_path: Path, expectation: dict[str, Any], message: str) -> None:
    file = write(tmp_path, **expectation)
    with pytest.raises(LakehuntError, match=message) as caught:
        load(file, COLUMNS)
    assert str(file) in caught.value.message


@pytest.mark.parametrize("text", ["{", "[]", '{"expectations": 1}', '{"name": "a", "name": "b", "expectations": []}'])
def test_no_suite_at_all(tmp_path: Path, text: str) -> None:
    file = tmp_path / "suite.json"
    file.write_text(text)
    with pytest.raises(LakehuntError, match=r"suite\.json"):
        load(file, COLUMNS)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(LakehuntError, match="cannot read the suite"):
        load(tmp_path / "missing.json", COLUMNS)
