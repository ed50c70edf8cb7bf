"""Hunts on hand-made events: what they find, how it is stored, and that a repeated run changes nothing."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.findings import computed, writer
from lakehunt.lake.delta_lake import Lake
from tests.support.events import event, store
from tests.support.hunts import H1, H2, common, custom, own, run

EDGES: dict[str, tuple[dict[str, Any], bool, bool]] = {
    # what differs from the default event; whether hunt 1 and hunt 2 find it
    "default": ({}, True, True),
    "in-is-case-sensitive": ({"InitiatingProcessFileName": "W3WP.EXE"}, False, True),
    "in~-is-not": ({"FileName": "CMD.exe"}, True, True),
    "startswith-is-not": ({"InitiatingProcessFileName": "Tomcat9.exe"}, True, False),
    "tomcat-inside": ({"InitiatingProcessFileName": "mytomcat.exe"}, False, False),
    "grandparent-only": (
        {"InitiatingProcessFileName": "java.exe", "InitiatingProcessParentFileName": "tomcat9.exe"}, True, False),
    "grandparent-upper": (
        {"InitiatingProcessFileName": "java.exe", "InitiatingProcessParentFileName": "HTTPD.exe"}, False, False),
    "beasvc": ({"InitiatingProcessFileName": "beasvc.exe"}, True, False),
    "shipping": ({"ProcessCommandLine": "cmd /c shipping.bat"}, False, True),
    "ping.exe": ({"ProcessCommandLine": "ping.exe -n 1 host"}, True, True),
    "timeouts": ({"ProcessCommandLine": "set timeouts"}, False, True),
    "timeout": ({"ProcessCommandLine": "TIMEOUT /t 5"}, True, True),
    "underscore-delimits": ({"ProcessCommandLine": "x_whoami_y"}, True, True),
    "temp": ({"ProcessCommandLine": r"start %TEMP%\a.exe"}, True, True),
    "temp-without-percent": ({"ProcessCommandLine": r"start C:\temp\a.exe"}, False, True),
    "null-command-line": ({"ProcessCommandLine": None}, False, True),
    "empty-command-line": ({"ProcessCommandLine": ""}, False, True),
    "null-lineage": ({"InitiatingProcessFileName": None, "InitiatingProcessParentFileName": "w3wp.exe"}, True, False),
    "net": ({"FileName": "NET1.exe"}, False, True),
    "notepad": ({"FileName": "notepad.exe"}, False, False),
    "at-the-boundary": ({"Timestamp": "2026-02-28T00:00:00Z"}, False, False),
    "a-tick-inside": ({"Timestamp": "2026-02-28T00:00:00.0000001Z"}, True, True),
    "at-the-as-of": ({"Timestamp": "2026-03-07T00:00:00Z"}, True, True),
    "a-tick-after": ({"Timestamp": "2026-03-07T00:00:00.0000001Z"}, False, False),
}  # fmt: skip


@pytest.fixture(scope="module")
def edges(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with an event a device for each edge, after a run of both hunts."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("edges")))
    store(lake, [event(DeviceId=name, DeviceName=name, **changed) for name, (changed, _, _) in EDGES.items()])
    runs = run(lake, H1, H2)
    assert [r.error for r in runs] == [None, None]
    assert [r.matched for r in runs] == [sum(e[1] for e in EDGES.values()), sum(e[2] for e in EDGES.values())]
    return lake


@pytest.mark.parametrize(("one", "index"), [(H1, 1), (H2, 2)], ids=["hunt1", "hunt2"])
def test_what_the_seed_hunts_find(edges: Lake, one: hunt_file.Hunt, index: int) -> None:
    found = {row["DeviceId"] for row in own(edges, one)}
    assert found == {name for name, edge in EDGES.items() if edge[index]}


def test_the_findings_have_the_querys_columns_then_the_runs(edges: Lake) -> None:
    run_columns = ["as_of", "hunt_version", "finding_id", "ordinal"]
    assert edges.read(writer.name_of(H1)).columns == [
        *("DeviceId", "any_Timestamp", "any_Timestamp1", "any_FileName", "set_ProcessCommandLine"),
        *("any_InitiatingProcessFileName", "any_InitiatingProcessParentFileName"),
        *run_columns,
    ]
    assert edges.read(writer.name_of(H2)).columns == [
        *("ProcessCommandLine", "FolderPath", "DeviceName", "DeviceId", "instances"),
        *run_columns,
    ]


def test_every_column_says_what_it_is(edges: Lake) -> None:
    for name in (writer.name_of(H1), writer.name_of(H2), writer.ALL, "hunts.runs"):
        for field in edges.read(name).schema.fields:
            assert field.metadata.get("comment"), f"{name}.{field.name}"
    comments = {f.name: f.metadata["comment"] for f in edges.read(writer.name_of(H1)).schema.fields}
    assert comments["set_ProcessCommandLine"] == "makeset(ProcessCommandLine) (Kusto dynamic)"
    assert comments["DeviceId"].startswith("Service-wide machine id")


def test_tables_stay_at_reader_version_1(edges: Lake) -> None:
    for name in (writer.name_of(H1), writer.ALL, "hunts.runs", "events.device_process_events"):
        detail = edges.spark.sql(f"DESCRIBE DETAIL delta.`{edges.path(name)}`").first()
        assert detail is not None
        assert detail["minReaderVersion"] == 1


def test_null_and_empty_command_lines_are_one_group(lake: Lake) -> None:
    store(lake, [event(ProcessCommandLine=None, ReportId=1), event(ProcessCommandLine="", ReportId=2)])
    run(lake, H2)
    assert [(r["ProcessCommandLine"], r["instances"]) for r in own(lake, H2)] == [("", 2)]


def test_129_command_lines_on_one_device(lake: Lake) -> None:
    lines = [f"cmd /c whoami {i:03}" for i in range(129)]
    store(lake, [event(ProcessCommandLine=line, ReportId=i) for i, line in enumerate(lines)])
    run(lake, H1, H2)
    assert own(lake, H1)[0]["set_ProcessCommandLine"] == lines[:128]
    assert len(own(lake, H2)) == 129
    assert common(lake)[0]["events"] == 129 or common(lake)[-1]["events"] == 129


def test_any_takes_the_earliest_event_that_has_a_value(lake: Lake) -> None:
    at = "2026-03-01T12:00:00.000000"
    store(
        lake,
        [
            event(Timestamp=f"{at}3Z", InitiatingProcessParentFileName="third.exe", FileName="POWERSHELL.exe"),
            event(Timestamp=f"{at}2Z", InitiatingProcessParentFileName="second.exe"),
            event(Timestamp=f"{at}1Z", InitiatingProcessParentFileName=None, ReportId=7),
        ],
    )
    run(lake, H1)
    (found,) = own(lake, H1)
    assert found["any_InitiatingProcessParentFileName"] == "second.exe"
    assert found["any_FileName"] == "cmd.exe"
    assert found["any_Timestamp"] == found["any_Timestamp1"]


def test_findings_all_tells_who_when_and_which_events(lake: Lake) -> None:
    early, late = "2026-03-01T10:00:00.1234567Z", "2026-03-02T10:00:00Z"
    store(lake, [event(Timestamp=late, ReportId=2, AccountName="other"), event(Timestamp=early, ReportId=1)])
    run(lake, H1)
    (found,) = common(lake)
    assert (found["hunt_id"], found["hunt_name"], found["status"]) == (H1.id, H1.name, "new")
    assert found["tactics"] == list(H1.tactics)
    assert (found["device_id"], found["device_name"], found["account_name"]) == (
        "device-1",
        "web01.contoso.example",
        None,
    )
    assert (f"{found['first_seen']:%d %H:%M:%S.%f}", f"{found['last_seen']:%d %H}") == ("01 10:00:00.123456", "02 10")
    assert found["events"] == 2
    ids = [r["event_id"] for r in lake.read("events.device_process_events").orderBy("Timestamp").collect()]
    assert found["evidence"] == ids
    result = json.loads(found["result"])
    assert result["any_Timestamp"] == early
    assert result["set_ProcessCommandLine"] == ["cmd.exe /c whoami"]


def test_a_run_again_changes_nothing(lake: Lake) -> None:
    store(lake, [event(DeviceId=f"device-{i}", ReportId=i) for i in range(5)])
    run(lake, H1, H2)
    before = own(lake, H1), own(lake, H2), common(lake)
    run(lake, H2, H1)
    assert (own(lake, H1), own(lake, H2), common(lake)) == before


def writers(lake: Lake, table: str) -> list[str]:
    """Which engine wrote each version of a table but the first, which made it."""
    log = sorted(Path(lake.path(table), "_delta_log").glob("*.json"))[1:]
    actions = (json.loads(line) for commit in log for line in commit.read_text().splitlines())
    return [one["commitInfo"]["engineInfo"].partition(":")[0][:6] for one in actions if "commitInfo" in one]


def test_findings_of_every_type_are_stored_alike_by_both_writers(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few are appended, and replaced when the run is repeated, without Spark; many by Spark."""
    store(lake, [event(DeviceId=f"device-{i}", ReportId=i) for i in range(3)])
    every = custom(
        "DeviceProcessEvents | summarize n = count(), t = max(Timestamp), l = make_list(ReportId),"
        " d = make_list(Timestamp) by DeviceId"
        " | extend i = int(-7), none = long(null), r = real(0.1), nan = real(nan), m = decimal(1.5), s = 1s, b = n > 0,"
        " g = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), y = dynamic({'a': [1, null]}), e = ''"
    )
    (first,) = run(lake, every)
    assert (first.error, first.findings) == (None, 3)
    before = repr(own(lake, every)), common(lake)
    assert writers(lake, writer.name_of(every)) == writers(lake, writer.ALL) == ["delta-"]
    run(lake, every)
    assert (repr(own(lake, every)), common(lake)) == before
    assert writers(lake, writer.name_of(every)) == writers(lake, writer.ALL) == ["delta-", "delta-"]
    monkeypatch.setattr(computed, "FEW", 0)
    run(lake, every)
    assert (repr(own(lake, every)), common(lake)) == before
    assert writers(lake, writer.name_of(every)) == writers(lake, writer.ALL) == ["delta-", "delta-", "Apache"]


