"""Ad-hoc KQL on the lake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from pipelines.errors import LakehuntError
from pipelines.hunting import events
from pipelines.hunting.window import within
from pipelines.kql.binder import bind
from pipelines.kql.errors import QueryErrors
from pipelines.kql.types import Schema
from pipelines.lake.tables import Lake
from pipelines.spark.functions import CATALOG
from pipelines.spark.relations import Context, compile_plan
from pipelines.spark.values import as_json

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A query's result; `rows` are lists of JSON values: see `pipelines.spark.values.as_json`."""

    schema: Schema
    rows: list[list[Any]]


def query(lake: Lake, text: str, as_of: int, period: int | None = None) -> Answer:
    """Runs one query as of an instant (ticks): it sees no event after that, and `now()` is that.

    `period` (ticks) limits a query without a time filter of its own; None lets it see everything before.
    Raises QueryErrors for a query that is refused."""
    plan, _ = within(bind(text, events.KQL_TABLES, CATALOG), as_of, period)
    relation = compile_plan(plan, Context(lake.spark, as_of, events.scanner(lake)))
    kinds = [c.type for c in plan.schema]
    rows = [[as_json(v, kind) for v, kind in zip(row, kinds, strict=True)] for row in relation.in_order().collect()]
    return Answer(plan.schema, rows)


def answer_lines(lake: Lake, lines: Iterable[str], as_of: int, period: int | None = None) -> Iterator[JsonObject]:
    """Lines {"id", "query"} -> {"id", "columns", "rows"} or {"id", "error"}, one for one."""
    for identifier, text in requests(lines):
        yield {"id": identifier} | _answered(lake, text, as_of, period)


def _answered(lake: Lake, text: str, as_of: int, period: int | None) -> JsonObject:
    try:
        answer = query(lake, text, as_of, period)
    except QueryErrors as errors:
        return {"error": error_object(errors)}
    except (LakehuntError, PySparkException, Py4JError, RecursionError, ArithmeticError, ValueError) as error:
        return {"error": {"kind": "internal", "message": str(error)}}
    return {"columns": [{"name": c.name, "type": c.type.name} for c in answer.schema], "rows": answer.rows}


def schema_lines(lines: Iterable[str]) -> Iterator[JsonObject]:
    """Lines {"id", "query"} -> {"id", "schema"} or {"id", "error"}; starts no JVM."""
    for identifier, text in requests(lines):
        try:
            plan = bind(text, events.KQL_TABLES, CATALOG)
        except QueryErrors as errors:
            yield {"id": identifier, "error": error_object(errors)}
        else:
            yield {"id": identifier, "schema": [{"name": c.name, "type": c.type.name} for c in plan.schema]}


def requests(lines: Iterable[str]) -> Iterator[tuple[Any, str]]:
    """The id and query of each line; blank lines are passed over.

    Raises LakehuntError, with its number, at a line that is none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            request = json.loads(line)
            yield request["id"], str(request["query"])
        except (ValueError, KeyError, TypeError) as error:
            raise LakehuntError(f"line {number} is not a request", 'write {"id": ..., "query": "..."}') from error


def error_object(errors: QueryErrors) -> JsonObject:
    """The first error of a query, with its place; the others as `more`."""
    objects = []
    for error in errors.errors:
        line, column = errors.place(error)
        found = {"kind": error.kind.value, "message": error.message, "line": line, "column": column}
        objects.append(found | ({"hint": error.hint} if error.hint else {}))
    return objects[0] | ({"more": objects[1:]} if objects[1:] else {})
