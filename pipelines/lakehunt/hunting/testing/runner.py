"""Runs the tests of hunts: each on a table that contains only its own events, in the same way as a real run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import isclose
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import compiled_hunt, prefixes
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.query import exclusion_marks, external_data
from lakehunt.hunting.query.adhoc import cell
from lakehunt.hunting.query.events_table import EventsSnapshot, utc_day
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.query.time_window import limit_to_window
from lakehunt.hunting.testing import cases, given_lookups
from lakehunt.hunting.testing.cases import MATCH, NO_MATCH, SUPPRESSED, Case, Example, Row
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import (
    DATETIME,
    DYNAMIC,
    TICKS_PER_HOUR,
    TICKS_PER_MICROSECOND,
    TICKS_PER_SECOND,
    TIMESPAN,
    Column,
    Schema,
    Type,
)
from lakehunt.lake.delta_lake import Lake, few_rows
from lakehunt.runtime.error_text import in_one_line
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.registered_tables import RegisteredTable
from lakehunt.spark import trace
from lakehunt.spark.expressions import INGESTED, column
from lakehunt.spark.plans import compile_plan
from lakehunt.spark.relations import Context, Relation

DEVICE = ("device-1", "device-1.contoso.example")
"""Id and name of the device of an event that names none."""

_FAILURES = (LakehuntError, PySparkException, Py4JError, RecursionError, ArithmeticError)


@dataclass(frozen=True)
class CaseResult:
    """The result of one test; `differences` is empty if it passed."""

    case: Case
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class TestedHunt:
    """A hunt and its tests; `problem` is the reason if they could not be read."""

    hunt: Hunt
    outcomes: tuple[CaseResult, ...] = ()
    problem: str = ""


def read(hunts: Sequence[Hunt], tables: TableCatalog) -> Iterator[tuple[Hunt, tuple[Case, ...] | str]]:
    """Each hunt with its tests, or with the problem of reading them. Needs no Spark session."""
    for hunt in hunts:
        try:
            yield hunt, cases.load(hunt, tables)
        except (LakehuntError, QueryErrors) as error:
            yield hunt, cases.problem(error, hunt)


def run_all(
    lake: Lake, hunts: Sequence[tuple[Hunt, tuple[Case, ...] | str]], tables: TableCatalog, say: Callable[[str], None]
) -> list[TestedHunt]:
    """Runs the tests of all hunts."""
    tested = []
    with codegen(lake.spark, on=False):  # there are few rows
        for hunt, found in hunts:
            if isinstance(found, str):
                tested.append(TestedHunt(hunt, problem=found))
                continue
            if found:
                say(f"testing: {hunt.name}")
            tested.append(TestedHunt(hunt, tuple(run(lake, hunt, case, tables) for case in found)))
    return tested


def run(lake: Lake, hunt: Hunt, case: Case, tables: TableCatalog) -> CaseResult:
    """Runs one test."""
    try:
        return CaseResult(case, tuple(_differences(case, *_result(lake, hunt, case, tables))))
    except _FAILURES as error:
        return CaseResult(case, (f"the hunt fails: {in_one_line(error)}",))


@dataclass(frozen=True)
class _Given:
    """A row of the result as JSON values, and the events behind it."""

    values: Mapping[str, Any]
    evidence: frozenset[str]


def _result(lake: Lake, hunt: Hunt, case: Case, tables: TableCatalog) -> tuple[Schema, list[_Given], set[str]]:
    """The rows of the hunt's result, and the events that exclusions suppressed."""
    compiled = compiled_hunt.compile_hunt(hunt, tables)
    plan, _ = limit_to_window(compiled.plan, case.as_of, compiled_hunt.query_period(hunt))
    with prefixes.materialized_prefixes(plan, _context(lake, case, tables)) as passed:
        relation = compile_plan(plan, passed.context)
        shown = [column(c.name) for c in plan.schema]
        behind = column(trace.TRACE)["evidence"]["event_id"] if relation.traced else F.array().cast("array<string>")
        rows = relation.frame.orderBy(*relation.orderings).select(*shown, behind.alias("$$behind")).collect()
        excluded = exclusion_marks.events_of(passed.excluded)
        kept_out = {row.event_id for row in excluded.select("event_id").collect()} if excluded is not None else set()
    types = [c.type for c in plan.schema]
    given = [
        _Given(
            {c.name: cell(v, kind) for c, v, kind in zip(plan.schema, row[:-1], types, strict=True)},
            frozenset(row[-1] or ()),
        )
        for row in rows
    ]
    return plan.schema, given, kept_out


# The tables of a test


def _context(lake: Lake, case: Case, tables: TableCatalog) -> Context:
    @cache
    def events(table: EventTable) -> EventsSnapshot:
        stored = {c.name: c.type for c in table.events.columns}
        rows = [_stored(case, one, place) for place, one in enumerate(case.examples) if one.table is table]
        return EventsSnapshot(table, few_rows(lake.spark, stored, rows), (), 0)

    def scan(plan: p.Scan) -> Relation:
        if plan.table in BY_NAME:
            found = events(BY_NAME[plan.table]).scan(plan, traced=True)
            return exclusion_marks.tag_exclusions(plan.table, found, case.exclusions, context)
        if plan.table in tables.registered:
            return _rows_of(tables.registered[plan.table], case, context)
        return given_lookups.relation(tables.lookups[plan.table], plan, case, events, context)

    context = Context(lake.spark, case.as_of, scan, partial(external_data.relation, lake, tables.copies))
    return context


