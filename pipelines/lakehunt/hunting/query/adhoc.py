"""Ad-hoc KQL on the lake."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query import first_rows, row_limit, runtime_errors
from lakehunt.hunting.query.events_table import LakeSnapshot
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY, TableCatalog
from lakehunt.hunting.query.time_window import DEFAULT_PERIOD, limit_to_window
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import SchemaOf
from lakehunt.kql.errors import KqlError, QueryErrors
from lakehunt.kql.pruning import pruned
from lakehunt.kql.types import DECIMAL, REAL, Column, Schema, Type
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import bounded
from lakehunt.runtime.error_text import describe
from lakehunt.runtime.limits import LimitError, Limits
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.spark import discovery
from lakehunt.spark.plans import Context, compile_plan
from lakehunt.spark.values import as_json

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A query's result; `rows` are lists of JSON values: see `lakehunt.spark.values.as_json`.

    A decimal column has type real and JSON numbers, as in answers of Kusto's own engine. (`check` reports decimal.)"""

    schema: Schema
    rows: list[list[Any]]


@dataclass(frozen=True)
class Collected:
    """A query's result as Spark gives it: rows of engine types, see `lakehunt.spark.values`, and the types of Kusto."""

    schema: Schema
    rows: Sequence[tuple[Any, ...]]

    def answer(self) -> Answer:
        """The result as JSON values."""
        rows = [[cell(v, column.type) for v, column in zip(row, self.schema, strict=True)] for row in self.rows]
        return Answer(tuple(Column(c.name, REAL if c.type == DECIMAL else c.type) for c in self.schema), rows)


class _NeedsDataError(Exception):
    """The columns of the query depend on the data."""


def compile_first(text: str, tables: TableCatalog = EVENTS_ONLY) -> None:
    """Compiles a query without Spark, so that errors are reported at once. Raises QueryErrors.

    A query with a plugin whose columns depend on the data (`evaluate bag_unpack(...)`) passes: it is compiled when it
    runs."""

    def needs_data(source: p.Plan, op: s.Evaluate) -> Schema | None:
        if op.plugin.name in discovery.COLUMNS:
            raise _NeedsDataError
        return None

    with suppress(_NeedsDataError):
        tables.bind(text, needs_data)


def query(
    lake: Lake,
    text: str,
    as_of: int,
    period: int | None = None,
    tables: TableCatalog = EVENTS_ONLY,
    events: Callable[[], LakeSnapshot] | None = None,
    limits: Limits = Limits(),  # noqa: B008 (it is immutable)
) -> Answer:
    """The result of one query, as JSON values. Arguments and errors are those of `collect`."""
    return collect(lake, text, as_of, period, tables, events, limits).answer()


def collect(
    lake: Lake,
    text: str,
    as_of: int,
    period: int | None = None,
    tables: TableCatalog = EVENTS_ONLY,
    events: Callable[[], LakeSnapshot] | None = None,
    limits: Limits = Limits(),  # noqa: B008 (it is immutable)
    cut: bool = False,
    stop: threading.Event | None = None,
) -> Collected:
    """Runs one query on these tables as of an instant (ticks): it sees no later event, and `now()` returns it.

    `period` (ticks) limits a query without a time filter of its own; None means no limit. `events` opens the events
    that the query sees, by default those of all batches accepted so far. With `cut`, a result that has too many rows
    ends one row above its limit instead. `stop` cancels the query once it is set.
    Raises QueryErrors for an invalid or unsupported query, LimitError for one that takes too long or has too many rows,
    StoppedError for one that was cancelled, and LakehuntError for one at which Spark fails."""
    opened = cache(events or partial(LakeSnapshot, lake))
    context = tables.context(lake, as_of, opened)
    discovering = _discovering(context, as_of, period)

    def run() -> Collected:
        def is_earlier(scan: p.Scan) -> bool:
            return scan.table in BY_NAME and opened().are_until(scan, as_of)

        bound = tables.bind(text, discovering, period or DEFAULT_PERIOD)
        plan, _ = limit_to_window(bound, as_of, period, is_earlier)
        try:
            reading = first_rows.narrowed(pruned(plan), context, lambda scan: opened().span(scan))
            rows = row_limit.limited(compile_plan(reading, context), limits.rows).in_order()
            collected = rows.collect()
        except PySparkException as error:
            if (located := runtime_errors.locate(plan, error)) is not None:
                raise located from error
            raise
        if not cut:
            row_limit.checked(len(collected), limits.rows)
        return Collected(plan.schema, collected)

    try:
        return bounded.within(lake.spark, limits.seconds, "seconds", run, stop)
    except KqlError as error:
        raise QueryErrors(text, [error]) from error
    except (PySparkException, Py4JError) as error:
        raise LakehuntError(f"the query failed: {describe(error)}") from error


