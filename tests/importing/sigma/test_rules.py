"""Sigma rules as hunts: metadata, reasons for those that are left out, filters, and the choice among them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lakehunt.core.strict_yaml import YamlError
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.importing import pack as packs
from lakehunt.importing.results import ImportStatus, QueryResult, Reason
from lakehunt.importing.sigma import documents, patterns, rules
from lakehunt.importing.sigma.patterns import Pattern, Wildcard
from lakehunt.importing.sigma.rules import EVERYTHING, Choice
from tests.support.commands import WITHOUT_JAVA, lakehunt
from tests.support.paths import PROJECT

ID = "3f1a7c52-6d0e-4b4b-9a56-0c6a1f6f2b90"


def rule(detection: str, **fields: str) -> str:
    """A rule; its `detection:` is line 3, and what is in it starts in line 4."""
    rest = "".join(f"{key}: {value}\n" for key, value in fields.items())
    return f"title: A rule\nlogsource: {{category: process_creation}}\ndetection:\n{detection}{rest}"


def simple(value: str = "a", **fields: str) -> str:
    return rule(f"  selection: {{CommandLine: {value}}}\n  condition: selection\n", **fields)


def document(text: str) -> documents.Document:
    (found,) = documents.read(text, Path("rule.yml"), Path("rule.yml"))
    return found


def query(text: str) -> str:
    return rules.query(document(text)).text


def imported(folder: Path, files: dict[str, str], choice: Choice = EVERYTHING) -> list[QueryResult]:
    pack = folder / "pack"
    pack.mkdir(exist_ok=True)
    for name, text in files.items():
        (pack / name).write_text(text, "utf-8")
    return packs.import_pack(pack, folder / "hunts", folder / "hunts", EVENTS_ONLY, sigma=choice)


def told(outcomes: list[QueryResult]) -> list[tuple[str, str, str]]:
    return [(one.source.name, str(one.reason or one.result), one.detail) for one in outcomes]


# The hunt


def test_the_query_in_the_documentation() -> None:
    page = (PROJECT / "docs/how-to/importing.md").read_text("utf-8")
    blocks = re.findall(r"```(yaml|kusto)\n(.*?)```", page[page.index("## Sigma rules") :], re.DOTALL)
    (_, written), (_, made) = blocks[:2]
    assert query(written) == made


def test_what_a_hunt_keeps_of_a_rule(tmp_path: Path) -> None:
    text = simple(
        id=ID.upper(),
        status="experimental",
        level="critical",
        description='"Two\\nlines"',
        author="A. Cat, B. Dog",
        date="2026-11-30",
        tags="[attack.execution, attack.T1059.001, attack.defense_evasion, attack.g0016, cve.2026-1, attack.t1086]",
        references="[https://example.com/a]",
        falsepositives="[Unlikely, Cats]",
        related="[{id: 1, type: derived}]",
    )
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "LICENSE").write_text("The rules are under the Detection Rule License (DRL) 1.1")
    (one,) = imported(tmp_path, {"a.yml": text})
    assert one.result is ImportStatus.IMPORTED
    (hunt,), errors = hunt_file.load_folder(tmp_path / "hunts")
    assert (errors, hunt.warnings) == ([], ())
    assert (hunt.id, hunt.name, hunt.severity, hunt.other["status"]) == (ID, "A rule", "High", "experimental")
    assert hunt.description == "Two\nlines\n\nFalse positives: Unlikely; Cats"
    assert hunt.tactics == ("Execution", "Stealth")
    assert hunt.techniques == ("T1059.001",)
    assert hunt.tags == ("attack.g0016", "cve.2026-1")
    assert hunt.other["metadata"] == {
        "source": "a.yml",
        "level": "critical",
        "author": "A. Cat, B. Dog",
        "date": "2026-11-30",
        "license": "Detection Rule License (DRL) 1.1",
        "references": ["https://example.com/a"],
        "falsePositives": ["Unlikely", "Cats"],
        "related": ["derived: 1"],
    }


def test_a_hash_without_a_column_is_said_in_the_hunt(tmp_path: Path) -> None:
    detection = "  selection: {Hashes|contains: [IMPHASH=ab, MD5=cd]}\n  condition: selection\n"
    imported(tmp_path, {"a.yml": rule(detection)})
    ((hunt,), _) = hunt_file.load_folder(tmp_path / "hunts")
    assert hunt.description == "Not asked: Hashes: Defender records no IMPHASH"
    assert hunt.query.endswith('| where MD5 startswith "cd"\n')


def test_a_rule_without_an_id_has_the_same_one_on_every_import(tmp_path: Path) -> None:
    (first,) = imported(tmp_path, {"a.yml": simple()})
    (second,) = imported(tmp_path, {})
    assert second.result is ImportStatus.ALREADY_THERE
    assert first.candidate is not None
    assert second.candidate is not None
    assert first.candidate.hunt.id == second.candidate.hunt.id


def test_the_rules_of_one_file(tmp_path: Path) -> None:
    text = f"---\n{simple('a')}---\n# nothing\n---\n{simple('b')}--- \n{rule('  condition: x')}"
    outcomes = imported(tmp_path, {"a.yml": text})
    assert [(one.result, one.place.line) for one in outcomes] == [
        (ImportStatus.IMPORTED, 5),
        (ImportStatus.IMPORTED, 13),
        (ImportStatus.LEFT_OUT, 19),
    ]
    assert sorted(file.name for file in (tmp_path / "hunts").glob("*.yaml")) == ["a-1.yaml", "a-2.yaml"]


# Reasons


INVALID = r"""
  s: {»CommandLine|contain: a} = CommandLine|contain: 'contain' is not a modifier of Sigma
  s: {»CommandLine: []} = CommandLine: an empty list of values
  s: {CommandLine: »{a: b}} = CommandLine: expected a single value
  s: »{} = a search without fields
  s:» = the search 's' is empty
  s: {Cat: »a} = the field Cat has no column in DeviceProcessEvents
  s: {CurrentDirectory: »a} = CurrentDirectory: Defender does not record the working directory of a process
  s: [»mimikatz] = the keyword 'mimikatz' may stand anywhere in an event, and not in one field
  s: {'|all': [»a, b]} = the keyword 'a' may stand anywhere in an event, and not in one field
  s: {CommandLine|expand: »'%cats%'} = CommandLine|expand: the placeholder %cats% has no values here
  s: {Hashes|contains: »IMPHASH=ab} = Hashes: Defender records no IMPHASH
  s: {Imphash: »ab} = Imphash: Defender records no IMPHASH
  s: {Hashes|contains|all: [»IMPHASH=ab, MD5=cd]} = Hashes: Defender records no IMPHASH
  s: {Hashes|contains|neq: [»IMPHASH=ab, MD5=cd]} = Hashes: Defender records no IMPHASH
  s: {Hashes|contains: »abcdef} = Hashes: expected hashes such as SHA256=... in it
  s: {GrandParentImage|contains: »'\temp\'} = GrandParentImage: Defender keeps only the file's name of it: only an end
  s: {CommandLine|cidr: »10.0.0.1/8} = CommandLine|cidr: '10.0.0.1/8' is not a network in CIDR notation
  s: {CommandLine|exists: »maybe} = CommandLine|exists: 'maybe' is neither true nor false
  s: {CommandLine|gt: »many} = CommandLine|gt: 'many' is not a number
  s: {CommandLine|gt: »true} = CommandLine|gt: 'true' is not a number
  s: {UtcTime|hour: »1.5} = UtcTime|hour: '1.5' is not a whole number
  s: {CommandLine|base64: »'a*'} = CommandLine|base64: text with wildcards cannot be encoded
  s: {CommandLine|wide: »a} = CommandLine|wide: an encoding without base64 or base64offset after it gives no text
  s: {CommandLine|re|contains: »a} = CommandLine|re|contains: a regular expression takes no contains, startswith or
  s: {CommandLine|windash: »'-a -b -c -d -e -f'} = CommandLine|windash: windash would give more than 3125 values
  s: {CommandLine|fieldref: »Hashes} = CommandLine: it is in no column of its own, and cannot be compared with another
"""
"""Searches, with a mark where the problem is, and the problem."""


@pytest.mark.parametrize("case", INVALID.strip("\n").splitlines())
def test_searches_that_cannot_be_conditions(case: str) -> None:
    search, _, problem = case.partition(" = ")
    with pytest.raises(YamlError) as caught:
        query(rule(f"{search.replace('»', '')}\n  condition: s\n"))
    assert caught.value.problem.startswith(problem)
    assert caught.value.position == (4, search.index("»") + 1)


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("t", "no search 't'"),
        ("1 of t*", "no search 't*'"),
        ("2 of s*", "'2' of is not known: write 1, any or all"),
        ("s and", "it ends too early"),
        ("(s", "it ends too early"),
        ("s s", "'s' is not expected"),
        ("s & s", "'&' is not expected"),
        ("not or", "'or' is not expected"),
        (f"{'(' * 60}s{')' * 60}", "nested deeper than 50 levels"),
        (f"{'not ' * 60}s", "nested deeper than 50 levels"),
        ("s | count() > 5", "aggregations after `|` are of Sigma 1: a correlation rule takes their place"),
    ],
)
def test_invalid_conditions(condition: str, problem: str) -> None:
    with pytest.raises(YamlError) as caught:
        query(rule(f"  s: {{CommandLine: a}}\n  condition: {condition}\n"))
    assert (caught.value.problem, caught.value.position) == (f"condition: {problem}", (5, 14))


def test_detections_that_are_of_sigma_1_or_have_no_condition() -> None:
    with pytest.raises(YamlError, match="timeframe is of Sigma 1: a correlation rule takes its place"):
        query(rule("  s: {CommandLine: a}\n  timeframe: 5m\n  condition: s\n"))
    with pytest.raises(YamlError, match="condition is missing"):
        query(rule("  s: {CommandLine: a}\n"))


def test_a_regular_expression_that_re2_does_not_know(tmp_path: Path) -> None:
    detection = "  s: {CommandLine|re: '(?!a)b'}\n  condition: s\n"
    (one,) = imported(tmp_path, {"a.yml": rule(detection)})
    assert one.reason in {Reason.QUERY, Reason.UNSUPPORTED}
    assert one.place == (4, 3)


@pytest.mark.parametrize(
    ("logsource", "detail"),
    [
        ("{product: aws, service: cloudtrail}", "product aws, service cloudtrail: no table has its events"),
        ("{category: image_load, product: linux}", "category image_load, product linux: no table has its events"),
        ("{category: ps_module}", "category ps_module: Defender does not record module logging"),
    ],
)
def test_rules_over_other_events(tmp_path: Path, logsource: str, detail: str) -> None:
    text = simple().replace("{category: process_creation}", logsource)
    assert told(imported(tmp_path, {"a.yml": text})) == [("a.yml", "sigma log source", detail)]


def test_invalid_yaml_and_levels(tmp_path: Path) -> None:
    files = {"a.yml": simple() + "a: [", "b.yml": simple(level="urgent"), "c.yml": simple() + "title: again\n"}
    outcomes = imported(tmp_path, files)
    assert [one.reason for one in outcomes] == [Reason.SIGMA] * 3
    assert outcomes[1].detail == "'urgent' is not a level of Sigma"
    assert outcomes[1].place == (6, 8)


# The choice


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(levels=frozenset({"high", "critical"})), ["imported", "level low", "level not given"]),
        (Choice(statuses=frozenset({"stable"})), ["status test", "imported", "status not given"]),
        (Choice(categories=frozenset({"dns_query"})), ["category process_creation"] * 3),
        (Choice(products=frozenset({"windows"})), ["product not given"] * 3),
    ],
)
def test_which_rules_are_chosen(tmp_path: Path, choice: Choice, expected: list[str]) -> None:
    files = {
        "a.yml": simple("a", level="high", status="test"),
        "b.yml": simple("b", level="low", status="stable"),
        "c.yml": simple("c"),
    }
    outcomes = imported(tmp_path, files, choice)
    assert [one.detail or str(one.result) for one in outcomes] == expected


# Filters

FILTER = """title: A filter
logsource: {category: process_creation}
filter:
  rules: RULES
  known: {User|startswith: 'ADM_'}
  condition: not known
"""


@pytest.mark.parametrize(("named", "times"), [(f"[{ID}]", 1), (ID.upper(), 1), ("any", 2), ("[other]", 0), ("[b]", 1)])
def test_a_filter_is_added_to_the_rules_that_it_names(tmp_path: Path, named: str, times: int) -> None:
    files = {
        "a.yml": simple("a", id=ID),
        "b.yml": simple("b", name="b"),
        "c.yml": simple("c", name="c").replace("process_creation", "dns_query"),
        "filter.yml": FILTER.replace("RULES", named),
    }
    outcomes = imported(tmp_path, files)
    assert told(outcomes)[3] == ("filter.yml", "sigma part", f"applied to {times} rules")
    queries = [one.candidate.hunt.query for one in outcomes if one.candidate]
    assert [text.count("| where not(iff(isempty(AccountDomain)") for text in queries].count(1) == times


def test_a_filter_over_other_events_is_not_added(tmp_path: Path) -> None:
    files = {"a.yml": simple("a", id=ID), "f.yml": FILTER.replace("RULES", "any").replace("process_", "pipe_")}
    assert told(imported(tmp_path, files)) == [
        ("a.yml", "imported", ""),
        ("f.yml", "sigma part", "applied to 0 rules"),
    ]


# Patterns


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("a", ("a",)),
        ("**", (Wildcard.MANY,)),
        ("a*b?", ("a", Wildcard.MANY, "b", Wildcard.ONE)),
        (r"\*", ("*",)),
        (r"\\*", ("\\", Wildcard.MANY)),
        (r"\\\*", (r"\*",)),
        (r"\a\\b", (r"\a\b",)),
        (r"\\\a", (r"\\a",)),
        (r"\\\\a", (r"\\a",)),
        ("a\\", ("a\\",)),
    ],
)
def test_patterns(text: str, parts: tuple[Any, ...]) -> None:
    assert Pattern.parse(text).parts == parts
    assert Pattern.parse(Pattern.parse(text).written()) == Pattern.parse(text)


def test_dashes_of_every_kind() -> None:
    found = [one.written() for one in patterns.with_any_dash(Pattern.parse("-a x-y *"))]
    assert found == ["-a x-y *", "/a x-y *", "–a x-y *", "—a x-y *", "―a x-y *"]
    assert len(patterns.with_any_dash(Pattern.parse("* -a /b*"))) == 25
    assert patterns.with_any_dash(Pattern.parse("a")) == [Pattern.parse("a")]


# The command


def test_the_options_of_the_command(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    for name, level in (("a", "high"), ("b", "low"), ("c", "critical")):
        (pack / f"{name}.yml").write_text(simple(name, level=level), "utf-8")
    done = lakehunt(
        "import", pack, "--into", tmp_path / "new", "--level", "HIGH, critical", cwd=tmp_path, **WITHOUT_JAVA
    )
    assert (done.returncode, sorted(file.name for file in (tmp_path / "new").glob("*.yaml"))) == (
        0,
        ["a.yaml", "c.yaml"],
    )
    done = lakehunt("import", pack, "--level", "urgent", cwd=tmp_path, **WITHOUT_JAVA)
    assert done.returncode == 2
    assert "'urgent' is not one of informational, low, medium, high, critical" in done.stderr