def _stored(case: Case, example: Example, place: int) -> tuple[Any, ...]:
    """The event as stored in its events table. Default times start an hour before the as-of, one second apart."""
    table = example.table
    columns = {**_defaults(table, case.as_of - TICKS_PER_HOUR + place * TICKS_PER_SECOND, place + 1), **example.columns}
    time, *same = table.times
    at = columns[time]
    columns = dict.fromkeys(same, at) | columns
    types = {c.name: c.type for c in table.kql_schema}
    made = {name: _as_stored(value, types[name]) for name, value in columns.items()}
    made |= {
        "tick_digits": {name: (columns.get(name) or 0) % TICKS_PER_MICROSECOND for name in table.datetime_names},
        "event_id": example.event_id,
        "event_date": utc_day(at),
        "landed_at": times.to_datetime(at),
    }
    return tuple(made.get(name) for name in table.events.column_names)


def _defaults(table: EventTable, at: int, number: int) -> dict[str, Any]:
    """The columns of an event that an example need not write."""
    kinds = {name: values[0] for name, values in table.known_values.items()}
    device = dict(zip((table.device_id, table.device_name), DEVICE, strict=True))
    return {table.times[0]: at, table.sequence: number, "Type": table.name, **device, **kinds}


def _as_stored(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    if kind == DATETIME:
        return times.to_datetime(value)
    return json.dumps(value) if kind == DYNAMIC and not isinstance(value, str) else value


def _rows_of(table: RegisteredTable, case: Case, context: Context) -> Relation:
    if table.name not in case.tables:
        hint = f"add them to the test, under tables: {{{table.name}: [...]}}"
        raise LakehuntError(f"the hunt reads {table.name}, but the test gives no rows for it", hint)
    rows = tuple(tuple(row.get(c.name) for c in table.columns) for row in case.tables[table.name])
    relation = compile_plan(p.Values(table.columns, rows), context)
    ingested = relation.frame.withColumn(INGESTED, F.lit(None).cast("bigint"))
    return Relation(ingested, relation.schema)


# What is as expected, and what is not


def _differences(case: Case, schema: Schema, rows: Sequence[_Given], kept_out: set[str]) -> Iterator[str]:
    behind = {event: row for row in rows for event in row.evidence}
    for example in (one for one in case.examples if one.kind in _WRONG):
        row = behind.get(example.event_id)
        if wrong := _WRONG[example.kind](row, example.event_id in kept_out):
            shown = f": {_shown(row.values)}" if row else ""
            types = {c.name: c.type for c in example.table.kql_schema}
            yield f"{example.event_id} {_shown(example.columns, types)} {wrong}{shown}"
    if case.rows is not None:
        yield from _row_differences(case.rows, rows, {c.name: c for c in schema})


_WRONG: dict[str, Callable[[_Given | None, bool], str]] = {
    MATCH: lambda row, kept_out: "" if row else "is kept out by an exclusion" if kept_out else "is in no row",
    NO_MATCH: lambda row, kept_out: "is in a row" if row else "",
    SUPPRESSED: lambda row, kept_out: (
        "is in a row" if row else "" if kept_out else "does not pass the hunt's filters, so nothing keeps it out"
    ),
}
"""The problem with an event by kind, given the row that it is in and whether an exclusion suppressed it."""


def _row_differences(wanted: Sequence[Row], rows: Sequence[_Given], columns: Mapping[str, Column]) -> Iterator[str]:
    """Expected rows without a matching result row, and result rows without an expected one (one-to-one matching)."""
    expected = [{name: _as_json(value, columns[name].type) for name, value in row.items()} for row in wanted]
    fits = [[n for n, row in enumerate(rows) if _fits(one, row.values)] for one in expected]
    matched: dict[int, int] = {}
    for number in range(len(expected)):
        _assign(number, fits, matched, set())
    missing = set(range(len(expected))) - set(matched.values())
    yield from (f"- expected {_shown(expected[number])}" for number in sorted(missing))
    yield from (f"+ found    {_shown(row.values)}" for n, row in enumerate(rows) if n not in matched)


def _assign(number: int, fits: Sequence[Sequence[int]], matched: dict[int, int], tried: set[int]) -> bool:
    """Finds a result row for an expected row, reassigning others if necessary (Kuhn's matching algorithm)."""
    for row in fits[number]:
        if row not in tried:
            tried.add(row)
            if row not in matched or _assign(matched[row], fits, matched, tried):
                matched[row] = number
                return True
    return False


def _fits(expected: Row, row: Row) -> bool:
    return all(_same(value, row[name]) for name, value in expected.items())


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, (int, float)) and not isinstance(found, bool):
        return isclose(expected, found, rel_tol=1e-9)
    return bool(expected == found)


def _as_json(value: Any, kind: Type) -> Any:
    """An expected value in the result's JSON form."""
    if value is None:
        return None
    if kind == DATETIME:
        return times.format_datetime(value)
    return times.format_timespan(value) if kind == TIMESPAN else value


def _shown(row: Row, types: Mapping[str, Type] | None = None) -> str:
    values = {name: _as_json(value, types[name]) if types else value for name, value in row.items()}
    return "{" + ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()) + "}"
