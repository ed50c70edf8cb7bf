"""Hunts at as-ofs of their own: what ticks ask and find is what asking each as-of by itself finds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt.cli import due as cli_due
from lakehunt.config import Config
from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.run_log import DUE, LATE
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.kql.types import TICKS_PER_MINUTE
from lakehunt.lake import write_lock
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.hunt_tables import RUNS
from tests.support.events import event, store
from tests.support.hunts import common, own, ticks

MIDNIGHT = ticks("2026-03-10")


def hunt(number: int, query: str, every: timedelta | None, period: timedelta | None = None) -> Hunt:
    id_ = f"0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a{number:02}"
    return Hunt(id=id_, name=f"hunt {number}", query=query, query_frequency=every, query_period=period)


MINUTES, HOURS = timedelta(minutes=5), timedelta(hours=1)
SHELLS = "DeviceProcessEvents | where FileName =~ 'cmd.exe' | project Timestamp, DeviceId, ProcessCommandLine"
OFTEN = hunt(1, SHELLS, MINUTES, MINUTES)
BY_DEVICE = "DeviceProcessEvents | where FileName =~ 'cmd.exe' | summarize n = count() by DeviceId"
HOURLY = hunt(2, BY_DEVICE, HOURS, timedelta(hours=3))
DAILY = hunt(3, "DeviceProcessEvents | where FileName has 'powershell' | summarize n = count() by DeviceId", None)
COUNTING = hunt(4, "DeviceProcessEvents | where FileName =~ 'nothing.exe' | count", HOURS)
HUNTS = [OFTEN, HOURLY, DAILY, COUNTING]


def at(minutes: int) -> str:
    return f"2026-03-10T{minutes // 60:02}:{minutes % 60:02}:30Z"


class Ticks:
    """`hunt --due` on a lake, in the tests' session. `spark_used` counts the ticks that needed it."""

    def __init__(self, lake: Lake, catch_up: int = 288) -> None:
        self.lake = lake
        self.config = Config(lake=lake.root, hunting=HuntingSettings(catch_up=catch_up))
        self.spark_used = 0

    @contextmanager
    def _opened(self) -> Iterator[Lake]:
        self.spark_used += 1
        yield Lake(self.lake.spark, self.lake.root)

    def __call__(self, minutes: int, *hunts: Hunt) -> bool:
        now = MIDNIGHT + minutes * TICKS_PER_MINUTE
        chosen = hunts or HUNTS
        return cli_due.asked_due(self.config, chosen, now, False, lambda step: None, self._opened, lambda: None)

    def asked(self) -> list[tuple[str, int, str]]:
        """Hunt, minute of its as-of and outcome of each run that has ended, in the order of their as-ofs."""
        rows = self.lake.few(RUNS, only=[("reason", "=", DUE), ("outcome", "!=", "started")])
        return sorted((row["hunt_name"], _minute(row["as_of"]), row["outcome"]) for row in rows)


def _minute(moment: Any) -> int:
    return int(moment.timestamp()) // 60 - MIDNIGHT // TICKS_PER_MINUTE


@pytest.fixture
def make(spark: Any, empty_lake: Path, tmp_path: Path) -> Callable[[str], Lake]:
    return lambda name: Lake(spark, str(shutil.copytree(empty_lake, tmp_path / name)))


def test_ticks_find_what_each_as_of_by_itself_finds(make: Callable[[str], Lake]) -> None:
    """Ticks at 0:00, 0:05, 0:06 and, after an outage, at 2:11. The hunt of 5 minutes finds the command lines at 0:04
    and 1:23, each at one as-of; the hourly one the devices of three hours. The hunt that counts has a result at every
    as-of, also without hits."""
    ticked, plain = Ticks(make("ticked")), make("plain")
    before = [event(Timestamp="2026-03-09T22:30:30Z", DeviceId="a", ReportId=1)]
    first = [event(Timestamp=at(4), DeviceId="b", ReportId=2), event(Timestamp=at(3), FileName="other.exe", ReportId=3)]
    second = [
        event(Timestamp=at(83), DeviceId="a", ReportId=4),
        event(Timestamp=at(84), DeviceId="c", FileName="powershell.exe", ReportId=5),
    ]
    store(ticked.lake, before)
    assert ticked(0)
    store(ticked.lake, first)
    assert ticked(5)
    assert ticked(6)
    store(ticked.lake, second)
    assert ticked(131)
    fives = [0, 5, *range(10, 131, 5)]
    expected = [("hunt 1", minute, "succeeded") for minute in fives]
    expected += [(name, minute, "succeeded") for name in ("hunt 2", "hunt 4") for minute in (0, 60, 120)]
    expected += [("hunt 3", 0, "succeeded")]
    assert ticked.asked() == sorted(expected)
    assert ticked.spark_used == 3  # at 0:06 nothing was due

    store(plain, before + first + second)
    for minute in fives:
        which = [one for one, every in ((OFTEN, 5), (HOURLY, 60), (DAILY, 1440), (COUNTING, 60)) if minute % every == 0]
        runs = engine.run_hunts(plain, which, MIDNIGHT + minute * TICKS_PER_MINUTE, lambda step: None)
        assert [run.error for run in runs] == [None] * len(which)
    assert common(ticked.lake) == common(plain)
    assert [own(ticked.lake, one) for one in HUNTS] == [own(plain, one) for one in HUNTS]
    rows = [(_minute(row["as_of"]), row["DeviceId"]) for row in own(plain, OFTEN)]
    assert rows == [(5, "b"), (85, "a")]
    rows = [(_minute(row["as_of"]), row["DeviceId"], row["n"]) for row in own(plain, HOURLY)]
    assert sorted(rows) == [(0, "a", 1), (60, "a", 1), (60, "b", 1), (120, "a", 1), (120, "b", 1)]
    assert len(own(plain, COUNTING)) == 3


