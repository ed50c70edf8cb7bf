"""Packs of hunts: the two of `hunts/`, then any number of generated ones, in the shapes of public hunting queries. Each
hunt comes as KQL and as equivalent hand-written SQL for DuckDB.

A shape is a function from a topic to a hunt. Each topic is hunted in three shapes, so no two hunts are the same."""

# The SQL is put together from the topics, which are part of the benchmark.
# ruff: noqa: S608

from __future__ import annotations

import json
import unicodedata
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.topics import TOPICS, Topic
from lakehunt import project
from lakehunt.core import strict_yaml

LARGEST = 2 + 3 * len(TOPICS)
"""The most hunts that a pack can have."""

EVENTS = "DeviceProcessEvents"
WINDOW = "$window"
"""Stands in a hunt's SQL where the window's condition goes; see `Hunt.sql_as_of`."""

_NAMESPACE = uuid.UUID("6c6f7f0e-4b0f-5f6e-8f5e-2f3a1b0c9d8e")


@dataclass(frozen=True)
class Hunt:
    """A hunt in both languages. `text` is its YAML file; `columns` are those of its result that the SQL has, all if
    empty."""

    id: str
    name: str
    text: str
    sql: str
    columns: tuple[str, ...] = ()

    def sql_as_of(self, as_of: datetime, days: int) -> str:
        """The SQL with the window (as_of - days, as_of] on the event's time, and on the day that prunes files."""
        since = as_of - timedelta(days=days)
        window = (
            f"event_date >= DATE '{since:%Y-%m-%d}' AND event_date <= DATE '{as_of:%Y-%m-%d}'"
            f" AND Timestamp > TIMESTAMPTZ '{since:%Y-%m-%d %H:%M:%S}+00'"
            f" AND Timestamp <= TIMESTAMPTZ '{as_of:%Y-%m-%d %H:%M:%S}+00'"
        )
        return self.sql.replace(WINDOW, window)


def hunts(count: int, days: int) -> list[Hunt]:
    """The first `count` hunts, over a window of `days`; a larger pack contains the smaller ones."""
    if not 1 <= count <= LARGEST:
        raise ValueError(f"a pack has 1 to {LARGEST} hunts, not {count}")
    made = [_made(number, days) for number in range(count - 2)]
    return [*_seeds(days), *made][:count]


