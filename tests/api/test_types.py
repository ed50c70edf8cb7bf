"""What Kusto's types are in Arrow, pandas, Polars and Spark. The values are worked out by hand."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lakehunt
from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query.adhoc import Collected
from lakehunt.kql import times
from lakehunt.kql.types import DATETIME, DYNAMIC, REAL, STRING, TIMESPAN, Column, Type, array_of
from lakehunt.lake.delta_lake import Lake
from lakehunt.live import arrow

EVERY_TYPE = """
datatable(b: bool, i: int, l: long, r: real, m: decimal, t: datetime, s: timespan, g: guid, n: string, d: dynamic) [
    true, 7, 9007199254740993, 0.1, decimal(1.25), datetime(2026-03-01T06:40:15.1234567Z),
        timespan(1.02:03:04.0000005), guid(74be27de-1e4e-49d9-b579-fe0b331d3642), 'x', dynamic({'k': [1, 'two', null]}),
    bool(null), int(null), long(null), real(nan), decimal(null), datetime(null), timespan(null), guid(null), '',
        dynamic(null),
    false, -7, -1, real(-inf), decimal(-0.5), datetime(1969-12-31T23:59:59.9999999Z), -1tick,
        guid(00000000-0000-0000-0000-000000000000), 'Ünï', dynamic(true),
    bool(null), int(null), long(null), real(null), decimal(null), datetime(null), timespan(null), guid(null), '',
        dynamic('text')
]
"""

FIRST = dt.datetime(2026, 3, 1, 6, 40, 15, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def result(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> lakehunt.QueryResult:
    opened = lakehunt.open(tmp_path_factory.mktemp("types") / "lake", config=Config())
    return opened.query(EVERY_TYPE)


def test_the_schema_has_kustos_types(result: lakehunt.QueryResult) -> None:
    kinds = ["bool", "int", "long", "real", "decimal", "datetime", "timespan", "guid", "string", "dynamic"]
    assert [(column.name, column.type.name) for column in result.schema] == list(zip("bilrmtsgnd", kinds, strict=True))


def test_rows_are_json(result: lakehunt.QueryResult) -> None:
    guid = "74be27de-1e4e-49d9-b579-fe0b331d3642"
    time, span, bag = "2026-03-01T06:40:15.1234567Z", "1.02:03:04.0000005", {"k": [1, "two", None]}
    assert result.rows[0] == [True, 7, 9007199254740993, 0.1, 1.25, time, span, guid, "x", bag]
    assert result.rows[1] == [None, None, None, "NaN", None, None, None, None, "", None]
    assert result.rows[2][3:7] == ["-Infinity", -0.5, "1969-12-31T23:59:59.9999999Z", "-00:00:00.0000001"]


def test_arrow(result: lakehunt.QueryResult) -> None:
    table = result.to_arrow()
    assert [str(field.type) for field in table.schema] == [
        *("bool", "int32", "int64", "double", "decimal128(38, 18)", "timestamp[ns, tz=UTC]", "duration[ns]"),
        *("string", "string", "string"),
    ]
    assert table.schema.field("s").metadata == {arrow.TYPE: b"timespan"}
    times_ = table["t"].cast(pa.int64()).to_pylist()
    assert times_ == [int(FIRST.timestamp()) * 10**9 + 123_456_700, None, -100, None]
    day, hour = 86_400, 3_600
    assert table["s"].cast(pa.int64()).to_pylist() == [(day + 2 * hour + 3 * 60 + 4) * 10**9 + 500, None, -100, None]
    assert table["d"].to_pylist() == ['{"k":[1,"two",null]}', None, "true", '"text"']
    assert table["m"].to_pylist() == [Decimal("1.25"), None, Decimal("-0.5"), None]
    reals = table["r"].to_pylist()
    assert (reals[0], math.isnan(reals[1]), reals[2], reals[3]) == (0.1, True, -math.inf, None)


def test_pandas(result: lakehunt.QueryResult) -> None:
    frame = result.to_pandas()
    assert [str(kind) for kind in frame.dtypes[:4]] == ["boolean", "Int32", "Int64", "Float64"]
    assert [str(frame[name].dtype) for name in "ts"] == ["datetime64[ns, UTC]", "timedelta64[ns]"]
    assert frame["l"].tolist() == [9007199254740993, pd.NA, -1, pd.NA]  # not a float: none is so exact
    assert frame["r"].isna().tolist() == [False, False, False, True]
    assert frame["b"].isna().tolist() == [False, True, False, True]
    assert frame["t"][0] == pd.Timestamp("2026-03-01T06:40:15.1234567Z")
    assert frame["t"][2].value == -100
    assert frame["s"][0] == pd.Timedelta("1 days 02:03:04.0000005")
    assert frame["d"].tolist() == [{"k": [1, "two", None]}, None, True, "text"]
    assert frame["m"][0] == Decimal("1.25")
    assert frame["n"].tolist() == ["x", "", "Ünï", ""]


def test_polars(result: lakehunt.QueryResult) -> None:
    frame = result.to_polars()
    assert frame.schema["t"] == pl.Datetime("ns", "UTC")
    assert frame.schema["s"] == pl.Duration("ns")
    assert frame["l"].to_list() == [9007199254740993, None, -1, None]
    assert frame["t"].dt.epoch("ns").to_list()[0] == int(FIRST.timestamp()) * 10**9 + 123_456_700
    assert (frame["r"].is_nan().to_list()[1], frame["r"].is_null().to_list()[3]) == (True, True)


def test_spark(result: lakehunt.QueryResult) -> None:
    frame = result.spark()
    kinds = [
        "boolean",
        "int",
        "bigint",
        "double",
        "decimal(38,18)",
        "timestamp",
        "bigint",
        "string",
        "string",
        "string",
    ]
    assert [kind for _, kind in frame.dtypes] == kinds
    row = frame.selectExpr("unix_micros(t)", "s", "d", "b").orderBy("s", ascending=False).first()
    assert row is not None
    span = ((86_400 + 2 * 3_600 + 3 * 60 + 4) * 10**7) + 5
    assert tuple(row) == (int(FIRST.timestamp()) * 10**6 + 123_456, span, '{"k":[1,"two",null]}', True)


def collected(kind: Type, *values: Any) -> Collected:
    return Collected((Column("c", kind),), [(value,) for value in values])


@pytest.mark.parametrize("kind", [DATETIME, TIMESPAN])
def test_what_nanoseconds_do_not_hold_has_microseconds(kind: Type) -> None:
    known = collected(kind, times.FIRST_TICK, 15, None, times.LAST_TICK)
    made = arrow.table(known.schema, known.rows)["c"]
    assert made.type.unit == "us"
    assert made.cast(pa.int64()).to_pylist() == [times.FIRST_TICK // 10, 1, None, times.LAST_TICK // 10]
    with pytest.raises(LakehuntError, match=r"column c has .*, which nanoseconds of 64 bits do not hold"):
        arrow.table(known.schema, known.rows, "ns")


@given(st.lists(st.none() | st.integers(times.FIRST_TICK, times.LAST_TICK)), st.sampled_from([DATETIME, TIMESPAN]))
def test_a_column_of_nanoseconds_is_exact_and_one_of_microseconds_is_cut(ticks: list[int | None], kind: Type) -> None:
    known = collected(kind, *ticks)
    made = arrow.table(known.schema, known.rows)["c"]
    per_unit = {"ns": 100, "us": 10}[made.type.unit]
    units = made.cast(pa.int64()).to_pylist()
    if made.type.unit == "ns":
        assert units == [None if tick is None else tick * per_unit for tick in ticks]
    else:
        assert units == [None if tick is None else tick // per_unit for tick in ticks]
        assert any(tick is not None and not -(2**63) < tick * 100 < 2**63 for tick in ticks)


def test_an_array_of_one_type_is_json_too() -> None:
    known = Collected(
        (Column("t", array_of(DATETIME)), Column("r", array_of(REAL)), Column("d", DYNAMIC), Column("s", STRING)),
        [([0, None], [math.nan, 1.5], "not JSON", "a\ud800b")],
    )
    table = arrow.table(known.schema, known.rows)
    assert table.to_pylist() == [
        {"t": '["1970-01-01T00:00:00.0000000Z",null]', "r": '["NaN",1.5]', "d": '"not JSON"', "s": "a\ufffdb"}
    ]


def test_no_rows_have_the_types_too(spark: Any, lake: Lake) -> None:
    empty = lakehunt.open(lake.root, config=Config()).query(f"{EVERY_TYPE} | where false")
    assert len(empty) == 0
    assert [str(kind) for kind in empty.to_arrow().schema.types][5:7] == ["timestamp[ns, tz=UTC]", "duration[ns]"]
    assert str(empty.to_pandas()["l"].dtype) == "Int64"
    assert empty.spark().count() == 0
