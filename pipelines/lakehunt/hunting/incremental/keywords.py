"""Keywords: texts that a column must contain for a condition of a hunt to be true.

`ProcessCommandLine has "lsass"` is true if the text contains "lsass" in any case, between term boundaries. Keywords of
all hunts are found in one walk over a text, however many there are (`KeywordSearch.java`), and they decide such a
condition: only where letters beyond ASCII matter, in how they are folded or whether they belong to a term, does the
search say "maybe" and leave the answer to Spark, so that what Kusto means is implemented in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lakehunt.kql import plan as p
from lakehunt.kql import regexes
from lakehunt.kql.errors import Span
from lakehunt.kql.types import STRING
from lakehunt.spark.functions import text

MAX_CLAUSE_LENGTH = 50_000
"""Maximum letters of the keywords of a clause; what is longer is left to Spark."""

MAX_TOTAL_LENGTH = 400_000
"""Maximum letters of all keywords, those of short clauses first. Each is a state of some 200 bytes in every JVM that
searches. Neither limit concerns keywords that are a whole text: these are found by their hash."""

BEFORE, AFTER, AT_START, AT_END, SAME_CASE = 1, 2, 4, 8, 16
"""Where a keyword must begin or end: at a term boundary, or at the boundary of the text. Whether its case matters."""

WHOLE = AT_START | AT_END
"""The keyword is the whole text."""


@dataclass(frozen=True, order=True)
class Keyword:
    """A text that a column contains. Without SAME_CASE it is folded, and matches in any case."""

    column: str
    text: str
    edges: int = 0

    @property
    def is_walked_for(self) -> bool:
        """Whether the search walks over texts for it. It does not for a whole text, nor for one beyond ASCII, of which
        it only knows that no text of ASCII contains it."""
        return self.edges & WHOLE != WHOLE and self.text.isascii()


KeywordClause = frozenset[Keyword]
"""Keywords of which at least one must occur: never, if there are none."""

_EDGES = {
    "has": BEFORE | AFTER,
    "hasprefix": BEFORE,
    "hassuffix": AFTER,
    "contains": 0,
    "startswith": AT_START,
    "endswith": AT_END,
}

_SEARCHES = (
    _EDGES
    | {f"{op}_cs": edges | SAME_CASE for op, edges in _EDGES.items()}
    | {"=~": WHOLE, "==": WHOLE | SAME_CASE, "isempty": WHOLE | SAME_CASE}
)


def searched(condition: p.Call) -> KeywordClause | None:
    """The keywords that a condition is equivalent to; None if there are none. `condition` has no `!`."""
    edges = _SEARCHES.get(condition.function)
    if edges is None:
        return None
    where, what = condition.args if len(condition.args) == 2 else (*condition.args, _EMPTY)
    if isinstance(where, p.Const) and edges & WHOLE == WHOLE:
        where, what = what, where
    if not isinstance(what, p.Const) or what.type != STRING:
        return None
    letters = str(what.value or "")
    if isinstance(where, p.Call) and where.function == "tolower" and (not edges & SAME_CASE or letters.isascii()):
        if edges & SAME_CASE and letters != letters.lower():
            return frozenset()
        where, edges = where.args[0], edges & ~SAME_CASE
    return _keyword(where.name, letters, edges) if isinstance(where, p.ColumnRef) and where.type == STRING else None


_EMPTY = p.Const(STRING, Span(0, 0), "")


def _keyword(column: str, letters: str, edges: int) -> KeywordClause | None:
    if not letters and edges & WHOLE != WHOLE:
        return None
    letters = letters if edges & SAME_CASE else text.fold(letters)
    if letters.isascii() and letters:
        edges &= ~(BEFORE * (not letters[0].isalnum()) | AFTER * (not letters[-1].isalnum()))
    return frozenset({Keyword(column, letters, edges)})


def required_by_regex(condition: p.Call) -> KeywordClause | None:
    """Keywords of which a text contains one if it matches a regular expression; None if there are none."""
    where, what = condition.args
    if not isinstance(where, p.ColumnRef) or not isinstance(what, p.Const) or where.type != STRING:
        return None
    needs = regexes.translated(str(what.value or "")).needs
    return frozenset(Keyword(where.name, letters) for letters in needs) or None


def rarity(clause: KeywordClause) -> tuple[float, int]:
    """Sort key of clauses: long keywords are rarer than short ones, few keywords rarer than many."""
    return min((len(keyword.text) for keyword in clause), default=float("inf")), -len(clause)


def within_budget(wanted: Iterable[KeywordClause]) -> set[KeywordClause]:
    """The clauses within the limits on the letters of one clause and of all keywords."""
    found: set[KeywordClause] = set()
    known: set[Keyword] = set()
    letters = 0
    for size, clause in sorted(((_length(one), one) for one in wanted), key=lambda pair: (pair[0], sorted(pair[1]))):
        more = _length(clause - known)
        if size <= MAX_CLAUSE_LENGTH and letters + more <= MAX_TOTAL_LENGTH:
            letters += more
            known |= clause
            found.add(clause)
    return found


def _length(clause: Iterable[Keyword]) -> int:
    return sum(len(keyword.text) for keyword in clause if keyword.is_walked_for)
