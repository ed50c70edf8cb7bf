"""Finds which events are hits of which hunts: evaluates the row predicates of all hunts in one scan of the events.

Cheap and shared work comes first, so that a hundred hunts cost little more than ten:

1. Conditions on columns with few values (`EventTable.few_values`: file names and lineage) are evaluated once per
   distinct key, the combination of these: millions of events have thousands of keys. Only hunts that accept an event's
   key evaluate the event further.
2. The keywords of these hunts are searched in its texts, all at once (see keywords.py). Few events remain.
3. Text is folded (see `functions/text.py`) once per column, not once per condition.
4. Of the remaining conditions, cheap ones are evaluated before expensive ones.

The hunts that an event is a hit of are a bit mask: a BIGINT per `HUNTS_PER_MASK` hunts. No expression that computes a
mask is too large for the JVM to compile (see `runtime/session.py`, hugeMethodLimit)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.hunting.incremental import keywords
from lakehunt.hunting.incremental.predicates import RowPredicate, shape
from lakehunt.hunting.query import events_table
from lakehunt.hunting.query.events_table import any_of
from lakehunt.kql import plan as p
from lakehunt.kql import regexes
from lakehunt.kql.types import STRING
from lakehunt.runtime.checkpoint import materialize
from lakehunt.schemas.event_table import EventTable
from lakehunt.spark.expressions import column
from lakehunt.spark.functions import text
from lakehunt.spark.relations import Context

MAX_BROADCAST_KEYS = 200_000
"""Up to this many keys are broadcast; more are joined like any other table."""

HUNTS_PER_MASK = 32
"""Hunts that share a mask. Fewer make smaller generated methods, more make fewer columns."""

T = TypeVar("T")

HUNTS = "$$hunts"
_FOLDED = "$$folded "
_MASK = "$$mask"
_CANDIDATES = "$$suspected"
_KEY_PREFIX = "$$tuple "


@dataclass(frozen=True)
class PrefilterResult:
    """The hits, each with `$$hunts`, an ARRAY<INT> of the hunts' indexes; and how many events were scanned."""

    frame: DataFrame
    events: int


def apply_prefilters(
    table: EventTable, frame: DataFrame, hunts: Sequence[Sequence[RowPredicate]], context: Context
) -> PrefilterResult:
    """The events of a frame of this table that are hits of any hunt; an event must meet one of a hunt's predicates."""
    key = table.few_values
    groups = _grouped([[_KeyAndEventPredicates.of(predicate, key) for predicate in predicates] for predicates in hunts])
    narrowed = [group for group in groups if group.is_narrowed]
    if narrowed:
        frame, count = _join_keys(key, frame, narrowed, len(narrowed) == len(groups), context)
    else:
        count = frame.count()
    masked = _with_masks(table, _candidates(frame, groups), groups, context)
    return PrefilterResult(_with_hunts(masked, groups), count)


@dataclass(frozen=True)
class _KeyAndEventPredicates:
    """A row predicate: conditions on the key, and the others, cheap ones first; both on folded text."""

    of_key: tuple[p.Expr, ...]
    of_event: tuple[p.Expr, ...]

    @staticmethod
    def of(predicate: RowPredicate, key: Collection[str]) -> _KeyAndEventPredicates:
        terms = [folded(term) for condition in predicate.conditions for term in p.terms(condition, "and")]
        of_key = [term for term in terms if is_of_key(term, key)]
        rest = sorted((term for term in terms if not is_of_key(term, key)), key=lambda t: (cost(t), -_longest(t)))
        return _KeyAndEventPredicates(tuple(of_key), tuple(rest))


def is_of_key(term: p.Expr, key: Collection[str]) -> bool:
    """Whether a condition, folded or not, reads columns of the key only."""
    return bool(key) and {stored_name(name) for name in p.references(term)} <= set(key)


def _has_key_predicates(predicates: Iterable[_KeyAndEventPredicates]) -> bool:
    """Whether the key alone can rule an event out."""
    return all(predicate.of_key for predicate in predicates)


