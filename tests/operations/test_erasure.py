"""`lakehunt forget`: nothing of a device or an account is left, and nothing brings it back."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable as OtherReader
from pyspark.sql import SparkSession

from lakehunt import cli
from lakehunt.hunting.findings.writer import ALL
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.retention import Retention
from lakehunt.operations import erasure, maintenance
from lakehunt.operations.erasure import ErasureRequest, LostFindings, find_matches
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
from lakehunt.schemas.finding_tables import FINDINGS_ALL, HUNT_FINDINGS
from lakehunt.schemas.hunt_tables import HITS
from lakehunt.schemas.landing_tables import FILES, QUARANTINE, RECORDS
from lakehunt.schemas.table import Table, TableColumn
from tests.support.blobs import NOW, blob, record, write_suites
from tests.support.landing import ingest, promote

EVENTS = DEVICE_PROCESS_EVENTS.events

THEIRS = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"
OTHERS = "0ddba11000000000000000000000000000000000"
NAME = "anna-laptop.contoso.example"
SID = "S-1-5-21-1004336348-1177238915-682003330-512"
DEVICE = ErasureRequest(devices=(THEIRS.upper(),))
ACCOUNT = ErasureRequest(accounts=("ANNA", SID))
AS_OF = datetime(2024, 5, 3, tzinfo=UTC)

OWN = HUNT_FINDINGS.table("h1", "A hunt's own", [TableColumn("Devices", "ARRAY<STRING>", "")])


def theirs(**more: Any) -> str:
    return record(**{"DeviceId": THEIRS, "DeviceName": NAME, "AccountName": "anna", "AccountSid": SID} | more)


def others(**more: Any) -> str:
    return record(**{"DeviceId": OTHERS, "DeviceName": "other", "AccountName": "annabel"} | more)


DELIVERED = [
    theirs(ReportId=1),
    theirs(ReportId=1),  # a duplicate, which never became an event
    others(ReportId=2),
    theirs(Timestamp="yesterday"),  # to quarantine
    others(Timestamp="yesterday", DeviceName=None, AccountName=None),
    f'{{"properties": {{"DeviceId": "{THEIRS}", "AccountName": "anna"',  # half a record
    f"DeviceId={THEIRS} of anna: no JSON",
    f"DeviceId=7{THEIRS}, annabel, joanna: others' names",
    others(ReportId=3, ProcessCommandLine="net user anna"),
]
UTF_16 = f"anna {THEIRS}".encode("utf-16-le").replace(b"\n", b"") + b"\xff"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source and suites, and a lake once `stored` has made it."""
    folder = tmp_path_factory.mktemp("forgetting")
    blob(folder / "source", "\n".join(DELIVERED).encode() + b"\n" + UTF_16 + b"\n")
    write_suites(folder / "suites")
    return folder


@pytest.fixture(scope="module")
def stored(spark: SparkSession, place: Path) -> Lake:
    """A lake with events, quarantine, hits and findings of two devices."""
    lake = Lake(spark, str(place / "lake"))
    land(lake, place)
    ids = {row.ReportId: row.event_id for row in lake.read(EVENTS.name).select("ReportId", "event_id").collect()}
    hit = {"hunt_id": "h1", "pass_id": "p", "event_date": date(2024, 5, 2)}
    some(lake, HITS, *(hit | {"event_id": ids[n], "FileName": "only.exe"} for n in (1, 2, 3)))  # as a hunt reads them
    finding = {"as_of": AS_OF, "hunt_id": "h1", "hunt_name": "One", "events": 1, "window_start": AS_OF}
    some(
        lake,
        FINDINGS_ALL,
        finding | {"finding_id": "by evidence", "evidence": [ids[2], ids[1]], "result": "{}"},
        finding | {"finding_id": "by column", "device_id": THEIRS, "account_name": "Anna", "result": "{}"},
        finding | {"finding_id": "by result", "result": json.dumps({"Users": ["anna", "x"], "Devices": [THEIRS]})},
        finding | {"finding_id": "inside", "result": json.dumps({"Seen": f"on {THEIRS} by {SID}"})},
        finding | {"finding_id": "packed", "result": json.dumps({"Bag": json.dumps({"a": "anna", "d": THEIRS})})},
        finding | {"finding_id": "others", "evidence": [ids[2]], "device_id": OTHERS, "result": '{"a":"annabel"}'},
    )
    some(lake, FINDINGS_ALL, finding | {"finding_id": "by column", "as_of": AS_OF + timedelta(days=1), "events": 101,
                                        "first_seen": NOW - timedelta(days=1), "last_seen": NOW,
                                        "evidence": [ids[2]], "result": "{}"})  # fmt: skip
    names = ("by evidence", "by column", "by result", "inside", "packed", "others", "nowhere else")
    some(lake, OWN, *({"as_of": AS_OF, "finding_id": name, "Devices": [OTHERS]} for name in names[:-1]))
    some(lake, OWN, {"as_of": AS_OF, "finding_id": names[-1], "Devices": [OTHERS, THEIRS, SID]})
    return lake


