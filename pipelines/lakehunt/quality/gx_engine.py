"""Great Expectations: evaluates what `measures` does not know, and renders the pages of Data Docs.

Importing Great Expectations takes eight seconds of processor time, so only what needs it imports it, when it does. It
must not send analytics, and its results must not contain data values, as command lines may hold secrets.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from numbers import Integral, Real
from typing import Any, Literal

from lakehunt.core.errors import LakehuntError
from lakehunt.quality.results import KEPT, ExpectationResult
from lakehunt.quality.suites import Expectation, Suite

_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}

Numbered = Sequence[tuple[int, Expectation]]
"""Expectations with their positions in their suite, from 1."""


def _great_expectations() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    os.environ.setdefault("TQDM_DISABLE", "1")
    import great_expectations  # noqa: PLC0415

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return great_expectations


class Engine:
    """Great Expectations on Spark or pandas."""

    def __init__(self, kind: Literal["spark", "pandas"]) -> None:
        self._gx: Any = _great_expectations()
        self._context: Any = self._gx.get_context(mode="ephemeral")
        progress: Any = {"globally": False}
        self._context.variables.progress_bars = progress
        sources = self._context.data_sources
        self._source = sources.add_spark("lake", persist=False) if kind == "spark" else sources.add_pandas("lake")
        self._rules: dict[str, Numbered] = {}
        self._definitions: dict[str, Any] = {}

    def add(self, suite: Suite, rules: Numbered) -> None:
        """Adds a suite, of which these expectations are evaluated. They are built one by one: from JSON, Great
        Expectations would skip those that it does not understand, with only a line in its log.

        Raises LakehuntError, which names file and expectation, for an unknown type or argument."""
        built = [self._expectation(rule, number, suite) for number, rule in rules]
        added = self._context.suites.add(
            self._gx.ExpectationSuite(name=suite.name, expectations=built, meta={"notes": suite.notes})
        )
        data = self._source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("batch")
        self._definitions[suite.name] = self._context.validation_definitions.add(
            self._gx.ValidationDefinition(name=suite.name, data=data, suite=added)
        )
        self._rules[suite.name] = rules

    def validate(self, batch: int, name: str, frame: Any, at: datetime) -> list[ExpectationResult]:
        """The results of a suite's expectations on a DataFrame of Spark or pandas, in their order."""
        result = self._definitions[name].run(
            batch_parameters={"dataframe": frame},
            result_format=_COUNTS_ONLY,
            run_id=self._gx.RunIdentifier(run_name=f"batch {batch}", run_time=at),
        )
        found = {one.expectation_config.meta["position"]: one for one in result.results}
        return [_result(name, number, rule, found[number]) for number, rule in self._rules[name]]

    def _expectation(self, rule: Expectation, number: int, suite: Suite) -> Any:
        try:
            return _configuration(rule.as_json(number)).to_domain_obj()
        except Exception as e:  # Great Expectations may raise anything here
            message = " ".join(str(e).split())[:300]
            place = f"{suite.file}, expectation {number} ({rule.type})"
            raise LakehuntError(f"{place}: {message}", "see the gallery of expectations at greatexpectations.io") from e


def page(document: Mapping[str, Any]) -> str:
    """Great Expectations' HTML page of a suite's results for a batch, as `results.documents` writes them."""
    gx = _great_expectations()
    from great_expectations.core.expectation_validation_result import (  # noqa: PLC0415
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer  # noqa: PLC0415
    from great_expectations.render.view.view import DefaultJinjaPageView  # noqa: PLC0415

    built = [
        ExpectationValidationResult(**one | {"expectation_config": _configuration(one["expectation_config"])})
        for one in document["results"]
    ]
    meta = {**document["meta"], "run_id": gx.RunIdentifier(**document["meta"]["run_id"])}
    whole = ExpectationSuiteValidationResult(**{**document, "results": built, "meta": meta})
    view: Any = DefaultJinjaPageView()
    return str(view.render(ValidationResultsPageRenderer(run_info_at_end=True).render(whole)))


def _configuration(document: Mapping[str, Any]) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration  # noqa: PLC0415

    return ExpectationConfiguration(**document)


def _result(suite: str, position: int, rule: Expectation, result: Any) -> ExpectationResult:
    """The result, without what may be a value of the data."""
    raised = _raised(result)
    counts: dict[str, Any] = {key: _number(result.result[key]) for key in KEPT if key in result.result}
    value = result.result.get("observed_value")
    if not raised and (number := _number(value)) is not None:
        counts["observed_value"] = number
    elif not raised and value is not None and rule.type.startswith("expect_column_values_to_be_of_type"):
        counts["observed_value"] = str(value)
    return ExpectationResult(suite, position, rule, bool(result.success), counts, raised)


def _number(value: Any) -> int | float | None:
    """Numbers as Python's: those of pandas are numpy's. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return int(value) if isinstance(value, Integral) else float(value)


def _raised(result: Any) -> bool:
    info = result.exception_info or {}
    nested = (part.get("raised_exception") for part in info.values() if isinstance(part, dict))
    return bool(info.get("raised_exception")) or any(nested)
