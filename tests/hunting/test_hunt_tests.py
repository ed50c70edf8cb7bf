"""Tests that stand beside hunts: what is read, what passes, and what is said of what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehunt import cli
from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.core.strict_yaml import YamlError
from lakehunt.hunting.content import hunt_file, scaffold
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY, TableCatalog
from lakehunt.hunting.testing import cases, runner
from lakehunt.kql.types import STRING, Column
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas import lookups
from lakehunt.schemas.registered_tables import RegisteredTable
from tests.support.commands import WITHOUT_JAVA, lakehunt
from tests.support.paths import PROJECT

ID = "0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10"
COUNTS = (
    "DeviceProcessEvents | where Timestamp > ago(1d) | where FileName == 'cmd.exe'\n"
    "  | summarize n = count(), Last = max(Timestamp), Lines = make_set(ProcessCommandLine) by DeviceId"
)
EXCLUSION = "exclusions:\n- {name: backup, reason: r, owner: o, where: AccountName == 'backup'}\n"
WATCHLIST = TableCatalog({"Watchlist": RegisteredTable("Watchlist", (Column("DeviceId", STRING),), path="/nowhere")})


def hunt(folder: Path, tests: str, query: str = COUNTS) -> Hunt:
    (folder / "h.yaml").write_text(f"id: {ID}\nname: Counts\nquery: |\n  {query}\n")
    (folder / "h.exclusions.yaml").write_text(EXCLUSION)
    (folder / "h.tests.yaml").write_text(tests)
    (one,), errors = hunt_file.load_folder(folder)
    assert errors == []
    return one


REFUSED = {
    "no list": ("tests:\n", "1:1: expected a list under `tests`"),
    "another key": ("test: []\n", "1:1: unknown key 'test'"),
    "no name": ("tests:\n- match: []\n", "2:3: a test without name"),
    "unknown key": ("tests:\n- {name: n, matches: []}\n", "2:13: unknown key 'matches'"),
    "no column": (
        "tests:\n- name: n\n  match:\n  - {FileNam: a}\n",
        "4:6: DeviceProcessEvents has no column",
    ),
    "no number": ("tests:\n- name: n\n  match:\n  - {ProcessId: x}\n", "4:17: ProcessId: 'x' is not a whole number"),
    "no datetime": (
        "tests:\n- name: n\n  match:\n  - {Timestamp: now}\n",
        "4:17: Timestamp: 'now' is not a valid datetime",
    ),
    "no time": ("tests:\n- name: n\n  match:\n  - {Timestamp: null}\n", "match 1: an event without a time"),
    "no bool": ("tests:\n- name: n\n  match:\n  - {IsProcessRemoteSession: 1}\n", "expected true or false"),
    "no result column": ("tests:\n- name: n\n  rows:\n  - {m: 1}\n", "4:6: result has no column 'm'"),
    "no exclusion": ("tests:\n- {name: n, exclusions: [backups]}\n", "there is no exclusion 'backups' of this hunt"),
    "no table": ("tests:\n- {name: n, tables: {Other: []}}\n", "there is no event table or registered table 'Other'"),
    "no event table": (
        "tests:\n- name: n\n  match:\n  - {Type: DeviceNetworkEvent}\n",
        "4:12: Type: there is no event table 'DeviceNetworkEvent'",
    ),
    "no column of this table": (
        "tests:\n- name: n\n  match:\n  - {Type: DeviceNetworkEvents, ProcessCommandLine: a}\n",
        "4:33: DeviceNetworkEvents has no column",
    ),
    "no column of a given event": (
        "tests:\n- name: n\n  tables:\n    DeviceLogonEvents:\n    - {FileName: a}\n",
        "5:8: DeviceLogonEvents has no column",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_with_a_file_is_said_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    one = hunt(tmp_path, text)
    with pytest.raises(YamlError) as refused:
        cases.load(one, EVENTS_ONLY)
    assert said in refused.value.message
    assert refused.value.message.startswith(str(tmp_path / "h.tests.yaml"))


ONE_ROW = '{DeviceId: "device-1", n: 1, Last: "2026-01-31T11:00:00.0000000Z", Lines: [""]}'
UNFILTERED = "does not pass the hunt's filters, so nothing keeps it out"

OUTCOMES: dict[str, tuple[str, list[str]]] = {
    # a test, and what is said of it: nothing, if it passes
    "as expected": (
        """
  match:
  - {FileName: cmd.exe, ProcessCommandLine: b}
  - {FileName: cmd.exe, ProcessCommandLine: a, Timestamp: 2026-01-31T11:59:59.1234567Z}
  no_match:
  - {FileName: net.exe}
  - {FileName: cmd.exe, Timestamp: 2026-01-30T12:00:00Z}
  suppressed:
  - {FileName: cmd.exe, AccountName: backup}
  rows:
  - {DeviceId: device-1, n: 2, Last: 2026-01-31T11:59:59.1234567Z, Lines: [a, b]}
