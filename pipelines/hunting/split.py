"""What of a query can be decided event by event, as soon as an event has landed, whatever the day it is asked about.

A query reads DeviceProcessEvents in one place or in several. Above each stand conditions, in `where`s before any
operator that needs more than one row. Those that depend on the event alone (not on now(), nor on another table) are the
read's front: an event that fails the front of every read can be in no result, on no day. The others are hits, and the
whole query over its hits gives what it gives over all events. So a condition may be left out of a front at any time:
that costs hits, never a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.hunting.registered import EVENTS
from pipelines.hunting.window import TIME_COLUMNS
from pipelines.kql import plan as p

LARGEST = 20_000
"""Parts of a condition that is still worth deciding beforehand. Columns computed from columns can double with each
`extend`, when they are written out."""


ALWAYS = frozenset((
    "Timestamp", "ReportId", "DeviceId", "DeviceName", "AccountName", "FileName", "InitiatingProcessFileName",
    "InitiatingProcessParentFileName", "ProcessCommandLine",
))  # fmt: skip
"""Columns that a hit has whatever the query reads: when, on which device, by whom, what, and its lineage."""


@dataclass(frozen=True)
class Front:
    """Conditions on the columns of DeviceProcessEvents; an event has to meet all of them."""

    conditions: tuple[p.Expr, ...]


@dataclass(frozen=True)
class Split:
    """An event is a hit if it meets one of the fronts. `columns` are those of events that the query reads."""

    fronts: tuple[Front, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class Whole:
    """A query that has to read all events of its window, and why: of the read at `scan`, where there is one."""

    why: str
    scan: p.Scan | None = None


def split(plan: p.Plan) -> Split | Whole:
    """How a query can be decided event by event; `plan` is as the binder gives it, without a window."""
    found = list(_fronts(plan, ()))
    if not found:
        return Whole(f"it does not read {EVENTS}")
    for scan, front in found:
        if not any(p.references(term) - set(TIME_COLUMNS) for term in front.conditions):
            return Whole(f"it reads {EVENTS} without a condition, other than on time, that one event can decide", scan)
    columns: set[str] = set()
    for scan, front in found:
        columns |= p.needed(plan, scan).union(*(p.references(term) for term in front.conditions))
    fronts = {tuple(shape(term) for term in front.conditions): front for _, front in found}
    return Split(tuple(fronts.values()), frozenset(columns))


def shape(expr: p.Expr) -> tuple[object, ...]:
    """The same for expressions that are written alike, wherever they stand."""
    return tuple(_form(part) for part in p.parts(expr))


def _form(part: p.Expr) -> tuple[object, ...]:
    if isinstance(part, p.Apply):
        return (part.function, part.type, len(part.args))
    return (type(part), part.type, repr(part.value) if isinstance(part, p.Const) else getattr(part, "name", None))


def _fronts(plan: p.Plan, above: tuple[p.Expr, ...]) -> Iterator[tuple[p.Scan, Front]]:
    """Each read of events beneath a plan, with the conditions that hold for whatever of it passes `above`."""
    if isinstance(plan, p.Scan):
        if plan.table == EVENTS:
            yield plan, Front(above)
        return
    passed = _passed_down(plan, above)
    for source in p.sources(plan):
        yield from _fronts(source, passed if any(source is rows for rows in _rows_of(plan)) else ())


def _rows_of(plan: p.Plan) -> tuple[p.Plan, ...]:
    """The plans whose rows a plan passes on, one by one."""
    if isinstance(plan, p.Union):
        return plan.tables
    return (plan.source,) if isinstance(plan, (p.Filter, p.Project, p.Sort)) else ()


def _passed_down(plan: p.Plan, above: tuple[p.Expr, ...]) -> tuple[p.Expr, ...]:
    """What must hold for the rows that a plan reads, if `above` must hold for those that it gives."""
    if isinstance(plan, p.Filter):
        if _looks_around(plan.predicate):  # a row that is left out would change what others see
            return ()
        return (*above, *(term for term in p.terms(plan.predicate, "and") if is_of_one_event(term)))
    if isinstance(plan, p.Project):
        if any(_looks_around(expr) for expr in plan.expressions):
            return ()
        made = dict(zip(plan.names, plan.expressions, strict=True))
        return tuple(term for old in above if (term := _over(old, made)) is not None and is_of_one_event(term))
    return above


def is_of_one_event(expr: p.Expr) -> bool:
    """Whether an expression depends on nothing but the event: it comes out the same whenever it is asked."""
    return next(beyond_one_event(expr), None) is None


def beyond_one_event(expr: p.Expr) -> Iterator[p.Expr]:
    """The parts of an expression that depend on more than the event: on now(), on other rows, on another table."""
    return (part for part in p.parts(expr) if not isinstance(part, (p.Const, p.Ref)) and type(part) is not p.Apply)


def _looks_around(expr: p.Expr) -> bool:
    return any(isinstance(part, p.Over) for part in p.parts(expr))


def _over(expr: p.Expr, made: Mapping[str, p.Expr]) -> p.Expr | None:
    """The expression with each column replaced by what makes it; None where that is too large."""
    size = 0
    for part in p.parts(expr):
        size += sum(1 for _ in p.parts(made[part.name])) if isinstance(part, p.Ref) else 1
        if size > LARGEST:
            return None
    return p.transformed(expr, lambda part: made[part.name] if isinstance(part, p.Ref) else part)
