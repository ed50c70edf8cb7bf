"""What a source is: a module that finds blobs, and turns their records into events.

A source is installed by an entry point of the group `lakehunt.sources` that names its module:

    [project.entry-points."lakehunt.sources"]
    defender_streaming = "lakehunt.sources.defender_streaming"
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from pyspark.sql import Column, DataFrame, SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.table import Table
from lakehunt.sources.blobs import Blob

GROUP = "lakehunt.sources"
DEFAULT = "defender_streaming"


class Source(Protocol):
    """A module of this form. Its functions on records build expressions that run in Spark's JVM."""

    @property
    def NAME(self) -> str:  # noqa: N802 (a constant of the module)
        """The name of its entry point."""

    @property
    def TABLES(self) -> tuple[EventTable, ...]:  # noqa: N802
        """The event tables whose records it can deliver."""

    def find(self, spark: SparkSession, source: str) -> list[Blob]:
        """The blobs in a folder, a glob or a file. Raises LakehuntError where there is none."""

    def is_complete(self, text: Column) -> Column:
        """Whether a line is a whole record; the last line of a blob that still grows may not be."""

    def with_envelope(self, rows: DataFrame) -> DataFrame:
        """`rows`, which have `text`, with what surrounds the event: `exported_at`, `tenant_id`, `category`."""

    def parse(self, rows: DataFrame) -> DataFrame:
        """Raw rows with the event's columns, `tick_digits`, `unknown_properties`, `event_id` and `faults`."""

    def holds_event(self, text: Column) -> Column:
        """Whether a record can be read, so that its fields say whom it is about."""

    def fields(self, text: Column, names: Sequence[str]) -> Column:
        """Some columns of the event in a record as a struct of texts, as far as they can be read."""


@cache
def installed() -> dict[str, Source]:
    """All installed sources by name."""
    return {found.name: found.load() for found in sorted(entry_points(group=GROUP), key=lambda found: found.name)}


def delivering(table: Table) -> list[Source]:
    """The sources that deliver what a table of the lake holds."""
    return [source for source in installed().values() if any(table in one.tables for one in source.TABLES)]


def named(name: str = DEFAULT) -> Source:
    """The source of this name. Raises LakehuntError where none is installed."""
    sources = installed()
    if name not in sources:
        hint = f"installed: {', '.join(sources)}" if sources else "install lakehunt again: pip install ."
        raise LakehuntError(f"there is no source {name!r}", hint)
    return sources[name]
