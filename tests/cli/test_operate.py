"""What commands about operations print."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from lakehunt.cli.operate import print_telemetry
from lakehunt.quality.volume import DayVolume

QUIET = "events must be at least 1 (it is {}). A feed that stopped is not a quiet network."
ODD = "percent_of_usual must be at least 50 (it is {}). Something may be missing."


def day(number: int, *critical: str, warnings: tuple[str, ...] = ()) -> DayVolume:
    return DayVolume(datetime(2026, 3, number, tzinfo=UTC), 10 - number, 12.5, None, 0.0, critical, warnings)


DAYS = [
    day(9, QUIET.format(0)),
    day(8, QUIET.format(0), warnings=(ODD.format(16.0),)),
    day(7, warnings=(ODD.format(24.0),)),
    day(6),
]


def test_what_is_wrong_with_days_is_a_code_and_a_legend(capsys: pytest.CaptureFixture[str]) -> None:
    print_telemetry(DAYS, "table")
    lines = [[cell.strip() for cell in line.split("│")] for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["day to", "events", "usual", "% of usual", "hours without", "% quarantined", "remarks"]
    assert lines[3] == ["2026-03-09 00:00", "1", "12.5", "8", "", "0", "C1"]
    assert [line[-1] for line in lines[3:7]] == ["C1", "C1 W1", "W1", ""]
    assert lines[7:] == [
        ["(4 days)"],
        ["C1: events must be at least 1. A feed that stopped is not a quiet network."],
        ["W1: percent_of_usual must be at least 50. Something may be missing."],
    ]


def test_telemetry_for_programs_has_the_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    print_telemetry(DAYS[1:2], "jsonl")
    assert json.loads(capsys.readouterr().out) == {
        "as_of": "2026-03-08T00:00:00+00:00",
        "events": 2,
        "usual_events": 12.5,
        "percent_of_usual": 16.0,
        "hours_without_events": None,
        "quarantined_percent": 0.0,
        "critical": [QUIET.format(0)],
        "warnings": [ODD.format(16.0)],
    }
