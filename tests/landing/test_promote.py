"""Delivered records end in events, quarantine or recognised duplicates, and the counts say so."""

from __future__ import annotations

import hashlib
import random
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.times import parse_datetime
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.landing.spark.promote import Promoter
from lakehunt.quality.data_docs import DataDocs
from lakehunt.quality.volume import judge_days
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import QUARANTINE as RECORDS_IN_QUARANTINE
from lakehunt.spark.values import day
from tests.support.blobs import NOW, blob, record, write_suites
from tests.support.landing import both_engines, ingest, promote  # noqa: F401 (a fixture)

Say = Callable[[str], None]
EVENTS = "events.device_process_events"
QUARANTINE = "quarantine.records"


def land(lake: Lake, source: Path, suites: Path) -> PromotionResult:
    ingest(lake, str(source), NOW, lambda _: None)
    return promote(lake, suites, DataDocs(), lambda _: None)


def table(lake: Lake, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in lake.read(name).selectExpr(*columns).collect())


def content(lake: Lake) -> tuple[list[Any], ...]:
    """What the lake holds, apart from when and in which batch it came."""
    return (
        table(lake, EVENTS, "event_id", "FileName", "cast(event_date as string)"),
        table(lake, QUARANTINE, "file", "line", "array_join(reasons, ' | ')"),
    )


def counts(settlement: PromotionResult) -> list[tuple[int, int, int, int]]:
    return [(b.delivered, b.events, b.quarantined, b.duplicates) for b in settlement.batches]


def test_good_bad_and_repeated(lake: Lake, source: Path, suites: Path) -> None:
    lines = [record(FileName="a"), record(DeviceId=None), "nope", record(FileName="a"), record(FileName="b", New=1)]
    path = blob(source, "\n".join(lines) + "\n")
    first = land(lake, source, suites)
    assert counts(first) == [(5, 2, 2, 1)]
    assert first.batches[0].unknown_properties == ("New",)
    assert table(lake, QUARANTINE, "line", "reasons", "text") == [
        (2, ["DeviceId: missing"], lines[1]),
        (3, ["not JSON, or a key occurs twice"], "nope"),
    ]
    assert land(lake, source, suites).batches == ()

    path.write_text(path.read_text() + lines[0])
    blob(source, lines[4] + "\n" + record(Timestamp="2024-01-01T00:00:00Z", DeviceId=7, Late=1), "other.json")
    second = land(lake, source, suites)
    assert counts(second) == [(3, 0, 1, 2)]
    assert table(lake, QUARANTINE, "reasons")[0] == (["DeviceId: expected a string, found an integer (7)"],)
    assert [row[0] for row in table(lake, EVENTS, "FileName")] == ["a", "b"]


def test_events_are_there_although_no_page_can_be_written(lake: Lake, source: Path, suites: Path) -> None:
    """As on a full disk: the folder of the pages cannot be made, because a file is in its place."""
    blob(source, record() + "\n")
    ingest(lake, str(source), NOW, lambda _: None)
    taken = suites / "taken"
    taken.touch()
    done = promote(lake, suites, DataDocs(folder=taken / "docs"), lambda _: None)
    assert counts(done) == [(1, 1, 0, 0)]
    wanted = rf"{re.escape(str(taken))}.* cannot be written: Not a directory, [\d,]+ MB are free there"
    assert re.fullmatch(wanted, done.without_docs or "")


def test_late_events_go_to_their_own_day(lake: Lake, source: Path, suites: Path) -> None:
    blob(source, "\n".join(record(Timestamp=f"2024-0{month}-01T00:00:00Z") for month in (5, 1, 3)) + "\n")
    assert counts(land(lake, source, suites)) == [(3, 3, 0, 0)]
    days = table(lake, EVENTS, "cast(event_date as string)")
    assert days == [("2024-01-01",), ("2024-03-01",), ("2024-05-01",)]


def test_a_refused_batch_is_tried_again(lake: Lake, source: Path, suites: Path) -> None:
    one = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "ActionType", "value_set": ["Known"]}}
    share = {"column": "quarantined_percent", "max_value": 1}
    landing = {"type": "expect_column_values_to_be_between", "kwargs": share, "severity": "warning"}
    write_suites(suites, ({**one, "severity": "critical"},), (landing,))
    blob(source, "\n".join([record(ActionType="New"), record(ActionType="Known"), "nope"]) + "\n")
    refused = land(lake, source, suites).batches[0]
    assert refused.refused == ("DeviceProcessEvents: ActionType: values to be in set: 1 of 2 rows are not",)
    (warning,) = refused.warnings
    assert warning.startswith("quarantined_percent: "), "it is about the whole batch"
    found = [len(lake.rows(one).collect()) for one in (DEVICE_PROCESS_EVENTS.events, RECORDS_IN_QUARANTINE)]
    assert found == [0, 1]  # a record of no table is not refused with a table
    assert ("refused",) in table(lake, "raw.batches", "outcome")

    write_suites(suites)
    assert counts(land(lake, source, suites)) == [(3, 2, 1, 0)]
    assert {*table(lake, "raw.batches", "outcome", "detail")} == {("settled", None)}
    assert table(lake, "quality.validations", "batch", "success") == [(1, True), (1, True)]