def test_a_run_that_finds_nothing_clears_what_an_earlier_one_found(lake: Lake) -> None:
    store(lake, [event()])
    run(lake, H1)
    run(lake, H1, as_of="2026-03-06T00:00:00Z")
    assert len(own(lake, H1)) == len(common(lake)) == 2
    lake.spark.sql(f"DELETE FROM delta.`{lake.path('events.device_process_events')}`")
    (again,) = run(lake, H1)
    assert (again.outcome, again.matched, again.findings) == ("succeeded", 0, 0)
    assert [f"{r['as_of']:%d}" for r in own(lake, H1)] == [f"{r['as_of']:%d}" for r in common(lake)] == ["06"]


def test_findings_that_could_not_be_stored_are_no_success(lake: Lake) -> None:
    """The run has failed and says why, and the same run again succeeds."""
    store(lake, [event()])
    in_the_way = Path(lake.path(writer.ALL))
    shutil.rmtree(in_the_way, ignore_errors=True)
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("no table")
    (failed,) = run(lake, H1)
    assert (failed.error or "").startswith("its findings could not be stored: ")
    assert {row.outcome for row in lake.read("hunts.runs").collect()} == {"started", "failed"}
    in_the_way.unlink()
    (again,) = run(lake, H1)
    assert (again.outcome, len(common(lake))) == ("succeeded", 1)


