"""A test of a query, made of what it finds in a lake: the events behind one row of its result must be found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakehunt.hunting.findings.evidence import events_named
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.query.time_window import limit_to_window
from lakehunt.hunting.testing.cases import MOST
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_SECOND
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.spark import trace
from lakehunt.spark.expressions import column
from lakehunt.spark.plans import compile_plan

Event = tuple[EventTable, Mapping[str, Any]]
"""An event of a table, with its columns: times as text."""


@dataclass(frozen=True)
class Sample:
    """Events that make a row of a query's result; `last` is the time of the last one, in ticks."""

    events: Sequence[Event]
    last: int


def sample(lake: Lake, query: str, as_of: int, period: int | None, tables: TableCatalog) -> Sample | None:
    """The events behind the row of a query's result that has the fewest, with the columns that the query reads. None if
    the result has no rows, if none of them comes from events, or if more events are behind it than a test can have."""
    bound = tables.bind(query)
    plan, _ = limit_to_window(bound, as_of, period)
    relation = compile_plan(plan, tables.context(lake, as_of, traced=True))
    if not relation.traced:
        return None
    behind = column(trace.TRACE)
    some = relation.frame.filter(behind["events"] > 0).orderBy(behind["events"], *relation.orderings).limit(1)
    found = some.select(behind.alias("behind")).collect()
    if not found or found[0].behind.events > MOST:
        return None
    one = found[0].behind
    named = events_named(lake, [each.event_id for each in one.evidence], one.first, one.last)
    if len(named) < one.events:
        return None
    return Sample([_shortened(each, bound) for each in named], one.last)


def _shortened(event: Mapping[str, Any], plan: p.Plan) -> Event:
    """The event with its time and the columns that the query reads."""
    table = BY_NAME[event["event_table"]]
    needed = p.all_needed(plan)
    scans = [step for step in p.distinct(plan) if isinstance(step, p.Scan) and step.table == table.name]
    read = {table.times[0]}.union(*(needed[id(step)] for step in scans))
    return table, {name: value for name, value in event.items() if name in read}


def as_ofs(found: Sample, as_of: int) -> tuple[int, ...]:
    """Instants (ticks) at which a test may ask: when the query was asked, and soon after the last event, for a query
    whose hunt looks back less far."""
    return as_of, found.last // TICKS_PER_SECOND * TICKS_PER_SECOND + 60 * TICKS_PER_SECOND


def text_of(found: Sample, hunt: str, identifier: str, as_of: int) -> str:
    """The file of tests, for a hunt in this file and with this id, that asks as of an instant (ticks)."""
    return "\n".join(_lines(found, hunt, identifier, as_of)) + "\n"


def _lines(found: Sample, hunt: str, identifier: str, as_of: int) -> Iterator[str]:
    several = len({table.name for table, _ in found.events}) > 1
    yield f"# Tests of {hunt}: lakehunt test {identifier}"
    yield "# The events are the lake's: replace what must not leave it, and add events under no_match."
    yield "tests:"
    yield "- name: what was found when the hunt was saved"
    yield f"  as_of: {times.format_datetime(as_of)}"
    yield "  match:"
    for table, columns in found.events:
        shown = ({"Type": table.name} if several else {}) | {n: v for n, v in columns.items() if n != "Type"}
        for number, (name, value) in enumerate(shown.items()):
            yield f"  {'-' if not number else ' '} {name}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    """The value in YAML, which has all of JSON's; a character that YAML does not allow is escaped."""
    return json.dumps(value, ensure_ascii=not str(value).isprintable())
