"""The engine that lands by Spark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing import pages, rules
from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.outcomes import BatchResult, PromotionResult
from lakehunt.landing.settings import Settings
from lakehunt.landing.spark import promote
from lakehunt.landing.spark.ingest import Landing
from lakehunt.landing.spark.parsing import LineParser
from lakehunt.landing.spark.promote import Promoter
from lakehunt.quality.data_docs import DataDocs
from lakehunt.quality.validation import Validator
from lakehunt.runtime import error_text
from lakehunt.schemas.event_tables import BY_NAME


class SparkEngine:
    """Lands into one lake. `suites` is the folder of expectations."""

    failures: tuple[type[Exception], ...] = (PySparkException, Py4JJavaError, OSError, LakehuntError)

    def __init__(self, lake: Lake, settings: Settings, suites: Path, docs: DataDocs, say: Progress) -> None:
        self._lake, self._settings, self._suites, self._docs, self._say = lake, settings, suites, docs, say

    def ingest(self, source: str, landed_at: datetime) -> IngestResult:
        """Lands new records into raw only."""
        parser = LineParser(self._settings.tables)
        landing = Landing(self._lake, parser, self._say, self._settings.limits, keep=False)
        return landing.land(source, landed_at)[0]

    def land(self, source: str, landed_at: datetime) -> tuple[IngestResult, PromotionResult]:
        """Lands new records, and promotes their batches."""
        loaded, parser = self._rules()
        landing = Landing(self._lake, parser, self._say, self._settings.limits, keep=True)
        ingested, batches = landing.land(source, landed_at)
        promoter = Promoter(self._lake, loaded, parser, self._say)
        return ingested, self._published(loaded, [promoter.promote(batch) for batch in batches])

    def promote(self) -> PromotionResult:
        """Promotes every batch that is not accepted yet, including those refused before."""
        if not promote.waiting(self._lake):
            return PromotionResult(())
        loaded, parser = self._rules()
        promoter = Promoter(self._lake, loaded, parser, self._say)
        return self._published(loaded, promoter.promote_waiting())

    def describe(self, error: Exception) -> str:
        return error_text.describe(error)

    def _rules(self) -> tuple[rules.Rules[Validator], LineParser]:
        self._say("reading the expectations")
        names = self._settings.tables
        loaded = rules.load(self._suites, [BY_NAME[name] for name in names], self._docs, Validator)
        return loaded, LineParser(names, {name: found.checks for name, found in loaded.tables.items()})

    def _published(self, loaded: rules.Rules[Validator], promoted: Sequence[BatchResult]) -> PromotionResult:
        documents = loaded.validator.documents
        return PromotionResult(tuple(promoted), pages.publish(self._docs, self._lake, documents, promoted, self._say))
