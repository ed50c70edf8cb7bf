"""`lakehunt import`: what becomes of every file of a pack, and what is in the folder of hunts afterwards."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lakehunt import cli
from lakehunt.core import atomic_write
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import compile_check
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY, TableCatalog
from lakehunt.importing import file_names, missing_tables
from lakehunt.importing import pack as packs
from lakehunt.importing.results import ImportStatus, QueryResult, Reason
from lakehunt.kql.types import DATETIME, STRING, Column
from lakehunt.schemas.registered_tables import RegisteredTable
from tests.support.commands import WITHOUT_JAVA, lakehunt

IDS = [f"0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a1{n}" for n in range(10)]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    return folder


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "hunts"


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def rule(number: int, query: str = "DeviceProcessEvents", rest: str = "") -> str:
    """A hunt; the lines of its query start in column 3 of line 4."""
    return f"id: {IDS[number]}\nname: Hunt {number}\nquery: |\n  {query}\n{rest}"


def imported(pack: Path, into: Path, tables: TableCatalog = EVENTS_ONLY, **options: bool) -> list[QueryResult]:
    return packs.import_pack(pack, into, into, tables, **options)


def told(outcomes: list[QueryResult]) -> list[tuple[str, str, str]]:
    return [(one.source.as_posix(), str(one.reason or one.result), one.detail) for one in outcomes]


def only(outcomes: list[QueryResult]) -> QueryResult:
    (one,) = outcomes
    return one


def index(into: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (into / "imported.jsonl").read_text("utf-8").splitlines()]


# YAML


def test_a_hunt_is_copied_byte_by_byte(pack: Path, into: Path) -> None:
    content = (
        b"\xef\xbb\xbf# A comment\r\nid: "
        + IDS[1].upper().encode()
        + b"\r\nname: 'A'\r\nquery: DeviceProcessEvents\r\n"
    )
    (pack / "deep" / "er").mkdir(parents=True)
    (pack / "deep" / "er" / "A hunt.yml").write_bytes(content)
    one = only(imported(pack, into))
    assert (one.result, one.file) == (ImportStatus.IMPORTED, into / "A hunt.yml")
    assert (into / "A hunt.yml").read_bytes() == content
    assert hunt_file.load(into / "A hunt.yml").id == IDS[1]


def test_the_same_again_changes_nothing(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", rule(1))
    write(pack / "b.md", "# B\n```kql\nDeviceProcessEvents | take 1\n```\n")
    imported(pack, into)
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in into.iterdir()}
    assert [one.result for one in imported(pack, into)] == [ImportStatus.ALREADY_THERE, ImportStatus.ALREADY_THERE]
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in into.iterdir()} == before


def test_a_trial_run_writes_nothing(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", rule(1))
    one = only(imported(pack, into, dry_run=True))
    assert (one.result, one.file, into.exists()) == (ImportStatus.IMPORTED, into / "a.yaml", False)


def test_a_table_that_the_lake_does_not_have(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", rule(1, "Cats | where Paws == 4 | frobnicate 1"))
    write(pack / "b.yaml", rule(2, "Cats | join (Cats | join Dogs on Paws) on Paws"))
    first, second = imported(pack, into)
    assert (first.reason, first.place) == (Reason.QUERY, (4, 28))  # it is no KQL whatever the tables
    assert (second.reason, second.detail, second.place) == (Reason.TABLE, "no table Cats, Dogs", (4, 3))
    paws = (Column("Paws", STRING),)
    tables = TableCatalog({name: RegisteredTable(name, paws, path="x") for name in ("Cats", "Dogs")})
    assert [one.result for one in imported(pack, into, tables)] == [ImportStatus.LEFT_OUT, ImportStatus.IMPORTED]


@pytest.mark.parametrize(
    ("step", "name"), [("invoke FileProfile(SHA1)", "FileProfile"), ("evaluate autocluster()", "autocluster")]
)
def test_what_is_not_supported_is_told_with_its_place(pack: Path, into: Path, step: str, name: str) -> None:
    write(pack / "a.yaml", rule(1, f"DeviceProcessEvents\n  | {step}\n  | where GlobalPrevalence < 9"))
    one = only(imported(pack, into))
    assert (one.reason, one.place.line) == (Reason.UNSUPPORTED, 5)
    assert name in one.detail
    assert len(one.problems) == 1  # what follows from it is no further error


def test_an_error_in_a_query(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", rule(1, "DeviceProcessEvents | where Nope == 1"))
    one = only(imported(pack, into))
    assert (one.reason, one.detail, one.place) == (Reason.QUERY, "there is no column 'Nope'", (4, 31))


def test_a_query_that_is_nested_too_deeply(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", rule(1, f"print {'(' * 20_000}1{')' * 20_000}"))
    assert only(imported(pack, into)).result is ImportStatus.LEFT_OUT


def test_ids_and_queries_that_are_there_twice(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", rule(1))
    write(pack / "b.yaml", rule(1, "DeviceProcessEvents | take 1"))
    write(pack / "c.yaml", rule(2, "DeviceProcessEvents // the same"))
    write(pack / "d.yaml", rule(3, "DeviceProcessEvents", "queryPeriod: 1d\n"))  # other events, so another hunt
    for _ in range(2):
        outcomes = imported(pack, into)
        assert [one.reason for one in outcomes] == [None, Reason.DUPLICATE_ID, Reason.DUPLICATE_QUERY, None]
        assert outcomes[1].detail == f"{IDS[1]} is also that of {pack / 'a.yaml'}:4"
        assert outcomes[2].detail == f"the query of {pack / 'a.yaml'}:4"
    assert sorted(file.name for file in into.glob("*.yaml")) == ["a.yaml", "d.yaml"]


def test_an_id_counts_only_where_its_query_compiles(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", rule(1, "Cats"))
    write(pack / "b.yaml", rule(1))
    assert [one.reason for one in imported(pack, into)] == [Reason.TABLE, None]


def test_hunts_that_are_there_are_left_alone(pack: Path, into: Path) -> None:
    mine = write(into / "mine.yaml", rule(1, "DeviceProcessEvents | take 1"))
    write(into / "tuned.yaml", rule(2, "DeviceProcessEvents | take 2"))
    write(pack / "a.yaml", rule(1, "DeviceProcessEvents | take 3"))
    write(pack / "b.yaml", rule(3, "DeviceProcessEvents | take 2"))
    same_id, same_query = imported(pack, into)
    assert (same_id.reason, same_id.file) == (Reason.OTHER_CONTENT, mine)
    assert (same_query.reason, same_query.detail) == (Reason.DUPLICATE_QUERY, f"the query of {into / 'tuned.yaml'}")
    assert sorted(file.name for file in into.iterdir()) == ["mine.yaml", "tuned.yaml"]


def test_replacing_takes_the_packs_content_where_the_hunt_is(pack: Path, into: Path) -> None:
    mine = write(into / "deep" / "mine.yaml", rule(1, "DeviceProcessEvents | take 1"))
    write(pack / "a.yaml", rule(1, "DeviceProcessEvents | take 2"))
    write(pack / "b.yaml", rule(2, "DeviceProcessEvents | take 1"))  # is free once the other one is replaced
    first, second = imported(pack, into, replacing=True)
    assert (first.result, first.file, second.result) == (ImportStatus.REPLACED, mine, ImportStatus.IMPORTED)
    assert mine.read_bytes() == (pack / "a.yaml").read_bytes()
    assert [entry["file"] for entry in index(into)] == ["b.yaml", "deep/mine.yaml"]


def test_an_id_that_is_missing_is_added_at_the_end(pack: Path, into: Path) -> None:
    text = "name: A\nquery: |\n  DeviceProcessEvents\n  | take 1"
    write(pack / "a.yaml", text)
    one = only(imported(pack, into))
    assert one.result is ImportStatus.IMPORTED
    made = (into / "a.yaml").read_text()
    assert made.startswith(text)
    assert hunt_file.load(into / "a.yaml").query.strip() == "DeviceProcessEvents\n| take 1"
    assert only(imported(pack, into)).result is ImportStatus.ALREADY_THERE


def test_an_id_that_is_none_gives_way_and_is_kept_beside(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", "id: '0xFF-0001'  # ours\nname: A\nquery: DeviceProcessEvents\n")
    write(pack / "b.yaml", "id:\nname: B\nquery: DeviceProcessEvents | take 1\n")
    first, second = imported(pack, into)
    assert first.candidate
    assert first.candidate.original_id == "0xFF-0001"
    lines = (into / "a.yaml").read_text().splitlines()
    assert lines[0] == f"id: {first.candidate.hunt.id}  # in the pack: '0xFF-0001' # ours"
    assert lines[1:] == ["name: A", "query: DeviceProcessEvents"]
    assert second.result is ImportStatus.IMPORTED
    assert all(one.ok for one in compile_check.check_files([into], EVENTS_ONLY))
    assert [entry["original_id"] for entry in index(into)] == ["0xFF-0001", None]


def test_places_are_those_of_the_packs_file_though_an_id_was_added(pack: Path, into: Path) -> None:
    write(pack / "a.yaml", "name: A\nquery: |\n  DeviceProcessEvents\n  | where Nope == 1\n")
    assert only(imported(pack, into)).place == (4, 11)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id: x\nname: A\nquery: |\n", Reason.NO_QUERY),
        (f"id: {IDS[1]}\nkind: MicrosoftSecurityIncidentCreation\nname: A\n", Reason.NO_QUERY),
        ("Parser:\n  Title: A\nParserQuery: |\n  DeviceProcessEvents\n", Reason.NOT_A_HUNT),
        ("- a\n- b\n", Reason.NOT_A_HUNT),
        ("a: &b 1\nc: *b\n", Reason.NOT_A_HUNT),
        ("", Reason.NOT_A_HUNT),
        (f"id: {IDS[1]}\nquery: DeviceProcessEvents\n", Reason.INVALID),  # without a name
        (f"id: {IDS[1]}\nid: {IDS[2]}\nname: A\nquery: DeviceProcessEvents\n", Reason.INVALID),
        (f"id: [{IDS[1]}]\nname: A\nquery: DeviceProcessEvents\n", Reason.INVALID),
        ("{id: 7, name: A, query: DeviceProcessEvents}\n", Reason.INVALID),
        ("{name: A, query: DeviceProcessEvents}\n", Reason.INVALID),  # there is no line to add an id on
    ],
)
def test_what_is_no_hunt(pack: Path, into: Path, text: str, reason: Reason | None) -> None:
    write(pack / "a.yaml", text)
    assert only(imported(pack, into)).reason is reason


def test_what_cannot_be_read_is_told(pack: Path, into: Path) -> None:
    (pack / "a.yaml").write_bytes(b"name: \xff\nquery: x\n")
    (pack / "b.yaml").mkdir()
    write(pack / "c.md", "x" * (1 << 20) + "y")
    invalid, large = imported(pack, into)
    assert (invalid.reason, invalid.place) == (Reason.INVALID, (1, 7))
    assert (large.source.name, large.reason) == ("c.md", Reason.INVALID)


def test_links_are_not_followed_out_of_the_pack(pack: Path, into: Path, tmp_path: Path) -> None:
    secret = write(tmp_path / "elsewhere" / "secret.yaml", rule(1))
    (pack / "out.yaml").symlink_to(secret)
    (pack / "folder").symlink_to(secret.parent)
    write(pack / "deep" / "a.yaml", rule(2))
    (pack / "in.yaml").symlink_to(pack / "deep" / "a.yaml")
    (pack / "round").symlink_to(pack)
    assert told(imported(pack, into)) == [
        ("folder", "link", "a link that leads out of the folder"),
        ("out.yaml", "link", "a link that leads out of the folder"),
        ("deep/a.yaml", "imported", ""),
    ]


def test_what_is_passed_over(pack: Path) -> None:
    for name in (".git/a.yaml", ".hidden.yaml", "picture.png", "LICENSE.txt", "hunts/a.yaml"):
        write(pack / name, rule(1))
    assert imported(pack, pack / "hunts") == []


# Markdown and KQL


def test_a_page_becomes_a_hunt(pack: Path, into: Path) -> None:
    page = (
        "# Cats\nCats that climb: a \"risk\".\n\n## Query\n```\nDeviceProcessEvents\n| take 1\n```\n\n## Category\n"
        "| Technique, tactic, or state | Covered? (v=yes) | Notes |\n|-|-|-|\n| Privilege escalation | v | |\n"
        "| Ransomware | v | |\n\nT1086\n"
    )  # fmt: skip
    write(pack / "deep" / "cats: on stairs.md", page)
    one = only(imported(pack, into))
    assert (one.place, one.file) == ((6, 1), into / "cats- on stairs.yaml")
    hunt = hunt_file.load(into / "cats- on stairs.yaml")
    assert (hunt.name, hunt.query) == ("Cats", "DeviceProcessEvents\n| take 1\n")
    assert hunt.description == 'Cats that climb: a "risk".'
    assert (hunt.tactics, hunt.techniques) == (("Privilege Escalation",), ("T1059.001",))
    assert (hunt.tags, hunt.warnings) == (("Ransomware",), ())
    assert hunt.other == {"metadata": {"source": "deep/cats: on stairs.md"}}
    entry = index(into)[0]
    assert (entry["pack"], entry["source"], entry["line"]) == ("pack", "deep/cats: on stairs.md", 6)
    assert entry["tactics"] == [{"id": "TA0004", "name": "Privilege Escalation", "written": "Privilege escalation"}]
    assert entry["techniques"] == [
        {"id": "T1059.001", "name": "Command and Scripting Interpreter: PowerShell", "written": "T1086"}
    ]
    assert entry["other_words"] == ["Ransomware"]


def test_several_queries_of_a_page(pack: Path, into: Path) -> None:
    write(
        pack / "cats.md",
        "# Cats\n## Defender\n```kql\nDeviceProcessEvents | take 1\n```\n```kql\nDeviceProcessEvents | take 2\n```\n"
        "## Sentinel\n```kql\nDeviceProcessEvents\n| take 1\n```\n"
        "## Nope\n- 1\n\n  ```kql\n  Cats\n  | take 1\n  ```\n",
    )
    outcomes = imported(pack, into)
    names = [one.candidate and one.candidate.hunt.name for one in outcomes]
    assert names == ["Cats: Defender", "Cats: Defender (2)", "Cats: Sentinel", "Cats: Nope"]
    assert [one.reason for one in outcomes] == [None, None, Reason.DUPLICATE_QUERY, Reason.TABLE]
    assert [one.place for one in outcomes] == [(4, 1), (7, 1), (11, 1), (18, 3)]
    assert sorted(file.name for file in into.glob("*.yaml")) == ["cats-1.yaml", "cats-2.yaml"]


def test_an_error_on_a_page_is_told_at_its_place_there(pack: Path, into: Path) -> None:
    write(pack / "a.md", "# A\n\n- 1\n\n  ```kql\n  DeviceProcessEvents\n  | where Nope == 1\n  ```\n")
    assert only(imported(pack, into)).place == (7, 11)


def test_the_id_of_a_query_stays_when_its_page_changes(pack: Path, into: Path) -> None:
    write(pack / "a.md", "# A\n## Query\n```kql\nDeviceProcessEvents | take 1\n```\n")
    first = only(imported(pack, into))
    write(pack / "a.md", "# A\nMore text.\n## Query\n```kql\nDeviceProcessEvents | take 2\n```\n")
    second = only(imported(pack, into))
    assert first.candidate
    assert second.candidate
    assert first.candidate.hunt.id == second.candidate.hunt.id
    assert (second.reason, second.file) == (Reason.OTHER_CONTENT, first.file)


def test_a_page_without_a_query(pack: Path, into: Path) -> None:
    write(pack / "README.md", "# Cats\n```bash\nmake install\n```\n")
    assert told(imported(pack, into)) == [("README.md", "no query", "no block of KQL")]


def test_a_file_of_kql(pack: Path, into: Path) -> None:
    query = "// Cats, T1003.001\n//\n// on stairs\nDeviceProcessEvents\n| where FileName == 'cat'"
    write(pack / "cats.kql", f"\n\n{query}\n\n")
    write(pack / "nothing.csl", "\n")
    one, nothing = imported(pack, into)
    hunt = hunt_file.load(into / "cats.yaml")
    assert (hunt.name, hunt.query, one.place) == ("cats", f"{query}\n", (3, 1))
    assert (hunt.description, hunt.techniques) == ("Cats, T1003.001\n\non stairs", ("T1003.001",))
    assert nothing.reason is Reason.NO_QUERY


@pytest.mark.parametrize(
    "text",
    [
        "DeviceProcessEvents | extend x = '\u00e4 \U0001f431'",
        "  DeviceProcessEvents",
        "DeviceProcessEvents | extend x = '\u2028'",
        "DeviceProcessEvents\t\n\n| take 1",
    ],
)
def test_a_query_is_kept_as_it_stands(pack: Path, into: Path, text: str) -> None:
    write(
        pack / "a.md",
        f"# '\u2028': \"\u00e4\" #1\n```kql\nDeviceProcessEvents\n| count\n```\n"
        f"## B\n```kql\nDeviceProcessEvents\n{text}\n```\n",
    )
    write(pack / "b.kql", text)
    outcomes = imported(pack, into)
    assert outcomes[-1].result is ImportStatus.IMPORTED
    assert hunt_file.load(into / "b.yaml").query.removesuffix("\n") == text
    assert hunt_file.load(into / "a-1.yaml").name == "' ': \"\u00e4\" #1"


def test_a_query_that_no_hunt_can_hold(pack: Path, into: Path) -> None:
    write(pack / "a.kql", "print 1\nprint '\x1b[31m'")
    one = only(imported(pack, into))
    assert (one.reason, one.place) == (Reason.INVALID, (1, 1))
    assert "control character" in one.detail


def test_several_queries_of_a_file(pack: Path, into: Path) -> None:
    write(
        pack / "cats.kql",
        "// Cats\nDeviceProcessEvents\n| where FileName == 'cat'\n\n\n// Dogs\n\nlet dog = 'dog';\n\n"
        "DeviceProcessEvents\n\n| where FileName == dog\n\nDeviceProcessEvents | where\n",
    )
    _, dogs, wrong = imported(pack, into)
    hunt = hunt_file.load(into / "cats-2.yaml")
    assert (hunt.name, hunt.description, dogs.place) == ("cats, query 2", "Dogs", (6, 1))
    assert hunt.query == "// Dogs\n\nlet dog = 'dog';\n\nDeviceProcessEvents\n\n| where FileName == dog\n"
    assert hunt_file.load(into / "cats-1.yaml").name == "cats, query 1"
    assert (wrong.reason, wrong.place) == (Reason.QUERY, (14, 28))
    assert told(imported(pack, into))[:2] == [("cats.kql", "already there", "")] * 2


def test_several_queries_of_a_block(pack: Path, into: Path) -> None:
    write(pack / "cats.md", "# Cats\n```kql\nDeviceProcessEvents | count\n\n\nNothing | count\n```\n")
    one, two = imported(pack, into)
    assert hunt_file.load(into / "cats-1.yaml").name == "Cats, query 1"
    assert (one.place, two.place, two.detail) == ((3, 1), (6, 1), "no table Nothing")


def test_twins_are_one_hunt_with_two_names(pack: Path, into: Path) -> None:
    block = "```kql\nDeviceProcessEvents | where {0} > ago(1d) and FileName == '{1}' | project {0}\n```\n"
    write(
        pack / "cats.md",
        f"# Cats\n## Defender XDR\n{block.format('Timestamp', 'cat')}"
        f"## Sentinel\n{block.format('TimeGenerated', 'cat')}"
        f"## Text\n{block.format('Timestamp', 'Timestamp')}## Name\n{block.format('TimeGenerated', 'TimeGenerated')}",
    )
    assert told(imported(pack, into)) == [
        ("cats.md", "imported", ""),
        ("cats.md", "duplicate twin", f"but for Timestamp and TimeGenerated, the query of {pack}/cats.md:4"),
        ("cats.md", "imported", ""),
        ("cats.md", "imported", ""),
    ]
    hunts, _ = hunt_file.load_folder(into)
    assert sorted(hunt.name for hunt in hunts) == ["Cats: Defender XDR", "Cats: Name", "Cats: Text"]
    index = [json.loads(line) for line in (into / "imported.jsonl").read_text("utf-8").splitlines()]
    also = [{"name": "Cats: Sentinel", "pack": "pack", "source": "cats.md", "line": 8}]
    assert [entry.get("also") for entry in index] == [also, None, None]
    other = pack.parent / "other"
    write(other / "dogs.md", f"# Dogs\n{block.format('TimeGenerated', 'cat')}")
    assert told(imported(other, into))[0][1] == "duplicate twin"
    index = [json.loads(line) for line in (into / "imported.jsonl").read_text("utf-8").splitlines()]
    assert [one["name"] for one in index[0]["also"]] == ["Dogs", "Cats: Sentinel"]
    imported(pack, into)
    assert [json.loads(line) for line in (into / "imported.jsonl").read_text("utf-8").splitlines()] == index


def test_twins_over_several_event_tables_are_one_hunt(pack: Path, into: Path) -> None:
    query = "DeviceNetworkEvents | where {0} > ago(1d) | join DeviceLogonEvents on DeviceId | project {0}, RemoteIP"
    write(pack / "a.kql", query.format("Timestamp"))
    write(pack / "b.kql", query.format("TimeGenerated"))
    assert [result for _, result, _ in told(imported(pack, into))] == ["imported", "duplicate twin"]


def test_twins_over_a_table_whose_times_may_differ_are_two_hunts(pack: Path, into: Path) -> None:
    columns = tuple(Column(name, DATETIME) for name in ("Timestamp", "TimeGenerated"))
    tables = TableCatalog({"Cats": RegisteredTable("Cats", columns, path="x")})
    write(pack / "a.kql", "Cats | where Timestamp > ago(1d)")
    write(pack / "b.kql", "Cats | where TimeGenerated > ago(1d)")
    assert [one.result for one in imported(pack, into, tables)] == [ImportStatus.IMPORTED] * 2


@pytest.mark.parametrize(
    ("query", "reason", "detail"),
    [
        ("// Paste your query here\nDeviceProcessEvents", Reason.INCOMPLETE, "a template: 'Paste your query here'"),
        ("let x = <your hunting query>", Reason.INCOMPLETE, "a template: '<your hunting query>'"),
        ("// to append\n| take 1", Reason.INCOMPLETE, "steps to append to another query: it begins with `|`"),
        ("print 1", Reason.NO_TABLE, "the query reads no table of the lake"),
        ("range x from 1 to 5 step 1", Reason.NO_TABLE, "the query reads no table of the lake"),
        ("print toscalar(datatable(x:long)[1])", Reason.NO_TABLE, "the query reads no table of the lake"),
        ("print toscalar(DeviceProcessEvents | count)", None, ""),
        ("// the query here is mine\nDeviceProcessEvents", None, ""),
        ("DeviceProcessEvents // enter the exclusions of your query here", None, ""),
    ],
)
def test_templates_parts_and_queries_of_no_table(
    pack: Path, into: Path, query: str, reason: Reason | None, detail: str
) -> None:
    write(pack / "a.kql", query)
    one = only(imported(pack, into))
    assert (one.reason, one.detail) == (reason, detail)


def test_what_will_fail_at_run_time_is_said(pack: Path, into: Path) -> None:
    query = "DeviceProcessEvents\n| where FileName in ((externaldata(x: string)['https://example.com/a.csv']))"
    write(pack / "a.kql", query)
    one = only(imported(pack, into))
    assert (one.result, one.warnings[0].start) == (ImportStatus.IMPORTED, (2, 23))
    assert one.warnings[0].message == "externaldata fails when it runs: there is no copy of https://example.com/a.csv"
    (checked,) = compile_check.check_files([into], EVENTS_ONLY)
    assert (checked.ok, [warning.kind for warning in checked.warnings]) == (True, ["external data"])
    known = TableCatalog({}, {"https://example.com/a.csv": "a.csv"})
    assert only(imported(pack, into, known)).warnings == ()


def test_lookups_that_the_configuration_does_not_name(pack: Path, into: Path) -> None:
    write(pack / "a.kql", "DeviceProcessEvents | invoke FileProfile(SHA1) | join (_GetWatchlist('cats')) on DeviceId")
    write(pack / "b.kql", "DeviceProcessEvents | extend at = geo_info_from_ip_address(AccountName)")
    write(pack / "c.kql", "Cats | extend at = geo_info_from_ip_address(IP)")
    outcomes = imported(pack, into)
    assert [(one.reason, one.detail) for one in outcomes] == [
        (Reason.TABLE, "no lookup FileProfile(), _GetWatchlist('cats')"),
        (Reason.UNSUPPORTED, "geo_info_from_ip_address needs a GeoIP file"),
        (Reason.TABLE, "no table Cats; no lookup geo_info_from_ip_address()"),
    ]
    assert len(missing_tables.worth(outcomes)) == 4


def test_sigma_rules_become_hunts_or_have_a_reason(pack: Path, tmp_path: Path) -> None:
    sigma = "title: Cats\nlogsource:\n  {}\ndetection:\n  selection:\n    {}: cat.exe\n  condition: selection\n"
    write(pack / "a.yml", sigma.format("category: process_creation", "Image"))
    write(pack / "b.yml", sigma.format("category: process_creation", "CurrentDirectory"))
    write(pack / "c.yml", sigma.format("product: windows", "Image") + "---\n" + sigma.format("product: aix", "Image"))
    done = lakehunt("import", pack, "--into", tmp_path / "new", cwd=tmp_path, **WITHOUT_JAVA)
    assert done.returncode == 0
    assert f"{pack}/b.yml:6:23: CurrentDirectory: Defender does not record the working directory" in done.stdout
    assert "Sigma rules over events that no table has" in done.stdout
    assert done.stdout.endswith("1 imported, 1 left out\n")
    assert [hunt.query.split("\n")[0] for hunt in hunt_file.load_folder(tmp_path / "new")[0]] == ["DeviceProcessEvents"]


def test_which_missing_tables_would_bring_most(pack: Path, into: Path) -> None:
    for number, tables in enumerate(["A", "A", "A, B", "B, C", "D, C", "D, C", "DeviceProcessEvents, A"]):
        write(pack / f"{number}.kql", f"union {tables} | take {number}")
    write(pack / "twin.kql", "union A, B | take 2 // again")
    # A brings 0, 1 and 6, then B brings 2; C brings B, C; then D two
    assert missing_tables.worth(imported(pack, into)) == [("A", 3), ("B", 1), ("C", 1), ("D", 2)]


# Files and folders


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("A hunt (v2) [x], ä", "A hunt (v2) [x], ä"),
        ("a:b\\c*d?e", "a-b-c-d-e"),
        ("..", "hunt"),
        (".hidden", "hidden"),
        ("cats.tests", "cats-tests"),
        ("cats.Exclusions", "cats-Exclusions"),
        ("x" * 300, "x" * 150),
    ],
)
def test_safe_names(stem: str, name: str) -> None:
    assert file_names.safe(stem) == name


def test_names_that_are_taken(pack: Path, into: Path) -> None:
    write(into / "a.yaml", "id: [")
    write(pack / "a.yaml", rule(1))
    write(pack / "b" / "A.yaml", rule(2, "DeviceProcessEvents | take 2"))
    assert [one.file and one.file.name for one in imported(pack, into)] == ["a-0b9c1c7e.yaml", f"A-{IDS[2]}.yaml"]
    assert (into / "a.yaml").read_text() == "id: ["


def test_a_write_that_fails_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.yaml", "old")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(content[:1])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write.write(file, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.yaml"]
    assert file.read_text() == "old"


def test_a_folder_that_cannot_be_written(pack: Path, tmp_path: Path) -> None:
    write(pack / "a.yaml", rule(1))
    (tmp_path / "file").write_text("")
    with pytest.raises(LakehuntError, match="is not a folder"):
        imported(pack, tmp_path / "file")
    with pytest.raises(LakehuntError, match="cannot be written"):
        imported(pack, tmp_path / "file" / "deeper")


def test_folders_that_make_no_sense(pack: Path, into: Path) -> None:
    with pytest.raises(LakehuntError, match="no folder or file at"):
        imported(pack / "nowhere", into)
    with pytest.raises(LakehuntError, match="inside of the folder of hunts"):
        imported(pack, pack)
    with pytest.raises(LakehuntError, match="is not a file with queries or rules"):
        imported(write(pack / "a.txt", "a"), into)


def test_a_single_file_is_imported(pack: Path, into: Path) -> None:
    write(pack / "b.yaml", rule(2))
    one = only(imported(write(pack / "a.yaml", rule(1)), into))
    assert (one.result, one.source, index(into)[0]["pack"]) == (ImportStatus.IMPORTED, Path("a.yaml"), "pack")


def test_ids_are_compared_with_all_hunts_of_the_configuration(pack: Path, tmp_path: Path) -> None:
    hunts = tmp_path / "hunts"
    write(hunts / "mine.yaml", rule(1))
    write(pack / "a.yaml", rule(1, "DeviceProcessEvents | take 1"))
    (one,) = packs.import_pack(pack, hunts / "theirs", hunts, EVENTS_ONLY)
    assert (one.reason, one.file) == (Reason.OTHER_CONTENT, hunts / "mine.yaml")


def test_the_index_forgets_hunts_that_are_gone_and_keeps_other_packs(pack: Path, into: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other / "b.yaml", rule(2, "DeviceProcessEvents | take 2", "tactics: [C2]\ntechniques: [t1003]\n"))
    write(pack / "a.yaml", rule(1))
    imported(pack, into)
    imported(other, into)
    assert [(entry["id"], entry["pack"]) for entry in index(into)] == [(IDS[1], "pack"), (IDS[2], "other")]
    assert index(into)[1]["tactics"] == [{"id": "TA0011", "name": "Command and Control", "written": "C2"}]
    assert index(into)[1]["techniques"] == [{"id": "T1003", "name": "OS Credential Dumping", "written": "t1003"}]
    (into / "a.yaml").unlink()
    with (into / "imported.jsonl").open("a") as stream:
        stream.write("<<<<<<< ours\n[]\n")
    imported(other, into)
    assert [entry["id"] for entry in index(into)] == [IDS[2]]


# The command


def test_the_command(pack: Path, tmp_path: Path) -> None:
    write(tmp_path / "lakehunt.yaml", "hunts: mine\n")
    (tmp_path / "mine").mkdir()
    write(pack / "a.yaml", rule(1))
    write(pack / "b.yaml", rule(2, "Cats"))
    write(pack / "README.md", "# Cats\n")
    trial = lakehunt("import", pack, "--dry-run", cwd=tmp_path, **WITHOUT_JAVA)
    assert trial.returncode == 0
    assert [line.split(" s  ")[1] for line in trial.stderr.splitlines()] == ["3/3 queries and files read", "in total"]
    assert "What would be imported" in trial.stdout
    assert not list((tmp_path / "mine").iterdir())
    done = lakehunt("import", pack, cwd=tmp_path, **WITHOUT_JAVA)
    assert done.returncode == 0
    lines = [" ".join(line.strip(" │").split()) for line in done.stdout.splitlines()]
    assert {"imported │ 1", "left out: over a table that the lake does not have │ 1", "in all │ 3"} <= set(lines)
    assert f"{pack}/b.yaml:4:3: no table Cats" in lines
    assert lines[-3:] == [
        "table │ hunts, at most",
        "──────┼───────────────",
        "Cats │ +1",
    ]
    assert "1 imported, 1 left out" in lines
    assert (tmp_path / "mine" / "a.yaml").is_file()


def test_the_command_in_json(pack: Path, tmp_path: Path) -> None:
    write(pack / "a.yaml", rule(1, "Cats", "tactics: [Impact, Ransomware]\n"))
    write(pack / "b.yaml", "name: [")
    done = lakehunt("import", pack, "--into", tmp_path / "new", "--json", cwd=tmp_path, **WITHOUT_JAVA)
    assert done.returncode == 0
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == {
        "source": "a.yaml", "line": 4, "column": 3, "result": "left out", "reason": "table", "detail": "no table Cats",
        "errors": first["errors"], "file": None, "id": IDS[1], "original_id": None, "name": "Hunt 1",
        "tactics": [{"id": "TA0040", "name": "Impact", "written": "Impact"}], "techniques": [],
        "other_words": ["Ransomware"],
    }  # fmt: skip
    assert [error["message"] for error in first["errors"]] == ["there is no table 'Cats'"]
    assert (second["source"], second["reason"], second["id"], second["tactics"]) == (
        "b.yaml",
        "not a hunting query",
        None,
        [],
    )


def test_the_command_fails_without_a_folder(tmp_path: Path) -> None:
    done = lakehunt("import", tmp_path / "nowhere", "--into", tmp_path / "new", cwd=tmp_path, **WITHOUT_JAVA)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no folder or file at {tmp_path}/nowhere" in done.stderr


def test_the_command_fails_where_a_file_cannot_be_read(
    pack: Path, into: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = write(pack / "a.yaml", rule(1))
    write(pack / "b.yaml", rule(2))
    opening = Path.open

    def open_(self: Path, *args: Any, **options: Any) -> Any:  # root may read every file, so no chmod does
        if self == locked:
            raise PermissionError(13, "Permission denied", str(self))
        return opening(self, *args, **options)

    monkeypatch.setattr(Path, "open", open_)
    assert cli.main(["import", str(pack), "--into", str(into)]) == 1
    assert f"{locked}:1:1: cannot be read: Permission denied" in capsys.readouterr().out
    assert (into / "b.yaml").is_file()


# Other people's queries


def test_every_file_of_the_corpus_is_imported_or_left_out_for_a_reason(shared: Path, tmp_path: Path) -> None:
    queries, into = shared / "corpus" / "queries", tmp_path / "hunts"
    started = time.perf_counter()
    done = lakehunt("import", queries, "--into", into, "--json", cwd=tmp_path, **WITHOUT_JAVA)
    assert time.perf_counter() - started < 10
    assert done.returncode == 0, done.stderr
    outcomes = {queries / one["source"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert outcomes.keys() == set(queries.rglob("*.yaml"))
    assert all(
        one["reason"] and one["detail"] and one["line"] for one in outcomes.values() if one["result"] == "left out"
    )

    checked = compile_check.check_files([queries], EVENTS_ONLY)
    compiles = {one.file for one in checked if one.ok}
    without_id = {one.file for one in checked if [p.message for p in one.problems] == ["id is missing"]}
    took = {file for file, one in outcomes.items() if one["result"] == "imported"}
    reasons = {"duplicate id", "duplicate query", "duplicate twin", "incomplete", "reads no table"}
    not_needed = {file for file, one in outcomes.items() if one["reason"] in reasons}
    assert took | not_needed == compiles | without_id
    in_folder = compile_check.check_files([into], EVENTS_ONLY)
    assert all(one.ok for one in in_folder)
    assert {Path(outcomes[file]["file"]) for file in took} == {one.file for one in in_folder}
    assert all(Path(outcomes[file]["file"]).read_bytes() == file.read_bytes() for file in took - without_id)
    assert Counter(one["result"] for one in outcomes.values())["imported"] > 180
