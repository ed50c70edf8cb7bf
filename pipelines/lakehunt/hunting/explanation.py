"""How a hunt will be run: its row-level predicates, and the plan over its hits. Needs no Spark session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehunt.hunting.compiled_hunt import CompiledHunt, query_period
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.incremental import decisions
from lakehunt.hunting.incremental.predicates import (
    FullScan,
    RowPredicate,
    RowPredicates,
    TablePredicates,
    extract_row_predicates,
)
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.query.time_window import DEFAULT_PERIOD, TimeWindow, limit_to_window
from lakehunt.kql import plan as p
from lakehunt.kql.errors import Span, line_and_column
from lakehunt.lake.delta_lake import Lake
from lakehunt.spark.plans import compile_plan


@dataclass(frozen=True)
class Explanation:
    """How a hunt will be run at one as-of.

    `why` is the reason for a full scan of its window, with the place in the hunt's file if there is one; None for an
    incremental hunt, which has `tables`, and `in_full`, the reason for each other event table of which it reads all
    events of its window, by the table's name."""

    hunt: Hunt
    window: TimeWindow
    why: str | None
    tables: tuple[ExplainedTable, ...]
    in_full: Mapping[str, str]
    plan: tuple[str, ...]
    exclusions: tuple[tuple[Exclusion, str], ...] = ()
    """Each with its state: on, off or expired."""


@dataclass(frozen=True)
class ExplainedTable:
    """An event table that the hunt reads. An event is a hit if it meets all conditions of one of the `alternatives`;
    `columns` are those that its hits have for the hunt.

    The conditions are only looked at for events with one of the `keywords`, as (column, text) in order; for every new
    event if these are None: no text has to occur."""

    name: str
    alternatives: tuple[tuple[ExplainedCondition, ...], ...]
    columns: tuple[str, ...]
    keywords: tuple[tuple[str, str], ...] | None


@dataclass(frozen=True)
class ExplainedCondition:
    """A condition on one event: its KQL, and whether the matcher decides it from the event's texts, or Spark evaluates
    it for each event that the matcher does not rule out."""

    text: str
    by_matcher: bool


def explain(compiled: CompiledHunt, as_of: int) -> Explanation:
    """How the hunt is run as of an instant (ticks)."""
    hunt = compiled.hunt
    how = extract_row_predicates(compiled.plan)
    plan, window = limit_to_window(compiled.plan, as_of, query_period(hunt))
    tables = tuple(_table(hunt, one) for one in how.tables.values()) if isinstance(how, RowPredicates) else ()
    why = _why(hunt, how) if isinstance(how, FullScan) else None
    in_full = {name: _why(hunt, one) for name, one in how.in_full.items()} if isinstance(how, RowPredicates) else {}
    states = tuple((one, one.state(as_of)) for one in hunt.exclusions)
    return Explanation(hunt, window, why, tables, in_full, tuple(_steps(hunt, plan, 0)), states)


@dataclass(frozen=True)
class ExplainedQuery:
    """How a query is answered: what it reads, of which time, and its steps. `columns` are those that it reads, by
    table; `as_hunt` says how it would be run as a hunt."""

    window: TimeWindow
    columns: Mapping[str, tuple[str, ...]]
    plan: tuple[str, ...]
    as_hunt: str


def of_query(text: str, tables: TableCatalog, as_of: int, period: int | None) -> ExplainedQuery:
    """How a query is answered as of an instant (ticks), if one without a time filter looks back for a period (ticks;
    None: without a limit). Raises QueryErrors."""
    hunt = Hunt("", "", text, Path("<query>"))
    bound = tables.bind(text, period=period or DEFAULT_PERIOD)
    plan, window = limit_to_window(bound, as_of, period)
    needed = p.all_needed(bound)
    read: dict[str, set[str]] = {}
    for step in p.distinct(bound):
        if isinstance(step, p.Scan):
            read.setdefault(step.table, set()).update(needed[id(step)])
    how = extract_row_predicates(bound)
    as_hunt = "incremental: every event is read once, after it landed"
    if isinstance(how, FullScan):
        as_hunt = f"every run reads all events of its window, because {_why(hunt, how)}"
    columns = {name: tuple(sorted(names)) for name, names in read.items()}
    return ExplainedQuery(window, columns, tuple(_steps(hunt, plan, 0)), as_hunt)