@dataclass(frozen=True)
class _Group:
    """Hunts that share a mask, with their indexes."""

    number: int
    hunts: Sequence[tuple[int, list[_KeyAndEventPredicates]]]

    @property
    def is_narrowed(self) -> bool:
        return all(_has_key_predicates(predicates) for _, predicates in self.hunts)

    @property
    def mask(self) -> str:
        return f"{_MASK}{self.number}"

    @property
    def key_mask(self) -> str:
        """The mask of hunts whose key conditions the event meets."""
        return f"{_MASK}_of_tuple{self.number}"

    @property
    def candidates(self) -> Column:
        """The mask of those hunts whose keywords occur in the event."""
        return column(_CANDIDATES)[self.number]

    def event_conditions(self, predicates: Sequence[_KeyAndEventPredicates]) -> list[tuple[p.Expr, ...]]:
        """The conditions still to be evaluated on an event, for each of a hunt's predicates.

        With a single predicate, its key conditions are known to be met; with several, key and event conditions must be
        met by the same one."""
        key_met = self.is_narrowed and len(predicates) == 1
        return [predicate.of_event if key_met else (*predicate.of_key, *predicate.of_event) for predicate in predicates]

    def bits(self, condition: Callable[[int, list[_KeyAndEventPredicates]], Column]) -> Column:
        """A BIGINT with a bit for each hunt whose condition is true, given its bit and its predicates."""
        set_ = [
            F.when(condition(bit, predicates), F.lit(1 << bit)).otherwise(F.lit(0)).cast("bigint")
            for bit, (_, predicates) in enumerate(self.hunts)
        ]
        return _balanced(set_, lambda a, b: a.bitwiseOR(b))


def _grouped(hunts: Sequence[list[_KeyAndEventPredicates]]) -> list[_Group]:
    """Hunts with similar key conditions share a mask, so that most masks of an event are zero."""
    narrowed = [place for place, predicates in enumerate(hunts) if _has_key_predicates(predicates)]
    alike = sorted(narrowed, key=lambda place: repr([shape(t) for f in hunts[place] for t in f.of_key]))
    others = [place for place in range(len(hunts)) if place not in set(narrowed)]
    shared = [*_chunks(alike, HUNTS_PER_MASK), *_chunks(others, HUNTS_PER_MASK)]
    return [_Group(number, [(place, hunts[place]) for place in places]) for number, places in enumerate(shared)]


def _chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


# Keys


def _join_keys(
    key: Sequence[str], frame: DataFrame, groups: Sequence[_Group], only: bool, context: Context
) -> tuple[DataFrame, int]:
    """The events with the masks of their keys, and how many were read; `only` drops events whose masks are zero."""
    keys = [F.coalesce(F.col(name), F.lit("")).alias(name) for name in key]
    distinct_keys = frame.select(*keys).groupBy(*key).count()
    compile_ = _compiler(context, column)
    folds = _folds(t for g in groups for _, predicates in g.hunts for f in predicates for t in f.of_key)
    staged = _with_folded(distinct_keys, dict.fromkeys(sorted(folds), F.lit(True)))
    masks = {
        g.key_mask: g.bits(lambda _, predicates: any_of(_all(map(compile_, f.of_key)) for f in predicates))
        for g in groups
    }
    known = staged.withColumns(masks).select(*(column(n).alias(_KEY_PREFIX + n) for n in key), "count", *masks)
    # Few rows that are read twice: without this, Spark would scan all events again
    known = materialize(known)
    count, size = known.agg(F.sum("count"), F.count_if(_some(masks))).collect()[0]
    left = known.filter(_some(masks)).drop("count")
    matches = [F.coalesce(F.col(name), F.lit("")) == column(_KEY_PREFIX + name) for name in key]
    joined = frame.join(F.broadcast(left) if size <= MAX_BROADCAST_KEYS else left, matches, "inner" if only else "left")
    return joined, count or 0


def _some(masks: Iterable[str]) -> Column:
    return any_of(column(mask) != 0 for mask in masks)


# The events


