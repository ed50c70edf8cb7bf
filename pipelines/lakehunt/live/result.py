"""What a query has answered, with Kusto's types."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query.adhoc import Collected
from lakehunt.kql.types import DYNAMIC, REAL, Schema
from lakehunt.live import arrow
from lakehunt.live.arrow import Unit

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from lakehunt.live.session import KeptSession


@dataclass(frozen=True)
class Result:
    """The rows of a query that was asked as of an instant, in ticks, and took so many seconds. `session` is what
    `spark` makes a frame in."""

    collected: Collected
    as_of: int
    seconds: float
    session: KeptSession

    @property
    def schema(self) -> Schema:
        """The columns, with their Kusto types."""
        return self.collected.schema

    @cached_property
    def rows(self) -> list[list[Any]]:
        """The rows as lists of JSON values: datetimes, timespans and guids are texts as Kusto writes them, exact to the
        tick; a dynamic is data; a decimal is a number; real NaN and infinities are texts."""
        return self.collected.answer().rows

    def __len__(self) -> int:
        return len(self.collected.rows)

    def to_arrow(self, unit: Unit | None = None) -> pa.Table:
        """An Arrow table, with the types of `lakehunt.live.arrow`. `unit` is that of datetimes and timespans: "ns",
        which is exact, "us", or None: for each column "ns", if that holds all of its values.

        Raises LakehuntError for "ns" and a value that it does not hold."""
        return arrow.table(self.schema, self.collected.rows, unit)

    def to_pandas(self, unit: Unit | None = None) -> pd.DataFrame:
        """A pandas frame. Columns of bool, int, long and real can hold nulls (`boolean`, `Int32`, `Int64`, `Float64`);
        a datetime is a timestamp in UTC, a timespan a timedelta, a decimal a `decimal.Decimal`, and a dynamic what its
        JSON is in Python: a dict, a list, a text, a number, a bool or None. `unit` as in `to_arrow`.

        Raises LakehuntError if pandas is not installed."""
        pandas: Any = _installed("pandas", "lakehunt[notebook]")
        nullable = {"bool": pandas.BooleanDtype(), "int32": pandas.Int32Dtype(), "int64": pandas.Int64Dtype()}
        frame: pd.DataFrame = self.to_arrow(unit).to_pandas(types_mapper=lambda kind: nullable.get(str(kind)))
        for place, of in enumerate(self.schema):
            values = [row[place] for row in self.collected.rows]
            if of.type == DYNAMIC:
                parsed = [None if value is None else json.loads(arrow.json_text(value, of.type)) for value in values]
                frame.isetitem(place, pandas.Series(parsed, frame.index, dtype=object))
            elif of.type == REAL:
                frame.isetitem(place, pandas.Series(_reals(pandas, values), frame.index))
        return frame

    def to_polars(self, unit: Unit | None = None) -> pl.DataFrame:
        """A Polars frame, with the types of the Arrow table: a dynamic is JSON text (`str.json_decode` reads it).

        Raises LakehuntError if Polars is not installed."""
        polars: Any = _installed("polars", "polars")
        frame: pl.DataFrame = polars.from_arrow(self.to_arrow(unit))
        return frame

    def spark(self) -> DataFrame:
        """The rows as a frame of Spark's, with the types that the lake stores: a datetime is a TIMESTAMP, cut to
        microseconds, a timespan a BIGINT of ticks, a dynamic JSON text. Spark does not end while the frame, or one that
        is made of it, is in use."""
        return self.session.lasting().createDataFrame(arrow.stored_table(self.schema, self.collected.rows))


def _reals(pandas: Any, values: Sequence[float | None]) -> Any:
    """An array in which NaN is not null. Made of an Arrow array, it would be with pandas 3."""
    numbers = numpy.array([0.0 if value is None else value for value in values], dtype=numpy.float64)
    return pandas.arrays.FloatingArray(numbers, numpy.array([value is None for value in values], dtype=bool))


def _installed(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise LakehuntError(f"{module} is not installed", f"pip install '{package}'") from error