@pytest.fixture
def full(stored: Lake, lake: Lake) -> Lake:
    """The same lake, for this test alone."""
    shutil.copytree(stored.root, lake.root)
    return lake


def land(lake: Lake, place: Path) -> int:
    delivery = ingest(lake, str(place / "source"), NOW, quiet)
    promote(lake, place / "suites", DataDocs(), quiet)
    return delivery.delivered


def some(lake: Lake, table: Table, *rows: dict[str, Any]) -> None:
    lake.append(table, lake.local(table, [tuple(row.get(name) for name in table.column_names) for row in rows]))


def content(lake: Lake, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in lake.read(name).select(*columns).collect())


def forget(lake: Lake, who: ErasureRequest, dry_run: bool = False) -> dict[str, int]:
    return erasure.forget(lake, find_matches(lake, who), quiet, dry_run)


def quiet(_: str) -> None:
    return


GONE = {
    OWN.name: 6,
    ALL: 5,
    HITS.name: 1,
    QUARANTINE.name: 4,  # the unreadable time, half a record, no JSON, UTF-16
    RECORDS.name: 6,  # these, and the event's two records
    EVENTS.name: 1,
}


@pytest.mark.slow
def test_a_device_goes_from_all_tables_and_files(full: Lake, place: Path) -> None:
    lake = full
    assert forget(lake, DEVICE, dry_run=True) == GONE
    assert lake.read(EVENTS.name).count() == 3
    assert forget(lake, DEVICE) == GONE
    assert forget(lake, DEVICE) == dict.fromkeys(GONE, 0)

    assert content(lake, EVENTS.name, "ReportId") == [(2,), (3,)]
    assert content(lake, ALL, "finding_id") == [("by column",), ("others",)]
    assert content(lake, OWN.name, "finding_id") == [("others",)]
    assert content(lake, QUARANTINE.name, "line") == [(5,), (8,)]
    assert content(lake, RECORDS.name, "line") == [(line,) for line in range(1, 11)]

    maintenance.maintain_tables(lake, Retention(vacuum_hours=0), NOW, quiet, maintenance.lake_tables(lake))
    assert not list(_holding(Path(lake.root), THEIRS, allowed=f"7{THEIRS}"))
    for name in maintenance.lake_tables(lake):
        assert OtherReader(lake.path(name)).protocol().min_reader_version == 1

    land_again(lake, place)


def land_again(lake: Lake, place: Path) -> None:
    """Nothing comes back, not even where `raw.files` is lost as a killed run may leave it; what is new does come."""
    assert land(lake, place) == 0
    shutil.rmtree(lake.path(FILES.name))
    assert land(lake, place) == 0
    with next((place / "source").rglob("*.json")).open("a") as stream:
        stream.write(theirs(ReportId=9) + "\n")
    assert land(lake, place) == 1
    assert content(lake, EVENTS.name, "ReportId", "batch") == [(2, 1), (3, 1), (9, 2)]


def _holding(root: Path, value: str, allowed: str) -> Any:
    """Files below `root` that hold a value: in a row, or in plain bytes."""
    for path in root.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                text += repr(pq.ParquetFile(path).read().to_pylist())
            spaced = value.encode("utf-16-le").decode("latin-1")
            if value in text.replace(allowed, "") or spaced in text or spaced.replace("\0", "\\x00") in text:
                yield path


def test_an_account_goes_by_each_of_its_names(full: Lake) -> None:
    lake = full
    assert forget(lake, ACCOUNT) == GONE
    assert content(lake, EVENTS.name, "AccountName") == [("annabel",), ("annabel",)]
    assert content(lake, OWN.name, "finding_id") == [("others",)]


def test_a_name_of_the_initiating_process_counts(lake: Lake, tmp_path: Path) -> None:
    upn = "j\u00f6rg@contoso.example"
    blob(tmp_path / "source", others(InitiatingProcessAccountUpn=upn.upper()) + "\n" + others(AccountUpn=None))
    write_suites(tmp_path / "suites")
    land(lake, tmp_path)
    assert forget(lake, ErasureRequest(accounts=(upn,))) == {QUARANTINE.name: 0, RECORDS.name: 1, EVENTS.name: 1}
    assert content(lake, RECORDS.name, "line", "batch") == [(1, 1), (2, 1)]


