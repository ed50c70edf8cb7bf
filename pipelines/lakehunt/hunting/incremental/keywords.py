"""Searches texts for the keywords of all hunts at once, because most events contain none of them.

A condition like `ProcessCommandLine has "lsass"` can only be true if the text contains "lsass". Such keywords are
taken from each hunt's row-level predicates. A clause is a set of keywords, at least one of which must occur. An event
that violates a clause is dropped before Spark evaluates the condition itself, which also checks term boundaries,
neighbouring text and the case of non-ASCII letters. A clause is a necessary condition, never a sufficient one: the
exact predicate is still evaluated by Spark, so the meaning of conditions is implemented in one place.

Spark cannot search for many keywords at once; it would search for each one in every event. `KeywordMatcher.java` reads
each text once, however many hunts there are (Aho-Corasick)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.classic.column import Column as ClassicColumn
from pyspark.sql.classic.column import _to_seq

from lakehunt.kql import plan as p
from lakehunt.kql.types import STRING
from lakehunt.runtime import janino
from lakehunt.spark.functions import text

MAX_CLAUSE_LENGTH = 20_000
"""Maximum letters of a clause; longer keyword lists are left to Spark."""

MAX_TOTAL_LENGTH = 200_000
"""Maximum letters of all clauses, shortest first. Each is an automaton state of some 200 bytes in every task."""

BEFORE, AFTER, AT_START, AT_END = 1, 2, 4, 8
"""Where a keyword must begin or end: at a term boundary, or at the boundary of the text."""


@dataclass(frozen=True, order=True)
class Keyword:
    """A lower-case keyword that a column must contain in any case. An empty text matches any non-ASCII text."""

    column: str
    text: str
    edges: int = 0


KeywordClause = frozenset[Keyword]
"""Keywords of which at least one must occur."""


def keyword_clauses(condition: p.Expr, column: Callable[[str], str]) -> tuple[KeywordClause, ...]:
    """The clauses that an event's texts satisfy if the condition is true; `column` maps names to columns."""
    if not isinstance(condition, p.Call):
        return ()
    if condition.function in _SEARCHES:
        return _searched_keywords(condition, column)
    # a chain of hundreds of `or` is one deep left branch
    parts = p.terms(condition, condition.function) if condition.function in ("and", "or") else condition.args
    if condition.function in _ALL:
        return tuple(clause for part in parts for clause in keyword_clauses(part, column))
    if condition.function in _ANY:
        return _any_of([keyword_clauses(part, column) for part in parts])
    return ()


_EDGES = {
    "has": BEFORE | AFTER,
    "hasprefix": BEFORE,
    "hassuffix": AFTER,
    "contains": 0,
    "startswith": AT_START,
    "endswith": AT_END,
}

_SEARCHES = {f"{op}{case}": edges for op, edges in _EDGES.items() for case in ("", "_cs")} | dict.fromkeys(
    ("==", "=~"), AT_START | AT_END
)
_ALL = ("and", "has_all")
_ANY = ("or", "in", "in~", "has_any")


def _searched_keywords(condition: p.Call, column: Callable[[str], str]) -> tuple[KeywordClause, ...]:
    where, what = condition.args
    if not isinstance(where, p.ColumnRef) or not isinstance(what, p.Const) or where.type != STRING:
        return ()
    letters = text.fold(str(what.value or ""))
    if not letters:
        return ()
    if not letters.isascii():
        return (frozenset({Keyword(column(where.name), "")}),)
    edges = _SEARCHES[condition.function]
    edges &= ~(BEFORE * (not letters[0].isalnum()) | AFTER * (not letters[-1].isalnum()))
    return (frozenset({Keyword(column(where.name), letters, edges)}),)


def _any_of(choices: Sequence[tuple[KeywordClause, ...]]) -> tuple[KeywordClause, ...]:
    """The most selective clauses of all branches, combined into one; none if a branch has no clause."""
    if not choices or not all(choices):
        return ()
    return (frozenset().union(*(max(branch, key=_rarity) for branch in choices)),)


def _rarity(clause: KeywordClause) -> tuple[int, int]:
    """Sort key: long keywords are rarer than short ones, few keywords rarer than many."""
    return min(len(keyword.text) for keyword in clause), -len(clause)


@dataclass(frozen=True)
class KeywordPlan:
    """The clauses of one row-level predicate, all of which must hold. The hunt has a bit in the mask of its group."""

    clauses: tuple[KeywordClause, ...]
    group: int
    bit: int


def surviving_hunts(spark: SparkSession, plans: Sequence[KeywordPlan], masks: Sequence[Column]) -> Column:
    """ARRAY<BIGINT>: the hunts in `masks` (one BIGINT per group) whose clauses an event's texts satisfy; null if there
    are none."""
    selected = within_budget({clause for plan in plans for clause in plan.clauses})
    kept = [[clause for clause in dict.fromkeys(plan.clauses) if clause in selected] for plan in plans]
    numbered = [(number, clause) for number, clauses in enumerate(kept) for clause in clauses]
    satisfied: dict[Keyword, list[int]] = {}
    for position, (_, clause) in enumerate(numbered):
        for keyword in clause:
            satisfied.setdefault(keyword, []).append(position)
    columns = sorted({keyword.column for keyword in satisfied})
    described = [
        [
            [
                [one.text, one.edges, positions]
                for one, positions in satisfied.items()
                if one.column == column and one.text
            ],
            satisfied.get(Keyword(column, ""), []),
        ]
        for column in columns
    ]
    matcher = janino.compile_and_distribute(spark, "KeywordMatcher").newInstance()
    matcher.configure(
        described, [number for number, _ in numbered], [[one.group, one.bit] for one in plans], len(masks)
    )
    texts = F.array(*(F.col(name).cast("binary") for name in columns)).cast("array<binary>")
    # PySpark can only call a Java UDF that is registered by name in the session; this one is not.
    arguments = _to_seq(spark.sparkContext, [column._jc for column in (texts, F.array(*masks))])
    return ClassicColumn(matcher.function().apply(arguments))


def within_budget(wanted: Iterable[KeywordClause]) -> set[KeywordClause]:
    """The clauses within the limits on the letters of one clause and of all clauses."""
    found: set[KeywordClause] = set()
    letters = 0
    for size, clause in sorted(
        ((_total_length(one), one) for one in wanted), key=lambda pair: (pair[0], sorted(pair[1]))
    ):
        letters += size
        if size <= MAX_CLAUSE_LENGTH and letters <= MAX_TOTAL_LENGTH:
            found.add(clause)
    return found


def _total_length(clause: KeywordClause) -> int:
    return sum(len(keyword.text) for keyword in clause)
