"""Lands by Spark: from any file system that Hadoop can read, into a lake on any that Delta supports."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing import ingest, promote
from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.landing.settings import Settings
from lakehunt.quality.data_docs import DataDocs
from lakehunt.runtime import error_text


class SparkEngine:
    """Lands into one lake. `suites` is the folder of expectations."""

    failures: tuple[type[Exception], ...] = (PySparkException, Py4JJavaError, OSError, LakehuntError)

    def __init__(self, lake: Lake, settings: Settings, suites: Path, docs: DataDocs, say: Progress) -> None:
        self._lake, self._settings, self._suites, self._docs, self._say = lake, settings, suites, docs, say

    def ingest(self, source: str, landed_at: datetime) -> IngestResult:
        """Lands new records into raw only."""
        return ingest.ingest(self._lake, source, landed_at, self._say, limits=self._settings.limits)

    def land(self, source: str, landed_at: datetime) -> tuple[IngestResult, PromotionResult]:
        """Lands new records, and promotes their batches."""
        return self.ingest(source, landed_at), self.promote()

    def promote(self) -> PromotionResult:
        """Promotes every batch that is not accepted yet, including those refused before."""
        return promote.promote(self._lake, self._suites, self._docs, self._say)

    def describe(self, error: Exception) -> str:
        return error_text.describe(error)