""",
        [],
    ),
    "no row": ("  match: [{FileName: net.exe}]\n", ['match 1 {FileName: "net.exe"} is in no row']),
    "a row": (
        "  no_match: [{FileName: cmd.exe}]\n  exclusions: []\n",
        [
            'no_match 1 {FileName: "cmd.exe"} is in a row: ' + ONE_ROW,
        ],
    ),
    "kept out": (
        "  match: [{FileName: cmd.exe, AccountName: backup}]\n",
        ['match 1 {FileName: "cmd.exe", AccountName: "backup"} is kept out by an exclusion'],
    ),
    "not kept out": (
        "  suppressed: [{FileName: net.exe, AccountName: backup}]\n",
        [
            'suppressed 1 {FileName: "net.exe", AccountName: "backup"} ' + UNFILTERED,
        ],
    ),
    "switched off for the test": (
        "  exclusions: []\n  match: [{FileName: cmd.exe, AccountName: backup}]\n",
        [],
    ),
    "other rows": (
        """
  match: [{FileName: cmd.exe}, {FileName: cmd.exe, DeviceId: d2}]
  rows: [{DeviceId: d2, n: 2}, {DeviceId: device-1, n: 1}]
""",
        [
            '- expected {DeviceId: "d2", n: 2}',
            '+ found    {DeviceId: "d2", n: 1, Last: "2026-01-31T11:00:01.0000000Z", Lines: [""]}',
        ],
    ),
    "a vague row leaves room for an exact one": (
        """
  match: [{FileName: cmd.exe}, {FileName: cmd.exe, DeviceId: d2}]
  rows: [{n: 1}, {DeviceId: device-1}]
""",
        [],
    ),
    "too few rows": (
        "  match: [{FileName: cmd.exe}]\n  rows: []\n",
        ["+ found    " + ONE_ROW],
    ),
    "another as-of": (
        "  as_of: 2020-01-02T00:00:00Z\n  match: [{FileName: cmd.exe, Timestamp: 2020-01-01T12:00:00Z}]\n",
        [],
    ),
}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(spark, str(tmp_path_factory.mktemp("untouched")))


def test_what_is_said_of_each_test(lake: Lake, tmp_path: Path) -> None:
    """All in one file, as a hunter would have them."""
    text = "tests:\n" + "".join(f"- name: {name}\n{body}" for name, (body, _) in OUTCOMES.items())
    one = hunt(tmp_path, text)
    (tested,) = runner.run_all(lake, list(runner.read([one], EVENTS_ONLY)), EVENTS_ONLY, [].append)
    said = {outcome.case.name: list(outcome.differences) for outcome in tested.outcomes}
    assert said == {name: differences for name, (_, differences) in OUTCOMES.items()}
    assert not list(Path(lake.root).iterdir())


def test_rows_of_other_tables_are_given(lake: Lake, tmp_path: Path) -> None:
    query = "DeviceProcessEvents | where FileName == 'cmd.exe' | join kind=inner Watchlist on DeviceId"
    text = """tests:
- name: given
  tables: {Watchlist: [{DeviceId: d2}]}
  match: [{FileName: cmd.exe, DeviceId: d2}]
  no_match: [{FileName: cmd.exe}]
- name: not given
"""
    one = hunt(tmp_path, text, query)
    first, second = (runner.run(lake, one, case, WATCHLIST) for case in cases.load(one, WATCHLIST))
    assert first.passed
    assert second.differences == ("the hunt fails: the hunt reads Watchlist, but the test gives no rows for it",)


def outcomes(lake: Lake, folder: Path, query: str, text: str) -> list[tuple[str, ...]]:
    one = hunt(folder, text, query)
    return [runner.run(lake, one, case, EVENTS_ONLY).differences for case in cases.load(one, EVENTS_ONLY)]


def test_events_are_of_the_table_that_the_hunt_reads(lake: Lake, tmp_path: Path) -> None:
    query = "DeviceNetworkEvents | where ActionType == 'ConnectionSuccess' | summarize n = count() by Type, RemotePort"
    text = """tests:
- name: connections
  match: [{RemotePort: 4444}, {RemotePort: 4444, RemoteIP: 203.0.113.7}]
  no_match: [{RemotePort: 4444, ActionType: ConnectionFailed}]
  rows: [{Type: DeviceNetworkEvents, RemotePort: 4444, n: 2}]
- name: a port too few
  no_match: [{RemotePort: 53}]
"""
    shown = '{Type: "DeviceNetworkEvents", RemotePort: 53, n: 1}'
    assert outcomes(lake, tmp_path, query, text) == [(), (f"no_match 1 {{RemotePort: 53}} is in a row: {shown}",)]


def test_events_of_several_tables(lake: Lake, tmp_path: Path) -> None:
    query = (
        "DeviceProcessEvents | where AccountName in ((DeviceLogonEvents | project AccountName))\n"
        "  | join kind=inner (DeviceNetworkEvents | where RemotePort == 4444)"
        " on DeviceId, $left.ProcessId == $right.InitiatingProcessId | project ProcessId, RemoteIP"
    )
    text = """tests:
- name: who logged on and called out
  tables: {DeviceLogonEvents: [{AccountName: eve}]}
  match:
  - {FileName: cmd.exe, ProcessId: 7, AccountName: eve}
  - {Type: DeviceNetworkEvents, InitiatingProcessId: 7, RemotePort: 4444, RemoteIP: 203.0.113.7}
  no_match:
  - {FileName: cmd.exe, ProcessId: 8, AccountName: eve}
  - {FileName: cmd.exe, ProcessId: 7, AccountName: ann}
  - {Type: DeviceNetworkEvents, InitiatingProcessId: 7, RemotePort: 443}
  rows: [{ProcessId: 7, RemoteIP: 203.0.113.7}]
- name: nobody logged on
  match: [{Type: DeviceNetworkEvents, InitiatingProcessId: 7, RemotePort: 4444}]
  no_match: [{ProcessId: 7, AccountName: eve}]
"""
    event = '{Type: "DeviceNetworkEvents", InitiatingProcessId: 7, RemotePort: 4444}'
    assert outcomes(lake, tmp_path, query, text) == [(), (f"match 1 {event} is in no row",)]


def test_exclusions_of_another_table(lake: Lake, tmp_path: Path) -> None:
    query = "DeviceNetworkEvents | where RemotePort == 4444"
    text = "tests:\n- {name: n, suppressed: [{RemotePort: 4444, RemoteIP: 192.0.2.1}], match: [{RemotePort: 4444}]}\n"
    hunt(tmp_path, text, query)
    known = "{name: ours, reason: r, owner: o, table: DeviceNetworkEvents, where: RemoteIP == '192.0.2.1'}"
    (tmp_path / "h.exclusions.yaml").write_text(f"exclusions:\n- {known}\n")
    (one,), errors = hunt_file.load_folder(tmp_path)
    (case,) = cases.load(one, EVENTS_ONLY)
    assert (errors, runner.run(lake, one, case, EVENTS_ONLY).differences) == ([], ())


LOOKUPS = TableCatalog(
    lookups=lookups.read(
        strict_yaml.load(
            """
            watchlists:
              Servers: {path: nowhere.csv, columns: [Owner, Device], search_key: Device}
            ThreatIntelIndicators: nowhere.json
            FileProfile: nowhere.csv
            geo_info_from_ip_address: nowhere.mmdb
            """
        ),
        Path("/nowhere"),
    )
)
LOOKING_UP = """DeviceProcessEvents
  | join kind=inner (_GetWatchlist('Servers')) on $left.DeviceId == $right.SearchKey
  | join kind=leftouter (ThreatIntelIndicators | where IsActive) on $left.AccountName == $right.ObservableValue
  | invoke FileProfile(SHA1)
  | extend Place = geo_info_from_ip_address(AccountName)
  | project DeviceId, Owner, Confidence, ValidUntil, Tag = tostring(Data.labels[0]), GlobalPrevalence,
    ProfileAvailability, Country = tostring(Place.country), At = todouble(Place.latitude)
