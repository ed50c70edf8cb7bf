"""The Data Docs site: Great Expectations' page for each batch and suite, and an index that compares days.

Pages rendered by Great Expectations are rewritten to work offline, and kept until they expire, whatever later runs
validate. A page is rendered of the results alone, so that a later process can do it: importing Great Expectations takes
longer than landing a few records. The index is rendered from the tables.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment

from lakehunt.core import atomic_write
from lakehunt.quality import gx_engine
from lakehunt.quality.data_docs import DataDocs, folder_of, page_of
from lakehunt.quality.suites import title
from lakehunt.schemas.event_tables import EVENT_TABLES, kql_name

_HERE = Path(__file__).parent
_EXTERNAL_RESOURCE = re.compile(r"<script\b.*?</script>|<link\b[^>]*>|<style\b.*?</style>", re.DOTALL)
_NAVIGATION = re.compile(r'<nav class="navbar navbar-expand.*?</nav>\s*</div>\s*</nav>', re.DOTALL)
_LINK_TO_SUITE = re.compile(r'<a href="[^"]*expectations/[^"]*"\s*>(.*?)</a>', re.DOTALL)
_NEWSLETTER = re.compile(r"<footer.*?</footer>", re.DOTALL)
_TITLE = re.compile(r"<title>.*?</title>", re.DOTALL)
_FOLDERS = folder_of(0).replace("0", "*")
_SUITES = {table.name: Path(table.suite).stem for table in EVENT_TABLES}
_KEPT = ".json"
"""The results that a page is to be rendered of, beside the page."""


def publish(
    docs: DataDocs,
    documents: Iterable[tuple[int, Mapping[str, Any]]],
    batches: Iterable[Mapping[str, Any]],
    failed: Iterable[Mapping[str, Any]],
    now: datetime,
    later: bool = False,
) -> None:
    """Keeps the results of batches (see `results.documents`), renders their pages, removes what has expired, and writes
    the index. `docs` has a folder.

    `batches` are rows of `raw.batches`, `failed` rows of `quality.validations` without success, of the time that `docs`
    keeps. With `later`, rendering is left to the next call without it, or to `render`."""
    assert docs.folder is not None
    docs.folder.mkdir(parents=True, exist_ok=True)
    for batch, document in documents:
        kept = (docs.folder / page_of(batch, document["suite_name"])).with_suffix(_KEPT)
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic_write.write(kept, json.dumps(document).encode())
    if not later:
        render(docs.folder)
    since = now - docs.keep
    recent = ({**row, "table": kql_name(row["event_table"])} for row in batches if _landed_at(row) >= since)
    shown = sorted(recent, key=lambda row: (-row["batch"], not row["table"], row["table"]))
    _remove_all_but(docs.folder, {folder_of(row["batch"]) for row in shown})
    template = Environment(autoescape=True).from_string((_HERE / "index.html.j2").read_text(encoding="utf-8"))
    style = (_HERE / "pages.css").read_text(encoding="utf-8")
    index = template.render(
        style=style, keep=docs.keep.days, days=_days(shown), batches=_with_verdicts(docs.folder, shown, failed)
    )
    atomic_write.write(docs.folder / "index.html", index.encode())


def render(folder: Path) -> None:
    """Renders the pages of all results that are kept in the folder. Imports Great Expectations if there are any."""
    style = (_HERE / "pages.css").read_text(encoding="utf-8")
    for file in sorted(folder.glob(f"{_FOLDERS}/*{_KEPT}")):
        batch, suite = int(file.parent.name.removeprefix(folder_of(0)[:-1])), file.stem
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:  # another run has just rendered it
            continue
        page = gx_engine.page(document)
        atomic_write.write(file.with_suffix(".html"), _offline_page(page, batch, suite, style).encode())
        file.unlink(missing_ok=True)


def _offline_page(page: str, batch: int, suite: str, style: str) -> str:
    """A page of Great Expectations without external resources, and with a link to the index."""
    named = f"Batch {batch}: {html.escape(suite)}"
    crumbs = f'<nav class="crumbs"><a href="../index.html">Data quality</a> /</nav><h1>{named}</h1>'
    own = _NAVIGATION.sub(lambda _: crumbs, _NEWSLETTER.sub("", _EXTERNAL_RESOURCE.sub("", page)))
    own = _LINK_TO_SUITE.sub(r"\1", own)
    own = _TITLE.sub("", own).replace("<head>", f"<head>\n<title>{named}</title>\n<style>{style}</style>", 1)
    return own.replace("Data asset: None<br>", "")


def _days(batches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    days = []
    for day, of_day in groupby(sorted(batches, key=_landed_on, reverse=True), key=_landed_on):
        rows = list(of_day)
        total = {name: sum(row[name] for row in rows) for name in ("delivered", "events", "duplicates", "quarantined")}
        percent = 100 * total["quarantined"] / max(total["delivered"], 1)
        count = len({row["batch"] for row in rows})
        refused = len({row["batch"] for row in rows if row["outcome"] == "refused"})
        days.append({"day": day, "batches": count, "refused": refused, "quarantined_percent": percent, **total})
    most = max((day["events"] for day in days), default=0) or 1
    return [{**day, "share": round(100 * day["events"] / most)} for day in days]


def _landed_on(row: Mapping[str, Any]) -> str:
    return f"{_landed_at(row):%Y-%m-%d}"


def _landed_at(row: Mapping[str, Any]) -> datetime:
    """In UTC; Spark collects times in the machine's zone, without saying so."""
    return cast("datetime", row["landed_at"]).astimezone(UTC)


def _with_verdicts(
    folder: Path, rows: Iterable[Mapping[str, Any]], failed: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The batches, each with a row for each event table: its failed expectations and its pages. Those about the whole
    batch are in its first row."""
    of: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for one in sorted(failed, key=lambda row: (row["suite"], row["position"])):
        of[one["batch"], one["suite"]].append(_failure(one))
    batches = []
    for number, of_batch in groupby(rows, key=lambda row: cast("int", row["batch"])):
        tables = list(of_batch)
        pages = {page.stem: f"{folder_of(number)}/{page.name}" for page in (folder / folder_of(number)).glob("*.html")}
        of_table = [[_SUITES[row["table"]]] if row["table"] in _SUITES else [] for row in tables]
        known = {suite for batch, suite in of if batch == number} | set(pages)
        of_table[0] = [*of_table[0], *sorted(known - {suite for suites in of_table for suite in suites})]
        shown = [
            {
                **row,
                "failed": [one for suite in suites for one in of[number, suite]],
                "pages": [{"path": pages[suite], "suite": suite} for suite in suites if suite in pages],
            }
            for row, suites in zip(tables, of_table, strict=True)
        ]
        batches.append({"batch": number, "landed_at": _landed_at(tables[0]), "tables": shown})
    return batches


def _failure(row: Mapping[str, Any]) -> dict[str, Any]:
    rows = "" if row["unexpected_count"] is None else f", {row['unexpected_count']:,} of {row['element_count']:,} rows"
    observed = f", observed {row['observed']}" if row["observed"] is not None else ""
    message = f"{title(row['expectation'], row['column'])}{rows}{observed}. {row['notes']}"
    return {"severity": row["severity"], "message": message, "whole": row["suite"] not in _SUITES.values()}


def _remove_all_but(folder: Path, kept: set[str]) -> None:
    for old in folder.glob(_FOLDERS):
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