def test_all_event_tables_are_searched(lake: Lake) -> None:
    """By the columns of each: accounts of the initiating process, all users of a device, its earlier and newer ids."""
    network, info, certificates = (
        BY_NAME[name].events for name in ("DeviceNetworkEvents", "DeviceInfo", "DeviceFileCertificateInfo")
    )
    day = {"event_date": date(2024, 5, 2)}
    some(
        lake,
        network,
        day | {"event_id": "n1", "DeviceId": OTHERS, "InitiatingProcessAccountName": "Anna"},
        day | {"event_id": "n2", "DeviceId": THEIRS.upper(), "InitiatingProcessAccountName": "annabel"},
        day | {"event_id": "n3", "DeviceId": OTHERS, "InitiatingProcessAccountName": "annabel"},
    )
    users = '[{"UserName":"%s","DomainName":"contoso","Sid":"S-1-5-21-1"},{"UserName":"joanna"}]'
    some(
        lake,
        info,
        day | {"event_id": "i1", "DeviceId": OTHERS, "LoggedOnUsers": users % "ANNA"},
        day | {"event_id": "i2", "DeviceId": OTHERS, "LoggedOnUsers": users % "annabel"},
        day | {"event_id": "i3", "DeviceId": OTHERS, "MergedToDeviceId": THEIRS},
        day | {"event_id": "i4", "DeviceId": OTHERS, "MergedDeviceIds": f'["7", "{THEIRS}"]'},
        day | {"event_id": "i5", "DeviceId": OTHERS, "MergedDeviceIds": f'["7{THEIRS}"]'},
    )
    some(lake, certificates, day | {"event_id": "c1", "DeviceName": NAME}, day | {"event_id": "c2"})
    assert forget(lake, ErasureRequest(devices=(THEIRS, NAME), accounts=("anna",))) == {
        network.name: 2, info.name: 3, certificates.name: 1}  # fmt: skip
    kept = [row for table in (network, info, certificates) for row in content(lake, table.name, "event_id")]
    assert kept == [("n3",), ("i2",), ("i5",), ("c2",)]


def test_killed_between_steps(full: Lake) -> None:
    """The same command finishes: what is left is still recognised, by whatever is left to recognise it by."""
    steps = erasure.steps(full, find_matches(full, DEVICE))
    assert [step.table for step in steps] == [*GONE]
    assert erasure.execute(full, steps[0]) == GONE[OWN.name]
    for step in erasure.steps(full, find_matches(full, DEVICE))[1:3]:
        assert erasure.execute(full, step) == GONE[step.table]
    assert forget(full, DEVICE) == GONE | {OWN.name: 0, ALL: 0, HITS.name: 0}


def test_what_hunts_lose(full: Lake) -> None:
    lost = erasure.lost_findings(full, find_matches(full, DEVICE))
    ticks = [times.from_datetime(AS_OF + timedelta(days=n)) for n in (0, 1)]
    assert lost == (LostFindings("h1", "One", ticks[0], ticks[0], 5), LostFindings("h1", "One", ticks[1], ticks[0], 0))
    assert list(erasure.commands(lost, None)) == [
        "lakehunt hunt --hunt h1 --from 2024-05-03T00:00:00.0000000Z --to 2024-05-04T00:00:00.0000000Z"
    ]
    assert list(erasure.commands(lost, AS_OF + timedelta(hours=1))) == []


def test_commands_join_days_of_one_hunt() -> None:
    day = times.from_datetime(AS_OF)
    week = [LostFindings(hunt, hunt, day + n * 864_000_000_000, None, 1) for hunt, n in (("a", 0), ("a", 2), ("b", 3))]
    assert [command.partition("--hunt ")[2] for command in erasure.commands(week, None)] == [
        "a --as-of 2024-05-03T00:00:00.0000000Z",
        "a --as-of 2024-05-05T00:00:00.0000000Z",
        "b --as-of 2024-05-06T00:00:00.0000000Z",
    ]
    assert list(erasure.commands(week, AS_OF)) == []


def test_command(full: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("lakehunt.cli.context.lake", lambda *_, **__: nullcontext(full))
    assert cli.main(["forget", "--lake", full.root]) == cli.USAGE
    assert cli.main(["forget", "--lake", full.root, "--device", NAME, "--dry-run"]) == cli.SUCCESS
    told = capsys.readouterr().out
    assert "One, as of 2024-05-03: " in told
    assert "lakehunt hunt --hunt h1" in told
    assert f"1  {EVENTS.name}" in told
    assert full.read(EVENTS.name).count() == 3
