"""What a run says of its hunts."""

from __future__ import annotations

import pytest

from lakehunt.hunting import run_progress
from lakehunt.hunting.run_progress import RunProgress


def test_hunts_are_counted_once_and_empty_ones_are_seldom_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(run_progress.time, "monotonic", lambda: now[0])
    said: list[str] = []
    progress = RunProgress(said.append, 1572)
    progress.evaluating("a", "one")
    for number in range(1400):
        progress.empty(f"empty {number}")
        now[0] += 0.01  # 14 s for all: two lines, each some 500 hunts after the one before
    progress.evaluating("b", "two")
    progress.evaluating("b", "two, in full")
    places = [int(line.split(" of ")[0].removeprefix("hunting ").replace(",", "")) for line in said[1:-2]]
    assert said[0] == "hunting 1 of 1,572: one"
    assert len(places) == 2
    assert [round(place, -2) for place in places] == [500, 1000]
    assert said[-2:] == ["hunting 1,402 of 1,572: two", "hunting 1,402 of 1,572: two, in full"]
