"""Window functions: a row's number, rank and running sum, its neighbours and its session.

Source: learn.microsoft.com/kusto/query/window-functions. They need serialized rows, see Serial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, Window, WindowSpec

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import INTEGER, NOT_DYNAMIC, NUMBER, Constant, OneOf
from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, NUMERIC, REAL, STRING, TIMESPAN, Type
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import window
from lakehunt.spark.values import literal, spark_type


@dataclass(frozen=True)
class Serial(ABC):
    """Serialized rows. `order` is a total order."""

    order: Sequence[Column]

    @abstractmethod
    def staged(self, column: Column) -> Column:
        """A reference to the column's values, computed in a step before: Spark cannot compute one window function from
        another in the same step."""

    def rows(self, *run: Column) -> WindowSpec:
        """The window of ordered rows in each run."""
        return Window.partitionBy(*run).orderBy(*self.order)

    def until_here(self, *run: Column) -> WindowSpec:
        """The rows of the run up to the current one."""
        return self.rows(*run).rowsBetween(Window.unboundedPreceding, Window.currentRow)

    def whole(self, run: Column) -> WindowSpec:
        """All rows of the run."""
        return self.rows(run).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)

    def runs(self, restart: Column | None) -> tuple[Column, ...]:
        """The number of the run that a row is in; each row where `restart` is true starts one."""
        return () if restart is None else (self.staged(_running_count(self, restart)),)


def _running_count(serial: Serial, condition: Column) -> Column:
    return F.sum(F.when(condition, 1).otherwise(0)).over(serial.until_here())


# Numbers, ranks and sums


@window("row_number", Constant(INTEGER), BOOL, returns=LONG, optional=2)
def row_number(serial: Serial, start: int | None = 1, restart: Column | None = None) -> Column:
    if start is None:
        raise LakehuntError("the first number of row_number must not be null")
    number = F.row_number().over(serial.rows(*serial.runs(restart))).cast("bigint")
    return number + F.lit(start - 1).cast("bigint")


def _cumulated(kind: Type) -> Callable[..., Column]:
    def row_cumsum(serial: Serial, term: Column, restart: Column | None = None) -> Column:
        """The running sum; a null adds nothing. In an integer it wraps."""
        given = F.coalesce(term, F.lit(0).cast(spark_type(kind)))
        return F.sum(given).over(serial.until_here(*serial.runs(restart))).cast(spark_type(kind))

    return row_cumsum


for _kind in NUMERIC:
    window("row_cumsum", _kind, BOOL, returns=_kind, optional=1)(_cumulated(_kind))


def _changed(serial: Serial, term: Column, runs: tuple[Column, ...]) -> Column:
    """Whether the term differs from the row's before; true in the first row of a run."""
    this = F.struct(term.alias("term"))
    return serial.staged(~F.lag(this).over(serial.rows(*runs)).eqNullSafe(this))


@window("row_rank_dense", NOT_DYNAMIC, BOOL, returns=LONG, optional=1)
def row_rank_dense(serial: Serial, term: Column, restart: Column | None = None) -> Column:
    """How many different terms there were, in rows that are sorted by it."""
    runs = serial.runs(restart)
    changed = _changed(serial, term, runs)
    return F.count_if(changed).over(serial.until_here(*runs))


@window("row_rank_min", NOT_DYNAMIC, BOOL, returns=LONG, optional=1)
def row_rank_min(serial: Serial, term: Column, restart: Column | None = None) -> Column:
    """The number of the first of the rows with this term, in rows that are sorted by it."""
    runs = serial.runs(restart)
    changed = _changed(serial, term, runs)
    number = serial.staged(F.row_number().over(serial.rows(*runs)))
    return F.max(F.when(changed, number)).over(serial.until_here(*runs)).cast("bigint")


# Neighbours

_DEFAULTS: dict[Type, Constant] = {
    **{kind: Constant(OneOf((kind,))) for kind in (BOOL, DATETIME, TIMESPAN, GUID, STRING)},
    INT: Constant(INTEGER),
    LONG: Constant(INTEGER),
    REAL: Constant(OneOf((INT, LONG, REAL))),
    DECIMAL: Constant(NUMBER),
    DYNAMIC: Constant(DYNAMIC),
}
"""The constant accepted as default value for each column type."""


def _neighbour(kind: Type, before: bool) -> Callable[..., Column]:
    shifted = F.lag if before else F.lead

    def neighbour(serial: Serial, value: Column, offset: int | None = 1, default: object = None) -> Column:
        """The column's value `offset` rows away, or the default."""
        if offset is None or offset < 0:
            raise LakehuntError("the offset must be a number of rows from 0 on")
        row = shifted(F.struct(value.alias("value")), offset).over(serial.rows())
        return F.when(row.isNull(), literal(default, kind)).otherwise(row["value"])

    return neighbour


for _kind, _default in _DEFAULTS.items():
    for _name in ("prev", "next"):
        window(_name, _kind, Constant(INTEGER), _default, returns=_kind, optional=2)(
            _neighbour(_kind, before=_name == "prev")
        )


# Sessions


@window("row_window_session", DATETIME, TIMESPAN, TIMESPAN, BOOL, returns=DATETIME, optional=1)
def row_window_session(
    serial: Serial, time: Column, from_first: Column, between: Column, restart: Column | None = None
) -> Column:
    """The time at which the row's session starts.

    A session ends where the next time is `between` or more after the last, `from_first` or more after the first, or
    where there is a null or a restart. All but the second are seen in two rows; they cut the rows into stretches, and
    within one the starts follow from each other."""
    last = F.lag(time).over(serial.rows())
    cut = time.isNull() | last.isNull() | (time - last >= between)
    if restart is not None:
        cut = cut | F.coalesce(restart, F.lit(False))
    stretch = serial.staged(_running_count(serial, serial.staged(cut)))
    number = serial.staged(F.row_number().over(serial.rows(stretch)))
    row = F.struct(number.alias("number"), time.alias("time"), from_first.alias("limit"))
    first = serial.staged(_starts(F.when(number == 1, F.collect_list(row).over(serial.whole(stretch)))))
    starts = serial.staged(F.first(first).over(serial.until_here(stretch)))
    return F.element_at(F.filter(starts, lambda start: start["number"] <= number), -1)["time"]


def _starts(rows: Column) -> Column:
    """The rows of a stretch that start a session."""
    first = F.slice(rows, 1, 1)

    def step(found: Column, row: Column) -> Column:
        starts = row["time"] - F.element_at(found, -1)["time"] >= row["limit"]
        return F.when(starts, F.array_append(found, row)).otherwise(found)

    return F.aggregate(F.slice(rows, 2, F.greatest(F.size(rows) - 1, F.lit(0))), first, step)
