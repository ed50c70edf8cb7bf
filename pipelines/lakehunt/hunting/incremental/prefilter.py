"""Finds which events are hits of which hunts: evaluates the row predicates of all hunts in one scan of the events.

1. The keywords of all hunts are searched in an event's texts at once, and decide most hunts (see decisions.py). Nearly
   all events are a hit of none; no other column of theirs is read.
2. What texts cannot decide is evaluated by Spark, for each event that is left and only for the hunts that it may be
   a hit of. These conditions are interpreted: no code is generated for them, so their number is not limited by the size
   of a method of the JVM, and planning a pass costs little more for a thousand hunts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame

from lakehunt.hunting.incremental import decisions, keywords
from lakehunt.hunting.incremental.decisions import Decision
from lakehunt.hunting.incremental.matcher import Counts, Matcher
from lakehunt.hunting.incremental.predicates import RowPredicate
from lakehunt.hunting.query import events_table
from lakehunt.hunting.query.events_table import any_of
from lakehunt.kql import plan as p
from lakehunt.schemas.event_table import EventTable
from lakehunt.spark.columns import F
from lakehunt.spark.expressions import column
from lakehunt.spark.relations import Context

HUNTS = "$$hunts"
_DECIDED = "$$decided"


@dataclass(frozen=True)
class HuntFilter:
    """How the events are found that are hits of a hunt. `undecided` is the condition that Spark evaluates on an event
    for which the decision is maybe; None: such an event is a hit."""

    decision: Decision
    undecided: Column | None


@dataclass(frozen=True)
class PrefilterResult:
    """The hits, each with `$$hunts`, an ARRAY<INT> of the hunts' places; `counts()` says what was decided, once the
    frame has been written."""

    frame: DataFrame
    counts: Callable[[], Counts]


def hunt_filters(
    table: EventTable, hunts: Sequence[Sequence[RowPredicate]], context: Context
) -> list[HuntFilter | Exception]:
    """A filter for each hunt, or why there is none. An event of the table is a hit if it meets one of the hunt's
    predicates."""
    made = [_decided(predicates) for predicates in hunts]
    wanted = {clause for one in made if isinstance(one, Decision) for clause in one.clauses}
    searched = keywords.within_budget(wanted)
    columns = {c.name: c for c in table.kql_schema}
    compile_ = context.expressions(resolve=lambda name: events_table.kql_value(columns[name])).compile
    return [
        one if isinstance(one, Exception) else _filter(one.within(searched), predicates, searched, compile_)
        for one, predicates in zip(made, hunts, strict=True)
    ]


def _decided(predicates: Sequence[RowPredicate]) -> Decision | Exception:
    try:
        return decisions.of_predicates(predicates)
    except Exception as error:  # noqa: BLE001 (other hunts go on)
        return error


def _filter(
    decision: Decision,
    predicates: Sequence[RowPredicate],
    searched: set[keywords.KeywordClause],
    compile_: Callable[[p.Expr], Column],
) -> HuntFilter | Exception:
    if decision.is_whole:
        return HuntFilter(decision, None)
    try:
        alternatives = [_undecided(one, len(predicates) == 1, searched) for one in predicates]
        return HuntFilter(decision, any_of(_all(map(compile_, terms)) for terms in alternatives))
    except Exception as error:  # noqa: BLE001 (other hunts go on)
        return error


def _undecided(predicate: RowPredicate, is_only_one: bool, searched: set[keywords.KeywordClause]) -> list[p.Expr]:
    """The conditions of a predicate that texts do not decide. Of several predicates, all conditions: those that an
    event meets by its texts must belong to the same predicate."""
    terms = [term for condition in predicate.conditions for term in p.terms(condition, "and")]
    if not is_only_one:
        return terms
    return [term for term in terms if not decisions.decision(term).within(searched).is_whole]


def _all(conditions: Iterable[Column]) -> Column:
    return reduce(lambda a, b: a & b, conditions, F.lit(True))


def apply_prefilters(frame: DataFrame, hunts: Sequence[HuntFilter]) -> PrefilterResult:
    """The events of a frame that are hits of any hunt."""
    matcher = Matcher(frame.sparkSession, [one.decision for one in hunts])
    left = frame.withColumn(_DECIDED, matcher.column).filter(column(_DECIDED).isNotNull())
    # `observe` is a whole-stage-codegen boundary. Without it one generated method would exceed hugeMethodLimit, and
    # Spark would fall back to copying every column of every event.
    left = left.observe(_DECIDED, F.count(F.lit(1)).alias("events"))
    undecided = [(place, one.undecided) for place, one in enumerate(hunts) if one.undecided is not None]
    found = column(_DECIDED)
    if undecided:
        met = F.filter(found, lambda hunt: (hunt >= 0) | _of_hunt(F.lit(-1) - hunt, undecided))
        found = F.transform(met, lambda hunt: F.greatest(hunt, F.lit(-1) - hunt))
    # A non-deterministic expression: otherwise Spark might evaluate it once for each time that it is mentioned.
    once = left.withColumn(HUNTS, F.when(F.monotonically_increasing_id() >= 0, found)).drop(_DECIDED)
    return PrefilterResult(once.filter(F.size(column(HUNTS)) > 0), matcher.counts)


def _of_hunt(hunt: Column, conditions: Sequence[tuple[int, Column]]) -> Column:
    """The condition of a hunt, found by halves. Spark interprets functions of arrays, and this inside of them."""
    if len(conditions) == 1:
        return conditions[0][1]
    half = len(conditions) // 2
    first, others = conditions[:half], conditions[half:]
    return F.when(hunt < others[0][0], _of_hunt(hunt, first)).otherwise(_of_hunt(hunt, others))
