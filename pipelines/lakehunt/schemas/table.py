"""The declaration of a table: its columns, and decisions that every table requires (retention, erasure, access).

Stored names are data: a table or column keeps its name, or a tested migration renames it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from lakehunt.core.sql import quoted_name
from lakehunt.kql import types as kql

FOLDERS = ("raw", "events", "quarantine", "quality", "hunts", "findings")
"""Folders of the lake that Lakehunt writes, in the order of the data flow. Others, such as a team's own lookup tables,
are left alone."""

CONTRACT = "lakehunt.contract"
"""The table property with the contract version."""

_READER_VERSION_1 = {
    "delta.minReaderVersion": "1",
    "delta.minWriterVersion": "2",
    "delta.enableDeletionVectors": "false",
}

_SIZED_FILES = {"delta.autoOptimize.optimizeWrite": "true"}
"""Optimized writes: Delta combines the rows of all tasks into one file per partition, or several if it is large."""

_STATISTICS = "delta.dataSkippingStatsColumns"
_COUNTED = ("TIMESTAMP", "DATE", "BIGINT", "INT", "DOUBLE")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class TableColumn:
    """A stored column: its name, its Spark SQL type (`BIGINT`, `ARRAY<STRING>`) and its comment."""

    name: str
    type: str
    comment: str

    @property
    def kql_type(self) -> kql.Type:
        """Its type in KQL: arrays, structures and maps are dynamic."""
        return _KQL_TYPES.get(self.type, kql.DYNAMIC)


_KQL_TYPES: Mapping[str, kql.Type] = {
    "STRING": kql.STRING,
    "BIGINT": kql.LONG,
    "INT": kql.INT,
    "DOUBLE": kql.REAL,
    "BOOLEAN": kql.BOOL,
    "TIMESTAMP": kql.DATETIME,
    "DATE": kql.DATETIME,
}


# How long rows are kept


@dataclass(frozen=True)
class Expires:
    """Rows are deleted when `column` is older than the configured retention of this `kind`.

    `keep` is a Spark SQL condition for rows that are kept whatever their age, and `why` is the reason."""

    kind: str
    column: str
    keep: str = ""
    why: str = ""


@dataclass(frozen=True)
class KeptForever:
    """Rows never expire; `why` is the reason."""

    why: str


# What `lakehunt forget` does


class Match(IntEnum):
    """How rows about a device or an account are recognized. Tables are processed in this order: events, by which the
    other rows are recognized, come last, so that a killed run can be repeated."""

    HUNT_RESULT = 1
    """Rows of a hunt's own table: by the ids of findings, or by a value anywhere in the row."""
    FINDING = 2
    """By column, by evidence, or by a value in the result."""
    EVENT_COPY = 3
    """By the event that the row is a copy of, or by column."""
    RECORD = 4
    """Raw text: by its event or, if it cannot be parsed, by a value anywhere in it."""
    EVENT = 5
    """By column."""


@dataclass(frozen=True)
class Erasure:
    """`forget` deletes matching rows, or sets their columns `emptied` to null. `key` identifies a row; `devices` and
    `accounts` are the columns (or properties of a record) that name a device or an account."""

    match: Match
    key: tuple[str, ...]
    devices: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotErased:
    """`forget` does not change the table; `why` is the reason."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """Decisions that every table requires.

    `written` says, for the documentation, when rows are written; `served` whether SQL clients (`lakehunt serve`) see
    the table."""

    retention: Expires | KeptForever
    erasure: Erasure | NotErased
    served: bool
    written: str


# Tables


@dataclass(frozen=True)
class Table(Decisions):
    """A table of the lake. `name` is `folder.table`; every column carries a comment."""

    name: str
    comment: str
    columns: Sequence[TableColumn]
    partitioned_by: Sequence[str] = ()
    statistics: Sequence[str] | None = None
    """Columns with min/max statistics per file in the log (data skipping). None: all times, dates and numbers. String
    columns have none: each landed file spans all devices and names, so nothing would be skipped, and names would stay
    in the log after `forget` erased the rows."""

    contract: int | None = None
    """Version of the contract with readers outside of Lakehunt; None: no guarantees."""

    small: bool = False
    """Whether it has few rows, which are written as Python values: such tables are read and written without Spark where
    that is possible (see lake/small_tables.py)."""

    vouches_for: Sequence[str] = ()
    """Tables that are written before a row is added here. Each commit notes their versions, so that a loss of their
    commits is noticed (see lake/damage.py)."""

    formerly: str = ""
    """Its name in lakes of earlier versions, which keep it; empty if it was never renamed."""

    @property
    def folder(self) -> str:
        """Its folder in the lake."""
        return self.name.partition(".")[0]

    @property
    def properties(self) -> dict[str, str]:
        """Its Delta table properties."""
        promised = {} if self.contract is None else {CONTRACT: str(self.contract)}
        return _READER_VERSION_1 | _SIZED_FILES | {_STATISTICS: ",".join(self.statistics_columns)} | promised

    @property
    def statistics_columns(self) -> Sequence[str]:
        """The columns with min/max statistics per file."""
        if self.statistics is not None:
            return self.statistics
        counted = [c.name for c in self.columns if c.type in _COUNTED and _PLAIN_NAME.fullmatch(c.name)]
        return [name for name in counted if name not in self.partitioned_by]

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def ddl(self) -> str:
        """The columns as a Spark schema string, for `createDataFrame`."""
        return ", ".join(f"{quoted_name(c.name)} {c.type}" for c in self.columns)


@dataclass(frozen=True)
class TableFamily(Decisions):
    """Tables of a folder with different leading columns and the same trailing ones, such as `findings.<hunt id>`.

    `retention.column` and `erasure.key` name trailing columns; a member may store one under another name."""

    folder: str
    member: str
    """The placeholder for the table's name in the documentation."""
    comment: str
    trailing: Sequence[TableColumn]

    @property
    def name(self) -> str:
        """The family's name in the documentation."""
        return f"{self.folder}.<{self.member}>"

    def table(self, member: str, comment: str, leading: Sequence[TableColumn]) -> Table:
        """A member of the family. A trailing column whose name is taken is suffixed with `1`, as in Kusto."""
        taken = {column.name.lower() for column in leading}
        columns = list(leading)
        for column in self.trailing:
            name = column.name
            while name in taken:
                name += "1"
            columns.append(TableColumn(name, column.type, column.comment))
        own = columns[len(leading) :]
        return Table(
            f"{self.folder}.{member}",
            comment,
            columns,
            # The same whatever the leading columns are, so that these may change without Spark.
            statistics=[column.name for column in own if column.type in _COUNTED],
            retention=self.retention,
            erasure=self.erasure,
            served=self.served,
            written=self.written,
        )

    def leading_names(self, stored: Sequence[str]) -> list[str]:
        """The names of a member's leading columns."""
        return list(stored[: len(stored) - len(self.trailing)])

    def stored_names(self, stored: Sequence[str]) -> dict[str, str]:
        """The stored name of each trailing column in a member with these column names."""
        names = stored[-len(self.trailing) :]
        return {column.name: name for column, name in zip(self.trailing, names, strict=True)}