def _candidates(frame: DataFrame, groups: Sequence[_Group]) -> DataFrame:
    """The events that may be hits by key and keywords, with the masks of their hunts."""
    predicates = [
        keywords.KeywordPlan(
            tuple(clause for term in predicate.of_event for clause in keywords.keyword_clauses(term, stored_name)),
            group.number,
            bit,
        )
        for group in groups
        for bit, (_, alternatives) in enumerate(group.hunts)
        for predicate in alternatives
    ]
    every = F.lit((1 << HUNTS_PER_MASK) - 1)
    masks = [F.coalesce(column(one.key_mask), F.lit(0)) if one.is_narrowed else every for one in groups]
    made = keywords.surviving_hunts(frame.sparkSession, predicates, [mask.cast("bigint") for mask in masks])
    left = frame.withColumn(_CANDIDATES, made).filter(column(_CANDIDATES).isNotNull())
    # `observe` is a whole-stage-codegen boundary. Without it one generated method would exceed hugeMethodLimit, and
    # Spark would fall back to copying every column of every event.
    return left.observe(_CANDIDATES, F.count(F.lit(1)).alias("events"))


def _with_masks(table: EventTable, frame: DataFrame, groups: Sequence[_Group], context: Context) -> DataFrame:
    """The hits, with the mask of each group."""
    columns = {c.name: c for c in table.kql_schema}
    compile_ = _compiler(context, lambda name: events_table.kql_value(columns[name]))
    staged = _with_folded(frame, _folded_columns(groups))

    def is_hit(group: _Group, predicates: list[_KeyAndEventPredicates]) -> Column:
        return any_of(_all(map(compile_, conditions)) for conditions in group.event_conditions(predicates))

    def mask(group: _Group) -> Column:
        left = group.candidates
        bits = group.bits(lambda bit, predicates: (left.bitwiseAND(F.lit(1 << bit)) != 0) & is_hit(group, predicates))
        return F.when(left != 0, bits).otherwise(F.lit(0).cast("bigint"))

    masks = F.struct(*(mask(group).alias(group.mask) for group in groups))
    # A non-deterministic expression: otherwise Spark would push the filter below the projection and evaluate it twice.
    once = staged.withColumn(_MASK, F.when(F.monotonically_increasing_id() >= 0, masks))
    return once.filter(any_of(column(_MASK)[group.mask] != 0 for group in groups))


def _folded_columns(groups: Sequence[_Group]) -> dict[str, Column]:
    """The folded columns that groups read, each with the condition that an event is a candidate of one of them."""
    wanted: dict[str, list[_Group]] = {}
    for group in groups:
        conditions = (terms for _, predicates in group.hunts for terms in group.event_conditions(predicates))
        for name in _folds(term for terms in conditions for term in terms):
            wanted.setdefault(name, []).append(group)
    return {name: any_of(group.candidates != 0 for group in readers) for name, readers in sorted(wanted.items())}


def _with_hunts(frame: DataFrame, groups: Sequence[_Group]) -> DataFrame:
    places = [
        F.when(column(_MASK)[group.mask].bitwiseAND(F.lit(1 << bit)) != 0, F.lit(place))
        for group in groups
        for bit, (place, _) in enumerate(group.hunts)
    ]
    hidden = [name for name in frame.columns if name.startswith(p.HIDDEN)]
    return frame.withColumn(HUNTS, F.array_compact(F.array(*places))).drop(*hidden)


def _compiler(context: Context, resolve: Callable[[str], Column]) -> Callable[[p.Expr], Column]:
    def resolved(name: str) -> Column:
        return column(name) if name.startswith(p.HIDDEN) else resolve(name)

    return context.expressions(resolve=resolved).compile


def _all(conditions: Iterable[Column]) -> Column:
    """Conjunction in the given order: evaluation stops at the first condition that is not true."""
    return reduce(lambda a, b: a & b, conditions, F.lit(True))


def _balanced(parts: Sequence[Column], join: Callable[[Column, Column], Column]) -> Column:
    """Joins the parts as a balanced tree: a chain of hundreds would overflow the stack of Spark's optimizer."""
    while len(parts) > 1:
        parts = [reduce(join, pair) for pair in _chunks(parts, 2)]
    return parts[0]


