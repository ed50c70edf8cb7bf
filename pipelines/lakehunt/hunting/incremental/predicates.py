"""Extracts the row-level predicates of a query: conditions that depend on one event alone, so they can be evaluated
once, when the event lands.

A query reads event tables, each once or several times, with conditions above each read (see `kql/row_local.py`). The
conditions that depend on the event alone (not on now(), not on another table) form the read's row predicate. An event
that fails the predicates of all reads of its table cannot be in any result, on any day. The other events are hits, and
the query gives the same result over its hits as over all events. Omitting a condition from a predicate is always safe:
it only yields more hits, and never loses a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lakehunt.hunting.query.time_window import TIME_COLUMNS
from lakehunt.kql import plan as p
from lakehunt.kql import row_local
from lakehunt.kql.row_local import Conditions
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME


@dataclass(frozen=True)
class RowPredicate:
    """Conditions on columns of an event table, all of which an event must meet."""

    conditions: tuple[p.Expr, ...]


@dataclass(frozen=True)
class TablePredicates:
    """An event of the table is a hit if it meets one of the alternatives. `columns` are those that the query reads."""

    table: EventTable
    alternatives: tuple[RowPredicate, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class RowPredicates:
    """Of each event table that a query reads, by its name."""

    tables: Mapping[str, TablePredicates]


@dataclass(frozen=True)
class FullScan:
    """A query that must read all events of its window, and why. `scan` is the read that causes it, if there is one."""

    why: str
    scan: p.Scan | None = None


def extract_row_predicates(plan: p.Plan) -> RowPredicates | FullScan:
    """The row-level predicates of a query, if it has any. `plan` comes from the binder, not limited to a window."""
    found: dict[str, list[tuple[p.Scan, RowPredicate]]] = {}
    for scan, above in row_local.scans(plan):
        if scan.table in BY_NAME:
            found.setdefault(scan.table, []).append((scan, _row_predicate(above)))
    if not found:
        return FullScan("it reads no event table")
    for name, reads in found.items():
        for scan, predicate in reads:
            if not any(p.references(term) - set(TIME_COLUMNS) for term in predicate.conditions):
                why = f"it reads {name} without a condition, other than on time, that one event can decide"
                return FullScan(why, scan)
    needed = p.all_needed(plan)
    return RowPredicates({name: _of_table(BY_NAME[name], reads, needed) for name, reads in found.items()})


def _of_table(
    table: EventTable, reads: list[tuple[p.Scan, RowPredicate]], needed: Mapping[int, set[str]]
) -> TablePredicates:
    columns: set[str] = set()
    for scan, predicate in reads:
        columns |= needed[id(scan)].union(*(p.references(term) for term in predicate.conditions))
    distinct = {tuple(shape(term) for term in predicate.conditions): predicate for _, predicate in reads}
    return TablePredicates(table, tuple(distinct.values()), frozenset(columns))


def shape(expr: p.Expr) -> tuple[object, ...]:
    """A key that is equal for equal expressions, whatever their position in the query."""
    return tuple(_form(part) for part in p.parts(expr))


def _form(part: p.Expr) -> tuple[object, ...]:
    if isinstance(part, p.Call):
        return (part.function, part.type, len(part.args))
    return (type(part), part.type, repr(part.value) if isinstance(part, p.Const) else getattr(part, "name", None))


def _row_predicate(conditions: Conditions) -> RowPredicate:
    """The conditions that one event can decide and that other events do not depend on."""
    return RowPredicate(tuple(one.expr for one in conditions if one.separable and row_local.is_of_one_row(one.expr)))
