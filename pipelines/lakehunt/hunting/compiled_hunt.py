"""A hunt with the typed plan of its query. Needs no Spark session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.content.hunt_file import Hunt, HuntError
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY, TableCatalog
from lakehunt.hunting.query.time_window import DEFAULT_PERIOD
from lakehunt.kql import plan as p
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import TICKS_PER_MICROSECOND


@dataclass(frozen=True)
class CompiledHunt:
    """A hunt whose query compiles."""

    hunt: Hunt
    plan: p.Plan


def compile_hunt(hunt: Hunt, tables: TableCatalog = EVENTS_ONLY) -> CompiledHunt:
    """The hunt with its typed plan over these tables; needs no Spark session.

    Raises HuntError with every error of the query at its place in the hunt's file."""
    try:
        return CompiledHunt(hunt, tables.bind(hunt.query, period=query_period(hunt)))
    except QueryErrors as errors:
        raise at_its_place(hunt, errors) from errors


def at_its_place(hunt: Hunt, errors: QueryErrors) -> HuntError:
    """The errors of a query with their positions in the hunt's file."""
    return HuntError([hunt.error(*errors.place(e), e.message, e.hint) for e in errors.errors])


def query_period(hunt: Hunt) -> int:
    """The lookback (ticks) of a hunt whose query has no time filter."""
    if hunt.query_period is None:
        return DEFAULT_PERIOD
    return hunt.query_period // timedelta(microseconds=1) * TICKS_PER_MICROSECOND


def select_hunts(hunts: Sequence[Hunt], wanted: Sequence[str]) -> list[Hunt]:
    """The hunts with these ids or names; all if `wanted` is empty.

    Raises LakehuntError for one that does not exist."""
    if not wanted:
        return list(hunts)
    chosen: list[Hunt] = []
    for word in wanted:
        found = [h for h in hunts if word.lower() in (h.id, h.name.lower())]
        if not found:
            known = ", ".join(f"{h.id} ({h.name})" for h in hunts) or "none"
            raise LakehuntError(f"there is no hunt {word}", f"hunts: {known}")
        chosen.extend(h for h in found if h not in chosen)
    return chosen
