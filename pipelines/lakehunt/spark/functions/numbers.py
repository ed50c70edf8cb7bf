"""Mathematical functions. Source: learn.microsoft.com/kusto/query/scalar-functions (mathematical and binary functions);
where it is silent, the engine's answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column

from lakehunt.kql.catalog import INTEGER, NUMBER, Any, Constant, OneOf, Same
from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, GUID, INT, LONG, NUMERIC, REAL, STRING, TIMESPAN, Type
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar

# Overloads are tried in order of registration: of several decorators, the lowest comes first.

# Rounding


def floor_of_real(value: Column) -> Column:
    """The whole number at or below, as a real: Spark's own floor would make a long of it."""
    near = F.rint(value)
    return near - F.when(near > value, 1.0).otherwise(0.0)


def ceiling_of_real(value: Column) -> Column:
    near = F.rint(value)
    return F.when(near < value, near + 1.0).otherwise(near)


@scalar("ceiling", REAL, returns=REAL)
def ceiling(value: Column) -> Column:
    """Of a whole number, too, it is a real, other than Microsoft's binder says."""
    return ceiling_of_real(value)


@scalar("ceiling", DECIMAL, returns=DECIMAL)
def ceiling_of_decimal(value: Column) -> Column:
    return F.ceil(value).cast("decimal(38,18)")


def _round_of_integer(spark_type: str) -> Callable[..., Column]:
    def rounded(value: Column, digits: int | None = 0) -> Column:
        if digits is None:
            return F.lit(None).cast(spark_type)
        return value if digits >= 0 else F.round(value, digits).cast(spark_type)

    return rounded


scalar("round", INT, Constant(LONG), returns=INT, optional=1)(_round_of_integer("int"))
scalar("round", LONG, Constant(LONG), returns=LONG, optional=1)(_round_of_integer("bigint"))


@scalar("round", REAL, Constant(LONG), returns=REAL, optional=1)
def round_(value: Column, digits: int | None = 0) -> Column:
    """Halves away from zero; below zero digits, to tens, hundreds ..."""
    if digits is None:
        return F.lit(None).cast("double")
    scale = F.lit(10.0 ** abs(digits))
    scaled = value * scale if digits >= 0 else value / scale
    below = floor_of_real(F.abs(scaled))
    whole = F.signum(value) * (below + F.when(F.abs(scaled) - below >= 0.5, 1.0).otherwise(0.0))
    rounded = whole / scale if digits >= 0 else whole * scale
    # From 2^52 on every real is whole.
    return F.when((F.abs(scaled) >= 2.0**52) | F.isnan(value) | (value == 0), value).otherwise(rounded)


@scalar("round", DECIMAL, Constant(LONG), returns=DECIMAL, optional=1)
def round_of_decimal(value: Column, digits: int | None = 0) -> Column:
    rounded = F.lit(None) if digits is None else F.round(value, min(digits, 18))
    return rounded.cast("decimal(38,18)")


# Sizes and signs


@scalar("abs", TIMESPAN, returns=TIMESPAN)
@scalar("abs", DECIMAL, returns=DECIMAL)
@scalar("abs", REAL, returns=REAL)
@scalar("abs", LONG, returns=LONG)
def abs_(value: Column) -> Column:
    return F.abs(value)


@scalar("sign", NUMBER, returns=REAL)
def sign(value: Column) -> Column:
    return sign_of_real(value.cast("double"))


def sign_of_real(value: Column) -> Column:
    """0.0 of a NaN, where Spark's is a NaN."""
    return F.when(F.isnan(value), 0.0).otherwise(F.signum(value))


@scalar("isnan", REAL, returns=BOOL)
def isnan(value: Column) -> Column:
    """Null of null, where Spark's is false."""
    return F.when(value.isNotNull(), F.isnan(value))


@scalar("isinf", REAL, returns=BOOL)
def isinf(value: Column) -> Column:
    return F.abs(value) == float("inf")


@scalar("isfinite", REAL, returns=BOOL)
def isfinite(value: Column) -> Column:
    return ~isnan(value) & ~isinf(value)


# The largest and the smallest

COMPARABLE = (*NUMERIC, TIMESPAN, DATETIME, BOOL)


@scalar("max_of", Same((STRING,)), Same((STRING,)), returns=STRING, rest=(Same((STRING,)),))
@scalar("max_of", Same(COMPARABLE), Same(COMPARABLE), returns=Same(), rest=(Same(COMPARABLE),))
def max_of(*values: Column) -> Column:
    """Nulls are passed over; a NaN wins."""
    return F.greatest(*values)


@scalar("min_of", Same((STRING,)), Same((STRING,)), returns=STRING, rest=(Same((STRING,)),), typed=True)
@scalar("min_of", Same(COMPARABLE), Same(COMPARABLE), returns=Same(), rest=(Same(COMPARABLE),), typed=True)
def min_of(types: tuple[Type, ...], *values: Column) -> Column:
    """Nulls are passed over; a NaN wins."""
    if types[0] != REAL:
        return F.least(*values)
    nan = reduce(lambda a, b: a | b, [F.coalesce(F.isnan(v), F.lit(False)) for v in values])
    return F.when(nan, F.lit(float("nan"))).otherwise(F.least(*values))


# Powers and logarithms


def _logarithm(of: Callable[[Column], Column]) -> Callable[[Column], Column]:
    """Of zero it is minus infinity, below zero null; Spark's is null for both."""

    def logarithm(value: Column) -> Column:
        return F.when(value == 0, F.lit(float("-inf"))).when(value > 0, of(value))

    return logarithm


