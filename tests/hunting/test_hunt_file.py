"""A hunt's file becomes a Hunt, or all that is wrong with it at its places."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.core.errors import LakehuntError
from lakehunt.core.strict_yaml import YamlError
from lakehunt.hunting.content.hunt_file import Connector, Hunt, HuntError, load, load_folder
from lakehunt.hunting.content.period import LONGEST_PERIOD, parse_period
from tests.support.paths import PROJECT

HUNTS = PROJECT / "hunts"
ID = "0b1f6a52-6d0c-4d1f-9f6e-2a4f5b7c8d90"
OTHER_ID = "c4a8a7a2-9f57-4c3b-8a43-0a2f1f4f7c11"
MINIMAL = f"id: {ID}\nname: Anything\nquery: |\n  DeviceProcessEvents\n"

SEEDS = {
    "000_b02740d883e910dc.txt": "detect-suspicious-commands-initiated-by-web-server-processes.yaml",
    "001_f58fabbde8b9e69f.txt": "webserver-executing-suspicious-applications.yaml",
}


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "hunt.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write


def problems(file: Path) -> list[str]:
    """The problems of a file, without the folder it stands in."""
    with pytest.raises(HuntError) as caught:
        load(file)
    assert all(problem.hint for problem in caught.value.problems)
    return [str(problem).split("\n")[0].removeprefix(f"{file.parent}/") for problem in caught.value.problems]


class TestLoad:
    def test_the_least_a_hunt_needs(self, write: Write) -> None:
        file = write(MINIMAL)
        assert load(file) == Hunt(ID, "Anything", "DeviceProcessEvents\n", file)

    def test_a_sentinel_rule(self, write: Write) -> None:
        file = write(
            f"""\
id: {ID.upper()}
name: "Renamed tools"
description: |
  First line.
  Second line.
severity: medium
status: Available
requiredDataConnectors:
  - connectorId: MicrosoftThreatProtection
    dataTypes:
      - DeviceProcessEvents
queryFrequency: PT1H
queryPeriod: P14DT12H
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, Defense evasion]
relevantTechniques:
  - T1036.003
tags:
  - 2024
query: |
  DeviceProcessEvents
entityMappings:
  - entityType: Host
