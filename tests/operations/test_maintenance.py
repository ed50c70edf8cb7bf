"""`lakehunt maintain`: rows stay what they are, unless retention says otherwise; running jobs do not notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from delta.exceptions import ConcurrentAppendException
from deltalake import DeltaTable as OtherReader
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType

from lakehunt import cli, config
from lakehunt.alerts.channels import KINDS
from lakehunt.core.errors import LakehuntError
from lakehunt.lake import delta_lake, retry
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.retention import Retention
from lakehunt.operations import maintenance
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.alert_tables import SENT
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.finding_tables import FINDINGS_ALL, HUNT_FINDINGS
from lakehunt.schemas.hunt_tables import HITS, PASSES
from lakehunt.schemas.landing_tables import BATCHES, FILES, QUARANTINE, RECORDS
from lakehunt.schemas.table import Table, TableColumn
from tests.support.blobs import blob, record, write_suites
from tests.support.events import event, store
from tests.support.landing import ingest, promote
from tests.support.scratch_tables import scratch_table

EVENTS = DEVICE_PROCESS_EVENTS.events

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
AT_ONCE = Retention(vacuum_hours=0)


def maintain(
    lake: Lake, retention: Retention | None = None, only: Sequence[str] = (), dry_run: bool = False
) -> dict[str, maintenance.TableMaintenance]:
    names = maintenance.select_tables(lake, only)
    done = maintenance.maintain_tables(lake, retention or Retention(), NOW, lambda _: None, names, dry_run)
    assert [one.error for one in done] == [None] * len(done)
    return {one.table: one for one in done}


def some(lake: Lake, table: Table, *rows: dict[str, Any]) -> None:
    """Appends rows of which only some columns are given."""
    lake.append(table, lake.local(table, [tuple(row.get(name) for name in table.column_names) for row in rows]))


def content(lake: Lake, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in lake.read(name).select(*columns).collect())


def version(lake: Lake, name: str) -> int:
    return OtherReader(lake.path(name)).version()


def parquet(lake: Lake, name: str) -> set[Path]:
    return {path for path in Path(lake.path(name)).rglob("*.parquet") if "_delta_log" not in path.parts}


def test_compaction_changes_files_and_no_row(lake: Lake) -> None:
    for day in (1, 2, 1, 2, 1):
        store(lake, [event(Timestamp=f"2026-03-0{day}T12:00:00Z", ReportId=len(parquet(lake, EVENTS.name)))])
    before = content(lake, EVENTS.name, "event_id", "event_date", "ReportId")
    done = maintain(lake, AT_ONCE)[EVENTS.name]
    assert (done.files_before, done.files_after, done.rows_deleted) == (5, 2, 0)
    assert content(lake, EVENTS.name, "event_id", "event_date", "ReportId") == before
    assert len(parquet(lake, EVENTS.name)) == 2
    assert done.freed > 0

    settled = version(lake, EVENTS.name)
    again = maintain(lake, AT_ONCE)[EVENTS.name]
    assert (again.files_before, again.files_after, again.freed) == (2, 2, 0)
    assert version(lake, EVENTS.name) == settled

    other = OtherReader(lake.path(EVENTS.name))
    assert other.protocol().min_reader_version == 1
    assert other.to_pyarrow_table().num_rows == len(before)


def test_statistics_are_of_times_and_batches(lake: Lake) -> None:
    store(lake, [event()])
    some(lake, QUARANTINE, {"batch": 1, "line": 2, "text": "of device-1"})
    logged = "".join(path.read_text() for path in Path(lake.root).rglob("_delta_log/*.json"))
    assert '\\"minValues\\":{\\"Timestamp\\":' in logged
    assert '\\"batch\\":1' in logged
    assert "device-1" not in logged


def test_a_lake_of_an_earlier_version_gets_properties_when_it_is_written(lake: Lake) -> None:
    columns = (TableColumn("name", "STRING", ""), TableColumn("n", "BIGINT", ""))
    old = scratch_table("hunts.old", *columns, partitioned_by=("name",))
    some(lake, old, {"name": "a", "n": 1})
    lake.spark.sql(f"ALTER TABLE {lake.identifier(old.name)} UNSET TBLPROPERTIES ('delta.dataSkippingStatsColumns')")
    later = Lake(lake.spark, lake.root)
    for _ in range(2):
        some(later, old, {"name": "b", "n": 2})
    properties = OtherReader(lake.path(old.name)).metadata().configuration
    assert properties["delta.dataSkippingStatsColumns"] == "n"
    assert (
        lake.spark.sql(f"DESCRIBE HISTORY {lake.identifier(old.name)}").where("operation = 'SET TBLPROPERTIES'").count()
        == 1
    )


def test_a_table_with_new_columns_keeps_its_history(lake: Lake) -> None:
    def table(column: str) -> Table:
        return scratch_table("findings.h", TableColumn(column, "BIGINT", ""), TableColumn("as_of", "TIMESTAMP", ""))

    some(lake, table("a"), {"a": 1, "as_of": NOW})
    lake.overwrite(table("b"), lake.local(table("b"), [(2, NOW)]))
    assert lake.read("findings.h").columns == ["b", "as_of"]
    assert OtherReader(lake.path("findings.h")).metadata().configuration["delta.dataSkippingStatsColumns"] == "b,as_of"
    assert lake.spark.read.option("versionAsOf", 0).format("delta").load(lake.path("findings.h")).columns[0] == "a"


def test_vacuum_waits_for_its_window(lake: Lake) -> None:
    store(lake, [event(DeviceId="gone"), event(DeviceId="stays")])
    lake.remove(EVENTS.name, lake.read(EVENTS.name).where("DeviceId = 'gone'"), ["event_date", "event_id"])
    first = parquet(lake, EVENTS.name)
    assert maintain(lake, only=[EVENTS.name])[EVENTS.name].freed == 0
    assert parquet(lake, EVENTS.name) >= first
    assert maintain(lake, AT_ONCE, only=[EVENTS.name])[EVENTS.name].freed > 0
    assert len(parquet(lake, EVENTS.name)) == 1
    with pytest.raises(LakehuntError, match="less than Delta's 168"):
        maintenance.check_window(24, force=False)
    maintenance.check_window(24, force=True)


def ages(days: int) -> dict[str, Any]:
    then = NOW - timedelta(days=days)
    return dict.fromkeys(("as_of", "landed_at", "validated_at", "started_at"), then) | {"event_date": then.date()}


def test_each_table_has_its_own_retention(lake: Lake) -> None:
    own = HUNT_FINDINGS.table("h", "A hunt's own", [TableColumn("as_of", "STRING", "the query's")])
    known = {"batch": 1, "pass_id": "20260310T000000000000Z-00000000"}
    for table in (EVENTS, HITS, QUARANTINE, FINDINGS_ALL, PASSES):
        some(lake, table, *(known | ages(days) for days in (1, 20, 40)))
    some(lake, own, *({"as_of": "of the query", "as_of1": NOW - timedelta(days=days)} for days in (1, 20, 40)))

    def left(name: str) -> int:
        return lake.read(name).count()

    retention = Retention({"events": 30, "findings": 10})
    planned = maintain(lake, retention, dry_run=True)
    assert {name: one.rows_deleted for name, one in planned.items() if one.rows_deleted} == {
        EVENTS.name: 1, HITS.name: 1, FINDINGS_ALL.name: 2, own.name: 2}  # fmt: skip
    assert left(EVENTS.name) == 3

    done = maintain(lake, retention)
    assert {name: one.rows_deleted for name, one in done.items()} == {
        name: one.rows_deleted for name, one in planned.items()
    }
    assert (left(EVENTS.name), left(HITS.name), left(FINDINGS_ALL.name), left(own.name)) == (2, 2, 1, 1)
    assert (left(QUARANTINE.name), left(PASSES.name)) == (3, 3)
    assert maintain(lake, Retention({"events": 30, "hits": 5}), only=[HITS.name])[HITS.name].rows_deleted == 1


def test_what_channels_were_told_is_kept_as_long_as_runs(lake: Lake) -> None:
    """But not a warning: a batch that is still refused would be announced once more."""
    some(lake, SENT, *({"kind": kind, "key": f"{kind} {days}"} | ages(days) for kind in KINDS for days in (1, 40)))
    keep = Retention({"runs": 30})
    assert maintain(lake, keep, dry_run=True)[SENT.name].rows_deleted == 2
    assert maintain(lake, keep)[SENT.name].rows_deleted == 2
    assert content(lake, SENT.name, "key") == [("failure 1",), ("findings 1",), ("warning 1",), ("warning 40",)]
    assert maintain(lake, Retention({"findings": 30}))[SENT.name].rows_deleted == 0


def test_raw_keeps_what_landing_needs(lake: Lake) -> None:
    """Of five old batches the second is not settled, the fifth is the newest and `raw.files` does not know of it."""
    for batch in range(1, 6):
        some(lake, RECORDS, {"batch": batch, "file": "f", "line": batch} | ages(100))
        if batch != 2:
            some(lake, BATCHES, {"batch": batch, "outcome": "settled"} | ages(100))
    some(lake, FILES, {"file": "f", "batch": 4} | ages(100))
    keep = Retention({"raw": 30})
    assert maintain(lake, keep)[RECORDS.name].rows_deleted == 1
    assert content(lake, RECORDS.name, "batch") == [(2,), (3,), (4,), (5,)]
    some(lake, BATCHES, {"batch": 2, "outcome": "settled"})
    assert maintain(lake, keep)[RECORDS.name].rows_deleted == 3
    assert content(lake, RECORDS.name, "batch") == [(5,)]
    assert (lake.read(FILES.name).count(), lake.read(BATCHES.name).count()) == (1, 5)


def test_hits_of_killed_passes_go(lake: Lake) -> None:
    counted, killed, running = (f"202603{day:02}T110000000000Z-0000000{day}" for day in (1, 2, 10))
    for one in (counted, killed, killed, running):
        some(lake, HITS, {"hunt_id": "h", "pass_id": one, "event_date": date(2026, 3, 1)})
    some(lake, PASSES, {"pass_id": counted})
    assert maintain(lake, dry_run=True)[HITS.name].rows_deleted == 2
    assert maintain(lake)[HITS.name].rows_deleted == 2
    assert content(lake, HITS.name, "pass_id") == [(counted,), (running,)]
    assert maintain(lake)[HITS.name].rows_deleted == 0


def test_only_our_tables(lake: Lake) -> None:
    with pytest.raises(LakehuntError, match="has no table"):
        maintenance.lake_tables(lake)
    for name in ("hunts.runs", "findings.1f2e", "lookup.owners"):
        some(lake, scratch_table(name, TableColumn("started_at", "TIMESTAMP", "")), ages(1))
    Path(lake.root, "quality", "data_docs").mkdir(parents=True)
    assert maintenance.lake_tables(lake) == ["hunts.runs", "findings.1f2e"]
    with pytest.raises(LakehuntError, match=r"has no table events\.none"):
        maintain(lake, only=["events.none"])


# Beside running jobs


@pytest.fixture
def conflicts(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """The conflicts that writes met; they are retried without a pause."""
    met: list[Exception] = []
    tried = retry.retried

    def noted(write: Callable[[], Any]) -> Any:
        def attempt() -> Any:
            try:
                return write()
            except Exception as conflict:
                met.append(conflict)
                raise

        return tried(attempt)

    for module in (delta_lake, maintenance):
        monkeypatch.setattr(module, "retried", noted)
    monkeypatch.setattr(retry, "PAUSE", 0.0)
    return met


class Held:
    """A column that keeps the write of its row waiting, and with it the transaction that the row is part of."""

    def __init__(self, folder: Path) -> None:
        self.begun, self.go_on = folder / "begun", folder / "go_on"

    def __call__(self, column: str) -> Column:
        begun, go_on = str(self.begun), str(self.go_on)

        def waited(value):  # type: ignore[no-untyped-def] # PySpark would look for pandas in annotations
            Path(begun).touch()
            until = time.monotonic() + 60
            while not Path(go_on).exists() and time.monotonic() < until:
                time.sleep(0.02)
            return value

        return F.udf(waited, LongType())(column)

    def during(self, write: Callable[[], None], work: Callable[[], None]) -> None:
        """Does some work while a write waits, and lets the write go on."""
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not self.begun.exists() and not writing.done():
                time.sleep(0.02)
            try:
                work()
            finally:
                self.go_on.touch()
            writing.result()


def test_compaction_under_a_merge(lake: Lake, tmp_path: Path, conflicts: list[Exception]) -> None:
    for number in range(3):
        store(lake, [event(ReportId=number)])
    new = lake.read(EVENTS.name).where("ReportId = 0").withColumn("event_id", F.lit("new")).coalesce(1)
    held = Held(tmp_path)
    rows = new.withColumn("ReportId", held("ReportId"))
    within = F.col("target.event_date").isin([date(2026, 3, 1)])

    def write() -> None:
        lake.insert_new(EVENTS, rows, ["event_date", "event_id"], within)

    held.during(write, lambda: maintenance.compact(lake, EVENTS.name))
    assert len(conflicts) == 1
    assert lake.read(EVENTS.name).groupBy("event_id").count().where("count > 1").isEmpty()
    assert lake.read(EVENTS.name).count() == 4


def test_compaction_under_a_replacement(lake: Lake, tmp_path: Path, conflicts: list[Exception]) -> None:
    for batch in (1, 2, 3):
        some(lake, QUARANTINE, {"batch": batch, "line": 1})
    held = Held(tmp_path)
    rows = lake.local(QUARANTINE, [(2, "f", 7, NOW, ["why"], "text", None, None)]).withColumn("line", held("line"))
    held.during(
        lambda: lake.replace(QUARANTINE, rows, [("batch", "=", 2)]), lambda: maintenance.compact(lake, QUARANTINE.name)
    )
    assert len(conflicts) == 1
    assert content(lake, QUARANTINE.name, "batch", "line") == [(1, 1), (2, 7), (3, 1)]


def test_a_replacement_under_another_is_made_anew_and_stays(
    lake: Lake, tmp_path: Path, conflicts: list[Exception]
) -> None:
    some(lake, QUARANTINE, {"batch": 2, "line": 1})
    held = Held(tmp_path)

    def one_more() -> DataFrame:
        return lake.read(QUARANTINE.name).withColumn("line", held("line") + 1)

    held.during(
        lambda: lake.replace(QUARANTINE, one_more, [("batch", "=", 2)]),
        lambda: lake.replace(QUARANTINE, lake.rows(QUARANTINE).withColumn("line", F.lit(10)), [("batch", "=", 2)]),
    )
    assert len(conflicts) == 1
    assert content(lake, QUARANTINE.name, "batch", "line") == [(2, 11)]


def test_a_delete_that_others_disturb_looks_again(
    lake: Lake, conflicts: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (40, 1):
        some(lake, QUARANTINE, {"batch": days} | ages(days))
    disturbances = iter([ConcurrentAppendException("another run wrote"), None])
    find = maintenance._expired

    def disturbed(*args: Any) -> str | None:
        disturbance = next(disturbances, None)
        if disturbance:
            raise disturbance
        return find(*args)

    monkeypatch.setattr(maintenance, "_RULES", (disturbed,))
    assert maintain(lake, Retention({"quarantine": 30}))[QUARANTINE.name].rows_deleted == 1
    assert len(conflicts) == 1


def test_a_table_that_fails_stops_no_other(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for table in (RECORDS, QUARANTINE):
        some(lake, table, {"batch": 1} | ages(1))
    sized = maintenance._files

    def failing(lake: Lake, name: str) -> tuple[int, int]:
        if name == RECORDS.name:
            raise ConcurrentAppendException("for ever")
        return sized(lake, name)

    monkeypatch.setattr(maintenance, "_files", failing)
    done = maintenance.maintain_tables(lake, Retention(), NOW, lambda _: None, maintenance.lake_tables(lake))
    assert [(one.table, one.error) for one in done] == [(RECORDS.name, "for ever"), (QUARANTINE.name, None)]


@pytest.mark.slow
def test_landing_beside_maintenance(lake: Lake, tmp_path: Path) -> None:
    suites = write_suites(tmp_path / "suites")

    def land(number: int) -> None:
        blob(tmp_path / "source", record(ReportId=number) + "\nno record\n", f"{number}.json")
        ingest(lake, str(tmp_path / "source"), NOW, lambda _: None)
        promote(lake, suites, DataDocs(), lambda _: None)

    land(1)
    with ThreadPoolExecutor(1) as pool:
        landing = pool.submit(land, 2)
        while not landing.done():
            maintain(lake, only=[RECORDS.name, EVENTS.name, QUARANTINE.name])
        landing.result()
    assert content(lake, EVENTS.name, "ReportId") == [(1,), (2,)]
    assert content(lake, RECORDS.name, "batch", "line") == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert content(lake, QUARANTINE.name, "batch", "line") == [(1, 2), (2, 2)]


# Configuration and command line


def test_configuration(tmp_path: Path) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text("retention:\n  events: 400d\n  raw: 90d\n  vacuum_hours: 200\n")
    assert config.load(str(file)).retention == Retention({"events": 400, "raw": 90}, 200)
    for wrong, told in {
        "event: 1d": r":2:.*unknown key 'event'",
        "raw: 90": "raw is 90",
        "raw: 0d": "raw is '0d'",
        "vacuum_hours: 7d": "vacuum_hours is '7d'",
    }.items():
        file.write_text(f"retention:\n  {wrong}\n")
        with pytest.raises(LakehuntError, match=told):
            config.load(str(file))


def test_command(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some(lake, QUARANTINE, {"batch": 1, "landed_at": datetime(2020, 1, 1, tzinfo=UTC)})
    monkeypatch.setattr("lakehunt.cli.context.lake", lambda *_, **__: nullcontext(lake))
    file = tmp_path / "lakehunt.yaml"
    file.write_text("retention: {quarantine: 30d, vacuum_hours: 0}\n")
    options = ["--config", str(file), "--lake", lake.root]
    assert cli.main(["maintain", *options]) == cli.FAILURE
    assert "give --force" in capsys.readouterr().err
    assert cli.main(["maintain", *options, "--force", "--table", QUARANTINE.name]) == cli.SUCCESS
    assert QUARANTINE.name in capsys.readouterr().out
    assert lake.read(QUARANTINE.name).isEmpty()
