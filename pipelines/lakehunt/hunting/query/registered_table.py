"""A registered table as a relation: stored columns, checked against the declared ones, converted to engine types.

| declared | may be stored as                                        |
| -------- | ------------------------------------------------------- |
| bool     | BOOLEAN                                                 |
| int      | INT, SMALLINT, TINYINT                                  |
| long     | BIGINT, INT, SMALLINT, TINYINT                          |
| real     | DOUBLE, FLOAT                                           |
| decimal  | DECIMAL that fits into the engine's decimal type        |
| datetime | TIMESTAMP; TIMESTAMP_NTZ, taken as UTC; DATE, midnight  |
| timespan | BIGINT, ticks of 100 ns                                 |
| guid     | STRING; text that is not a guid is null                 |
| string   | STRING; null is the empty string                        |
| dynamic  | STRING with JSON; ARRAY, STRUCT or MAP, turned into JSON |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import types as t

from lakehunt.core.errors import LakehuntError
from lakehunt.core.sql import quoted_name
from lakehunt.hunting.query.time_window import time_column
from lakehunt.kql import plan as p
from lakehunt.kql import types as kql
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime.error_text import in_one_line
from lakehunt.schemas import registry
from lakehunt.schemas.registered_tables import RegisteredTable
from lakehunt.schemas.table import Table
from lakehunt.spark import dynamic, values
from lakehunt.spark.columns import F
from lakehunt.spark.expressions import INGESTED, column
from lakehunt.spark.relations import ORDER, Relation

_GUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

_JSON = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'0Z'",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'0Z'",
    "dateFormat": "yyyy-MM-dd'T00:00:00.0000000Z'",
}
"""Format of datetimes inside dynamic values: Kusto's, with seven fractional digits."""


def relation(lake: Lake, table: RegisteredTable, plan: p.Scan) -> Relation:
    """The table's declared columns; rows outside the plan's time range are skipped.

    Raises LakehuntError if there is no Delta table, or it does not have the declared columns."""
    where = lake.path(table.table) if table.table else table.path or "a query"
    frame = _of_query(lake, table.query) if table.query else _read_table(lake, table, where)
    stored = {field.name: field.dataType for field in frame.schema.fields}
    wrong = list(_misfits(table, stored))
    if wrong:
        raise LakehuntError(
            f"table {table.name} ({where}) is not as it was declared:" + "".join(f"\n  {text}" for text in wrong),
            "correct its columns under `tables` in the configuration, or the table itself",
        )
    time = time_column(plan)
    read = _within(frame, time, stored[time], plan) if time else frame
    made = [_STORAGE[c.type].value(column(c.name), stored[c.name]).alias(c.name) for c in table.columns]
    return Relation(
        read.select(*made, _order(table, stored, time).alias(ORDER), F.lit(None).cast("bigint").alias(INGESTED)),
        table.columns,
    )


_LAKE_TABLE = re.compile(r"\{([\w.]+)\}")


def _of_query(lake: Lake, query: str) -> DataFrame:
    """The rows of a query over tables of the lake; those that are not there yet have no rows."""
    return lake.spark.sql(_LAKE_TABLE.sub(lambda found: _in_sql(lake, found[1]), query))


def _in_sql(lake: Lake, name: str) -> str:
    if lake.exists(name):
        return f"delta.{quoted_name(lake.path(name))}"
    return f"({_no_rows(name)})"


def _no_rows(name: str) -> str:
    """A query for the columns of one of Lakehunt's own tables."""
    declared = registry.named(name)
    if not isinstance(declared, Table):
        raise LakehuntError(f"there is no table {name}", "see docs/reference/tables.md")
    columns = (f"CAST(NULL AS {column.type}) AS {quoted_name(column.name)}" for column in declared.columns)
    return f"SELECT {', '.join(columns)} WHERE false"


def _read_table(lake: Lake, table: RegisteredTable, where: str) -> DataFrame:
    try:
        if DeltaTable.isDeltaTable(lake.spark, where):
            return lake.spark.read.format("delta").load(where)
    except (PySparkException, Py4JError) as error:
        hint = "Spark needs the store's connector and credentials: see docs/reference/configuration.md"
        raise LakehuntError(f"table {table.name} ({where}) cannot be read: {in_one_line(error)}", hint) from error
    if table.table and isinstance(registry.named(table.table), Table):  # it is written by the first run
        return lake.spark.sql(_no_rows(table.table))
    hint = "correct its place under `tables` in the configuration, or write the table"
    raise LakehuntError(f"table {table.name}: there is no Delta table at {where}", hint)


