"""What hunts look for in texts, looked for at once: most events are no hit of any hunt for want of a word.

A condition like `ProcessCommandLine has "lsass"` cannot hold where the letters do not stand in the text. From each
front those conditions are taken that name such needles; a clause is a choice of needles of which one has to be there.
An event that lacks a clause is left out before Spark looks at the condition itself, which says more than the clause
does: where a term ends, what stands beside it, what letters beyond ASCII are in another case. So a clause may ask for
less than its condition, never for more, and there is one place that knows what a condition means.

Spark has no search for many words at once: it would look for one after the other, in every event. `KeywordMatcher.java`
walks
over each text once, however many hunts there are."""

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

MAX_KEYWORDS = 20_000
"""Letters in a clause that is still looked for: a longer list of words is left to Spark."""

MAX_HUNTS = 200_000
"""Letters in all clauses, the shortest ones first. Each is a row of a table of some 200 bytes, in every task."""

BEFORE, AFTER, AT_START, AT_END = 1, 2, 4, 8
"""Where a needle's edges have to be: at a term's boundary, or at that of the text."""


@dataclass(frozen=True, order=True)
class Keyword:
    """Small letters to be found in a column, whatever their case is there. An empty text is any that is not ASCII."""

    column: str
    text: str
    edges: int = 0


KeywordClause = frozenset[Keyword]
"""One of them has to be there."""


def keyword_clauses(condition: p.Expr, column: Callable[[str], str]) -> tuple[KeywordClause, ...]:
    """What has to stand in an event's texts where the condition holds; `column` says which column a name is of."""
    if not isinstance(condition, p.Call):
        return ()
    if condition.function in _SEARCHES:
        return _searched_keywords(condition, column)
    if condition.function in _ALL:
        return tuple(clause for part in condition.args for clause in keyword_clauses(part, column))
    if condition.function in _ANY:
        return _any_of([keyword_clauses(part, column) for part in condition.args])
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
    """Of each branch the clause that asks for most; nothing, where a branch asks for nothing."""
    if not choices or not all(choices):
        return ()
    return (frozenset().union(*(max(branch, key=_rarity) for branch in choices)),)


def _rarity(clause: KeywordClause) -> tuple[int, int]:
    """Long words are rarer than short ones, and few rarer than many."""
    return min(len(needle.text) for needle in clause), -len(clause)


@dataclass(frozen=True)
class KeywordPlan:
    """What one front of a hunt asks for: all of its clauses. The hunt has a bit in the mask of a group."""

    clauses: tuple[KeywordClause, ...]
    group: int
    bit: int


def surviving_hunts(spark: SparkSession, fronts: Sequence[KeywordPlan], masks: Sequence[Column]) -> Column:
    """ARRAY<BIGINT> of the hunts that an event's texts leave, of those in `masks` (BIGINT, one for each group); null
    where none is left."""
    looked_for = within_budget({clause for front in fronts for clause in front.clauses})
    kept = [[clause for clause in dict.fromkeys(front.clauses) if clause in looked_for] for front in fronts]
    asked = [(number, clause) for number, of_front in enumerate(kept) for clause in of_front]
    met: dict[Keyword, list[int]] = {}
    for place, (_, clause) in enumerate(asked):
        for needle in clause:
            met.setdefault(needle, []).append(place)
    columns = sorted({needle.column for needle in met})
    told = [
        [
            [[one.text, one.edges, places] for one, places in met.items() if one.column == column and one.text],
            met.get(Keyword(column, ""), []),
        ]
        for column in columns
    ]
    made = janino.compile_and_distribute(spark, "KeywordMatcher").newInstance()
    made.configure(told, [number for number, _ in asked], [[one.group, one.bit] for one in fronts], len(masks))
    texts = F.array(*(F.col(name).cast("binary") for name in columns)).cast("array<binary>")
    # PySpark has no way to a function of this kind that is not known by a name to the whole session.
    given = _to_seq(spark.sparkContext, [column._jc for column in (texts, F.array(*masks))])
    return ClassicColumn(made.function().apply(given))


def within_budget(wanted: Iterable[KeywordClause]) -> set[KeywordClause]:
    """The clauses that are looked for: not too long a list, not too many letters together."""
    found: set[KeywordClause] = set()
    letters = 0
    for size, clause in sorted(
        ((_total_length(one), one) for one in wanted), key=lambda pair: (pair[0], sorted(pair[1]))
    ):
        letters += size
        if size <= MAX_KEYWORDS and letters <= MAX_HUNTS:
            found.add(clause)
    return found


def _total_length(clause: KeywordClause) -> int:
    return sum(len(needle.text) for needle in clause)
