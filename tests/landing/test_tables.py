"""Every event table of a folder, each with a verdict of its own, by both engines."""

from __future__ import annotations

import json
from pathlib import Path

from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.landing.outcomes import PromotionResult, TableCounts
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE
from lakehunt.schemas.quality_tables import VALIDATIONS
from tests.support.blobs import NOW, blob, record
from tests.support.landing import both_engines, engine  # noqa: F401 (a fixture)

NETWORK = "AdvancedHunting-DeviceNetworkEvents"
INFO = "AdvancedHunting-DeviceNetworkInfo"


def totals(found: PromotionResult) -> tuple[int, ...]:
    names = ("delivered", "events", "quarantined", "duplicates")
    return tuple(sum(getattr(batch, name) for batch in found.batches) for name in names)


def quarantined(lake: Lake) -> list[int]:
    return sorted(row["line"] for row in LocalTables(lake.root).few(QUARANTINE, ["line"]))


def stored(lake: Lake, table: str) -> int:
    return int(LocalTables(lake.root).rows(BY_NAME[table].events, ["line"]).num_rows)


def test_every_table_of_one_folder(lake: Lake, source: Path, suites: Path) -> None:
    flow = record(category=NETWORK, RemoteIP="10.0.0.1", RemotePort=443, ReportId=1)
    adapter = record(category=INFO, IPAddresses=[{"IPAddress": "10.0.0.2"}], ReportId=2)
    lines = [record(), flow, adapter, flow, record(category=NETWORK, RemotePort="443"), "nope"]
    blob(source, "\n".join(lines) + "\n")
    _, promoted = engine(lake, suites).land(str(source), NOW)
    assert promoted.batches[0].tables == (
        TableCounts("DeviceNetworkEvents", 3, 1, 1, 1),
        TableCounts("DeviceNetworkInfo", 1, 1, 0, 0),
        TableCounts("DeviceProcessEvents", 1, 1, 0, 0),
        TableCounts("", 1, 0, 1, 0),
    )
    tables = LocalTables(lake.root)
    (stored,) = tables.rows(BY_NAME["DeviceNetworkEvents"].events, ["RemoteIP", "RemotePort", "line"]).to_pylist()
    assert stored == {"RemoteIP": "10.0.0.1", "RemotePort": 443, "line": 2}
    (stored,) = tables.rows(BY_NAME["DeviceNetworkInfo"].events, ["IPAddresses", "Type"]).to_pylist()
    assert stored == {"IPAddresses": '[{"IPAddress":"10.0.0.2"}]', "Type": "DeviceNetworkInfo"}
    quarantined = tables.rows(QUARANTINE, ["line", "category", "reasons"]).to_pylist()
    assert [(row["line"], row["category"]) for row in quarantined] == [(5, NETWORK), (6, None)]
    settled = tables.rows(BATCHES, ["event_table", "delivered", "outcome"]).to_pylist()
    assert {row["event_table"]: (row["delivered"], row["outcome"]) for row in settled} == {
        "DeviceNetworkEvents": (3, "settled"),
        "DeviceNetworkInfo": (1, "settled"),
        "DeviceProcessEvents": (1, "settled"),
        "": (1, "settled"),
    }


def test_tables_that_are_not_configured_are_counted_and_left(lake: Lake, source: Path, suites: Path) -> None:
    blob(source, "\n".join([record(), record(category=NETWORK), record(category=INFO), record(category=INFO)]) + "\n")
    only = engine(lake, suites, tables=("DeviceProcessEvents",))
    _, promoted = only.land(str(source), NOW)
    assert promoted.batches[0].other_tables == ((NETWORK, 1), (INFO, 2))
    assert totals(promoted) == (1, 1, 0, 0)
    assert only.promote().batches == ()


def test_a_refused_table_does_not_hold_back_the_others(lake: Lake, source: Path, suites: Path) -> None:
    rule = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "RemoteIP"}, "severity": "critical"}
    suite = suites / "device_network_events.json"
    suite.write_text(json.dumps({"name": "network", "expectations": [rule]}))
    lines = [
        record(),
        record(category=NETWORK),
        record(DeviceId=None),
        record(category=NETWORK, RemotePort="443"),
        "nope",
    ]
    blob(source, "\n".join(lines) + "\n")
    _, promoted = engine(lake, suites).land(str(source), NOW)
    (batch,) = promoted.batches
    assert quarantined(lake) == [3, 5]
    assert batch.refused == ("DeviceNetworkEvents: RemoteIP: values to not be null: 1 of 1 rows are not",)
    assert batch.published == 1
    assert stored(lake, DEVICE_PROCESS_EVENTS.name) == 1
    assert stored(lake, "DeviceNetworkEvents") == 0

    suite.write_text(json.dumps({"name": "network", "expectations": []}))
    (again,) = engine(lake, suites).promote().batches
    assert (again.refused, [one.table for one in again.tables]) == ((), ["DeviceNetworkEvents", ""])
    assert quarantined(lake) == [3, 4, 5]
    suites_judged = {row["suite"] for row in LocalTables(lake.root).few(VALIDATIONS)}
    assert suites_judged == {"device_process_events"}, "the results of the table that was settled stay"
    assert stored(lake, "DeviceNetworkEvents") == 1
    assert engine(lake, suites).promote().batches == ()


def test_a_refused_batch_of_an_earlier_version_is_settled(lake: Lake, source: Path, suites: Path) -> None:
    """Rows of `raw.batches` did not name a table then."""
    blob(source, record() + "\n")
    own = engine(lake, suites)
    own.ingest(str(source), NOW)
    LocalTables(lake.root).append(BATCHES, [(1, NOW, 1, 0, 0, 0, "refused", "why", [], None)])
    assert totals(own.promote()) == (1, 1, 0, 0)
    rows = LocalTables(lake.root).few(BATCHES, ["batch", "outcome", "event_table"])
    assert [tuple(row.values()) for row in rows] == [(1, "settled", "DeviceProcessEvents")]
