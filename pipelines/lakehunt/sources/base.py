"""The interface of a source: a module that finds blobs and parses their records into events.

A source is installed by an entry point of the group `lakehunt.sources` that names its module:

    [project.entry-points."lakehunt.sources"]
    defender_streaming = "lakehunt.sources.defender_streaming"
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from pyspark.sql import Column, DataFrame, SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.schemas.event_table import EventTable
from lakehunt.sources.blobs import Blob

GROUP = "lakehunt.sources"
DEFAULT = "defender_streaming"


class Source(Protocol):
    """The functions that a source's module defines. Those on records build Spark expressions, without Python UDFs."""

    @property
    def NAME(self) -> str:  # noqa: N802 (a constant of the module)
        """The name of its entry point."""

    @property
    def TABLES(self) -> tuple[EventTable, ...]:  # noqa: N802
        """The event tables that it can fill."""

    def find(self, spark: SparkSession, source: str) -> list[Blob]:
        """The blobs in a folder, a glob or a file. Raises LakehuntError if there are none."""

    def is_complete(self, text: Column) -> Column:
        """Whether a line is a complete record; the last line of a growing blob may not be."""

    def with_envelope(self, rows: DataFrame) -> DataFrame:
        """Adds the fields around the event to `rows`, which have `text`: `exported_at`, `tenant_id`, `category`."""

    def parse(self, rows: DataFrame) -> DataFrame:
        """Adds the event's columns, `tick_digits`, `unknown_properties`, `event_id` and `faults` to raw rows."""

    def holds_event(self, text: Column) -> Column:
        """Whether a record can be parsed, so that its fields name its device and account."""

    def fields(self, text: Column, names: Sequence[str]) -> Column:
        """The event's columns `names` in a record, as a struct of strings; null where they cannot be read."""


@runtime_checkable
class RecognisesFiles(Protocol):
    """What a source may define as well, so that a file in another form gets one verdict, not one for every line."""

    def may_be_record(self, line: Column) -> Column:
        """Whether a line looks like a record, as far as can be told without parsing it."""

    def other_form(self, head: bytes) -> str | None:
        """What a file with this beginning, and without a line that looks like a record, is instead, and how to land it;
        None if it may hold records."""


@cache
def installed() -> dict[str, Source]:
    """All installed sources by name."""
    return {found.name: found.load() for found in sorted(entry_points(group=GROUP), key=lambda found: found.name)}


def named(name: str = DEFAULT) -> Source:
    """The source with this name. Raises LakehuntError if it is not installed."""
    sources = installed()
    if name not in sources:
        hint = f"installed: {', '.join(sources)}" if sources else "install lakehunt again: pip install ."
        raise LakehuntError(f"there is no source {name!r}", hint)
    return sources[name]
