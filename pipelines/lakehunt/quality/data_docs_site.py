"""The Data Docs site: Great Expectations' page for each batch and suite, and an index that compares days.

Pages rendered by Great Expectations are rewritten to work offline, and kept until they expire, whatever later runs
validate. The index is rendered from the tables.
"""

from __future__ import annotations

import html
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment
from pyspark.sql import Row
from pyspark.sql import functions as F

from lakehunt.core import atomic_write
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.quality.data_docs import DataDocs, folder_of, page_of
from lakehunt.quality.suites import title
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.quality_tables import VALIDATIONS

_HERE = Path(__file__).parent
_EXTERNAL_RESOURCE = re.compile(r"<script\b.*?</script>|<link\b[^>]*>|<style\b.*?</style>", re.DOTALL)
_NAVIGATION = re.compile(r'<nav class="navbar navbar-expand.*?</nav>\s*</div>\s*</nav>', re.DOTALL)
_LINK_TO_SUITE = re.compile(r'<a href="[^"]*expectations/[^"]*"\s*>(.*?)</a>', re.DOTALL)
_NEWSLETTER = re.compile(r"<footer.*?</footer>", re.DOTALL)
_TITLE = re.compile(r"<title>.*?</title>", re.DOTALL)
_BATCH = re.compile(r"batch (\d+)")


def publish(lake: Lake, docs: DataDocs, site: Path, now: datetime) -> None:
    """Copies the pages that Great Expectations rendered in `site`, removes expired ones, and writes the index. `docs`
    has a folder."""
    assert docs.folder is not None
    style = (_HERE / "pages.css").read_text(encoding="utf-8")
    for page in sorted((site / "validations").rglob("*.html")):
        suite, run = page.relative_to(site / "validations").parts[:2]
        batch = int(_BATCH.fullmatch(run)[1])  # type: ignore[index]  # the run name is set by the validator
        target = docs.folder / page_of(batch, suite)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = _offline_page(page.read_text(encoding="utf-8"), batch, suite, style)
        atomic_write.write(target, text.encode())
    docs.folder.mkdir(parents=True, exist_ok=True)
    since = now - docs.keep
    batches = _batches(lake, since)
    _remove_all_but(docs.folder, {folder_of(row.batch) for row in batches})
    template = Environment(autoescape=True).from_string((_HERE / "index.html.j2").read_text(encoding="utf-8"))
    index = template.render(
        style=style, keep=docs.keep.days, days=_days(batches), batches=_with_verdicts(lake, docs.folder, batches, since)
    )
    atomic_write.write(docs.folder / "index.html", index.encode())


def _offline_page(page: str, batch: int, suite: str, style: str) -> str:
    """A page of Great Expectations without external resources, and with a link to the index."""
    named = f"Batch {batch}: {html.escape(suite)}"
    crumbs = f'<nav class="crumbs"><a href="../index.html">Data quality</a> /</nav><h1>{named}</h1>'
    own = _NAVIGATION.sub(lambda _: crumbs, _NEWSLETTER.sub("", _EXTERNAL_RESOURCE.sub("", page)))
    own = _LINK_TO_SUITE.sub(r"\1", own)
    own = _TITLE.sub("", own).replace("<head>", f"<head>\n<title>{named}</title>\n<style>{style}</style>", 1)
    return own.replace("Data asset: None<br>", "")


def _batches(lake: Lake, since: datetime) -> list[Row]:
    """The batches that landed since, newest first."""
    rows = lake.rows(BATCHES).where(F.col("landed_at") >= F.lit(since)).drop("hours").collect()
    return sorted(rows, key=lambda row: -row.batch)


def _days(batches: Iterable[Row]) -> list[dict[str, Any]]:
    days = []
    for day, of_day in groupby(sorted(batches, key=_landed_on, reverse=True), key=_landed_on):
        rows = list(of_day)
        total = {name: sum(row[name] for row in rows) for name in ("delivered", "events", "duplicates", "quarantined")}
        percent = 100 * total["quarantined"] / max(total["delivered"], 1)
        refused = sum(row.outcome == "refused" for row in rows)
        days.append({"day": day, "batches": len(rows), "refused": refused, "quarantined_percent": percent, **total})
    most = max((day["events"] for day in days), default=0) or 1
    return [{**day, "share": round(100 * day["events"] / most)} for day in days]


def _landed_on(row: Row) -> str:
    return f"{utc(row.landed_at):%Y-%m-%d}"


def _with_verdicts(lake: Lake, folder: Path, batches: Sequence[Row], since: datetime) -> list[dict[str, Any]]:
    """The batches with their failed expectations and their pages."""
    validated = lake.rows(VALIDATIONS).where(F.col("validated_at") >= F.lit(since))
    failed = defaultdict(list)
    for one in sorted(validated.where(~F.col("success")).collect(), key=lambda row: (row.suite, row.position)):
        failed[one.batch].append(_failure(one))
    return [
        row.asDict()
        | {
            "landed_at": utc(row.landed_at),
            "failed": failed[row.batch],
            "pages": [
                {"path": f"{folder_of(row.batch)}/{page.name}", "suite": page.stem}
                for page in sorted((folder / folder_of(row.batch)).glob("*.html"))
            ],
        }
        for row in batches
    ]


def _failure(row: Row) -> dict[str, Any]:
    rows = "" if row.unexpected_count is None else f", {row.unexpected_count:,} of {row.element_count:,} rows"
    observed = f", observed {row.observed}" if row.observed is not None else ""
    return {"severity": row.severity, "message": f"{title(row.expectation, row.column)}{rows}{observed}. {row.notes}"}


def _remove_all_but(folder: Path, kept: set[str]) -> None:
    for old in folder.glob(folder_of(0).replace("0", "*")):
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