def _power(base: float) -> Callable[[Column], Column]:
    return lambda exponent: F.pow(F.lit(base), exponent)


_OF_ONE_REAL: dict[str, Callable[[Column], Column]] = {
    "log": _logarithm(F.log),
    "log2": _logarithm(F.log2),
    "log10": _logarithm(F.log10),
    "exp": F.exp,
    "exp2": _power(2.0),
    "exp10": _power(10.0),
    "sqrt": F.sqrt,
    "sin": F.sin,
    "cos": F.cos,
    "tan": F.tan,
    "asin": F.asin,
    "acos": F.acos,
    "atan": F.atan,
    "cot": lambda value: F.lit(1.0) / F.tan(value),
    "degrees": lambda value: value * F.lit(180.0 / math.pi),
    "radians": lambda value: value * F.lit(math.pi / 180.0),
}


def _real(value: Column) -> Column:
    return value.cast("double")


def _enter(name: str, function: Callable[[Column], Column]) -> None:
    scalar(name, NUMBER, returns=REAL)(lambda value: function(_real(value)))


for _name, _function in _OF_ONE_REAL.items():
    _enter(_name, _function)


@scalar("pow", NUMBER, NUMBER, returns=REAL)
def pow_(base: Column, exponent: Column) -> Column:
    return F.pow(_real(base), _real(exponent))


@scalar("atan2", NUMBER, NUMBER, returns=REAL)
def atan2(y: Column, x: Column) -> Column:
    return F.atan2(_real(y), _real(x))


@scalar("pi", returns=REAL)
def pi() -> Column:
    return F.lit(math.pi)


# Bits


@scalar("binary_and", LONG, LONG, returns=LONG)
def binary_and(left: Column, right: Column) -> Column:
    return left.bitwiseAND(right)


@scalar("binary_or", LONG, LONG, returns=LONG)
def binary_or(left: Column, right: Column) -> Column:
    return left.bitwiseOR(right)


@scalar("binary_xor", LONG, LONG, returns=LONG)
def binary_xor(left: Column, right: Column) -> Column:
    return left.bitwiseXOR(right)


@scalar("binary_not", LONG, returns=LONG)
def binary_not(value: Column) -> Column:
    return F.bitwise_not(value)


@scalar("binary_shift_left", LONG, LONG, returns=LONG)
def binary_shift_left(value: Column, places: Column) -> Column:
    """By the places modulo 64; by fewer than none, null."""
    return F.when(places >= 0, F.call_function("shiftleft", value, F.pmod(places, F.lit(64)).cast("int")))


@scalar("binary_shift_right", LONG, LONG, returns=LONG)
def binary_shift_right(value: Column, places: Column) -> Column:
    """As `binary_shift_left`; the sign stays."""
    return F.when(places >= 0, F.call_function("shiftright", value, F.pmod(places, F.lit(64)).cast("int")))


@scalar("bitset_count_ones", LONG, returns=LONG)
def bitset_count_ones(value: Column) -> Column:
    """Of the 64 bits; a negative number is in two's complement."""
    return F.bit_count(value).cast("bigint")


# Nearness


@scalar("around", TIMESPAN, TIMESPAN, TIMESPAN, returns=BOOL)
@scalar("around", DATETIME, DATETIME, TIMESPAN, returns=BOOL)
@scalar("around", REAL, REAL, REAL, returns=BOOL)
@scalar("around", LONG, LONG, LONG, returns=BOOL)
def around(value: Column, center: Column, delta: Column) -> Column:
    """Not further from the center than delta."""
    return (value >= center - delta) & (value <= center + delta)


# Chance


@scalar("rand.of", rest=(Any(),), returns=REAL)
def rand(*seed: Column) -> Column:
    """From 0 to below 1: the same for the same seed, which is the instant, the place in the query and the row."""
    bits = F.call_function("shiftrightunsigned", F.xxhash64(*seed), F.lit(11))
    return bits.cast("double") / F.lit(2.0**53)


@scalar("rand.below", REAL, INTEGER, returns=REAL)
def rand_below(drawn: Column, limit: Column) -> Column:
    """One of 0, 1, ..., limit - 1."""
    return F.floor(drawn * limit).cast("double")


@scalar("new_guid.of", rest=(Any(),), returns=GUID)
def new_guid(*seed: Column) -> Column:
    """As `rand`."""
    digits = F.lower(F.concat(*(F.lpad(F.hex(F.xxhash64(F.lit(i), *seed)), 16, "0") for i in range(2))))
    return F.regexp_replace(digits, "^(.{8})(.{4})(.{4})(.{4})(.{12})$", "$1-$2-$3-$4-$5")


# Sizes of data

_SIZES = {BOOL: 1, INT: 4, LONG: 8, REAL: 8, DATETIME: 8, TIMESPAN: 8}


@scalar("estimate_data_size", OneOf((*_SIZES, STRING)), rest=(OneOf((*_SIZES, STRING)),), returns=LONG, typed=True)
def estimate_data_size(types: tuple[Type, ...], *values: Column) -> Column:
    """In bytes."""
    sizes = (F.octet_length(v) if t == STRING else F.lit(_SIZES[t]) for v, t in zip(values, types, strict=True))
    return reduce(lambda a, b: a + b, sizes, F.lit(0).cast("bigint"))
