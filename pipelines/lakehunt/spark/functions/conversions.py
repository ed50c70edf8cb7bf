"""Conversions between types. Source: learn.microsoft.com/kusto/query/scalar-functions (conversion functions); where it
is silent, the engine's answers.

Values that cannot be converted become null. A dynamic value is converted by its content: a number like a number, a
string like text."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column

from lakehunt.kql import times
from lakehunt.kql.catalog import OneOf
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
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    TIMESPAN,
    Type,
)
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.functions.strings import refuse
from lakehunt.spark.values import (
    SPARK_TYPES,
    named,
    text_of_datetime,
    text_of_decimal,
    text_of_real,
    text_of_timespan,
    within_calendar,
)

TICKS = OneOf((DATETIME, TIMESPAN))

# Text


@scalar("tostring", OneOf((STRING, INT, LONG, GUID)), returns=STRING)
def tostring(value: Column) -> Column:
    """The text; the empty string for null."""
    return F.coalesce(value.cast("string"), F.lit(""))


@scalar("tostring", BOOL, returns=STRING)
def tostring_of_bool(value: Column) -> Column:
    return F.coalesce(F.initcap(value.cast("string")), F.lit(""))


@scalar("tostring", DATETIME, returns=STRING)
def tostring_of_datetime(value: Column) -> Column:
    return F.coalesce(text_of_datetime(value), F.lit(""))


@scalar("tostring", TIMESPAN, returns=STRING)
def tostring_of_timespan(value: Column) -> Column:
    return F.coalesce(text_of_timespan(value), F.lit(""))


@scalar("tostring", REAL, returns=STRING)
def tostring_of_real(value: Column) -> Column:
    return F.coalesce(text_of_real(value), F.lit(""))


@scalar("tostring", DECIMAL, returns=STRING)
def tostring_of_decimal(value: Column) -> Column:
    return F.coalesce(text_of_decimal(value), F.lit(""))


@scalar("tostring", DYNAMIC, returns=STRING)
def tostring_of_dynamic(value: Column) -> Column:
    return dynamic.text(value)


# Whole numbers


@scalar("toint", OneOf((BOOL, INT)), returns=INT)
def toint(value: Column) -> Column:
    return value.cast("int")


@scalar("tolong", OneOf((BOOL, INT, LONG)), returns=LONG)
def tolong(value: Column) -> Column:
    return value.cast("bigint")


@scalar("tolong", REAL, returns=LONG)
def tolong_of_real(value: Column) -> Column:
    """Truncated towards zero; too large values become the largest long."""
    return _finite(value).cast("bigint")


def _finite(value: Column) -> Column:
    """NaN and infinities have no integer: null."""
    return F.when(F.abs(value) < float("inf"), value)


@scalar("tolong.constant", REAL, returns=LONG)
def tolong_of_constant(value: Column) -> Column:
    """Of a constant: all that is out of range becomes the smallest long, as Kusto folds it."""
    return F.when(_finite(value) >= 2.0**63, F.lit(-(2**63))).otherwise(tolong_of_real(value))


@scalar("toint.constant", REAL, returns=INT)
def toint_of_constant(value: Column) -> Column:
    beyond = (_finite(value) >= 2.0**31) | (_finite(value) <= -(2.0**31) - 1)
    return refuse(beyond, "toint of a constant that is not an int is not supported", toint_of_real(value))


@scalar("toint", OneOf((TIMESPAN, DATETIME)), returns=INT, typed=True)
def toint_of_time(types: tuple[Type, ...], value: Column) -> Column:
    """The low 32 bits of the ticks."""
    return toint_of_long(value if types[0] == TIMESPAN else tolong_of_datetime(value))


@scalar("toint", LONG, returns=INT)
def toint_of_long(value: Column) -> Column:
    """The low 32 bits, so that 2147483648 is -2147483648."""
    return F.shiftright(F.shiftleft(value, 32), 32).cast("int")


@scalar("toint", REAL, returns=INT)
def toint_of_real(value: Column) -> Column:
    """Truncated towards zero; too large values become the largest int."""
    return _finite(value).cast("int")


@scalar("toint", DECIMAL, returns=INT)
def toint_of_decimal(value: Column) -> Column:
    """Truncated towards zero; null where it is not an int."""
    return value.try_cast("int")


@scalar("tolong", DECIMAL, returns=LONG)
def tolong_of_decimal(value: Column) -> Column:
    return value.try_cast("bigint")


@scalar("tolong", TIMESPAN, returns=LONG)
def tolong_of_timespan(value: Column) -> Column:
    """In ticks."""
    return value


@scalar("tolong", DATETIME, returns=LONG)
def tolong_of_datetime(value: Column) -> Column:
    """Ticks since the year 1."""
    return value - F.lit(times.FIRST_TICK)


@scalar("tolong", STRING, returns=LONG)
def tolong_of_string(text: Column) -> Column:
    """Digits, or 0x and hexadecimal digits; nothing else, no point and no exponent."""
    hexadecimal = F.conv(F.substring(text, F.lit(3), F.lit(16)), 16, -10).cast("bigint")
    return F.when(text.rlike(r"^\s*[+-]?[0-9]+\s*$"), F.trim(text).try_cast("bigint")).when(
        text.rlike("^0[xX][0-9a-fA-F]{1,16}$"), hexadecimal
    )


@scalar("toint", STRING, returns=INT)
def toint_of_string(text: Column) -> Column:
    """As `tolong`, and null where it is not an int."""
    return named(tolong_of_string(text), _if_int)


def _if_int(value: Column) -> Column:
    return F.when((value >= -(2**31)) & (value < 2**31), value.cast("int"))


# Other numbers


@scalar("toreal todouble", OneOf((BOOL, INT, LONG, REAL, DECIMAL, TIMESPAN)), returns=REAL)
def toreal(value: Column) -> Column:
    """Timespans in ticks."""
    return value.cast("double")


@scalar("toreal todouble", DATETIME, returns=REAL)
def toreal_of_datetime(value: Column) -> Column:
    return tolong_of_datetime(value).cast("double")


NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


@scalar("toreal todouble", STRING, returns=REAL)
def toreal_of_string(text: Column) -> Column:
    bare = F.regexp_replace(text, r"^\s+|\s+$", "")
    infinite = F.when(F.startswith(bare, F.lit("-")), F.lit(float("-inf"))).otherwise(F.lit(float("inf")))
    return (
        F.when(bare.rlike(f"^{NUMBER}$"), bare.try_cast("double"))
        .when(bare.isin("NaN", "nan"), F.lit(float("nan")))
        .when(bare.rlike(r"^[+-]?(?:inf|Inf|Infinity)$"), infinite)
    )


@scalar("todecimal", OneOf((INT, LONG, REAL, DECIMAL)), returns=DECIMAL)
def todecimal(value: Column) -> Column:
    return value.cast(SPARK_TYPES[DECIMAL])


@scalar("todecimal", TIMESPAN, returns=DECIMAL)
def todecimal_of_timespan(value: Column) -> Column:
    """In ticks."""
    return todecimal(value)


@scalar("todecimal", DATETIME, returns=DECIMAL)
def todecimal_of_datetime(value: Column) -> Column:
    return todecimal(tolong_of_datetime(value))


@scalar("todecimal", BOOL, returns=DECIMAL)
def todecimal_of_bool(value: Column) -> Column:
    return value.cast("int").cast(SPARK_TYPES[DECIMAL])


@scalar("todecimal", STRING, returns=DECIMAL)
def todecimal_of_string(text: Column) -> Column:
    return F.when(text.rlike(rf"^\s*{NUMBER}\s*$"), F.trim(text).try_cast(SPARK_TYPES[DECIMAL]))


# Truth


@scalar("tobool toboolean", BOOL, returns=BOOL)
def tobool(value: Column) -> Column:
    return value


@scalar("tobool toboolean", OneOf((INT, LONG, REAL, DECIMAL)), returns=BOOL)
def tobool_of_number(value: Column) -> Column:
    """Whether it is not zero."""
    return value != 0


@scalar("tobool toboolean", STRING, returns=BOOL)
def tobool_of_string(text: Column) -> Column:
    """`true` and `false` in any case, or a whole number; no spaces around them."""
    folded = F.lower(text)
    return (
        F.when(folded == "true", F.lit(True))
        .when(folded == "false", F.lit(False))
        .when(~text.rlike(r"\s"), tolong_of_string(text) != 0)
    )


# Times


@scalar("todatetime", DATETIME, returns=DATETIME)
def todatetime(value: Column) -> Column:
    return value


@scalar("todatetime make_datetime", OneOf((INT, LONG)), returns=DATETIME)
def todatetime_of_ticks(value: Column) -> Column:
    """A number is ticks since the year 1, what `tolong` gives."""
    return F.when((value >= 0) & (value <= times.LAST_TICK - times.FIRST_TICK), value.cast("bigint") + times.FIRST_TICK)


@scalar("todatetime make_datetime", STRING, returns=DATETIME)
def todatetime_of_string(text: Column) -> Column:
    """See `lakehunt.kql.times.DATETIME_FORMS`."""
    bare = F.trim(text)
    return reduce(
        lambda otherwise, form: F.when(bare.rlike(f"^{form[0]}$"), _instant(bare, *form)).otherwise(otherwise),
        reversed(times.DATETIME_FORMS),
        F.lit(None).cast("bigint"),
    )


def _instant(text: Column, pattern: str, names: str) -> Column:
    groups = "|".join(f"${1 + names.index(n)}" for n in "ymdhisfz")
    return named(F.split(F.regexp_replace(text, f"^{pattern}$", groups), r"\|"), _instant_of_parts)


def _instant_of_parts(parts: Column) -> Column:
    def number(index: int) -> Column:
        return F.coalesce(parts[index].try_cast("int"), F.lit(0))

    hour, minute, second = number(3), number(4), number(5)
    clock = _clock(hour, minute, second) + F.rpad(parts[6], 7, "0").cast("bigint")
    day = F.unix_date(F.make_date(_year(parts[0]), _month(parts[1]), number(2))).cast("bigint")
    ticks = day * F.lit(TICKS_PER_DAY) + clock - _offset(parts[7])
    return within_calendar(F.when((hour < 24) & (minute < 60) & (second < 60), ticks))


def _clock(hours: Column, minutes: Column, seconds: Column) -> Column:
    return (
        hours.cast("bigint") * F.lit(TICKS_PER_HOUR)
        + minutes.cast("bigint") * F.lit(TICKS_PER_MINUTE)
        + seconds.cast("bigint") * F.lit(TICKS_PER_SECOND)
    )


def _year(text: Column) -> Column:
    year = text.cast("int")
    century = F.when(year + 2000 < times.FIRST_YEAR_OF_TWO_DIGITS + 100, 2000).otherwise(1900)
    return F.when(F.length(text) == 2, year + century).otherwise(year)


def _month(text: Column) -> Column:
    names = F.array(*(F.lit(name) for name in times.MONTHS))
    place = F.array_position(names, F.lower(text)).cast("int")
    return F.coalesce(text.try_cast("int"), F.when(place > 0, place))


def _offset(zone: Column) -> Column:
    size = _clock(F.substring(zone, 2, 2).try_cast("int"), F.substring(zone, -2, 2).try_cast("int"), F.lit(0))
    return F.when(zone.rlike("^[+-]"), F.when(F.startswith(zone, F.lit("-")), -size).otherwise(size)).otherwise(
        F.lit(0)
    )


@scalar("totimespan totime", TIMESPAN, returns=TIMESPAN)
@scalar("totimespan totime", OneOf((INT, LONG)), returns=TIMESPAN)
def totimespan(value: Column) -> Column:
    """Numbers are ticks."""
    return value.cast("bigint")


@scalar("totimespan totime make_timespan", STRING, returns=TIMESPAN)
def totimespan_of_string(text: Column) -> Column:
    """`[-][d.]hh:mm[:ss[.fffffff]]`, a number with a unit (`7d`), or a whole number of days."""
    bare = F.trim(text)
    parts = F.split(F.regexp_replace(bare, f"^{times.TIMESPAN_FORM}$", "$1|$2|$3|$4|$5|$6"), r"\|")
    return (
        F.when(bare.rlike(f"^{times.TIMESPAN_FORM}$"), named(parts, _span_of_parts))
        .when(bare.rlike("^-?[0-9]{1,8}$"), bare.try_cast("bigint") * F.lit(TICKS_PER_DAY))
        .when(bare.rlike(r"^-?[0-9]+(?:\.[0-9]+)?[a-z]+$"), _scaled(bare))
    )


def _span_of_parts(parts: Column) -> Column:
    days, hours, minutes, seconds = (F.coalesce(parts[i].try_cast("bigint"), F.lit(0)) for i in range(1, 5))
    clock = _clock(hours, minutes, seconds) + F.rpad(parts[5], 7, "0").cast("bigint")
    size = F.when((hours < 24) & (minutes < 60) & (seconds < 60), days * F.lit(TICKS_PER_DAY) + clock)
    return F.when(parts[0] == "-", -size).otherwise(size)


def _scaled(text: Column) -> Column:
    units = F.create_map(*(F.lit(x) for unit in times.UNITS.items() for x in unit))
    unit = F.element_at(units, F.regexp_extract(text, "[a-z]+$", 0))
    number = F.regexp_extract(text, "^[^a-z]+", 0).try_cast("decimal(18,9)")
    return (number * unit.cast("decimal(18,0)")).cast("bigint")


# Identifiers


@scalar("toguid", GUID, returns=GUID)
def toguid(value: Column) -> Column:
    return value


@scalar("toguid", STRING, returns=GUID)
def toguid_of_string(text: Column) -> Column:
    """The first 32 hexadecimal digits, with hyphens in the usual places; the rest is ignored."""
    groups = "-?".join(f"([0-9a-fA-F]{{{size}}})" for size in (8, 4, 4, 4, 12))
    return F.when(text.rlike(f"^{groups}"), F.lower(F.regexp_replace(text, f"(?s)^{groups}.*$", "$1-$2-$3-$4-$5")))


# Dynamic values

Conversion = Callable[[Column], Column]


def _of_dynamic(
    of_text: Conversion,
    of_long: Conversion | None = None,
    of_real: Conversion | None = None,
    of_bool: Conversion | None = None,
) -> Conversion:
    """The conversion of the value in a dynamic one; null for a kind that has none, as arrays and bags."""

    def converted(value: Column) -> Column:
        kind = dynamic.kind(value)
        result = F.when(kind == "string", of_text(dynamic.text(value)))
        if of_long:
            result = result.when(kind == "long", of_long(value.try_cast("bigint")))
        if of_real:
            result = result.when(kind == "double", of_real(value.try_cast("double")))
        if of_bool:
            result = result.when(kind == "bool", of_bool(value == "true"))
        return result

    return converted


for _names, _type, _conversion in (
    ("toint", INT, _of_dynamic(toint_of_string, toint_of_long, toint_of_real, toint)),
    ("tolong", LONG, _of_dynamic(tolong_of_string, tolong, tolong_of_real, tolong)),
    ("toreal todouble", REAL, _of_dynamic(toreal_of_string, toreal, toreal, toreal)),
    ("todecimal", DECIMAL, _of_dynamic(todecimal_of_string, todecimal, todecimal, todecimal_of_bool)),
    ("tobool toboolean", BOOL, _of_dynamic(tobool_of_string, tobool_of_number, tobool_of_number, tobool)),
    ("todatetime make_datetime", DATETIME, _of_dynamic(todatetime_of_string)),
    ("totimespan totime make_timespan", TIMESPAN, _of_dynamic(totimespan_of_string)),
    ("toguid", GUID, _of_dynamic(toguid_of_string)),
):
    scalar(_names, DYNAMIC, returns=_type)(_conversion)