def test_new_and_recurring_do_not_depend_on_the_order_of_runs(lake: Lake, spark: Any, tmp_path: Path) -> None:
    other = Lake(spark, str(tmp_path / "other"))
    as_ofs = ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "2026-03-20T00:00:00Z"]
    for one, order in ((lake, as_ofs), (other, as_ofs[::-1])):
        store(one, [event(Timestamp="2026-03-01T12:00:00Z"), event(Timestamp="2026-03-19T12:00:00Z", ReportId=2)])
        for as_of in order:
            run(one, H1, as_of=as_of)
    assert common(lake) == common(other)
    # found again the next day, and anew more than a window later
    assert [r["status"] for r in common(lake)] == ["new", "recurring", "new"]
    assert len({r["finding_id"] for r in common(lake)}) == 1


def test_a_hunt_that_fails_stops_no_other(lake: Lake) -> None:
    store(lake, [event()])
    wrong = custom("DeviceProcessEvents | where Nope == 1")
    runs = run(lake, wrong, H1)
    assert [r.outcome for r in runs] == ["failed", "succeeded"]
    assert "there is no column 'Nope'" in (runs[0].error or "")
    rows = lake.read("hunts.runs").collect()
    assert sorted(r["outcome"] for r in rows) == ["failed", "started", "started", "succeeded"]
    ledger = {r["hunt_id"]: r for r in rows if r["outcome"] != "started"}
    assert ledger[wrong.id]["outcome"] == "failed"
    assert "Nope" in ledger[wrong.id]["error"]
    assert (ledger[H1.id]["matched"], ledger[H1.id]["findings"]) == (1, 1)
    assert f"{ledger[H1.id]['window_start']:%m-%d}" == "02-28"