def test_a_batch_without_a_good_record_leaves_an_empty_table_to_hunt_on(lake: Lake, source: Path, suites: Path) -> None:
    blob(source, "nope\n")
    assert counts(land(lake, source, suites)) == [(1, 0, 1, 0)]
    assert table(lake, EVENTS, "event_id") == []


def test_a_bad_suite_writes_nothing(lake: Lake, source: Path, suites: Path) -> None:
    blob(source, record())
    write_suites(suites, ({"type": "expect_the_unexpected", "kwargs": {}},))
    with pytest.raises(LakehuntError, match=r"device_process_events.json, expectation 3 \(expect_the_unexpected\)"):
        land(lake, source, suites)
    assert not lake.exists(EVENTS)


def test_records_of_other_tables_are_counted_apart(lake: Lake, source: Path, suites: Path) -> None:
    mail, logon = "AdvancedHunting-EmailEvents", "AdvancedHunting-IdentityLogonEvents"
    others = [record(category=mail, RemoteIP="10.0.0.1"), record(category=mail), record(category=logon)]
    odd = [record(category=mail)[:-1], record(category="AuditLogs"), "nope"]
    blob(source, "\n".join([record(), *others, *odd]) + "\n")
    (batch,) = land(lake, source, suites).batches
    assert (batch.delivered, batch.events, batch.quarantined, batch.duplicates) == (4, 1, 3, 0)
    assert batch.other_tables == ((mail, 2), (logon, 1))
    assert [line for line, *_ in table(lake, QUARANTINE, "line")] == [5, 6, 7]
    rows = table(lake, "raw.batches", "delivered", "outcome", "detail")
    assert sum(row[0] for row in rows) == 4
    assert {row[1] for row in rows} == {"settled"}
    assert f"records of other tables, in raw only: 2 of {mail}, 1 of {logon}" in {row[2] for row in rows}


def test_a_batch_of_other_tables_alone(lake: Lake, source: Path, suites: Path) -> None:
    blob(source, record(category="AdvancedHunting-EmailEvents") + "\n")
    assert counts(land(lake, source, suites)) == [(0, 0, 0, 0)]
    assert table(lake, "raw.batches", "cast(landed_at as string)") == [(f"{NOW:%Y-%m-%d %H:%M:%S}",)]
    assert land(lake, source, suites).batches == ()


