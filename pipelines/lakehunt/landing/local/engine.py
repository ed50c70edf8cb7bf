"""Lands without Spark: files of this machine or of S3, into a lake that delta-rs can write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from deltalake.exceptions import DeltaError

from lakehunt.core import object_store
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.core.progress import Progress
from lakehunt.lake import small_tables
from lakehunt.lake.small_tables import LocalTables
from lakehunt.landing import pages, rules
from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.local import files
from lakehunt.landing.local.land import Landing
from lakehunt.landing.outcomes import BatchResult, PromotionResult
from lakehunt.landing.settings import AUTO, SPARK, Settings
from lakehunt.quality.arrow_validation import ArrowValidator
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import BY_NAME


def is_possible(settings: Settings, source: str, lake: str, s3: ObjectStore | None) -> bool:
    """Whether this engine lands a source (empty: what is in raw already) into a lake, as the settings want it. `s3`
    says where S3 is; None: only Spark can reach it."""
    if settings.engine != AUTO:
        return settings.engine != SPARK
    if not all(files.is_local(place) or (s3 is not None and object_store.is_s3(place)) for place in (source, lake)):
        return False
    return small_tables.reachable(files.local_path(lake))


class LocalEngine:
    """Lands into one lake. `suites` is the folder of expectations."""

    failures: tuple[type[Exception], ...] = (DeltaError, pa.ArrowException, OSError, LakehuntError)

    def __init__(
        self,
        lake: str,
        settings: Settings,
        suites: Path,
        docs: DataDocs,
        say: Progress,
        store: ObjectStore | None = None,
    ) -> None:
        """`store` says where S3 is. Raises LakehuntError for a lake that is neither there nor in a folder."""
        if not files.is_local(lake) and not object_store.is_s3(lake):
            hint = "let Spark land into it: landing.engine: spark in the configuration"
            raise LakehuntError(f"the local engine reaches folders and S3, not {lake}", hint)
        self._tables = LocalTables(files.local_path(lake), store)
        self._settings, self._suites, self._docs, self._say = settings, suites, docs, say

    def ingest(self, source: str, landed_at: datetime) -> IngestResult:
        """Lands new records into raw only."""
        names = self._settings.tables
        return Landing(self._tables, names, self._say, self._settings.limits, None).land(source, landed_at)[0]

    def land(self, source: str, landed_at: datetime) -> tuple[IngestResult, PromotionResult]:
        """Lands new records, and promotes their batches."""
        loaded = self._rules
        landing = Landing(self._tables, self._settings.tables, self._say, self._settings.limits, loaded)
        ingested, promoted = landing.land(source, landed_at)
        return ingested, PromotionResult(tuple(promoted), self._publish(loaded, promoted))

    def promote(self) -> PromotionResult:
        """Promotes every batch that is not accepted yet, including those refused before."""
        landing = Landing(self._tables, self._settings.tables, self._say, self._settings.limits, self._rules)
        assert landing.rules is not None
        promoted = landing.promote_waiting()
        return PromotionResult(tuple(promoted), self._publish(landing.rules, promoted))

    def describe(self, error: Exception) -> str:
        return str(error) if isinstance(error, LakehuntError) else object_store.in_one_line(error)

    @cached_property
    def _rules(self) -> rules.Rules[ArrowValidator]:
        return rules.load(self._suites, [BY_NAME[name] for name in self._settings.tables], self._docs, ArrowValidator)

    def _publish(self, loaded: rules.Rules[ArrowValidator], promoted: Sequence[BatchResult]) -> str | None:
        return pages.publish(self._docs, self._tables, loaded.validator.documents, promoted, self._say)
