"""Writes the pages of Data Docs about the batches that a run has promoted. Imports no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from lakehunt.core import disk
from lakehunt.core.progress import Progress
from lakehunt.lake.where import Where
from lakehunt.landing.outcomes import BatchResult
from lakehunt.quality import data_docs_site
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.quality_tables import VALIDATIONS
from lakehunt.schemas.table import Table


class Tables(Protocol):
    """What reads few rows: a `Lake`, or `LocalTables`."""

    def few(self, table: Table, columns: Sequence[str] = (), only: Where = ()) -> list[dict[str, Any]]: ...


def publish(
    docs: DataDocs,
    tables: Tables,
    documents: Sequence[tuple[int, dict[str, Any]]],
    promoted: Sequence[BatchResult],
    say: Progress,
) -> str | None:
    """Writes Data Docs, if they are wanted. Returns why that failed: events can be hunted without pages about them.

    Only pages about a refused table are rendered now: that imports Great Expectations, which takes longer than landing
    a few records. `lakehunt maintain` renders the others; the index says what failed."""
    if docs.folder is None or not promoted:
        return None
    say(f"writing Data Docs: {docs.link('index.html')}")
    try:
        now = datetime.now(UTC)
        names = [name for name in BATCHES.column_names if name != "hours"]
        batches = tables.few(BATCHES, names, [("landed_at", ">=", now - docs.keep)])
        of_time = tables.few(VALIDATIONS, (), [("validated_at", ">=", now - docs.keep)])
        failed = [row for row in of_time if not row["success"]]
        later = not any(batch.refused for batch in promoted)
        data_docs_site.publish(docs, documents, batches, failed, now, later)
    except OSError as error:
        return disk.why(error, docs.folder)
    return None
