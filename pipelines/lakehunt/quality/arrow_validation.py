"""Validates a batch over Arrow. Imports neither Spark nor, for the expectations that most suites consist of, Great
Expectations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from lakehunt.quality import measures, results, suites
from lakehunt.quality.arrow_conditions import UnsupportedConditionError
from lakehunt.quality.measures import Measure
from lakehunt.quality.results import ExpectationResult
from lakehunt.quality.suites import Expectation, Suite
from lakehunt.quality.validation import Engine, Numbered


class ArrowValidator:
    """Runs suites on Arrow tables: each expectation by `measures`, or else by Great Expectations' pandas engine.

    Their columns have the types of a lake's tables; see `measures.SPARK_TYPES`. `documents` has the results so far, for
    Data Docs: batches with `results.documents`."""

    def __init__(self, suites: Iterable[Suite]) -> None:
        """Raises LakehuntError, which names file and expectation, for an unknown type or argument."""
        self._suites = {suite.name: suite for suite in suites}
        self._measures = {name: [measures.of(rule) for rule in one.expectations] for name, one in self._suites.items()}
        self.documents: list[tuple[int, dict[str, Any]]] = []
        self._engine: Engine | None = None
        self._added: dict[str, list[int]] = {}
        for suite in self._suites.values():
            unknown = [number for number, measure in self._numbered(suite) if measure is None]
            if unknown:  # Great Expectations says now what is wrong with them
                self._engine_for(suite, unknown)

    def validate(self, batch: int, frames: Mapping[str, pa.Table], at: datetime) -> list[ExpectationResult]:
        """The results of every suite on its table, in the order of the suites' files."""
        found = [one for name, frame in frames.items() for one in self._validate(batch, self._suites[name], frame, at)]
        self.documents += [(batch, document) for document in results.documents(batch, found, at)]
        return found

    def _validate(self, batch: int, suite: Suite, table: pa.Table, at: datetime) -> list[ExpectationResult]:
        found: dict[int, ExpectationResult] = {}
        left = []
        for number, measure in self._numbered(suite):
            rule = suite.expectations[number - 1]
            try:
                measured = measure(table) if measure is not None else None
            except UnsupportedConditionError:
                measured = None
            if measured is None:
                left.append(number)
            else:
                found[number] = ExpectationResult(suite.name, number, rule, measured.success, measured.counts)
        if left:
            engine = self._engine_for(suite, left)
            frame = table.select(_needed([suite.expectations[number - 1] for number in left]) or table.column_names)
            found |= {one.position: one for one in engine.validate(batch, suite.name, frame.to_pandas(), at)}
        return [found[number] for number in sorted(found)]

    def _numbered(self, suite: Suite) -> Sequence[tuple[int, Measure | None]]:
        return list(enumerate(self._measures[suite.name], start=1))

    def _engine_for(self, suite: Suite, numbers: list[int]) -> Engine:
        """Great Expectations, which evaluates these expectations of the suite."""
        if self._engine is None or self._added.get(suite.name, numbers) != numbers:
            self._engine, self._added = Engine("pandas"), {}
        if suite.name not in self._added:
            rules: Numbered = [(number, suite.expectations[number - 1]) for number in numbers]
            self._engine.add(suite, rules)
            self._added[suite.name] = numbers
        return self._engine


def _needed(rules: Sequence[Expectation]) -> list[str]:
    """The columns that expectations about columns are about; none if one may need any column."""
    if any(not suites.named_columns(rule.kwargs) or "row_condition" in rule.kwargs for rule in rules):
        return []
    return list(dict.fromkeys(name for rule in rules for name in suites.named_columns(rule.kwargs)))