def write(pack: Iterable[Hunt], folder: Path) -> None:
    """Each hunt as a YAML file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, hunt in enumerate(pack):
        (folder / f"{number:03}.yaml").write_text(hunt.text, encoding="utf-8")


# The seeds


def _seeds(days: int) -> list[Hunt]:
    return [
        _seed("detect-suspicious-commands-initiated-by-web-server-processes", _COMMANDS_OF_WEB_SERVERS, days),
        _seed("webserver-executing-suspicious-applications", _APPLICATIONS_OF_WEB_SERVERS, days),
    ]


def _seed(name: str, sql: str, days: int) -> Hunt:
    file = project.HUNTS / f"{name}.yaml"
    document = strict_yaml.load_file(file)
    text = file.read_text(encoding="utf-8").replace("ago(7d)", f"ago({days}d)")
    return Hunt(document.text("id"), document.text("name"), text, sql)


# What a row of SQL starts from: only here is a text compared term by term.


@dataclass(frozen=True)
class Test:
    """A condition on one event, in both languages."""

    kql: str
    sql: str

    def __and__(self, other: Test) -> Test:
        return Test(f"{self.kql} and {other.kql}", f"{self.sql} AND {other.sql}")


def quoted(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _verbatim(text: str) -> str:
    """A text in KQL, without escapes."""
    return '@"' + text.replace('"', '""') + '"'


def is_any(column: str, values: Iterable[str], negated: bool = False) -> Test:
    """`in~`: one of these texts, in any case."""
    chosen = list(values)
    kql = ", ".join(_verbatim(value) for value in chosen)
    sql = ", ".join(quoted(value.lower()) for value in chosen)
    return Test(
        f"{column} {'!' if negated else ''}in~ ({kql})",
        f"{_lower(column)} {'NOT ' if negated else ''}IN ({sql})",
    )


def equals(column: str, value: str, negated: bool = False) -> Test:
    """`=~`: this text, in any case."""
    return Test(
        f"{column} {'!~' if negated else '=~'} {_verbatim(value)}",
        f"{_lower(column)} {'<>' if negated else '='} {quoted(value.lower())}",
    )


def contains(column: str, value: str) -> Test:
    return Test(f"{column} contains {_verbatim(value)}", f"contains({_lower(column)}, {quoted(value.lower())})")


def starts(column: str, value: str, negated: bool = False) -> Test:
    sql = f"starts_with({_lower(column)}, {quoted(value.lower())})"
    return Test(f"{column} {'!' if negated else ''}startswith {_verbatim(value)}", f"NOT {sql}" if negated else sql)


def ends(column: str, value: str, negated: bool = False) -> Test:
    sql = f"ends_with({_lower(column)}, {quoted(value.lower())})"
    return Test(f"{column} {'!' if negated else ''}endswith {_verbatim(value)}", f"NOT {sql}" if negated else sql)


def matches(column: str, pattern: str) -> Test:
    return Test(
        f"{column} matches regex {_verbatim(pattern)}", f"regexp_matches(coalesce({column}, ''), {quoted(pattern)})"
    )


def has(column: str, word: str) -> Test:
    """`has`: the text, where neither of its ends touches another letter or digit."""
    return Test(f"{column} has {_verbatim(word)}", _has(column, word))


def has_any(column: str, words: Iterable[str]) -> Test:
    chosen = list(words)
    kql = ", ".join(_verbatim(word) for word in chosen)
    return Test(f"{column} has_any ({kql})", f"({' OR '.join(_has(column, word) for word in chosen)})")


def has_all(column: str, words: Iterable[str]) -> Test:
    chosen = list(words)
    kql = ", ".join(_verbatim(word) for word in chosen)
    return Test(f"{column} has_all ({kql})", f"({' AND '.join(_has(column, word) for word in chosen)})")


def either(*tests: Test) -> Test:
    return Test(f"({' or '.join(t.kql for t in tests)})", f"({' OR '.join(t.sql for t in tests)})")


def unless(test: Test) -> Test:
    return Test(f"not({test.kql})", f"NOT ({test.sql})")


def _lower(column: str) -> str:
    """Kusto knows no null text: it is the empty one."""
    return f"lower({column})" if column in _NEVER_NULL else f"lower(coalesce({column}, ''))"


_NEVER_NULL = {"FileName", "FolderPath", "ProcessCommandLine", "InitiatingProcessFileName", "DeviceId"}
"""Columns that every generated event has; the peer need not guard against nulls."""


def _has(column: str, word: str) -> str:
    """A plain search first, which is fast and mostly false; word boundaries are checked only where it is true."""
    text, searched = _lower(column), word.lower()
    plain = f"contains({text}, {quoted(searched)})"
    before = r"(^|[^\p{L}\p{N}])" if _is_term(searched[0]) else ""
    after = r"($|[^\p{L}\p{N}])" if _is_term(searched[-1]) else ""
    if not before and not after:
        return plain
    exact = "".join(c if _is_term(c) else f"\\x{{{ord(c):x}}}" for c in searched)
    return f"({plain} AND regexp_matches({text}, {quoted(before + exact + after)}))"


def _is_term(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


# The shapes


@dataclass(frozen=True)
class Query:
    """The rest of a hunt: KQL after the window's filter, SQL in full with WINDOW in it."""

    kql: str
    sql: str


Shape = Callable[[Topic], Query]

_SHELLS = ("cmd.exe", "powershell.exe", "pwsh.exe")
_COMMAND = "ProcessCommandLine"
_WHO = "Timestamp, DeviceId, DeviceName, AccountName, FileName, ProcessCommandLine, InitiatingProcessFileName"