def _table(hunt: Hunt, predicates: TablePredicates) -> ExplainedTable:
    table = predicates.table
    alternatives = tuple(_conditions(hunt, one) for one in predicates.alternatives)
    columns = predicates.columns | (hunt.excluded_by & set(table.column_names))
    return ExplainedTable(table.name, alternatives, tuple(sorted(columns)), _keywords(predicates))


def _keywords(predicates: TablePredicates) -> tuple[tuple[str, str], ...] | None:
    """The keywords of which an event has one if it is a hit: those of the rarest clause."""
    required = decisions.of_predicates(predicates.alternatives).required
    return tuple(sorted({(one.column, one.text) for one in required[0]})) if required else None


def _why(hunt: Hunt, scan: FullScan) -> str:
    if scan.scan is None:
        return scan.why
    line, column = line_and_column(hunt.query, scan.scan.span.start)
    place = hunt.place(line, column)
    return f"{hunt.file}:{place.line}:{place.column}: {scan.why}"


def _conditions(hunt: Hunt, predicate: RowPredicate) -> tuple[ExplainedCondition, ...]:
    decided = [(condition, decisions.decision(condition).is_whole) for condition in predicate.conditions]
    first = sorted(decided, key=lambda pair: not pair[1])
    return tuple(ExplainedCondition(_text(hunt, condition.span), by_matcher) for condition, by_matcher in first)


def _text(hunt: Hunt, span: Span) -> str:
    """The KQL on one line; parentheses that the span cuts off are restored."""
    text = " ".join(hunt.query[span.start : span.end].split())
    missing = text.count(")") - text.count("(")
    return "(" * missing + text + ")" * -missing


def _steps(hunt: Hunt, plan: p.Plan, depth: int) -> Iterator[str]:
    """The plan, one line per step, sources indented."""
    yield "  " * depth + _step(hunt, plan)
    for source in p.sources(plan):
        yield from _steps(hunt, source, depth + 1)


def _is_window(plan: p.Filter) -> bool:
    """Whether the filter comes from the lookback window, not from the query text."""
    scans = (step for step in p.walk(plan) if isinstance(step, p.Scan))
    return any(plan.predicate.span == scan.span for scan in scans)


def _step(hunt: Hunt, plan: p.Plan) -> str:
    name = type(plan).__name__
    if isinstance(plan, p.Scan):
        return f"{name} {plan.table}"
    if isinstance(plan, p.Filter):
        return f"{name} {_text(hunt, plan.predicate.span)}" if not _is_window(plan) else f"{name} to the window"
    if isinstance(plan, p.Summarize):
        made = ", ".join(a.function for a in plan.aggregates)
        return f"{name} {made} by {', '.join(key for key, _ in plan.keys) or 'nothing'}"
    if isinstance(plan, p.Join):
        return f"{name} {plan.kind} on {', '.join(left for left, _ in plan.keys)}"
    return f"{name} -> {_short(plan.names)}"


def _short(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def spark_plan(lake: Lake, compiled: CompiledHunt, as_of: int, tables: TableCatalog) -> str:
    """Spark's formatted physical plan for the whole query over the lake's events."""
    plan, _ = limit_to_window(compiled.plan, as_of, query_period(compiled.hunt))
    frame = compile_plan(plan, tables.context(lake, as_of)).in_order()
    mode = lake.spark._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("formatted")  # type: ignore[union-attr]
    return str(frame._jdf.queryExecution().explainString(mode))
