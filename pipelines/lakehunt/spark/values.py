"""Representation of Kusto's types in Spark plans (engine types), in Delta tables and in JSON.

| Kusto    | in a plan                          | stored in Delta             |
| -------- | ---------------------------------- | --------------------------- |
| bool     | BOOLEAN                            | BOOLEAN                     |
| int      | INT                                | INT                         |
| long     | BIGINT                             | BIGINT                      |
| real     | DOUBLE                             | DOUBLE                      |
| decimal  | DECIMAL(38,18)                     | DECIMAL(38,18)              |
| datetime | BIGINT, ticks since 1970           | TIMESTAMP, cut to 1 us      |
| timespan | BIGINT, ticks                      | BIGINT, ticks               |
| guid     | STRING                             | STRING                      |
| string   | STRING, never null                 | STRING, never null          |
| dynamic  | STRING, JSON text; ARRAY<element>  | STRING, JSON text; ARRAY<element> |

A tick is 100 ns, the resolution of Kusto. Spark's TIMESTAMP has microseconds, so a plan counts ticks in a BIGINT and no
comparison at a boundary is ever off by one. A dynamic that is known to be an array of one type, such as the result of
`make_set`, is an ARRAY."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import Column

from lakehunt.kql import times
from lakehunt.kql.types import (
    BOOL,
    DATETIME,
    DECIMAL,
    DYNAMIC,
    GUID,
    INT,
    LONG,
    REAL,
    STRING,
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MICROSECOND,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    TIMESPAN,
    Type,
)
from lakehunt.spark.columns import F

SPARK_TYPES: dict[Type, str] = {
    BOOL: "boolean",
    INT: "int",
    LONG: "bigint",
    REAL: "double",
    DECIMAL: "decimal(38,18)",
    DATETIME: "bigint",
    TIMESPAN: "bigint",
    GUID: "string",
    STRING: "string",
    DYNAMIC: "string",
}
"""Spark SQL type of each Kusto type inside a plan."""

STORED_TYPES: dict[Type, str] = SPARK_TYPES | {DATETIME: "timestamp"}
"""Spark SQL type of each Kusto type in a Delta table."""


def spark_type(kind: Type) -> str:
    return f"array<{SPARK_TYPES[kind.element]}>" if kind.element else SPARK_TYPES[kind]


def stored_type(kind: Type) -> str:
    return f"array<{STORED_TYPES[kind.element]}>" if kind.element else STORED_TYPES[kind]


def literal(value: object, kind: Type) -> Column:
    """A constant. A null string becomes the empty string, as Kusto's strings are never null."""
    if kind == STRING:
        return F.lit(value or "")
    if kind == DYNAMIC:
        value = dynamic_text(value)
    return F.lit(value).cast(spark_type(kind))