"""


def test_rows_of_lookups_are_given(lake: Lake, tmp_path: Path) -> None:
    text = """tests:
- name: given
  lookups:
    watchlists:
      Servers: [{Device: d1, Owner: ann}, {Device: d2}]
    ThreatIntelIndicators:
    - ObservableValue: 192.0.2.7
      TimeGenerated: 2026-01-31T00:00:00Z
      IsActive: true
      Confidence: 80
      ValidUntil: 2026-02-28T00:00:00Z
      Data: {labels: [c2]}
    - {ObservableValue: "2001:db8::1", TimeGenerated: 2026-01-31T00:00:00Z, IsActive: false}
    FileProfile:
    - {SHA1: ABCD, SHA256: ef, GlobalPrevalence: 3}
    geo_info_from_ip_address:
    - {network: 192.0.2.0/24, country: Belgium, latitude: 50.5}
    - {network: "2001:db8::/32", country: France}
  match:
  - {DeviceId: d1, AccountName: 192.0.2.7, SHA1: abcd}
  - {DeviceId: d2, AccountName: "2001:db8::1"}
  no_match:
  - {DeviceId: d3}
  rows:
  - DeviceId: d1
    Owner: ann
    Confidence: 80
    ValidUntil: 2026-02-28T00:00:00Z
    Tag: c2
    GlobalPrevalence: 3
    ProfileAvailability: Available
    Country: Belgium
    At: 50.5
  - DeviceId: d2
    Owner: ""
    Confidence: null
    ValidUntil: null
    Tag: ""
    GlobalPrevalence: null
    ProfileAvailability: Missing
    Country: France
    At: null
- name: no rows are rows
  lookups:
    watchlists: {Servers: []}
    ThreatIntelIndicators: []
    FileProfile: []
    geo_info_from_ip_address: []
  rows: []
- name: not given
"""
    one = hunt(tmp_path, text, LOOKING_UP)
    given, empty, missing = (runner.run(lake, one, case, LOOKUPS) for case in cases.load(one, LOOKUPS))
    assert (given.differences, empty.differences) == ((), ())
    (said,) = missing.differences
    assert said.startswith("the hunt fails: the hunt reads the lookup ")
    assert said.endswith(", but the test gives no rows for it")
    assert not list(Path(lake.root).iterdir())


def test_prevalence_in_the_lake_is_that_in_the_events_of_the_test(lake: Lake, tmp_path: Path) -> None:
    query = "DeviceProcessEvents | invoke FileProfile(SHA1) | project DeviceId, GlobalPrevalence"
    text = """tests:
- name: computed
  match: [{DeviceId: d1, SHA1: a}, {DeviceId: d2, SHA1: a}, {DeviceId: d3, SHA1: b}]
  rows: [{DeviceId: d1, GlobalPrevalence: 2}, {DeviceId: d2, GlobalPrevalence: 2}, {DeviceId: d3, GlobalPrevalence: 1}]
- name: given
  lookups: {FileProfile: [{SHA1: a, GlobalPrevalence: 9}]}
  match: [{DeviceId: d1, SHA1: a}]
  rows: [{DeviceId: d1, GlobalPrevalence: 9}]
