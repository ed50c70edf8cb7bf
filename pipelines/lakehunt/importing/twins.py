"""Twins: the same query for Defender and for Sentinel, which differ in the name of the event's time."""

from __future__ import annotations

from dataclasses import replace

from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.query.time_window import TIME_COLUMNS
from lakehunt.kql.errors import KqlError
from lakehunt.kql.lexer import T, tokens

_DEFENDERS, _SENTINELS = TIME_COLUMNS


def version(hunt: Hunt) -> str:
    """What hunts with the same query and period have in common."""
    try:
        return hunt.digest
    except RecursionError:  # a query that is nested too deeply is never a duplicate
        return hunt.id


def key(hunt: Hunt) -> str:
    """What twins have in common: the version of the query with one name for the event's time."""
    query = hunt.query
    try:
        found = tokens(query)
    except KqlError:
        return version(hunt)
    starts = [token.span.start for token in found if token.kind is T.NAME and token.text == _SENTINELS]
    for start in reversed(starts):
        query = query[:start] + _DEFENDERS + query[start + len(_SENTINELS) :]
    return version(replace(hunt, query=query))