def _discovering(context: Context, as_of: int, period: int | None) -> SchemaOf:
    """A function that finds a plugin's result columns from the data."""

    def schema_of(source: p.Plan, op: s.Evaluate) -> Schema | None:
        find = discovery.COLUMNS.get(op.plugin.name)
        return find(compile_plan(limit_to_window(source, as_of, period)[0], context), op) if find else None

    return schema_of


def cell(value: Any, kind: Type) -> Any:
    """A collected value in its JSON form."""
    shown = as_json(value, kind)
    return _number(shown) if kind == DECIMAL else shown


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, (Decimal, str)) else value


def answer_lines(
    lake: Lake,
    lines: Iterable[str],
    as_of: int,
    period: int | None = None,
    tables: TableCatalog = EVENTS_ONLY,
    limits: Limits = Limits(),  # noqa: B008 (it is immutable)
) -> Iterator[JsonObject]:
    """Lines {"id", "query"} -> {"id", "columns", "rows"} or {"id", "error"}, one per line, in order."""
    events = cache(partial(LakeSnapshot, lake))  # the same for all lines
    for identifier, text in requests(lines):
        yield {"id": identifier} | _answered(partial(query, lake, text, as_of, period, tables, events, limits))


def _answered(run: Callable[[], Answer]) -> JsonObject:
    try:
        answer = run()
    except QueryErrors as errors:
        return {"error": error_object(errors)}
    except LimitError as error:
        return {"error": {"kind": "limit", "message": error.message, "hint": error.hint}}
    except Exception as error:  # noqa: BLE001 (a bad query must not keep later ones from being answered)
        return {"error": {"kind": "internal", "message": describe(error)}}
    return {"columns": [{"name": c.name, "type": c.type.name} for c in answer.schema], "rows": answer.rows}


def schema_lines(lines: Iterable[str], tables: TableCatalog = EVENTS_ONLY) -> Iterator[JsonObject]:
    """Lines {"id", "query"} -> {"id", "schema"} or {"id", "error"}; starts no JVM."""
    for identifier, text in requests(lines):
        try:
            plan = tables.bind(text)
        except QueryErrors as errors:
            yield {"id": identifier, "error": error_object(errors)}
        else:
            yield {"id": identifier, "schema": [{"name": c.name, "type": c.type.name} for c in plan.schema]}


def requests(lines: Iterable[str]) -> Iterator[tuple[Any, str]]:
    """The id and query of each line; blank lines are skipped.

    Raises LakehuntError with the line number for a line that is not a request."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            request = json.loads(line)
            yield request["id"], str(request["query"])
        except (ValueError, KeyError, TypeError) as error:
            raise LakehuntError(f"line {number} is not a request", 'write {"id": ..., "query": "..."}') from error


def error_object(errors: QueryErrors) -> JsonObject:
    """The first error of a query with its position; further errors under `more`."""
    objects = []
    for error in errors.errors:
        line, column = errors.place(error)
        found = {"kind": error.kind.value, "message": error.message, "line": line, "column": column}
        objects.append(found | ({"hint": error.hint} if error.hint else {}))
    return objects[0] | ({"more": objects[1:]} if objects[1:] else {})
