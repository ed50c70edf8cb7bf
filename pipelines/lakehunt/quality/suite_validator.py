"""Validates batches by suites: measures what it knows, and leaves the rest to Great Expectations, which it imports only
then."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from lakehunt.quality import measures, results
from lakehunt.quality.gx_engine import Engine, Numbered
from lakehunt.quality.measures import Measure, Measured
from lakehunt.quality.results import ExpectationResult
from lakehunt.quality.suites import Expectation, Suite

Frame = TypeVar("Frame")


class SuiteValidator(ABC, Generic[Frame]):
    """Runs suites on frames of one kind: see its subclasses.

    `documents` has the results so far, for Data Docs: batches with `results.documents`."""

    engine: Literal["spark", "pandas"]
    """Great Expectations' engine for the rest."""

    def __init__(self, suites: Iterable[Suite]) -> None:
        """Raises LakehuntError, which names file and expectation, for an unknown type or argument."""
        self._suites = {suite.name: suite for suite in suites}
        self._measures = {name: [measures.of(rule) for rule in one.expectations] for name, one in self._suites.items()}
        self.documents: list[tuple[int, dict[str, Any]]] = []
        self._engine: Engine | None = None
        self._added: dict[str, list[int]] = {}
        for suite in self._suites.values():
            unknown = [number for number, one in enumerate(self._measures[suite.name], start=1) if one is None]
            if unknown:  # Great Expectations says now what is wrong with them
                self._engine_for(suite, unknown)

    def validate(self, batch: int, frames: Mapping[str, Frame], at: datetime) -> list[ExpectationResult]:
        """The results of every suite on its frame, in the order of the suites' files."""
        found = [one for name, frame in frames.items() for one in self._validate(batch, self._suites[name], frame, at)]
        self.documents += [(batch, document) for document in results.documents(batch, found, at)]
        return found

    @abstractmethod
    def _measured(self, wanted: Sequence[Measure | None], frame: Frame) -> list[Measured | None]:
        """The answer to each; None for None, and where a column's type makes it Great Expectations' task."""

    @abstractmethod
    def _for_engine(self, frame: Frame, rules: Sequence[Expectation]) -> Any:
        """The frame for Great Expectations' engine, which evaluates these."""

    def _validate(self, batch: int, suite: Suite, frame: Frame, at: datetime) -> list[ExpectationResult]:
        answers = enumerate(self._measured(self._measures[suite.name], frame), start=1)
        found: dict[int, ExpectationResult] = {}
        left = []
        for number, measured in answers:
            if measured is None:
                left.append(number)
            else:
                rule = suite.expectations[number - 1]
                found[number] = ExpectationResult(suite.name, number, rule, measured.success, measured.counts)
        if left:
            engine = self._engine_for(suite, left)
            given = self._for_engine(frame, [suite.expectations[number - 1] for number in left])
            found |= {one.position: one for one in engine.validate(batch, suite.name, given, at)}
        return [found[number] for number in sorted(found)]

    def _engine_for(self, suite: Suite, numbers: list[int]) -> Engine:
        """Great Expectations, which evaluates these expectations of the suite."""
        if self._engine is None or self._added.get(suite.name, numbers) != numbers:
            self._engine, self._added = Engine(self.engine), {}
        if suite.name not in self._added:
            rules: Numbered = [(number, suite.expectations[number - 1]) for number in numbers]
            self._engine.add(suite, rules)
            self._added[suite.name] = numbers
        return self._engine