@pytest.mark.spark_only
def test_a_batch_that_spark_fails_on_does_not_hold_back_the_next(
    lake: Lake, source: Path, suites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a batch does not fit into the memory of any executor."""
    blob(source, record(FileName="a") + "\n", "a.json")
    ingest(lake, str(source), NOW, lambda _: None)
    blob(source, record() + "\n", "b.json")
    whole = Promoter._facts

    def failing(self: Promoter, records: DataFrame) -> Any:
        return whole(self, records.where("batch > 1 or raise_error('no room')"))

    monkeypatch.setattr(Promoter, "_facts", failing)
    failed, done = land(lake, source, suites).batches
    monkeypatch.undo()
    assert (failed.batch, len(failed.refused), done.refused, done.events) == (1, 1, (), 1)
    assert re.fullmatch("it could not be validated: .*no room.*", failed.refused[0])
    assert table(lake, "raw.batches", "batch", "outcome") == [(1, "refused"), (2, "settled")]
    assert table(lake, "raw.batches", "cast(landed_at as string)") == [(f"{NOW:%Y-%m-%d %H:%M:%S}",)] * 2
    assert [(batch.batch, batch.events) for batch in land(lake, source, suites).batches] == [(1, 1)]
    assert table(lake, "raw.batches", "batch", "outcome") == [(1, "settled"), (2, "settled")]


def test_the_first_and_the_last_days_of_the_calendar(lake: Lake, source: Path, suites: Path) -> None:
    times = ["0001-01-01T00:00:00Z", "0999-05-02T00:00:00Z", "1582-10-10T00:00:00Z", "9999-12-31T23:59:59.9999999Z"]
    lines = [record(Timestamp=time, ProcessCreationTime="0001-01-01T00:00:00Z") for time in times]
    blob(source, "\n".join([*lines, *lines]) + "\n")
    assert counts(land(lake, source, suites)) == [(8, 4, 0, 4)]
    blob(source, "\n".join(lines) + "\n", "again.json")
    assert counts(land(lake, source, suites)) == [(4, 0, 0, 4)]
    assert table(lake, EVENTS, "cast(event_date as string)") == [(time[:10],) for time in times]
    found = lake.read(EVENTS).where(F.col("event_date") == day(date.min)).select("Timestamp", "ProcessCreationTime")
    assert [tuple(map(utc, row)) for row in found.collect()] == [(datetime.min.replace(tzinfo=UTC),) * 2]
    (volume,) = judge_days(lake, suites, parse_datetime("9999-12-31T23:59:59.9999999Z") or 0)
    assert (volume.events, volume.usual_events) == (0, 0.0)
    assert judge_days(lake, suites, parse_datetime("1582-10-11T00:00:00Z") or 0)[0].events == 1


@pytest.mark.spark_only
@pytest.mark.parametrize("killed_at", ["insert_new", "replace", "_record"])
def test_a_kill_anywhere_converges(
    lake: Lake, source: Path, suites: Path, killed_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the write: the next run finds it done, but not recorded."""
    blob(source, "\n".join([record(FileName="a"), record(FileName="a"), "nope", record(FileName="b")]) + "\n")
    owner: Any = Promoter if killed_at == "_record" else Lake
    if killed_at == "_record":
        monkeypatch.setattr(Promoter, "_record", lambda *_: 1 / 0)
    else:
        whole = getattr(owner, killed_at)

        def killed(self: Lake, written: Any, *rest: Any) -> None:
            whole(self, written, *rest)
            if written.name in (EVENTS, QUARANTINE):
                raise ZeroDivisionError

        monkeypatch.setattr(Lake, killed_at, killed)
    with pytest.raises(ZeroDivisionError):
        land(lake, source, suites)
    monkeypatch.undo()
    assert counts(land(lake, source, suites)) == [(4, 2, 1, 1)]
    assert [len(rows) for rows in content(lake)] == [2, 1]
    columns = ("event_table", "delivered", "events", "quarantined", "duplicates", "outcome")
    assert table(lake, "raw.batches", *columns) == [
        ("", 1, 0, 1, 0, "settled"),
        ("DeviceProcessEvents", 3, 2, 0, 1, "settled"),
    ]


LINES = (
    *(record(FileName=name).encode() for name in "abcd"),
    record(DeviceId=None).encode(),
    record(ProcessId="7").encode(),
    b"nope",
    b"\xff\x00",
    b"[1]",
    b"",
    "{not JSON, but ä}".encode(),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 21))])
def test_any_slicing_gives_the_same_lake(spark: SparkSession, seed: int) -> None:
    """Blobs that grow by any number of bytes a run: the same as landing them at once."""
    generator = random.Random(seed)
    blobs = [generator.choices(LINES, k=generator.randint(1, 12)) for _ in range(3)]
    ends = generator.choice([b"\n", b"\r\n"])
    whole = {f"{number}.json": ends.join(lines) + ends for number, lines in enumerate(blobs)}
    found = []
    for runs in (1, 3):
        with tempfile.TemporaryDirectory() as folder:
            lake, source = Lake(spark, f"{folder}/lake"), Path(folder, "source")
            suites = write_suites(Path(folder, "suites"))
            totals = [0, 0, 0, 0]
            for run in range(1, runs + 1):
                for name, data in whole.items():
                    blob(source, data if run == runs else data[: _cut(generator, data, source / name)], name)
                for one in counts(land(lake, source, suites)):
                    totals = [a + b for a, b in zip(totals, one, strict=True)]
            assert totals[0] == sum(totals[1:])
            events, quarantined = content(lake)
            found.append((totals, events, [(Path(file).name, line, why) for file, line, why in quarantined]))
    assert found[0] == found[1]


def _cut(generator: random.Random, data: bytes, written: Path) -> int:
    """Somewhere after what is written already, and not inside a line that could never be completed to an object."""
    so_far = written.stat().st_size if written.exists() else 0
    cut = generator.randint(so_far, len(data))
    start = data.rfind(b"\n", 0, cut) + 1
    return cut if data[start:cut].lstrip().startswith(b"{") else max(start, so_far)


@pytest.mark.slow
def test_the_reference_stream(lake: Lake, shared: Path, suites: Path) -> None:
    done = land(lake, shared / "telemetry" / "stream", suites)
    assert counts(done) == [(2608, 2608, 0, 0)]
    assert done.batches[0].unknown_properties == ()
    ids = [row[0] for row in table(lake, EVENTS, "event_id")]
    assert len(set(ids)) == len(ids) == 2608
    assert all(len(one) == len(hashlib.sha256().hexdigest()) for one in ids)
