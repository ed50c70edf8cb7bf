"""Where Data Docs are written, their URL, and how long they are kept: the `data_docs` section of the configuration.

data_docs:
  folder: /srv/docs/lakehunt               # default: quality/data_docs in a lake that is a folder, else none
  url: https://docs.example.com/lakehunt   # the URL of the folder, for links in messages
  keep: 30d                                # how long the pages of a batch are kept
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from lakehunt.core import strict_yaml
from lakehunt.lake import retention

KEYS = ("folder", "url", "keep")


@dataclass(frozen=True)
class DataDocs:
    """`folder` None: no pages are written."""

    folder: Path | None = None
    url: str | None = None
    keep: timedelta = timedelta(days=30)

    def within(self, lake: str) -> DataDocs:
        """With the lake's own folder for Data Docs, if none is configured and the lake is a folder."""
        if self.folder is not None or "://" in lake:
            return self
        return replace(self, folder=Path(lake).absolute() / "quality" / "data_docs")

    def link(self, page: str) -> str | None:
        """The URL or path of a page, which is relative to the folder."""
        if self.url is not None:
            return f"{self.url.rstrip('/')}/{page}"
        return str(self.folder / page) if self.folder is not None else None


def page_of(batch: int, suite: str) -> str:
    """The page of a suite's results for a batch, relative to the folder."""
    return f"{folder_of(batch)}/{suite}.html"


def folder_of(batch: int) -> str:
    return f"batch-{batch}"


def read(value: object, base: Path) -> DataDocs:
    """Reads the section of the configuration; a relative folder counts from `base`.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected a mapping of folder, url and keep")
    for key, entry in value.items():
        if key not in KEYS:
            raise value.error(key, f"data_docs: unknown key {key!r}", f"known keys: {', '.join(KEYS)}")
        if not isinstance(entry, str) or not entry:
            raise value.error(key, f"data_docs: {key} is {entry!r}", "write text")
    docs = DataDocs(url=value.text("url") if "url" in value else None)
    if "folder" in value:
        docs = replace(docs, folder=base / value.text("folder"))
    if "keep" in value:
        docs = replace(docs, keep=timedelta(days=retention.whole_days(value, "keep", "data_docs")))
    return docs