def test_a_hunt_without_a_time_filter_looks_back_its_period(lake: Lake) -> None:
    from datetime import timedelta

    store(lake, [event(Timestamp="2026-03-05T00:00:00Z"), event(Timestamp="2026-03-01T00:00:00Z", ReportId=2),
                 event(Timestamp="2026-02-20T00:00:00Z", ReportId=3)])  # fmt: skip
    query = "DeviceProcessEvents | summarize n = count() by DeviceId"
    run(lake, custom(query))
    assert [r["n"] for r in own(lake, custom(query))] == [2]
    run(lake, custom(query, query_period=timedelta(days=3)))
    assert [r["n"] for r in own(lake, custom(query))] == [1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # rows that are events, a result without rows to group by, columns that the run's own names meet
        ("DeviceProcessEvents | where FileName =~ 'cmd.exe' | project DeviceId, Timestamp", [("a",), ("b",)]),
        ("DeviceProcessEvents | summarize count()", [(3,)]),
        ("DeviceProcessEvents | project as_of = DeviceId, Ordinal = 1 | where as_of == 'c'", [("c", 1)]),
        ("DeviceProcessEvents | summarize n = count() by DeviceId | where n > 5", []),
        ("DeviceProcessEvents | top 1 by DeviceId desc | project DeviceId", [("c",)]),
        (
            "DeviceProcessEvents | extend t = Timestamp - ago(1d) | summarize by t",
            [(-5 * 864_000_000_000 + 432_000_000_000,)],
        ),
    ],
)
def test_results_of_other_shapes(lake: Lake, query: str, expected: list[tuple[Any, ...]]) -> None:
    store(
        lake,
        [event(DeviceId="a"), event(DeviceId="b", ReportId=2), event(DeviceId="c", FileName="net.exe", ReportId=3)],
    )
    (done,) = run(lake, custom(query))
    assert done.error is None
    assert lake.exists(writer.name_of(custom(query))) == bool(expected)
    if expected:
        stored = lake.read(writer.name_of(custom(query)))
        found = stored.orderBy(stored.columns[-1]).collect()
        assert [tuple(row)[: len(expected[0])] for row in found] == expected
    assert len(common(lake)) == len(expected)
    assert len({r["finding_id"] for r in common(lake)}) == len(expected)