"""
    tables = TableCatalog(lookups=lookups.read(strict_yaml.load("FileProfile: lake"), tmp_path))
    one = hunt(tmp_path, text, query)
    assert [runner.run(lake, one, case, tables).differences for case in cases.load(one, tables)] == [(), ()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[]", "2:22: expected lookups as in the configuration"),
        ("{FileProfiles: []}", "2:23: the configuration has no lookup FileProfiles"),
        ("{watchlists: []}", "2:35: expected names of watchlists"),
        ("{watchlists: {Server: []}}", "2:36: the configuration has no lookup watchlists.Server"),
        ("{watchlists: {Servers: [{Name: a}]}}", "watchlists.Servers has no column 'Name'"),
        ("{watchlists: {Servers: [{SearchKey: a}]}}", "watchlists.Servers has no column 'SearchKey'"),
        ("{ThreatIntelIndicators: [{Confidence: high}]}", "Confidence: 'high' is not a whole number"),
        ("{geo_info_from_ip_address: [{network: here}]}", "row 1 of geo_info_from_ip_address: no network: 'here'"),
        (
            "{geo_info_from_ip_address: [{network: 10.0.0.0/8}, {network: 10.1.0.0/16}]}",
            "rows 1 and 2 of geo_info_from_ip_address overlap",
        ),
    ],
)
def test_what_is_wrong_with_rows_of_lookups_is_said_at_its_place(tmp_path: Path, given: str, said: str) -> None:
    one = hunt(tmp_path, f"tests:\n- {{name: n, lookups: {given}}}\n")
    with pytest.raises(YamlError) as refused:
        cases.load(one, LOOKUPS)
    assert said in refused.value.message


def test_the_seed_hunts_pass_theirs(lake: Lake) -> None:
    hunts, _ = hunt_file.load_folder(PROJECT / "hunts")
    tested = runner.run_all(lake, list(runner.read(hunts, EVENTS_ONLY)), EVENTS_ONLY, [].append)
    assert {o.case.name: o.differences for one in tested for o in one.outcomes if not o.passed} == {}
    suppressing = {
        e.name for one in tested for o in one.outcomes if len(o.case.exclusions) == 1 for e in o.case.exclusions
    }
    assert suppressing == {one.name for h in hunts for one in h.exclusions}  # each is switched on by itself in a test


def test_what_new_writes_compiles_and_passes(lake: Lake, tmp_path: Path) -> None:
    file, tests = scaffold.create("Bob's: 1st hunt", tmp_path)
    assert (file.name, tests.name) == ("bob-s-1st-hunt.yaml", "bob-s-1st-hunt.tests.yaml")
    hunts, errors = hunt_file.load_folder(tmp_path)
    assert (errors, [one.name for one in hunts]) == ([], ["Bob's: 1st hunt"])
    (tested,) = runner.run_all(lake, list(runner.read(hunts, EVENTS_ONLY)), EVENTS_ONLY, [].append)
    assert [outcome.differences for outcome in tested.outcomes] == [()]
    with pytest.raises(LakehuntError, match="is there already"):
        scaffold.create("bob's 1st HUNT", tmp_path)
    with pytest.raises(LakehuntError, match="no letters"):
        scaffold.create("!!", tmp_path)
    with pytest.raises(LakehuntError, match="cannot be written: No such file or directory"):
        scaffold.create("Another", tmp_path / "nowhere")


# The command


def test_without_tests_no_jvm_starts_and_strict_fails(tmp_path: Path) -> None:
    (tmp_path / "h.yaml").write_text(f"id: {ID}\nname: Counts\nquery: DeviceProcessEvents\n")
    (tmp_path / ".lakehunt.yaml").write_text("hunts: .\n")
    config = ("--config", tmp_path / ".lakehunt.yaml")
    done = lakehunt("test", *config, **WITHOUT_JAVA)
    assert (done.returncode, done.stderr) == (0, "warning: 1 hunts have no test\n")
    assert f"Counts: no test: write {tmp_path / 'h.tests.yaml'}" in done.stdout
    assert lakehunt("test", "--strict", *config, **WITHOUT_JAVA).returncode == 1


def test_a_file_that_cannot_be_read_fails(tmp_path: Path) -> None:
    (tmp_path / "h.yaml").write_text(f"id: {ID}\nname: Counts\nquery: DeviceProcessEvents\n")
    (tmp_path / "h.tests.yaml").write_text("tests: {}\n")
    (tmp_path / ".lakehunt.yaml").write_text("hunts: .\n")
    done = lakehunt("test", "--json", "--config", tmp_path / ".lakehunt.yaml", **WITHOUT_JAVA)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["problem"].startswith(f"{tmp_path / 'h.tests.yaml'}:1:1: expected a list under `tests`")


def test_failures_are_shown_and_fail_the_command(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hunts"
    folder.mkdir()
    hunt(folder, "tests:\n- name: shows it\n  match: [{FileName: net.exe}]\n")
    (tmp_path / "lakehunt.yaml").write_text(f"hunts: hunts\nlake: {tmp_path / 'lake'}\n")
    monkeypatch.setattr(type(spark), "stop", lambda self: None)  # the session is all tests'
    assert cli.main(["test", "--config", str(tmp_path / "lakehunt.yaml")]) == 1
    out = capsys.readouterr().out
    assert "Counts: 0 passed, 1 failed" in out
    assert f"FAILED shows it ({folder / 'h.tests.yaml'}:2)" in out
    assert 'match 1 {FileName: "net.exe"} is in no row' in out