def _filtered(*steps: Test, select: str, then: str = "") -> tuple[str, str]:
    """The `where` steps of a KQL query, and a SELECT with the same conditions."""
    kql = "\n".join(f"| where {step.kql}" for step in steps)
    conditions = "\n  AND ".join(step.sql for step in steps)
    return kql, f"SELECT {select}\nFROM {EVENTS}\nWHERE {WINDOW}\n  AND {conditions}\n{then}".rstrip()


def lineage(topic: Topic) -> Query:
    """Who started whom, with words of the command line, gathered by machine."""
    parents = either(
        is_any("InitiatingProcessFileName", (topic.parent, "wsl.exe")),
        starts("InitiatingProcessParentFileName", topic.parent.removesuffix(".exe")),
    )
    words = either(*(has(_COMMAND, word) for word in topic.words), contains(_COMMAND, "%temp%"))
    kql, sql = _filtered(
        parents & is_any("FileName", (topic.program, *_SHELLS)),
        words,
        select="DeviceId, DeviceName, list_sort(list(DISTINCT ProcessCommandLine)), count(*),"
        " min(Timestamp), max(Timestamp)",
        then="GROUP BY DeviceId, DeviceName",
    )
    summary = "Commands = make_set(ProcessCommandLine), Events = count(), First = min(Timestamp), Last = max(Timestamp)"
    return Query(f"{kql}\n| summarize {summary} by DeviceId, DeviceName", sql)


def any_word(topic: Topic) -> Query:
    kql, sql = _filtered(equals("FileName", topic.program), has_any(_COMMAND, topic.words[:2]), select=_WHO)
    return Query(f"{kql}\n| project {_WHO}", sql)


def all_words(topic: Topic) -> Query:
    """No program named: the words alone, in every command line."""
    shown = "Timestamp, DeviceName, FileName, ProcessCommandLine"
    kql, sql = _filtered(has_all(_COMMAND, topic.words), select=shown)
    return Query(f"{kql}\n| project {shown}\n| order by Timestamp desc", sql)


def pattern(topic: Topic) -> Query:
    first, second, _ = topic.words
    regex = rf"(?i)\b{_escaped(topic.stem)}(\.exe)?\b.*\s{_escaped(first)}\s+\S*{_escaped(second)}"
    kql, sql = _filtered(
        matches(_COMMAND, regex),
        select="DeviceName, FileName, count(*), count(DISTINCT ProcessCommandLine)",
        then="GROUP BY DeviceName, FileName",
    )
    return Query(f"{kql}\n| summarize Events = count(), Commands = dcount({_COMMAND}) by DeviceName, FileName", sql)


def folder(topic: Topic) -> Query:
    kql, sql = _filtered(
        either(starts("FolderPath", f"{topic.folder}\\"), ends("FolderPath", rf"\temp\{topic.program}")),
        is_any("FileName", (topic.program, "update.exe")),
        select="DeviceName, FolderPath, coalesce(SHA1, ''), count(*)",
        then="GROUP BY ALL",
    )
    return Query(f"{kql}\n| summarize count() by DeviceName, FolderPath, SHA1", sql)


def computed(topic: Topic) -> Query:
    first = topic.words[0]
    kql = f"""| extend Command = tolower(ProcessCommandLine), Length = strlen(ProcessCommandLine)
| where Length > 400 and Command contains {_verbatim(first)}
| where FileName in~ ({_verbatim(topic.program)}, "powershell.exe", "cmd.exe")
| extend Url = extract(@"(https?://[^\\s'""]+)", 1, ProcessCommandLine)
| project Timestamp, DeviceName, FileName, Length, Url, ProcessCommandLine"""
    sql = f"""SELECT Timestamp, DeviceName, FileName, length(ProcessCommandLine),
  regexp_extract(ProcessCommandLine, '(https?://[^\\s''"]+)', 1), ProcessCommandLine
FROM {EVENTS}
WHERE {WINDOW}
  AND length(ProcessCommandLine) > 400
  AND {contains(_COMMAND, first).sql}
  AND {is_any("FileName", (topic.program, "powershell.exe", "cmd.exe")).sql}"""
    return Query(kql, sql)


