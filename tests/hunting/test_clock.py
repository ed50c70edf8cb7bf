"""When hunts are due: clocks worked out by hand, and any sequence of ticks, outages and failures. No Spark."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.hunting import clock
from lakehunt.hunting.clock import ATTEMPTS, Asked, Skipped
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.run_log import DUE, FAILED, SKIPPED, STARTED, SUCCEEDED, HuntRun
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.kql import times
from lakehunt.lake.small_tables import LocalTables

HUNT = Hunt("0a6a0a6a-0000-4000-8000-000000000001", "one", "DeviceProcessEvents")
SETTINGS = HuntingSettings()
HOURLY = replace(HUNT, query_frequency=timedelta(hours=1))


def at(text: str) -> int:
    ticks = times.parse_datetime(text)
    assert ticks is not None
    return ticks


def asked(last: str, **changed: Any) -> Asked:
    return Asked(at(last), frozenset([HOURLY.digest]), **changed)


class TestFrequency:
    @pytest.mark.parametrize(
        ("written", "kind", "used"),
        [
            (None, "", timedelta(days=1)),
            (timedelta(hours=3), "", timedelta(hours=3)),
            (timedelta(minutes=1), "", timedelta(minutes=5)),
            (timedelta(days=30), "", timedelta(days=14)),
            (None, "NRT", timedelta(minutes=5)),
            (timedelta(hours=3), "NRT", timedelta(hours=3)),
        ],
    )
    def test_of_a_hunt(self, written: timedelta | None, kind: str, used: timedelta) -> None:
        assert clock.frequency(replace(HUNT, query_frequency=written, kind=kind), SETTINGS) == used

    def test_default(self) -> None:
        assert clock.frequency(HUNT, HuntingSettings(frequency=timedelta(hours=6))) == timedelta(hours=6)

    @pytest.mark.parametrize(
        ("every", "now", "as_of"),
        [
            (timedelta(minutes=5), "2026-03-10T06:44:59.9999999Z", "2026-03-10T06:40:00Z"),
            (timedelta(minutes=5), "2026-03-10T06:45:00Z", "2026-03-10T06:45:00Z"),
            (timedelta(days=1), "2026-03-10T06:44:00Z", "2026-03-10"),
            (timedelta(days=7), "2026-03-10T06:44:00Z", "2026-03-09"),  # Monday, as bin(now(), 7d)
            (timedelta(minutes=7), "0001-01-01T00:20:00Z", "0001-01-01T00:14:00Z"),
        ],
    )
    def test_as_ofs_are_bins_of_kusto(self, every: timedelta, now: str, as_of: str) -> None:
        assert clock.newest(every, at(now)) == at(as_of)


class TestDue:
    def test_a_hunt_that_never_ran_begins_with_its_newest(self) -> None:
        found = clock.due(HOURLY, SETTINGS, None, at("2026-03-10T06:44Z"))
        assert (found.as_ofs, found.skipped) == ((at("2026-03-10T06:00Z"),), None)
        assert found.following == at("2026-03-10T07:00Z")

    @pytest.mark.parametrize(
        ("last", "now", "hours"),
        [
            ("2026-03-10T05:00Z", "2026-03-10T05:59:59Z", []),
            ("2026-03-10T05:00Z", "2026-03-10T06:00Z", [6]),
            ("2026-03-10T02:00Z", "2026-03-10T06:44Z", [3, 4, 5, 6]),
            ("2026-03-10T02:30Z", "2026-03-10T04:44Z", [3, 4]),  # it was asked every 30 minutes before
            ("2026-03-10T09:00Z", "2026-03-10T06:44Z", []),  # a clock that was ahead
        ],
    )
    def test_as_ofs_after_the_last_one(self, last: str, now: str, hours: list[int]) -> None:
        found = clock.due(HOURLY, SETTINGS, asked(last), at(now))
        assert list(found.as_ofs) == [at(f"2026-03-10T{hour:02}:00Z") for hour in hours]

    def test_catch_up_is_capped_and_says_what_is_skipped(self) -> None:
        found = clock.due(HOURLY, HuntingSettings(catch_up=2), asked("2026-03-10T00:00Z"), at("2026-03-10T06:44Z"))
        assert list(found.as_ofs) == [at("2026-03-10T05:00Z"), at("2026-03-10T06:00Z")]
        assert found.skipped == Skipped(at("2026-03-10T01:00Z"), at("2026-03-10T04:00Z"), 4)

    def test_a_new_version_begins_with_its_newest(self) -> None:
        changed = replace(HOURLY, query="DeviceProcessEvents | take 1")
        now = at("2026-03-10T06:44Z")
        assert list(clock.due(changed, SETTINGS, asked("2026-03-10T06:00Z"), now).as_ofs) == [at("2026-03-10T06:00Z")]
        missed = clock.due(changed, SETTINGS, asked("2026-03-10T04:00Z"), now)
        assert list(missed.as_ofs) == [at("2026-03-10T05:00Z"), at("2026-03-10T06:00Z")]

    def test_what_failed_is_asked_again_a_few_times(self) -> None:
        five, six = at("2026-03-10T05:00Z"), at("2026-03-10T06:00Z")
        before = asked("2026-03-10T05:00Z", failed={five: {HOURLY.digest: ATTEMPTS - 1, "earlier": 9}})
        found = clock.due(HOURLY, SETTINGS, before, at("2026-03-10T06:44Z"))
        assert (found.as_ofs, found.again) == ([five, six], {five})
        given_up = asked("2026-03-10T05:00Z", failed={five: {HOURLY.digest: ATTEMPTS}})
        assert clock.due(HOURLY, SETTINGS, given_up, at("2026-03-10T06:44Z")).as_ofs == [six]


def test_what_the_run_log_says(tmp_path: Path) -> None:
    """one: succeeded at 1, failed twice at 2 (once killed); two: long ago; three was asked by somebody, not by its
    clock; four skipped 5."""
    lake = LocalTables(str(tmp_path / "lake"))
    one, two, three, four = (replace(HUNT, id=f"0a6a0a6a-0000-4000-8000-00000000000{n}") for n in range(1, 5))
    today = datetime(2026, 3, 10, tzinfo=UTC)
    hours = [at(f"2026-03-09T0{hour}:00Z") for hour in range(6)]

    def ran(hunt: Hunt, hour: int, run: str, outcome: str, ago: int = 0, reason: str | None = DUE) -> HuntRun:
        return HuntRun(hunt, hours[hour], run, today - timedelta(days=ago), outcome=outcome, reason=reason)

    assert clock.read_asked(lake, [one.id], today) == {}
    runs = [
        *(ran(one, 1, "r1", outcome) for outcome in (STARTED, SUCCEEDED)),
        *(ran(one, 2, "r2", outcome) for outcome in (STARTED, FAILED)),
        ran(one, 2, "r3", STARTED),
        ran(two, 3, "r4", SUCCEEDED, ago=100),
        ran(three, 4, "r5", SUCCEEDED, reason=None),
        ran(four, 5, "r6", SKIPPED),
    ]
    run_log.record_runs(lake, runs)
    version = frozenset([HUNT.digest])
    assert clock.read_asked(lake, [one.id, two.id, three.id, four.id], today) == {
        one.id: Asked(hours[2], version, {hours[2]: {HUNT.digest: 2}}),
        two.id: Asked(hours[3], version, {}),
        four.id: Asked(hours[5], frozenset(), {}),
    }


TICKS = st.lists(
    st.tuples(st.integers(1, 3000), st.sampled_from(["well", "well", "well", "fails", "is killed"])),
    min_size=1,
    max_size=30,
)


@given(ticks=TICKS, every=st.sampled_from([5, 60, 1440]), cap=st.integers(1, 40))
def test_each_as_of_within_the_cap_is_asked_once_in_order(ticks: list[tuple[int, str]], every: int, cap: int) -> None:
    """Ticks some minutes apart; at some of them the hunt fails, or the run is killed in its middle."""
    hunt = replace(HUNT, query_frequency=timedelta(minutes=every))
    settings = HuntingSettings(catch_up=cap)
    step = timedelta(minutes=every)
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    now, log = begun, []  # type: ignore[var-annotated]
    succeeded: Counter[datetime] = Counter()
    tried: Counter[datetime] = Counter()
    skipped: list[datetime] = []
    order: list[datetime] = []
    for number, (minutes, how) in enumerate(ticks):
        now += timedelta(minutes=minutes)
        history = clock.asked_of(log).get(hunt.id)
        found = clock.due(hunt, settings, history, times.from_datetime(now))
        row = {"hunt_id": hunt.id, "hunt_version": hunt.digest, "run_id": str(number)}
        if found.skipped is not None:
            first, last = times.to_datetime(found.skipped.first), times.to_datetime(found.skipped.last)
            some = [first + step * n for n in range(found.skipped.count)]
            assert some[-1] == last
            skipped += some
            log.append(row | {"as_of": last, "outcome": SKIPPED})
        moments = [times.to_datetime(as_of) for as_of in found.as_ofs]
        assert moments == sorted(set(moments))
        log += [row | {"as_of": moment, "outcome": STARTED} for moment in moments]
        order += [moment for moment in moments if moment not in tried]
        for place, moment in enumerate(moments):
            tried[moment] += 1
            works = how == "well" or (how == "is killed" and place < len(moments) // 2)
            if works:
                succeeded[moment] += 1
                log.append(row | {"as_of": moment, "outcome": SUCCEEDED})
            elif how == "fails":
                log.append(row | {"as_of": moment, "outcome": FAILED})
    assert order == sorted(order)
    assert all(count == 1 for count in succeeded.values())
    assert all(count <= ATTEMPTS for count in tried.values())
    first = begun + (begun + timedelta(minutes=ticks[0][0]) - begun) // step * step
    all_of_them = [first + step * n for n in range((now - first) // step + 1)]
    assert sorted([*tried, *skipped]) == all_of_them
    for moment in all_of_them[-cap:]:  # what is within the cap at the end was never skipped
        assert moment in tried