def dynamic_text(value: object) -> str | None:
    """JSON data as the text of a dynamic value."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def ticks(timestamp: Column, digit: Column | None = None) -> Column:
    """Ticks of a stored TIMESTAMP and its separately stored 100 ns digit."""
    whole = F.unix_micros(timestamp) * F.lit(TICKS_PER_MICROSECOND)
    return whole if digit is None else whole + F.coalesce(digit, F.lit(0)).cast("bigint")


def timestamp(ticks_column: Column) -> Column:
    """The TIMESTAMP at or just before an instant in ticks."""
    return F.timestamp_micros(_floor_div(ticks_column, TICKS_PER_MICROSECOND))


def moment(instant: int) -> Column:
    """The TIMESTAMP at or just before a known instant in ticks."""
    return F.timestamp_micros(F.lit(instant // TICKS_PER_MICROSECOND))


def day(known: date) -> Column:
    """A known day. (PySpark's own literal fails before the year 1000, and is another day around October 1582.)"""
    return F.lit(known.isoformat()).cast("date")


def sql_moment(ticks: int) -> str:
    """An instant, truncated to microseconds, as a Spark SQL literal."""
    return f"TIMESTAMP '{times.to_datetime(ticks).replace(tzinfo=None).isoformat(' ', 'microseconds')} UTC'"


def _floor_div(value: Column, by: int) -> Column:
    return F.call_function("div", value - F.pmod(value, F.lit(by)), F.lit(by))


def within_calendar(instant: Column) -> Column:
    """The instant, or null if it is outside of Kusto's range, the years 1 to 9999."""
    return F.when((instant >= times.FIRST_TICK) & (instant <= times.LAST_TICK), instant)


def stored(column: Column, kind: Type) -> Column:
    """A value converted from its engine type to its stored type."""
    if kind == DATETIME:
        return timestamp(column)
    if kind.element == DATETIME:
        return F.transform(column, timestamp)
    return column.cast(stored_type(kind))


def text_of_datetime(ticks_column: Column) -> Column:
    """With ticks, always seven digits: `2021-03-14T06:40:15.3380000Z`."""
    seconds = F.date_format(timestamp(ticks_column), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS")
    return F.concat(seconds, F.pmod(ticks_column, F.lit(TICKS_PER_MICROSECOND)).cast("string"), F.lit("Z"))


def text_of_timespan(value: Column) -> Column:
    """`[-][d.]hh:mm:ss[.fffffff]`."""
    size = F.abs(value)

    def part(unit: int, below: int) -> Column:
        return F.lpad(F.call_function("div", F.pmod(size, F.lit(below)), F.lit(unit)).cast("string"), 2, "0")

    days = F.call_function("div", size, F.lit(TICKS_PER_DAY))
    fraction = F.pmod(size, F.lit(TICKS_PER_SECOND))
    return F.concat(
        F.when(value < 0, "-").otherwise(""),
        F.when(days > 0, F.concat(days.cast("string"), F.lit("."))).otherwise(""),
        part(TICKS_PER_HOUR, TICKS_PER_DAY),
        F.lit(":"),
        part(TICKS_PER_MINUTE, TICKS_PER_HOUR),
        F.lit(":"),
        part(TICKS_PER_SECOND, TICKS_PER_MINUTE),
        F.when(fraction > 0, F.concat(F.lit("."), F.lpad(fraction.cast("string"), 7, "0"))).otherwise(""),
    )


def text_of_real(value: Column) -> Column:
    """The shortest digits that parse to the same number and, of those, the largest; always a digit after the point;
    with an exponent from 1E+15 and below 1E-05.

    So 0.1 + 0.2 is 0.30000000000000007, which is the same number as 0.30000000000000004."""
    text = named(F.struct(F.abs(value).alias("size"), value.cast("string").alias("java")), _text_of_finite)
    return (
        F.when(value == float("inf"), F.lit("inf"))
        .when(value == float("-inf"), F.lit("-inf"))
        .when(F.isnan(value), F.lit("NaN"))
        .when(value.isNotNull(), text)
    )


EXACT_DIGITS = 15
"""Up to this many digits, different texts are different numbers."""


def named(value: Column, use: Callable[[Column], Column]) -> Column:
    """`use(value)`, with the value computed once, however often it is used."""
    return F.get(F.transform(F.array(value), use), F.lit(0))


def _text_of_finite(number: Column) -> Column:
    sign = F.when(F.startswith(number["java"], F.lit("-")), "-").otherwise("")  # also for negative zero
    text = named(_digits(F.ltrim(number["java"], F.lit("-"))), lambda n: _exactly(number["size"], n))
    return F.concat(sign, F.when(number["size"] == 0, F.lit("0.0")).otherwise(text))


def _digits(java: Column) -> Column:
    """The significant digits of Java's text of a number, and the power of ten to multiply them by."""
    mantissa = F.substring_index(java, "E", 1)
    power = F.coalesce(F.regexp_extract(java, "E(.*)", 1).try_cast("int"), F.lit(0))
    digits = F.ltrim(F.replace(mantissa, F.lit("."), F.lit("")), F.lit("0"))
    kept = F.rtrim(digits, F.lit("0"))
    exponent = power - F.length(F.substring_index(mantissa, ".", -1)) + F.length(digits) - F.length(kept)
    return F.struct(kept.alias("digits"), exponent.alias("exponent"))


def _exactly(size: Column, number: Column) -> Column:
    sure = (F.length(number["digits"]) <= EXACT_DIGITS) & (size > 1e-300)
    written = F.when(sure, number).otherwise(_largest(size, number["digits"].cast("bigint"), number["exponent"]))
    return named(written, lambda n: _with_point(n["digits"], n["exponent"]))


def _largest(size: Column, digits: Column, exponent: Column) -> Column:
    """Of the decimals near `digits` times ten to `exponent` that parse to `size`, the shortest, and of those the
    largest. Java does not always find the shortest."""
    shorter = F.call_function("div", digits, F.lit(10))
    near = [(shorter + k, exponent + 1) for k in (1, 0)] + [(digits + k, exponent) for k in range(9, -1, -1)]
    found = [
        F.when(
            F.concat(d.cast("string"), F.lit("E"), e.cast("string")).cast("double") == size,
            F.struct(
                F.rtrim(d.cast("string"), F.lit("0")).alias("digits"), e.cast("int").alias("exponent"), d.alias("d")
            ),
        )
        for d, e in near
    ]
    first = F.coalesce(*found)
    zeros = F.length(first["d"].cast("string")) - F.length(first["digits"])
    return F.struct(first["digits"].alias("digits"), (first["exponent"] + zeros).alias("exponent"))


def _with_point(digits: Column, exponent: Column) -> Column:
    point = F.length(digits) + exponent
    power = F.abs(point - 1).cast("string")
    rest = F.when(F.length(digits) > 1, F.concat(F.lit("."), F.substring(digits, F.lit(2), F.length(digits))))
    return (
        F.when(
            (point > 15) | (point < -4),
            F.concat(
                F.substring(digits, 1, 1),
                F.coalesce(rest, F.lit("")),
                F.when(point > 0, "E+").otherwise("E-"),
                F.when(F.length(power) == 1, F.concat(F.lit("0"), power)).otherwise(power),
            ),
        )
        .when(point <= 0, F.concat(F.lit("0."), F.repeat(F.lit("0"), -point), digits))
        .when(exponent >= 0, F.concat(digits, F.repeat(F.lit("0"), exponent), F.lit(".0")))
        .otherwise(
            F.concat(F.substring(digits, F.lit(1), point), F.lit("."), F.substring(digits, point + 1, F.length(digits)))
        )
    )


def text_of_decimal(value: Column) -> Column:
    """Digits without trailing zeros of the fraction, and never with an exponent."""
    return F.regexp_replace(F.replace(F.format_number(value, 18), F.lit(","), F.lit("")), r"\.?0+$", "")


def quotient(value: Column, by: Column, kind: Type) -> Column:
    """The integer quotient of values of the same sign; exact for integers and times."""
    return F.floor(value / by).cast("bigint") if kind in (REAL, DECIMAL) else F.call_function("div", value, by)


def as_json(value: Any, kind: Type) -> Any:
    """A collected value as data for `json.dumps`, with times exact to the tick."""
    return None if value is None else _AS_JSON.get(kind, _same)(value, kind)


def _same(value: Any, kind: Type) -> Any:
    return value


def _real(value: float, kind: Type) -> object:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _text_of_decimal(value: Decimal | None, kind: Type) -> str | None:
    """Within a dynamic value, a decimal is text."""
    return None if value is None else f"{value.normalize():f}"


def _dynamic(value: Any, kind: Type) -> object:
    if kind.element is not None:
        inner = _text_of_decimal if kind.element == DECIMAL else as_json
        return [inner(item, kind.element) for item in value]
    try:
        return json.loads(value)
    except ValueError:
        return value


_AS_JSON: dict[Type, Callable[[Any, Type], Any]] = {
    REAL: _real,
    DATETIME: lambda value, kind: times.format_datetime(value),
    TIMESPAN: lambda value, kind: times.format_timespan(value),
    DYNAMIC: _dynamic,
}