def test_without_new_events_and_hits_no_spark_is_needed(make: Callable[[str], Lake]) -> None:
    """Once the events of 0:04 are read, the as-ofs from 0:10 on have none of them in their five minutes."""
    ticked = Ticks(make("ticked"))
    store(ticked.lake, [event(Timestamp=at(4), ReportId=1)])
    assert ticked(5, OFTEN)
    assert ticked(10, OFTEN)
    assert ticked(25, OFTEN)
    assert ticked.spark_used == 1
    assert ticked.asked() == [("hunt 1", minute, "succeeded") for minute in (5, 10, 15, 20, 25)]
    assert [_minute(row["as_of"]) for row in own(ticked.lake, OFTEN)] == [5]
    store(ticked.lake, [event(Timestamp=at(27), ReportId=2)])
    assert ticked(30, OFTEN)
    assert ticked.spark_used == 2
    assert [_minute(row["as_of"]) for row in own(ticked.lake, OFTEN)] == [5, 30]


def test_a_late_event_of_a_hunt_that_finds_nothing_now(make: Callable[[str], Lake]) -> None:
    """The event of 0:08 lands after 0:10 was asked, and something else reads it. What is due at 0:15 has no hits; Spark
    starts to ask 0:10 again, once."""
    ticked = Ticks(make("ticked"))
    store(ticked.lake, [event(Timestamp=at(4), ReportId=1)])
    for minutes in (5, 10):
        assert ticked(minutes, OFTEN)
    store(ticked.lake, [event(Timestamp=at(8), ReportId=2)])
    engine.run_hunts(ticked.lake, [OFTEN], MIDNIGHT + 12 * TICKS_PER_MINUTE, lambda step: None)
    assert ticked.spark_used == 1
    for minutes in (15, 20):
        assert ticked(minutes, OFTEN)
        assert ticked.spark_used == 2
    assert [_minute(row["as_of"]) for row in own(ticked.lake, OFTEN)] == [5, 10, 12]
    again = ticked.lake.few(RUNS, ("as_of",), [("reason", "=", LATE), ("outcome", "=", "succeeded")])
    assert [_minute(row["as_of"]) for row in again] == [10]


def test_what_fails_is_asked_three_times_and_what_is_skipped_is_said(
    make: Callable[[str], Lake], capsys: pytest.CaptureFixture[str]
) -> None:
    ticked = Ticks(make("ticked"), catch_up=2)
    broken = hunt(5, "DeviceProcessEvents | where NoColumn == 1", HOURS)
    store(ticked.lake, [event(Timestamp=at(4), ReportId=1)])
    assert ticked(0, broken, HOURLY) is False
    assert ticked(5, broken, HOURLY) is False
    assert "not asked again" not in capsys.readouterr().out
    assert ticked(10, broken, HOURLY) is False
    assert "hunt 5 has failed too often as of 2026-03-10 and is not asked again" in capsys.readouterr().out
    assert ticked(15, broken, HOURLY)
    assert capsys.readouterr().out == "nothing is due; next: hunt 5, at 2026-03-10T01:00:00Z\n"
    assert ticked.asked() == [("hunt 2", 0, "succeeded"), *[("hunt 5", 0, "failed")] * 3]
    ticked(300, HOURLY)
    told = capsys.readouterr().err
    assert "3 as-ofs from 2026-03-10T01:00Z to 2026-03-10T03:00Z were missed and will not be asked" in told
    asked = [(minute, outcome) for name, minute, outcome in ticked.asked() if name == "hunt 2"]
    assert asked == [(0, "succeeded"), (180, "skipped"), (240, "succeeded"), (300, "succeeded")]


def test_two_commands_do_not_ask_at_once(make: Callable[[str], Lake]) -> None:
    ticked = Ticks(make("ticked"))
    with write_lock.only_one(ticked.lake.root, cli_due.WORK) as is_alone:
        assert is_alone
        assert ticked(0)
    assert ticked.asked() == []
    with write_lock.only_one("s3://bucket/lake", cli_due.WORK) as is_alone:
        assert is_alone
    with write_lock.only_one(ticked.lake.root, cli_due.WORK) as is_alone:
        assert is_alone


def test_nothing_is_due_before_anything_has_landed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def opened() -> Any:
        pytest.fail("Spark was started")

    config = Config(lake=str(tmp_path))
    assert cli_due.asked_due(config, HUNTS, MIDNIGHT, False, lambda step: None, opened, lambda: None)
    assert capsys.readouterr().out == "nothing is due: no event has landed in this lake yet\n"
