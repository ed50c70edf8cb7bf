"""Runs Great Expectations: validates a batch's frames, stores results without data values, renders Data Docs.

Importing Great Expectations takes seconds, so only `Validator` imports it, when there is something to validate. It must
not send analytics, and its results must not contain data values, as command lines may hold secrets.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from lakehunt.core.errors import LakehuntError
from lakehunt.quality.suites import Expectation, Suite

_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}
_KEPT = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "missing_count",
    "missing_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
)
"""What is kept of a result: numbers. `observed_value` is kept only if it is a number or the name of a type."""


@dataclass(frozen=True)
class ExpectationResult:
    """The result of one expectation for one batch."""

    suite: str
    position: int
    expectation: Expectation
    success: bool
    observed: str | None
    element_count: int | None
    unexpected_count: int | None
    unexpected_percent: float | None

    @property
    def message(self) -> str:
        """A message: the rule, and how many rows violate it."""
        if self.unexpected_count is not None and self.element_count is not None:
            return f"{self.expectation.title}: {self.unexpected_count} of {self.element_count} rows are not"
        return f"{self.expectation.title}: observed {self.observed if self.observed is not None else 'nothing usable'}"


def prepare() -> None:
    """Starts importing Great Expectations in the background, while Spark starts."""
    threading.Thread(target=_great_expectations, daemon=True).start()


def _great_expectations() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    os.environ.setdefault("TQDM_DISABLE", "1")
    import great_expectations  # noqa: PLC0415

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return great_expectations


class Validator:
    """Runs suites. One Great Expectations context serves all batches of a run."""

    def __init__(self, suites: Iterable[Suite]) -> None:
        """Raises LakehuntError, which names file and expectation, for an unknown type or argument."""
        self._gx: Any = _great_expectations()
        self.version = version("great-expectations")
        self._context: Any = self._gx.get_context(mode="ephemeral")
        progress: Any = {"globally": False}
        self._context.variables.progress_bars = progress
        source = self._context.data_sources.add_spark("lake", persist=False)
        self._suites = {suite.name: suite for suite in suites}
        self._definitions = {suite.name: self._definition(suite, source) for suite in self._suites.values()}

    def validate(self, batch: int, frames: Mapping[str, DataFrame], at: datetime) -> list[ExpectationResult]:
        """The results of every suite on its frame, in the order of the suites' files."""
        return [outcome for name, frame in frames.items() for outcome in self._validate(batch, name, frame, at)]

    def write_docs(self, folder: Path) -> None:
        """Writes Great Expectations' HTML site with all results of this validator to `folder`."""
        site = {
            "class_name": "SiteBuilder",
            "site_name": "Lakehunt: data quality",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._context.add_data_docs_site(site_name="lakehunt", site_config=site)
        self._context.build_data_docs(site_names=["lakehunt"])

    def _definition(self, suite: Suite, source: Any) -> Any:
        """The suite, ready to run. Expectations are built one by one: from JSON, Great Expectations would skip those
        that it does not understand, with only a line in its log."""
        built = [self._expectation(rule, number, suite) for number, rule in enumerate(suite.expectations, start=1)]
        added = self._context.suites.add(
            self._gx.ExpectationSuite(name=suite.name, expectations=built, meta={"notes": suite.notes})
        )
        data = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("batch")
        return self._context.validation_definitions.add(
            self._gx.ValidationDefinition(name=suite.name, data=data, suite=added)
        )

    def _expectation(self, rule: Expectation, number: int, suite: Suite) -> Any:
        from great_expectations.expectations.expectation_configuration import (  # noqa: PLC0415
            ExpectationConfiguration,
        )

        try:
            return ExpectationConfiguration(**rule.as_json(number)).to_domain_obj()
        except Exception as e:  # Great Expectations may raise anything here
            message = " ".join(str(e).split())[:300]
            place = f"{suite.file}, expectation {number} ({rule.type})"
            raise LakehuntError(f"{place}: {message}", "see the gallery of expectations at greatexpectations.io") from e

    def _validate(self, batch: int, name: str, frame: DataFrame, at: datetime) -> list[ExpectationResult]:
        run = self._gx.RunIdentifier(run_name=f"batch {batch}", run_time=at)
        result = self._definitions[name].run(
            batch_parameters={"dataframe": frame}, result_format=_COUNTS_ONLY, run_id=run
        )
        self._strip_values()
        found = {r.expectation_config.meta["position"]: r for r in result.results}
        rules = self._suites[name].expectations
        return [_result(name, i, rule, found[i]) for i, rule in enumerate(rules, start=1)]

    def _strip_values(self) -> None:
        """Removes everything that may contain data values from the stored results, which Data Docs show."""
        store = self._context.validation_results_store
        for key in store.list_keys():
            stored = store.get(key)
            for result in stored.results:
                _without_values(result)
            store.set(key, stored)


def _without_values(result: Any) -> None:
    kept = {key: result.result[key] for key in _KEPT if key in result.result}
    if (observed := _observed(result)) is not None:
        kept["observed_value"] = result.result["observed_value"] if _is_number(result) else observed
    result.result = kept
    if result.exception_info and _raised(result):
        message = "the expectation could not be evaluated"
        result.exception_info = {"raised_exception": True, "exception_message": message, "exception_traceback": ""}


def _raised(result: Any) -> bool:
    info = result.exception_info or {}
    nested = (part.get("raised_exception") for part in info.values() if isinstance(part, dict))
    return bool(info.get("raised_exception")) or any(nested)


def _is_number(result: Any) -> bool:
    value = result.result.get("observed_value")
    return isinstance(value, int | float) and not isinstance(value, bool)


def _observed(result: Any) -> str | None:
    if _raised(result):
        return None
    is_type = result.expectation_config.type.startswith("expect_column_values_to_be_of_type")
    value = result.result.get("observed_value")
    return str(value) if value is not None and (is_type or _is_number(result)) else None


def _result(suite: str, position: int, rule: Expectation, result: Any) -> ExpectationResult:
    counts = result.result
    return ExpectationResult(
        suite,
        position,
        rule,
        bool(result.success),
        _observed(result),
        counts.get("element_count"),
        counts.get("unexpected_count"),
        counts.get("unexpected_percent"),
    )
