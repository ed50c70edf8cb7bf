"""The decisions of all hunts as one function of an event's texts, in Java (`HuntMatcher.java`)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, SparkSession

from lakehunt.hunting.incremental.decisions import Decision
from lakehunt.hunting.incremental.keywords import Keyword, KeywordClause
from lakehunt.hunting.incremental.text_tests import TextTest
from lakehunt.runtime import janino
from lakehunt.spark.columns import F

_CLASSES = (
    *("RegexCharacters", "CharacterSets", "RegexProgram", "RegexMatcher"),
    *("TextTest", "KeywordSearch", "HuntMatcher"),
)


@dataclass(frozen=True)
class Counts:
    """What a pass has decided: events, and for each hunt, by its number, how many of them are hits by their keywords,
    and how many Spark had to evaluate the hunt's other conditions for."""

    events: int
    hits: tuple[int, ...]
    evaluated: tuple[int, ...]


class Matcher:
    """A function of events, for one query of Spark."""

    def __init__(self, spark: SparkSession, decisions: Sequence[Decision]) -> None:
        """A hunt's number is the place of its decision."""
        self._hunts = len(decisions)
        clauses = dict.fromkeys(clause for one in decisions for clause in sorted(one.clauses, key=sorted))
        tests = dict.fromkeys(test for one in decisions for test in one.tests)
        read = {keyword.column for clause in clauses for keyword in clause}
        self._columns = sorted(read.union(*(test.columns for test in tests)))
        context: Any = spark.sparkContext
        counts = context._jsc.sc().collectionAccumulator("lakehunt events and hunts")
        made = janino.compile_together(spark, _CLASSES)
        self._matcher = made["HuntMatcher"].newInstance()
        self._matcher.configure(_written(self._columns, list(clauses), list(tests), decisions), counts)

    @property
    def column(self) -> Column:
        """ARRAY<INT>: the numbers of the hunts that an event is a hit of; -1 - number of one that it may be a hit of,
        if other conditions are met; null if there are none."""
        texts = F.array(*(F.col(name) for name in self._columns))
        made: Column = Column(self._matcher.column(texts._jc))
        return made

    def counts(self) -> Counts:
        """What tasks that have ended have counted. A task that Spark runs again counts again."""
        numbers = [int(number) for number in self._matcher.counts().split()] or [0] * (1 + 2 * self._hunts)
        return Counts(numbers[0], tuple(numbers[1::2]), tuple(numbers[2::2]))


def _written(
    columns: Sequence[str],
    clauses: Sequence[KeywordClause],
    tests: Sequence[TextTest],
    decisions: Sequence[Decision],
) -> bytes:
    """The decisions as `HuntMatcher.java` reads them: one call, where there would be one for each keyword."""
    numbers: dict[object, int] = {clause: number for number, clause in enumerate(clauses)}
    satisfied: dict[str, dict[Keyword, list[int]]] = {column: {} for column in columns}
    for clause in clauses:
        for keyword in clause:
            satisfied[keyword.column].setdefault(keyword, []).append(numbers[clause])
    made = [_int(len(columns))]
    for keywords in satisfied.values():
        made.append(_int(len(keywords)))
        for keyword, of in keywords.items():
            made += [_text(keyword.text), _int(keyword.edges), _ints(of)]
    made += [_int(len(clauses)), _int(len(tests))]
    for test in tests:
        first, second = (columns.index(name) for name in (test.columns[0], test.columns[-1]))
        made += [*map(_int, (test.kind, first, second, test.least, test.most)), _text(test.program)]
    numbers |= {test: number for number, test in enumerate(tests)}
    made.append(_int(len(decisions)))
    for one in decisions:
        made += [struct.pack(">?", not one.is_whole), _ints(numbers[clause] for clause in one.required)]
        made.append(_int(len(one.steps)))
        for operator, operand in one.steps:
            made += [_int(operator), _int(operand if isinstance(operand, int) else numbers.get(operand, 0))]
    return b"".join(made)


def _int(number: int) -> bytes:
    return struct.pack(">i", number)


def _text(text: str) -> bytes:
    written = text.encode()
    return _int(len(written)) + written


def _ints(numbers: Iterable[int]) -> bytes:
    listed = list(numbers)
    return struct.pack(f">{len(listed) + 1}i", len(listed), *listed)