def _misfits(table: RegisteredTable, stored: dict[str, t.DataType]) -> Iterator[str]:
    """Mismatches between declared and stored columns, one line per column."""
    for declared in table.columns:
        found, storage = stored.get(declared.name), _STORAGE[declared.type]
        if found is None:
            other = next((name for name in stored if name.lower() == declared.name.lower()), None)
            yield f"{declared.name}: there is no such column" + (f", but {other}" if other else "")
        elif not storage.fits(found):
            kind = found.simpleString().upper()
            yield f"{declared.name}: {declared.type} is stored as {storage.wanted}, found {kind}"


def _within(frame: DataFrame, time: str, kind: t.DataType, plan: p.Scan) -> DataFrame:
    """The rows from `since` to `until`, with conditions on the stored column, which allow data skipping.

    The bounds are truncated to the column's resolution, so no row inside is lost."""
    bound = _as_date if isinstance(kind, t.DateType) else _as_moment
    if plan.since is not None:
        frame = frame.filter(column(time) >= bound(plan.since).cast(kind))
    if plan.until is not None:
        frame = frame.filter(column(time) <= bound(plan.until).cast(kind))
    return frame


def _as_date(ticks: int) -> Column:
    return F.date_from_unix_date(F.lit(ticks // TICKS_PER_DAY).cast("int"))


def _as_moment(ticks: int) -> Column:
    return values.moment(ticks)


def _order(table: RegisteredTable, stored: dict[str, t.DataType], time: str | None) -> Column:
    """A deterministic row order: by time, then by content, whatever the physical layout."""
    names = sorted((c.name for c in table.columns), key=lambda name: name != time)
    return F.struct(*(_comparable(column(name), stored[name]).alias(f"c{i}") for i, name in enumerate(names)))


def _comparable(value: Column, kind: t.DataType) -> Column:
    if isinstance(kind, _NESTED):
        return F.to_json(value, _JSON)
    return F.coalesce(value, F.lit("")) if isinstance(kind, t.StringType) else value


@dataclass(frozen=True)
class _Storage:
    """How values of a Kusto type may be stored: accepted types, their names for errors, and the conversion."""

    wanted: str
    fits: Callable[[t.DataType], bool]
    value: Callable[[Column, t.DataType], Column]


_NESTED = (t.ArrayType, t.StructType, t.MapType)
_SMALL = (t.ByteType, t.ShortType, t.IntegerType)


def _one_of(*kinds: type[t.DataType]) -> Callable[[t.DataType], bool]:
    return lambda found: isinstance(found, kinds)


def _as(kind: kql.Type) -> Callable[[Column, t.DataType], Column]:
    return lambda value, _: value.cast(values.spark_type(kind))


def _fits_decimal(found: t.DataType) -> bool:
    """Whether every value of the type fits the engine's decimal without losing digits or becoming null."""
    own = _decimal()
    return (
        isinstance(found, t.DecimalType)
        and found.scale <= own.scale
        and found.precision - found.scale <= own.precision - own.scale
    )


@cache
def _decimal() -> t.DecimalType:
    precision, scale = values.spark_type(kql.DECIMAL).removeprefix("decimal(").removesuffix(")").split(",")
    return t.DecimalType(int(precision), int(scale))


def _datetime(value: Column, _: t.DataType) -> Column:
    return values.ticks(value.cast("timestamp"))


def _guid(value: Column, _: t.DataType) -> Column:
    text = F.lower(F.trim(value))
    return F.when(text.rlike(_GUID), text)


def _string(value: Column, _: t.DataType) -> Column:
    return F.coalesce(value, F.lit(""))


def _dynamic(value: Column, kind: t.DataType) -> Column:
    if isinstance(kind, _NESTED):
        return F.to_json(value, _JSON)
    return F.when(F.trim(value) != "", dynamic.parsed(value))


_STORAGE = {
    kql.BOOL: _Storage("BOOLEAN", _one_of(t.BooleanType), _as(kql.BOOL)),
    kql.INT: _Storage("INT or smaller", _one_of(*_SMALL), _as(kql.INT)),
    kql.LONG: _Storage("BIGINT or smaller", _one_of(*_SMALL, t.LongType), _as(kql.LONG)),
    kql.REAL: _Storage("DOUBLE or FLOAT", _one_of(t.DoubleType, t.FloatType), _as(kql.REAL)),
    kql.DECIMAL: _Storage(f"at most {values.spark_type(kql.DECIMAL).upper()}", _fits_decimal, _as(kql.DECIMAL)),
    kql.DATETIME: _Storage("TIMESTAMP or DATE", _one_of(t.TimestampType, t.TimestampNTZType, t.DateType), _datetime),
    kql.TIMESPAN: _Storage("BIGINT, ticks of 100 ns", _one_of(t.LongType), _as(kql.TIMESPAN)),
    kql.GUID: _Storage("STRING", _one_of(t.StringType), _guid),
    kql.STRING: _Storage("STRING", _one_of(t.StringType), _string),
    kql.DYNAMIC: _Storage("STRING with JSON, ARRAY, STRUCT or MAP", _one_of(t.StringType, *_NESTED), _dynamic),
}
