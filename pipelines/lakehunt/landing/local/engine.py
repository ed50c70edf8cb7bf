"""Lands without Spark: files of this machine, into a lake that delta-rs can write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from deltalake.exceptions import DeltaError

from lakehunt.core import disk
from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake import small_tables
from lakehunt.lake.small_tables import LocalTables
from lakehunt.landing import rules
from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.local import files
from lakehunt.landing.local.land import Landing
from lakehunt.landing.outcomes import BatchResult, PromotionResult
from lakehunt.landing.settings import AUTO, SPARK, Settings
from lakehunt.quality import data_docs_site
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.quality_tables import VALIDATIONS


def is_possible(settings: Settings, source: str, lake: str) -> bool:
    """Whether this engine lands a source (empty: what is in raw already) into a lake, as the settings want it."""
    if settings.engine != AUTO:
        return settings.engine != SPARK
    return files.is_local(source) and files.is_local(lake) and small_tables.reachable(files.local_path(lake))


class LocalEngine:
    """Lands into one lake. `suites` is the folder of expectations."""

    failures: tuple[type[Exception], ...] = (DeltaError, pa.ArrowException, OSError, LakehuntError)

    def __init__(self, lake: str, settings: Settings, suites: Path, docs: DataDocs, say: Progress) -> None:
        self._tables = LocalTables(str(Path(files.local_path(lake)).absolute()))
        self._settings, self._suites, self._docs, self._say = settings, suites, docs, say

    def ingest(self, source: str, landed_at: datetime) -> IngestResult:
        """Lands new records into raw only."""
        names = self._settings.tables
        return Landing(self._tables, names, self._say, self._settings.limits, None).land(source, landed_at)[0]

    def land(self, source: str, landed_at: datetime) -> tuple[IngestResult, PromotionResult]:
        """Lands new records, and promotes their batches."""
        loaded = self._rules()
        landing = Landing(self._tables, self._settings.tables, self._say, self._settings.limits, loaded)
        ingested, promoted = landing.land(source, landed_at)
        return ingested, PromotionResult(tuple(promoted), self._publish(loaded, promoted))

    def promote(self) -> PromotionResult:
        """Promotes every batch that is not accepted yet, including those refused before."""
        landing = Landing(self._tables, self._settings.tables, self._say, self._settings.limits, self._rules())
        assert landing.rules is not None
        promoted = landing.promote_waiting()
        return PromotionResult(tuple(promoted), self._publish(landing.rules, promoted))

    def describe(self, error: Exception) -> str:
        return str(error) if isinstance(error, LakehuntError) else redacted(" ".join(str(error).split()))

    def _rules(self) -> rules.Rules:
        return rules.load(self._suites, [BY_NAME[name] for name in self._settings.tables], self._docs)

    def _publish(self, loaded: rules.Rules, promoted: Sequence[BatchResult]) -> str | None:
        """Writes Data Docs, if they are wanted. Returns why that failed: events can be hunted without pages about them.

        Only pages about a refused table are rendered now: that imports Great Expectations, which takes longer than
        landing a few records. `lakehunt maintain` renders the others; the index says what failed."""
        if self._docs.folder is None or not promoted:
            return None
        self._say(f"writing Data Docs: {self._docs.link('index.html')}")
        try:
            now = datetime.now(UTC)
            names = [name for name in BATCHES.column_names if name != "hours"]
            batches = self._tables.few(BATCHES, names, [("landed_at", ">=", now - self._docs.keep)])
            of_time = self._tables.few(VALIDATIONS, (), [("validated_at", ">=", now - self._docs.keep)])
            failed = [row for row in of_time if not row["success"]]
            later = not any(batch.refused for batch in promoted)
            data_docs_site.publish(self._docs, loaded.validator.documents, batches, failed, now, later)
        except OSError as error:
            return disk.why(error, self._docs.folder)
        return None