# Folded text


def folded(expr: p.Expr) -> p.Expr:
    """The same condition on folded columns: `has` of a column and a constant becomes `has_cs` of both, folded."""
    return p.transformed(expr, _folded)


def _folded(part: p.Expr) -> p.Expr:
    if not isinstance(part, p.Call):
        return part
    if part.function in _EXACT_LISTS and _are_exact(part.args):
        return replace(part, function=_EXACT_LISTS[part.function])
    if part.function == "matches regex":
        return _with_required_words(part)
    if part.function not in _EXACT:
        return part
    where, what = part.args
    if isinstance(where, p.Call) and where.function == "tolower":
        where = where.args[0]  # folded anyway
    if not isinstance(where, p.ColumnRef) or not isinstance(what, p.Const) or where.type != STRING:
        return part
    searched = replace(what, value=text.fold(str(what.value or "")))
    return replace(part, function=_EXACT[part.function], args=(replace(where, name=_FOLDED + where.name), searched))


def _with_required_words(part: p.Call) -> p.Expr:
    """A regex match that is only evaluated if the text contains the words that it requires."""
    where, what = part.args
    if not isinstance(where, p.ColumnRef) or not isinstance(what, p.Const) or where.type != STRING:
        return part
    needs = regexes.translated(str(what.value or "")).needs
    within = replace(where, name=_FOLDED + where.name)
    required = [replace(part, function="contains_cs", args=(within, replace(what, value=text))) for text in needs]
    either = reduce(lambda a, b: replace(part, function="or", args=(a, b)), required) if required else None
    return replace(part, function="and", args=(either, part)) if either else part


_EXACT = {"=~": "==", "!~": "!="} | {f"{n}{op}": f"{n}{op}_cs" for n in ("", "!") for op in text.SEARCHES}
"""Each case-insensitive operator and its case-sensitive counterpart."""

_EXACT_LISTS = {"in~": "in", "!in~": "!in"}


def _are_exact(args: Iterable[p.Expr]) -> bool:
    """Whether all comparisons of a list are on folded text."""
    return all(isinstance(arg, p.Call) and arg.function == "==" for arg in args)


def _with_folded(frame: DataFrame, terms: Mapping[str, Column]) -> DataFrame:
    """The frame with folded columns, each computed where its condition holds."""
    return frame.withColumns({name: F.when(when, text.folded(_text(name))) for name, when in terms.items()})


def _text(name: str) -> Column:
    return F.coalesce(F.col(stored_name(name)), F.lit(""))


def stored_name(name: str) -> str:
    """The stored column of a name, folded or not."""
    return name.removeprefix(_FOLDED)


def _folds(terms: Iterable[p.Expr]) -> set[str]:
    """Names of the folded columns that conditions read."""
    return {name for term in terms for name in p.references(term) if name.startswith(_FOLDED)}


# Costs


def cost(term: p.Expr) -> int:
    """Approximate cost of a condition for one event, in nanoseconds: only the order matters."""
    return sum(_COSTS.get(part.function, _OTHER) for part in p.parts(term) if isinstance(part, p.Call))


def _longest(term: p.Expr) -> int:
    """Letters of the longest text that a condition searches: long texts are rarer than short ones."""
    texts = (part.value for part in p.parts(term) if isinstance(part, p.Const) and isinstance(part.value, str))
    return max(map(len, texts), default=0)


_OTHER = 1_000
_COSTS = {
    **dict.fromkeys(["and", "or", "not"], 1),
    **dict.fromkeys(["==", "!=", "<", "<=", ">", ">=", "isempty", "isnotempty", "isnull", "isnotnull"], 10),
    **dict.fromkeys(["in", "!in"], 30),
    **{f"{n}{op}_cs": 20 for n in ("", "!") for op in ("startswith", "endswith")},
    **{f"{n}contains_cs": 150 for n in ("", "!")},
    **{f"{n}{op}_cs": 200 for n in ("", "!") for op in ("has", "hasprefix", "hassuffix")},
    **dict.fromkeys(_EXACT, 300),
    "strlen": 100,
    "matches regex": 5_000,
}