version: 1.10
kind: Scheduled
"""
        )
        hunt = load(str(file))
        assert hunt == Hunt(
            id=ID,
            name="Renamed tools",
            query="DeviceProcessEvents\n",
            file=file,
            description="First line.\nSecond line.",
            tactics=("DefenseEvasion", "Defense evasion"),
            techniques=("T1036.003",),
            connectors=(Connector("MicrosoftThreatProtection", ("DeviceProcessEvents",)),),
            severity="Medium",
            query_period=timedelta(days=14, hours=12),
            query_frequency=timedelta(hours=1),
            tags=("2024",),
            version="1.10",
            kind="Scheduled",
        )
        assert hunt.entity_mappings == [{"entityType": "Host"}]
        assert hunt.other == {"status": "Available", "triggerOperator": "gt", "triggerThreshold": 0}
        assert hunt.warnings == ()

    @pytest.mark.parametrize(
        ("written", "connectors"),
        [
            ("Microsoft365Defender", [Connector("Microsoft365Defender")]),
            ("[A, B]", [Connector("A"), Connector("B")]),
            ("{connectorId: A, dataTypes: T}", [Connector("A", ("T",))]),
            ("[{connectorId: A, dataTypes: [T, U]}, B]", [Connector("A", ("T", "U")), Connector("B")]),
            ("[{connectorId: A}]", [Connector("A")]),
            ("[]", []),
            ("", []),
        ],
    )
    def test_connectors_may_be_written_in_many_ways(
        self, write: Write, written: str, connectors: list[Connector]
    ) -> None:
        assert list(load(write(f"{MINIMAL}requiredDataConnectors: {written}\n")).connectors) == connectors

    @pytest.mark.parametrize(
        ("written", "tactics"), [("Execution", ("Execution",)), ("", ()), ("[a, ~, '']", ("a", "~"))]
    )
    def test_a_list_may_be_one_text(self, write: Write, written: str, tactics: tuple[str, ...]) -> None:
        assert load(write(f"{MINIMAL}tactics: {written}\n")).tactics == tactics

    def test_unknown_fields_are_kept_with_a_warning(self, write: Write) -> None:
        file = write(f"{MINIMAL}tactic: Execution\nmine: {{a: 1}}\nmetadata: {{source: x}}\n")
        hunt = load(file)
        assert hunt.other == {"tactic": "Execution", "mine": {"a": 1}, "metadata": {"source": "x"}}
        assert tuple(map(str, hunt.warnings)) == (
            f"{file}:5:1: unknown field 'tactic' is kept but not used\n  hint: did you mean 'tactics'?",
            f"{file}:6:1: unknown field 'mine' is kept but not used",
        )

    def test_siblings_stand_beside(self) -> None:
        assert Hunt(ID, "n", "q", Path("hunts/a.b.yml")).sibling("tests") == Path("hunts/a.b.tests.yaml")


REFUSED = {
    "": ["hunt.yaml:1:1: query is missing", "hunt.yaml:1:1: id is missing", "hunt.yaml:1:1: name is missing"],
    f"id: {ID}\nname:\nquery: ''\n": ["hunt.yaml:2:6: name is empty", "hunt.yaml:3:8: query is empty"],
    MINIMAL.replace("  DeviceProcessEvents", ""): ["hunt.yaml:3:8: query is empty"],
    MINIMAL.replace(ID, "detect-things"): ["hunt.yaml:1:5: id is not a GUID: 'detect-things'"],
    MINIMAL.replace(ID, "../../etc/passwd"): ["hunt.yaml:1:5: id is not a GUID: '../../etc/passwd'"],
    MINIMAL.replace(ID, f"'{ID}/..'"): [f"hunt.yaml:1:5: id is not a GUID: '{ID}/..'"],
    MINIMAL.replace(ID, f"'{{{ID}}}'"): [f"hunt.yaml:1:5: id is not a GUID: '{{{ID}}}'"],
    MINIMAL.replace(ID, f"[{ID}]"): ["hunt.yaml:1:5: id: expected text"],
    MINIMAL.replace("Anything", r'"a\nb"'): ["hunt.yaml:2:7: name has more than one line"],
    MINIMAL.replace("Anything", r'"a\e[2Jb"'): ["hunt.yaml:2:7: name has a control character"],
    MINIMAL + "severity: Critical": ["hunt.yaml:5:11: severity: unknown 'Critical'"],
    MINIMAL + "queryPeriod: 2 weeks": ["hunt.yaml:5:14: queryPeriod: '2 weeks' is not a length of time"],
    MINIMAL + "queryFrequency: 0d": ["hunt.yaml:5:17: queryFrequency: '0d' is not between nothing and ten years"],
    MINIMAL + "tactics:\n- a\n- b: c": ["hunt.yaml:7:3: entry 2: expected text"],
    MINIMAL + "tactics: {a: b}\nversion: [1]": [
        "hunt.yaml:5:10: tactics: expected text",
        "hunt.yaml:6:10: version: expected text",
    ],
    MINIMAL + "requiredDataConnectors:\n- connectorId: [a]": ["hunt.yaml:6:16: connectorId: expected text"],
    MINIMAL + "requiredDataConnectors: [[a]]": ["hunt.yaml:5:26: entry 1: expected text"],
}


@pytest.mark.parametrize("text", REFUSED)
def test_all_problems_are_found_at_their_places(write: Write, text: str) -> None:
    assert problems(write(text)) == REFUSED[text]


def test_hints_say_what_to_write(write: Write) -> None:
    with pytest.raises(HuntError) as caught:
        load(write("Name: x\nquery: DeviceProcessEvents\n"))
    missing_id, missing_name = caught.value.problems
    assert re.search(r"add 'id:' with a GUID that no other hunt has, for example [0-9a-f-]{36}$", missing_id.hint)
    assert missing_name.hint == "write 'name' for 'Name' on line 1"


def test_what_is_not_yaml_is_said_with_its_place(write: Write) -> None:
    with pytest.raises(YamlError, match=r"hunt\.yaml:5:1: key 'id' appears twice, first on line 1"):
        load(write(f"{MINIMAL}id: {OTHER_ID}\n"))


NODES = st.recursive(
    st.sampled_from(["a", "1", "", "~", "true", "'x y'", '"\\e"', "7d", ID, "|\n ", ">"]),
    lambda inner: (
        st.lists(inner).map(lambda values: f"[{', '.join(values)}]")
        | st.dictionaries(st.sampled_from(["connectorId", "dataTypes", "x"]), inner).map(
            lambda fields: f"{{{', '.join(f'{key}: {value}' for key, value in fields.items())}}}"
        )
    ),
    max_leaves=5,
)
FIELDS = (
    "id",
    "name",
    "query",
    "tactics",
    "tags",
    "requiredDataConnectors",
    "severity",
    "queryPeriod",
    "version",
    "other",
)


@given(st.dictionaries(st.sampled_from(FIELDS), NODES))
def test_any_value_of_any_field_loads_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text("".join(f"{key}: {value}\n" for key, value in fields.items()), encoding="utf-8")
    try:
        hunt = load(file)
    except LakehuntError:
        return
    assert (hunt.id, hunt.name != "", hunt.query != "") == (ID, True, True)


def test_tags_as_sentinels_rules_have_them(write: Write) -> None:
    tags = "tags:\n  - Schema: ASimAuthentication\n    SchemaVersion: 0.1.0\n  - NOBELIUM\n  -\n"
    assert load(write(MINIMAL + tags)).tags == ("Schema: ASimAuthentication", "SchemaVersion: 0.1.0", "NOBELIUM")
    with pytest.raises(HuntError, match=r"hunt.yaml:6:8: a: expected text"):
        load(write(MINIMAL + "tags:\n  - a: [b]\n"))


class TestQuery:
    def test_its_places_are_those_of_the_file(self, write: Write) -> None:
        file = write(MINIMAL + "    | where x\n")
        hunt = load(file)
        assert hunt.place(2, 3) == (5, 5)
        assert str(hunt.error(2, 3, "no", "yes")) == f"{file}:5:5: no\n  hint: yes"

    @pytest.mark.parametrize(
        ("written", "place"),
        [
            ("'T | where FileName == ''a'' and x'", (3, 41)),
            ('"T\\n| where FileName == \\"a\\" and x"', (3, 42)),
            (">-\n  T | where FileName == 'a'\n  and x", (5, 7)),
            ("'T | where FileName == ''a''\n\n  and x'", (5, 7)),
        ],
    )
    def test_places_in_quoted_and_folded_queries(self, write: Write, written: str, place: tuple[int, int]) -> None:
        hunt = load(write(f"id: {ID}\nname: n\nquery: {written}\n"))
        before = hunt.query[: hunt.query.index("x")].split("\n")
        assert hunt.place(len(before), len(before[-1]) + 1) == place

    @pytest.mark.parametrize("fence", ["```kql", "```", "```KQL ", "~~~~kusto"])
    def test_a_markdown_fence_is_stripped(self, write: Write, fence: str) -> None:
        closing = re.sub(r"[^`~]", "", fence)
        query = f"\n  {fence}\n  DeviceProcessEvents\n\n    | take 5\n  {closing}\n\n"
        hunt = load(write(f"id: {ID}\nname: n\nquery: |{query}"))
        assert hunt.query == "DeviceProcessEvents\n\n  | take 5\n"
        assert (hunt.place(1, 1), hunt.place(3, 3)) == ((5, 3), (7, 5))

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ("```kql\n  T", "the ``` that opens it is not closed at its end"),
            ("```kql\n  T\n  ```\n  more", "the ``` that opens it is not closed at its end"),
            ("```", "the ``` that opens it is not closed at its end"),
            ("```\n\n  ```", "nothing is inside the Markdown fence"),
        ],
    )
    def test_half_a_fence_is_refused(self, write: Write, query: str, problem: str) -> None:
        assert problems(write(f"id: {ID}\nname: n\nquery: |\n  {query}\n")) == [f"hunt.yaml:3:8: query: {problem}"]

    def test_the_digest_is_of_what_results_depend_on(self) -> None:
        hunt = Hunt(ID, "n", "T\n| take 5\n")
        same = [
            Hunt(OTHER_ID, "m", "\nT\r\n| take 5", description="d"),
            Hunt(ID, "n", "T\r| take 5  "),
            Hunt(ID, "n", "T // why\n|   take 5"),
        ]
        others = [
            Hunt(ID, "n", "T\n| take 6"),
            Hunt(ID, "n", hunt.query, query_period=timedelta(1)),
        ]
        assert {other.digest for other in same} == {hunt.digest}
        assert len({other.digest for other in [hunt, *others]}) == 3
        assert hunt.digest == "409c906e7fbbd8dd"  # stored in tables: a change would run every hunt over history again


PERIODS = {
    "P7D": timedelta(days=7),
    "p7d": timedelta(days=7),
    "7D": timedelta(days=7),
    "5M": timedelta(minutes=5),
    "pt1h30m": timedelta(minutes=90),
    "P2W": timedelta(weeks=2),
    "PT1H": timedelta(hours=1),
    "P14DT12H": timedelta(days=14, hours=12),
    "P1DT2H3M4.5S": timedelta(days=1, hours=2, minutes=3, seconds=4.5),
    "7d": timedelta(days=7),
    "1h": timedelta(hours=1),
    "1.5h": timedelta(minutes=90),
    "30m": timedelta(minutes=30),
    "90s": timedelta(seconds=90),
    "1.02:03:04": timedelta(days=1, hours=2, minutes=3, seconds=4),
    "00:30:00": timedelta(minutes=30),
}


class TestPeriods:
    @pytest.mark.parametrize("text", PERIODS)
    def test_iso_and_kusto(self, text: str) -> None:
        assert parse_period(text) == PERIODS[text]

    @pytest.mark.parametrize(
        "text",
        [
            "P",
            "PT",
            "P1DT",
            "P1Y",
            "P1M",
            "7",
            "d",
            "7 d",
            "-7d",
            "7dd",
            "P7",
            "1e3d",
            "٧d",
            "0d",
            "0.0000001s",
            "3661d",
            "9" * 50 + "d",
        ],
    )
    def test_nothing_else(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"is not (a length of time|between nothing and ten years)"):
            parse_period(text)

    @given(st.text("PTWDHMS.:0123456789dhms") | st.text())
    def test_garbage(self, text: str) -> None:
        try:
            period = parse_period(text)
        except ValueError:
            return
        assert timedelta(0) < period <= LONGEST_PERIOD


class TestFolders:
    def test_every_file_is_tried_in_the_order_of_paths(self, write: Write, tmp_path: Path) -> None:
        ids = iter(f"{number:08x}-0000-0000-0000-000000000000" for number in range(9))
        for name in ("b.yaml", "a/z.yml", "a/b/c.YAML", "a.yaml"):
            write(MINIMAL.replace(ID, next(ids)), name)
        write("id: 1", "a/bad.yaml")
        write("\t", "c.yaml")
        for name in (
            ".hidden.yaml",
            ".git/x.yaml",
            "b.tests.yaml",
            "README.md",
        ):
            write("not a hunt", name)
        for name in ("b.exclusions.yaml", "b.exclusions.yml"):
            write("exclusions: []", name)
        (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
        found, errors = load_folder(tmp_path)
        assert [hunt.file.relative_to(tmp_path).as_posix() for hunt in found] == [
            "a/b/c.YAML",
            "a/z.yml",
            "a.yaml",
            "b.yaml",
        ]
        starts = [str(error).removeprefix(f"{tmp_path}/").split(":")[0] for error in errors]
        assert starts == ["a/bad.yaml", "c.yaml", "dangling.yaml"]

    def test_an_id_belongs_to_the_first_file(self, write: Write, tmp_path: Path) -> None:
        first, second = write(MINIMAL, "a.yaml"), write("# copy\n" + MINIMAL.replace(ID, ID.upper()), "b.yaml")
        found, errors = load_folder(tmp_path)
        assert [hunt.file for hunt in found] == [first]
        assert [str(error).split("\n")[0] for error in errors] == [f"{second}:2:5: id {ID} is also that of {first}"]

    def test_an_empty_folder_has_no_hunts(self, tmp_path: Path) -> None:
        assert load_folder(tmp_path) == ([], [])

    def test_a_folder_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(LakehuntError, match="no folder of hunts at"):
            load_folder(tmp_path / "none")

    def test_a_folder_that_cannot_be_read_is_an_error(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(MINIMAL, "a.yaml")
        (tmp_path / "locked").mkdir()
        scandir = os.scandir

        def locked(path: str) -> object:
            if str(path).endswith("locked"):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", locked)
        found, errors = load_folder(tmp_path)
        assert len(found) == 1
        assert str(errors[0]).startswith(f"{tmp_path / 'locked'}: cannot be read: Permission denied")


class TestOurHunts:
    def test_they_load_without_a_warning(self) -> None:
        found, errors = load_folder(HUNTS)
        assert errors == []
        assert {hunt.id for hunt in found} >= {
            "7fdc5f4a-700d-4713-abfc-181f02968726",
            "1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239",
        }
        assert [hunt.warnings for hunt in found if hunt.warnings] == []
        for hunt in found:
            assert hunt.description
            assert hunt.connectors == (Connector("MicrosoftThreatProtection", ("DeviceProcessEvents",)),)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_they_are_the_seeds_token_for_token(self, shared: Path, seed: str) -> None:
        lines = (shared / "seeds" / seed).read_text(encoding="utf-8").splitlines()
        start, end = (
            next(i for i, line in enumerate(lines) if line.startswith("id: ")),
            lines.index("| Sentinel Table | Notes |"),
        )
        ours = (HUNTS / SEEDS[seed]).read_text(encoding="utf-8").splitlines()
        assert [line.split() for line in ours] == [line.split() for line in lines[start:end]]
        kql = lines[lines.index("KQL Query") + 1 : start]
        assert [line.strip() for line in load(HUNTS / SEEDS[seed]).query.splitlines()] == kql


def test_real_hunts_load_or_say_why(shared: Path) -> None:
    """Every query of the corpus; the one file without an id is refused."""
    folder = shared / "corpus" / "queries"
    found, errors = load_folder(folder)
    assert len(found) + len(errors) == len(list(folder.rglob("*.yaml")))
    assert [str(error).split("\n")[0].rsplit("/", 1)[1] for error in errors] == [
        "detect-uac-elevation-035c8f12.yaml:1:1: id is missing"
    ]
    for hunt in found:
        lines = hunt.file.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(hunt.query.splitlines(), start=1):
            place = hunt.place(number, 1)
            assert lines[place.line - 1][place.column - 1 :] == line or not line
