"""Which missing tables are worth registering: how many of the queries that were left out each would bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lakehunt.importing import twins
from lakehunt.importing.results import QueryResult


def worth(outcomes: Iterable[QueryResult]) -> list[tuple[str, int]]:
    """The missing tables in the order in which registering them brings most, with the number of queries that each one
    adds to those of the tables before it.

    A query counts with the table that completes it; twins and duplicates count once. The numbers are upper limits: a
    query may have errors that only show once its tables are known."""
    needs = {
        twins.key(one.candidate.hunt): frozenset(problem.table for problem in one.problems if problem.table)
        for one in outcomes
        if one.candidate
    }
    waiting = Counter(need for need in needs.values() if need)
    found: list[tuple[str, int]] = []
    while waiting:
        alone = Counter[str]()
        for need, count in waiting.items():
            if len(need) == 1:
                alone[min(need)] += count
        table, count = min(alone.items(), key=_most) if alone else (_most_used(waiting), 0)
        found.append((table, count))
        rest = Counter[frozenset[str]]()
        for need, number in waiting.items():
            if need - {table}:
                rest[need - {table}] += number
        waiting = rest
    return found


def _most_used(waiting: Counter[frozenset[str]]) -> str:
    used = Counter[str]()
    for need, count in waiting.items():
        used.update(dict.fromkeys(need, count))
    return min(used.items(), key=_most)[0]


def _most(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]
