"""What an engine that lands sources offers."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.outcomes import PromotionResult


class Engine(Protocol):
    """Lands sources into one lake. Both engines write the same rows, with the same promises."""

    failures: tuple[type[Exception], ...]
    """What may be raised where landing fails and hunts can still run."""

    def ingest(self, source: str, landed_at: datetime) -> IngestResult:
        """Lands new records into raw only."""

    def land(self, source: str, landed_at: datetime) -> tuple[IngestResult, PromotionResult]:
        """Lands new records, and promotes their batches.

        Raises LakehuntError, before writing anything, if the source does not exist or has no files."""

    def promote(self) -> PromotionResult:
        """Promotes every batch that is not accepted yet, including those refused before."""

    def describe(self, error: Exception) -> str:
        """One of `failures` in a line."""