def test_a_changed_result_shape_replaces_the_table(lake: Lake) -> None:
    """Without Spark; a table of an earlier release, with properties of its own, by Spark."""
    store(lake, [event()])
    run(lake, custom("DeviceProcessEvents | summarize n = count() by DeviceId"))
    changed = custom("DeviceProcessEvents | summarize n = any(FileName), m = count() by DeviceName")
    (done,) = run(lake, changed)
    assert done.error is None
    assert lake.read(writer.name_of(changed)).columns[:3] == ["DeviceName", "n", "m"]
    assert [(r["DeviceName"], r["n"], r["m"]) for r in own(lake, changed)] == [("web01.contoso.example", "cmd.exe", 1)]
    assert writers(lake, writer.name_of(changed)) == ["delta-", "delta-"]
    stored = DeltaTable(lake.path(writer.name_of(changed)))
    stored.alter.set_table_properties({"delta.dataSkippingStatsColumns": "m"})
    again = custom("DeviceProcessEvents | summarize p = count() by DeviceId", description="another")
    run(lake, again)
    assert [(r["DeviceId"], r["p"]) for r in own(lake, again)] == [("device-1", 1)]
    assert writers(lake, writer.name_of(changed)) == ["delta-", "delta-", "delta-", "Apache"]


def test_a_hunt_of_another_shape_that_finds_nothing_leaves_rows_of_other_as_ofs(lake: Lake) -> None:
    """Its table stays as it is. What an earlier run of the same as-of found is cleared."""
    store(lake, [event()])
    before = custom("DeviceProcessEvents | summarize n = count() by DeviceId, as_of = 'x'")
    run(lake, before, as_of="2026-03-06T00:00:00Z")
    run(lake, before)
    columns = lake.read(writer.name_of(before)).columns
    (done,) = run(lake, custom("DeviceProcessEvents | where FileName == 'none.exe' | project FileName"))
    assert (done.error, done.findings) == (None, 0)
    stored = lake.read(writer.name_of(before))
    assert stored.columns == columns
    assert [(row.n, f"{row.as_of1:%d}") for row in stored.collect()] == [(1, "06")]
    assert [f"{row['as_of']:%d}" for row in common(lake)] == ["06"]


def test_placeholders_of_sentinel_follow_the_as_of_and_the_period(spark: Any, tmp_path: Path) -> None:
    """A hunt with a period of two days, over an event a day at noon, run at midnight of two days."""
    lake = Lake(spark, str(tmp_path))
    store(lake, [event(Timestamp=f"2026-03-0{day}T12:00:00Z", DeviceId=f"d{day}") for day in range(1, 8)])
    query = (
        "let starttime = todatetime('{{StartTimeISO}}'); let endtime = todatetime('{{EndTimeISO}}'); "
        "DeviceProcessEvents | where Timestamp between (starttime .. endtime) | where FileName == 'cmd.exe' "
        "| project DeviceId, from = '{{StartTimeISO}}', range = strcat('[', '{{StartTimeISO}} - {{EndTimeISO}}', ']')"
    )
    hunt = custom(query, query_period=timedelta(days=2))
    for as_of in ("2026-03-04T00:00:00Z", "2026-03-06T00:00:00Z"):
        assert [one.error for one in run(lake, hunt, as_of=as_of)] == [None]
    assert sorted((row["DeviceId"], row["from"], row["range"]) for row in own(lake, hunt)) == [
        (f"d{day}", f"2026-03-0{since}T00:00:00.0000000Z",
         f"[2026-03-0{since}T00:00:00.0000000Z - 2026-03-0{since + 2}T00:00:00.0000000Z]")
        for day, since in ((2, 2), (3, 2), (4, 4), (5, 4))
    ]  # fmt: skip
