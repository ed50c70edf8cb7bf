"""The benchmarks of ticks and latency: what they deliver and expect. The ticks themselves take minutes."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import events, latency, ticks
from lakehunt.hunting.content import hunt_file


@pytest.mark.parametrize("late", [0.0, 0.1])
def test_each_event_is_delivered_in_its_quarter_of_an_hour_or_is_late(tmp_path: Path, late: float) -> None:
    (day,) = events.days(2_000, 1, 100)
    delivered = dict(ticks._deliveries(day, tmp_path, late))
    found: Counter[int] = Counter()
    for number, files in delivered.items():
        for line in (line for file in files for line in file.read_text().splitlines()):
            moment = datetime.fromisoformat(json.loads(line)["properties"]["Timestamp"][:19] + "+00:00")
            found[number - (moment.hour * 60 + moment.minute) // 15] += 1
    assert sum(found.values()) == 2_000
    assert set(found) <= set(range(17))
    assert 2_000 - found[0] == pytest.approx(2_000 * late, abs=50)


def test_what_a_replay_expects(tmp_path: Path) -> None:
    """Of three hunts over two hours: 25 as-ofs of every 5 minutes, 3 of every hour, 1 of every day."""
    ticks._write_hunts(3, tmp_path / "hunts")
    hunts, errors = hunt_file.load_folder(tmp_path / "hunts")
    assert errors == []
    begun = datetime(2026, 3, 2, tzinfo=UTC)
    expected = ticks._expected(tmp_path / "hunts", begun, 2)
    assert {id_ for id_, _ in expected} == {hunt.id for hunt in hunts}
    assert sorted(Counter(id_ for id_, _ in expected).values()) == [1, 3, 25]


def test_one_event_of_a_blob_is_wanted(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    latency._arrive(source, 7, 100, random.Random(1))
    rows = [json.loads(line)["properties"] for line in (source / "7.json").read_text().splitlines()]
    assert len({row["ReportId"] for row in rows}) == 100
    assert [row["DeviceId"] for row in rows if row["FileName"] == latency.MARK] == ["wanted-7"]