def often(topic: Topic) -> Query:
    kql, sql = _filtered(
        equals("FileName", topic.program),
        either(contains(_COMMAND, topic.words[0]), contains(_COMMAND, topic.words[1])),
        select="InitiatingProcessFileName, count(*) AS count_, count(DISTINCT DeviceId),"
        " list_sort(list(DISTINCT AccountName))",
        then="GROUP BY InitiatingProcessFileName\nHAVING count_ > 1",
    )
    summary = "count(), dcount(DeviceId), make_set(AccountName) by InitiatingProcessFileName"
    return Query(f"{kql}\n| summarize {summary}\n| where count_ > 1", sql)


def exceptions(topic: Topic) -> Query:
    usual = ("explorer.exe", "services.exe", "ccmexec.exe", "senseir.exe")
    kql, sql = _filtered(
        equals("FileName", topic.program) & is_any("InitiatingProcessFileName", usual, negated=True),
        unless(starts("InitiatingProcessFolderPath", r"c:\program files") & contains(_COMMAND, topic.words[2])),
        starts("FolderPath", r"C:\Windows\System32", negated=True),
        select="DISTINCT DeviceName, InitiatingProcessFileName, ProcessCommandLine",
    )
    return Query(f"{kql}\n| distinct DeviceName, InitiatingProcessFileName, ProcessCommandLine", sql)


def renamed(topic: Topic) -> Query:
    shown = "Timestamp, DeviceName, FileName, ProcessVersionInfoOriginalFileName, SHA256, ProcessCommandLine"
    differs = Test("ProcessVersionInfoOriginalFileName != FileName", "ProcessVersionInfoOriginalFileName <> FileName")
    kql, sql = _filtered(
        equals("ProcessVersionInfoOriginalFileName", topic.program),
        differs & equals("FileName", topic.program, negated=True),
        either(equals("InitiatingProcessFileName", topic.parent), has(_COMMAND, topic.words[0])),
        select=shown,
    )
    return Query(f"{kql}\n| project {shown}", sql)


def behind(topic: Topic) -> Query:
    """What was started by a process whose own command line is suspicious."""
    kql, sql = _filtered(
        has_any("InitiatingProcessCommandLine", (*topic.words[:2], f"{topic.stem} {topic.words[0]}")),
        contains("InitiatingProcessCommandLine", topic.stem) & is_any("FileName", (*_SHELLS, "whoami.exe", "net.exe")),
        select="DeviceId, InitiatingProcessFileName, count(*), min(Timestamp), max(Timestamp)",
        then="GROUP BY DeviceId, InitiatingProcessFileName",
    )
    summary = "Starts = count(), First = min(Timestamp), Last = max(Timestamp)"
    return Query(f"{kql}\n| summarize {summary} by DeviceId, InitiatingProcessFileName", sql)


def known_bad(topic: Topic) -> Query:
    """A list of hashes from a report; only one of them ever occurs."""
    listed = [topic.sha1, *(uuid.uuid5(_NAMESPACE, f"{topic.name} {n}").hex + "00000000" for n in range(11))]
    values = ", ".join(quoted(sha1) for sha1 in listed)
    seen = Test(f"SHA1 in ({values}) or InitiatingProcessSHA1 in ({values})", "")
    kql = f"| where {seen.kql}\n| project {_WHO}, SHA1"
    sql = f"""SELECT {_WHO}, coalesce(SHA1, '') FROM {EVENTS}
WHERE {WINDOW}
  AND (SHA1 IN ({values}) OR InitiatingProcessSHA1 IN ({values}))"""
    return Query(kql, sql)


def people(topic: Topic) -> Query:
    """Accounts of people, counted by the hour."""
    kql, sql = _filtered(
        is_any("AccountName", ("system", "local service", "network service"), negated=True)
        & ends("AccountName", "$", negated=True),
        equals("InitiatingProcessFileName", topic.parent) & contains(_COMMAND, topic.words[0]),
        select="DeviceName, AccountName, date_trunc('hour', Timestamp), count(DISTINCT FileName) AS files, count(*)",
        then="GROUP BY ALL\nHAVING files >= 1",
    )
    summary = "Files = dcount(FileName), Events = count() by DeviceName, AccountName, Hour = bin(Timestamp, 1h)"
    return Query(
        f"{kql}\n| summarize {summary}\n| where Files >= 1\n| project-reorder DeviceName, AccountName, Hour", sql
    )


SHAPES: tuple[Shape, ...] = (
    lineage,
    any_word,
    all_words,
    pattern,
    folder,
    computed,
    often,
    exceptions,
    renamed,
    behind,
    known_bad,
    people,
)


def _escaped(word: str) -> str:
    return "".join(c if _is_term(c) else f"\\x{{{ord(c):x}}}" for c in word)


def _made(number: int, days: int) -> Hunt:
    """Topics in turn; each comes back in another shape, so that small packs hold many shapes and topics, too."""
    turn, place = divmod(number, len(TOPICS))
    # 25 and 66 have no common divisor: neighbours in a pack are of different tactics, and active ones spread.
    topic = TOPICS[place * 25 % len(TOPICS)]
    shape = SHAPES[(place + turn * 5) % len(SHAPES)]
    query = shape(topic)
    id_ = str(uuid.uuid5(_NAMESPACE, f"{shape.__name__} of {topic.name}"))
    name = f"{shape.__name__.replace('_', ' ').capitalize()}: {topic.name}"
    kql = f"{EVENTS}\n| where Timestamp > ago({days}d)\n{query.kql}"
    return Hunt(id_, name, _yaml(id_, name, topic, kql), query.sql)


def _yaml(id_: str, name: str, topic: Topic, kql: str) -> str:
    indented = "\n".join(f"  {line}" for line in kql.splitlines())
    return f"""id: {id_}
name: {json.dumps(name)}
description: |
  A hunt of the benchmark.
requiredDataConnectors:
- connectorId: MicrosoftThreatProtection
  dataTypes:
  - {EVENTS}
tactics:
- {topic.tactic}
query: |
{indented}
"""


# The seeds in SQL. Where Kusto's `any` may take any value, Lakehunt takes that of the earliest event, and so does this.

_FIRST = "(Timestamp, ReportId, event_id)"
_WEB_SERVERS = ("w3wp.exe", "beasvc.exe", "httpd.exe")
_WEB_SERVER = either(
    *(
        Test("", f"({column} IN ({', '.join(map(quoted, _WEB_SERVERS))}) OR {starts(column, 'tomcat').sql})")
        for column in ("InitiatingProcessParentFileName", "InitiatingProcessFileName")
    )
)
_SUSPICIOUS = either(
    contains(_COMMAND, "%temp%"),
    *(has(_COMMAND, word) for word in ("wget", "whoami", "certutil", "systeminfo", "ping", "ipconfig", "timeout")),
)

_COMMANDS_OF_WEB_SERVERS = f"""
SELECT DeviceId, min(Timestamp), min(Timestamp), arg_min(FileName, {_FIRST}),
  list_sort(list(DISTINCT ProcessCommandLine))[:128],
  arg_min(InitiatingProcessFileName, {_FIRST}), arg_min(InitiatingProcessParentFileName, {_FIRST})
FROM {EVENTS}
WHERE {WINDOW}
  AND {_WEB_SERVER.sql}
  AND lower(FileName) IN ('cmd.exe', 'powershell.exe')
  AND {_SUSPICIOUS.sql}
GROUP BY DeviceId
"""

_APPLICATIONS_OF_WEB_SERVERS = f"""
SELECT ProcessCommandLine, FolderPath, DeviceName, DeviceId, count(*) AS instances
FROM {EVENTS}
WHERE {WINDOW}
  AND lower(InitiatingProcessFileName) IN ('w3wp.exe', 'httpd.exe')
  AND lower(FileName) IN ('cmd.exe', 'powershell.exe', 'cscript.exe', 'wscript.exe', 'net.exe', 'net1.exe', 'ping.exe',
    'whoami.exe')
GROUP BY ALL
ORDER BY instances
"""
