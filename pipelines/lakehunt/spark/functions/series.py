"""Functions of series, which are dynamic arrays of numbers. Source: learn.microsoft.com/kusto/query/scalar-functions
(series functions); where it is silent, the engine's answers.

A series of only integers keeps its type if the function preserves element types. For values that are not series the
result is null.

A function with several columns is registered once per column, under the names in `PARTS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import INTEGER, NUMBER, Constant, Parameter
from lakehunt.kql.types import BOOL, DECIMAL, DYNAMIC, LONG, REAL, Type
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.numbers import sign_of_real
from lakehunt.spark.functions.registry import CATALOG, scalar
from lakehunt.spark.values import named


def _numbers(array: Column) -> Column:
    """ARRAY<DOUBLE>, null where an element is not a number."""
    return F.transform(dynamic.elements(array), _number)


def _is_special(text: Column) -> Column:
    """Whether an element is NaN or infinite, which is text in JSON."""
    return text.isin('"NaN"', '"Infinity"', '"-Infinity"')


def _number(text: Column) -> Column:
    """The number of an element; null for other elements."""
    special = F.replace(text, F.lit('"'), F.lit("")).cast("double")
    return F.when(_is_special(text), special).otherwise(dynamic.number(text))


def _addends(array: Column) -> Column:
    """The numbers of a series without its nulls; null if an element is neither, or there is no number."""

    def kept(numbers: Column) -> Column:
        return F.when((F.size(numbers) > 0) & _finite(numbers), numbers)

    texts = F.filter(dynamic.elements(array), lambda t: t != dynamic.NULL)
    return named(F.transform(texts, _number), kept)


def _finite(numbers: Column) -> Column:
    """Whether every element is a number."""
    return ~F.exists(numbers, lambda n: n.isNull())


def _integral(texts: Column) -> Column:
    """Whether all numbers are integers."""
    return ~F.exists(texts, lambda t: t.rlike(r"^-?\d+[.E]") | _is_special(t))


def _real_text(value: Column) -> Column:
    return dynamic.encoded(value, REAL)


# One series -> one series


def _each(change: Callable[[Column], Column]) -> Callable[[Column], Column]:
    """A function applied to each number; other elements become null."""

    def function(array: Column) -> Column:
        return dynamic.array(F.transform(_numbers(array), lambda n: _real_text(change(n))))

    return function


def _quotient(left: Column, right: Column) -> Column:
    """IEEE division, also by zero, for which Spark returns null."""
    nan = F.lit(float("nan"))
    by_zero = F.when((left == 0) | F.isnan(left), nan).otherwise(F.signum(left) * F.lit(float("inf")))
    quotient = F.when(right == 0, by_zero).otherwise(left / right)
    return F.when(left.isNotNull() & right.isNotNull(), quotient)


def _log(value: Column) -> Column:
    """Of zero minus infinity, below not a number: Spark's is null."""
    below = F.when(value == 0, F.lit(float("-inf"))).when(value < 0, F.lit(float("nan")))
    return F.when(value <= 0, below).otherwise(F.ln(value))


_EACH: dict[str, Callable[[Column], Column]] = {
    "series_exp": F.exp,
    "series_sign": sign_of_real,
    "series_sin": F.sin,
    "series_cos": F.cos,
    "series_tan": F.tan,
    "series_asin": F.asin,
    "series_acos": F.acos,
    "series_atan": F.atan,
    "series_log": _log,
    "series_floor": lambda n: F.floor(n).cast("double"),
    "series_ceiling": lambda n: F.ceil(n).cast("double"),
}

for _name, _change in _EACH.items():
    scalar(_name, DYNAMIC, returns=DYNAMIC)(_each(_change))


@scalar("series_abs", DYNAMIC, returns=DYNAMIC)
def series_abs(array: Column) -> Column:
    """Keeps the type of each element: the text without its sign."""
    positive = F.transform(dynamic.elements(array), lambda t: F.when(t.rlike(r"^-?\d"), F.regexp_replace(t, "^-", "")))
    return dynamic.array(positive)


# Two series -> one series


def _pairwise(name: str, combine: Callable[[Column, Column, Column], Column]) -> None:
    """Registers a function of two series, or of a series and a number, which is repeated.

    `combine` gets the texts of two elements and whether all numbers are integers. Elements that are not numbers, or are
    missing in the shorter series, give null."""

    def function(types: tuple[Type, ...], left: Column, right: Column) -> Column:
        sides = (_side(left, types[0]), _side(right, types[1]))
        pair = F.struct(*(side.alias(name) for side, name in zip(sides, "ab", strict=True)))
        widened = named(
            pair, lambda p: F.struct(_widened(p, types, "a").alias("a"), _widened(p, types, "b").alias("b"))
        )
        return dynamic.array(named(widened, combined))

    def combined(p: Column) -> Column:
        integral = _integral(p["a"]) & _integral(p["b"])
        return named(
            F.struct(p["a"].alias("a"), p["b"].alias("b"), integral.alias("integral")),
            lambda q: F.zip_with(q["a"], q["b"], lambda x, y: F.when(_both(x, y), combine(x, y, q["integral"]))),
        )

    for left, right in ((DYNAMIC, DYNAMIC), (DYNAMIC, NUMBER), (NUMBER, DYNAMIC)):
        scalar(name, left, right, returns=DYNAMIC, typed=True)(function)


def _side(value: Column, kind: Type) -> Column:
    """The elements of a series; a number as the only element."""
    if kind == DYNAMIC:
        return dynamic.elements(value)
    plain = value.cast("double") if kind == DECIMAL else value
    return F.array(F.coalesce(dynamic.encoded(plain, REAL if kind == DECIMAL else kind), F.lit(dynamic.NULL)))


def _widened(pair: Column, types: tuple[Type, ...], side: str) -> Column:
    """A number is repeated to the length of the other side."""
    other = "b" if side == "a" else "a"
    if types[0 if side == "a" else 1] == DYNAMIC:
        return pair[side]
    return F.when(pair[other].isNotNull(), F.array_repeat(F.get(pair[side], F.lit(0)), F.size(pair[other])))


def _both(left: Column, right: Column) -> Column:
    return _number(left).isNotNull() & _number(right).isNotNull()


def _arithmetic(operate: Callable[[Column, Column], Column]) -> Callable[[Column, Column, Column], Column]:
    def combine(left: Column, right: Column, integral: Column) -> Column:
        longs = operate(left.cast("bigint"), right.cast("bigint")).cast("string")
        return F.when(integral, longs).otherwise(_real(operate)(left, right, integral))

    return combine


def _real(operate: Callable[[Column, Column], Column]) -> Callable[[Column, Column, Column], Column]:
    return lambda left, right, integral: _real_text(operate(_number(left), _number(right)))


def _compared(compare: Callable[[Column, Column], Column]) -> Callable[[Column, Column, Column], Column]:
    return lambda left, right, integral: compare(_number(left), _number(right)).cast("string")


_PAIRWISE: dict[str, Callable[[Column, Column, Column], Column]] = {
    "series_add": _arithmetic(lambda a, b: a + b),
    "series_subtract": _arithmetic(lambda a, b: a - b),
    "series_multiply": _arithmetic(lambda a, b: a * b),
    "series_divide": _real(_quotient),
    "series_pow": _real(F.pow),
    "series_greater": _compared(lambda a, b: a > b),
    "series_greater_equals": _compared(lambda a, b: a >= b),
    "series_less": _compared(lambda a, b: a < b),
    "series_less_equals": _compared(lambda a, b: a <= b),
    "series_equals": _compared(lambda a, b: a == b),
    "series_not_equals": _compared(lambda a, b: a != b),
}

for _name, _combine in _PAIRWISE.items():
    _pairwise(_name, _combine)


# Series -> number


def _sum(numbers: Column) -> Column:
    return F.aggregate(numbers, F.lit(0.0), lambda a, n: a + n)


@scalar("series_sum array_sum", DYNAMIC, returns=REAL)
def series_sum(array: Column) -> Column:
    """Nulls are left out; null without a number, and where another element is not a number."""
    return named(_addends(array), _sum)


@scalar("series_product", DYNAMIC, returns=REAL)
def series_product(array: Column) -> Column:
    """As `series_sum`."""
    return F.aggregate(_addends(array), F.lit(1.0), lambda a, n: a * n)


def _dot(left: Column, right: Column) -> Column:
    """Over the shorter length, ignoring elements that are not numbers."""
    both = F.zip_with(left, right, lambda a, b: F.coalesce(a * b, F.lit(0.0)))
    return F.when((F.size(left) > 0) & (F.size(right) > 0), _sum(both))


def _pair(left: Column, right: Column) -> Column:
    return F.struct(_numbers(left).alias("a"), _numbers(right).alias("b"))


@scalar("series_dot_product", DYNAMIC, DYNAMIC, returns=REAL)
def series_dot_product(left: Column, right: Column) -> Column:
    return named(_pair(left, right), lambda p: _dot(p["a"], p["b"]))


@scalar("series_dot_product", DYNAMIC, NUMBER, returns=REAL)
def series_dot_product_with_number(array: Column, number: Column) -> Column:
    times = number.cast("double")
    return named(_numbers(array), lambda n: _dot(n, F.array_repeat(times, F.size(n))))


@scalar("series_dot_product", NUMBER, DYNAMIC, returns=REAL)
def series_dot_product_of_number(number: Column, array: Column) -> Column:
    return series_dot_product_with_number(array, number)


@scalar("series_magnitude", DYNAMIC, returns=REAL)
def series_magnitude(array: Column) -> Column:
    return F.sqrt(named(_numbers(array), lambda n: _dot(n, n)))


@scalar("series_cosine_similarity", DYNAMIC, DYNAMIC, REAL, REAL, optional=2, returns=REAL)
def series_cosine_similarity(
    left: Column, right: Column, left_size: Column | None = None, right_size: Column | None = None
) -> Column:
    """The magnitudes may be given, where they are known."""

    def similarity(p: Column) -> Column:
        shorter = F.least(F.size(p["a"]), F.size(p["b"]))
        a, b = (F.slice(p[side], 1, shorter) for side in "ab")
        sizes = [F.sqrt(_dot(n, n)) if given is None else given for given, n in ((left_size, a), (right_size, b))]
        return F.when(shorter >= 0, _quotient(_dot(a, b), sizes[0] * sizes[1]))

    return named(_pair(left, right), similarity)


@scalar("series_pearson_correlation", DYNAMIC, DYNAMIC, returns=REAL)
def series_pearson_correlation(left: Column, right: Column) -> Column:
    """Null where the lengths differ or an element is not a number."""

    def deviations(numbers: Column) -> Column:
        return named(_sum(numbers) / F.size(numbers), lambda mean: F.transform(numbers, lambda n: n - mean))

    def correlation(p: Column) -> Column:
        pair = F.struct(deviations(p["a"]).alias("a"), deviations(p["b"]).alias("b"))
        proper = (F.size(p["a"]) == F.size(p["b"])) & _finite(p["a"]) & _finite(p["b"])
        return F.when(proper, named(pair, coefficient))

    def coefficient(d: Column) -> Column:
        return _quotient(_dot(d["a"], d["b"]), F.sqrt(_dot(d["a"], d["a"])) * F.sqrt(_dot(d["b"], d["b"])))

    return named(_pair(left, right), correlation)


# Seasons


@scalar("series_seasonal", DYNAMIC, Constant(INTEGER), optional=1, returns=DYNAMIC)
def series_seasonal(array: Column, period: int | None = None) -> Column:
    """For each place the median of the numbers at that place in all periods."""
    if period is None or period < 1:
        raise LakehuntError("series_seasonal without a period is not supported", "series_seasonal(s, 7)")

    def medians(numbers: Column) -> Column:
        places = F.sequence(F.lit(0), F.lit(period - 1))
        return F.transform(
            places, lambda place: _median(F.filter(numbers, lambda _, i: F.pmod(i, F.lit(period)) == place))
        )

    def repeated(p: Column) -> Column:
        return F.transform(p["n"], lambda _, i: _real_text(F.get(p["m"], F.pmod(i, F.lit(period)).cast("int"))))

    made = named(_numbers(array), lambda n: F.when(_finite(n), F.struct(n.alias("n"), medians(n).alias("m"))))
    return dynamic.array(named(made, repeated))


def _median(numbers: Column) -> Column:
    def middle(ordered: Column) -> Column:
        half = F.call_function("div", F.size(ordered), F.lit(2)).cast("int")
        high = F.get(ordered, half)
        return F.when(F.size(ordered) % 2 == 1, high).otherwise((F.get(ordered, half - 1) + high) / 2)

    return named(F.array_sort(numbers), middle)


# Missing elements


def _missing(placeholder: Column | None) -> Callable[[Column], Column]:
    """Whether an element is one to fill: a null, or where a placeholder is given, a number equal to that."""

    def missing(text: Column) -> Column:
        null = text == dynamic.NULL
        if placeholder is None:
            return null
        equal = F.coalesce(dynamic.number(text) == placeholder.cast("double"), F.lit(False))
        return F.when(placeholder.isNull(), null).otherwise(equal)

    return missing


def _forward(values: Column) -> Column:
    """An ARRAY with each null replaced by the last that was none before it."""
    none = F.slice(values, 1, 0)
    return F.aggregate(values, none, lambda a, v: F.concat(a, F.array(F.coalesce(v, F.element_at(a, -1)))))


def _backward(values: Column) -> Column:
    return F.reverse(_forward(F.reverse(values)))


def _filled(array: Column, placeholder: Column | None, fill: Callable[[Column], Column]) -> Column:
    """Missing elements filled from their neighbours, or left if there is none on that side."""
    missing = _missing(placeholder)

    def change(texts: Column) -> Column:
        known = F.transform(texts, lambda t: F.when(~missing(t), t))
        return F.transform(fill(known), lambda t, i: F.coalesce(t, F.get(texts, i)))

    return dynamic.array(named(dynamic.elements(array), change))


@scalar("series_fill_forward", DYNAMIC, NUMBER, optional=1, returns=DYNAMIC)
def series_fill_forward(array: Column, placeholder: Column | None = None) -> Column:
    return _filled(array, placeholder, _forward)


@scalar("series_fill_backward", DYNAMIC, NUMBER, optional=1, returns=DYNAMIC)
def series_fill_backward(array: Column, placeholder: Column | None = None) -> Column:
    return _filled(array, placeholder, _backward)


@scalar("series_fill_const", DYNAMIC, NUMBER, NUMBER, optional=1, returns=DYNAMIC, typed=True)
def series_fill_const(
    types: tuple[Type, ...], array: Column, constant: Column, placeholder: Column | None = None
) -> Column:
    """The constant stays what it is, also among integers."""
    missing = _missing(placeholder)
    value = dynamic.encoded(constant, types[1])
    return dynamic.array(F.transform(dynamic.elements(array), lambda t: F.when(missing(t), value).otherwise(t)))


@scalar("series_fill_linear", DYNAMIC, NUMBER, BOOL, NUMBER, optional=3, returns=DYNAMIC, typed=True)
def series_fill_linear(
    types: tuple[Type, ...],
    array: Column,
    placeholder: Column | None = None,
    edges: Column | None = None,
    constant: Column | None = None,
) -> Column:
    """On a line between the neighbours, cut to integers in a series of them; at the ends the nearest element, unless
    `edges` is false. Where all is missing, the constant, 0.0 without one."""
    missing = _missing(placeholder)
    value = F.lit("0.0") if constant is None else dynamic.encoded(constant, types[3])

    def change(texts: Column) -> Column:
        known = F.transform(
            texts, lambda t, i: F.when(~missing(t), F.struct(i.alias("i"), dynamic.number(t).alias("n")))
        )
        parts = F.struct(
            texts.alias("texts"),
            _forward(known).alias("before"),
            _backward(known).alias("after"),
            _integral(F.filter(texts, lambda t: ~missing(t))).alias("integral"),
        )
        empty = ~F.exists(known, lambda k: k.isNotNull())
        return F.when(empty, F.transform(texts, lambda t: F.coalesce(value, t))).otherwise(named(parts, lines))

    def lines(parts: Column) -> Column:
        def filled(text: Column, i: Column) -> Column:
            number = _on_line(F.get(parts["before"], i), F.get(parts["after"], i), i, edges)
            written = F.when(parts["integral"], number.cast("bigint").cast("string")).otherwise(_real_text(number))
            return F.when(missing(text), F.coalesce(written, text)).otherwise(text)

        return F.transform(parts["texts"], filled)

    return dynamic.array(named(dynamic.elements(array), change))


def _on_line(before: Column, after: Column, i: Column, edges: Column | None) -> Column:
    """The number at a place between two known ones; where there is one alone, that one, if edges are filled."""
    slope = (after["n"] - before["n"]) / (after["i"] - before["i"])
    inner = before["n"] + slope * (i - before["i"])
    edge = F.coalesce(before["n"], after["n"])
    return F.coalesce(inner, edge if edges is None else F.when(edges, edge))


# Filters


@scalar("series_fir", DYNAMIC, DYNAMIC, BOOL, BOOL, optional=2, returns=DYNAMIC)
def series_fir(
    array: Column, coefficients: Column, normalize: Column | None = None, center: Column | None = None
) -> Column:
    """Each element is a sum of those up to it, or of those around it, times the filter's coefficients; beyond the ends
    there is nothing. A filter without negative coefficients is normalized; one with them cannot be."""

    def filtered(p: Column) -> Column:
        negative = F.exists(p["b"], lambda c: c < 0)
        wanted = ~negative if normalize is None else F.coalesce(normalize, ~negative)
        shift = F.lit(0) if center is None else F.when(center, F.floor((F.size(p["b"]) - 1) / 2)).otherwise(0)
        scaled = F.when(wanted, F.transform(p["b"], lambda c: _quotient(c, _sum(p["b"])))).otherwise(p["b"])
        parts = F.struct(p["a"].alias("x"), scaled.alias("b"), shift.cast("int").alias("shift"))
        return F.when(~(wanted & negative), named(parts, convolved))

    def convolved(q: Column) -> Column:
        return F.transform(q["x"], lambda _, i: _real_text(_weighed(q["b"], q["x"], i + q["shift"])))

    return dynamic.array(named(_pair(array, coefficients), filtered))


def _weighed(weights: Column, values: Column, place: Column) -> Column:
    """The sum of `values[place - k] * weights[k]`, where there is such a value."""

    def term(weight: Column, k: Column) -> Column:
        inside = (place - k >= 0) & (place - k < F.size(values))
        return F.when(inside, weight * F.get(values, place - k)).otherwise(F.lit(0.0))

    return _sum(F.transform(weights, term))


@scalar("series_iir", DYNAMIC, DYNAMIC, DYNAMIC, returns=DYNAMIC)
def series_iir(array: Column, numerators: Column, denominators: Column) -> Column:
    """y[i] = (b[0] x[i] + b[1] x[i-1] + ... - a[1] y[i-1] - a[2] y[i-2] - ...) / a[0]."""

    def filtered(p: Column) -> Column:
        places = F.transform(p["x"], lambda _, i: i)
        none = F.slice(p["x"], 1, 0)
        made = F.aggregate(places, none, lambda y, i: F.concat(y, F.array(next_of(p, y, i))))
        return F.transform(made, _real_text)

    def next_of(p: Column, y: Column, i: Column) -> Column:
        back = F.slice(p["a"], 2, F.greatest(F.size(p["a"]) - 1, F.lit(0)))
        return _quotient(_weighed(p["b"], p["x"], i) - _weighed(back, y, i - 1), F.get(p["a"], F.lit(0)))

    parts = F.struct(_numbers(array).alias("x"), _numbers(numerators).alias("b"), _numbers(denominators).alias("a"))
    return dynamic.array(named(parts, filtered))


# Statistics and lines: several values at once

PARTS: dict[str, tuple[tuple[str, Type], ...]] = {
    "series_stats": (
        ("min", REAL),
        ("min_idx", LONG),
        ("max", REAL),
        ("max_idx", LONG),
        ("avg", REAL),
        ("stdev", REAL),
        ("variance", REAL),
    ),
    "series_fit_line": (
        ("rsquare", REAL),
        ("slope", REAL),
        ("variance", REAL),
        ("rvariance", REAL),
        ("interception", REAL),
        ("line_fit", DYNAMIC),
    ),
}
"""The columns, in their order, of each function that makes several; the one called `min` of `series_stats(x)` is the
function `series_stats.min`, and is named `series_stats_x_min`."""

CATALOG.several.update({name: tuple(part for part, _ in parts) for name, parts in PARTS.items()})


def _statistics(array: Column, ignore: bool | None) -> Column:
    """A struct of `series_stats`' values and of the sum and the length; null where an element is not a number, unless
    those are ignored, and where there is none."""

    def of(p: Column) -> Column:
        given = F.filter(p, lambda n: n.isNotNull()) if ignore else p
        return F.when((F.size(given) > 0) & _finite(given), named(F.struct(p.alias("all"), given.alias("n")), measured))

    def measured(q: Column) -> Column:
        numbers = q["n"]
        size = F.size(numbers)
        low, high, total = F.array_min(numbers), F.array_max(numbers), _sum(numbers)
        variance = named(
            total / size, lambda m: F.when(size > 1, _squares(numbers, m) / (size - 1)).otherwise(F.lit(0.0))
        )
        return F.struct(
            low.alias("min"),
            (F.array_position(q["all"], low) - 1).alias("min_idx"),
            high.alias("max"),
            (F.array_position(q["all"], high) - 1).alias("max_idx"),
            (total / size).alias("avg"),
            F.sqrt(variance).alias("stdev"),
            variance.alias("variance"),
            total.alias("sum"),
            size.cast("bigint").alias("len"),
        )

    return named(_numbers(array), of)


def _squares(numbers: Column, mean: Column) -> Column:
    return F.aggregate(numbers, F.lit(0.0), lambda a, n: a + (n - mean) * (n - mean))


def _line(array: Column) -> Column:
    """A struct of `series_fit_line`'s values: least squares over the places 0, 1, ...; null where an element is no
    number, or there is none."""

    def fitted(numbers: Column) -> Column:
        size = F.size(numbers)
        places = F.transform(numbers, lambda _, i: i.cast("double"))
        sums = F.struct(
            numbers.alias("y"),
            places.alias("x"),
            (_sum(numbers) / size).alias("mean"),
            ((size - 1) / 2).alias("middle"),
        )
        return F.when((size > 0) & _finite(numbers), named(sums, _measured))

    return named(_numbers(array), fitted)


def _measured(s: Column) -> Column:
    """The slope of a line through the points."""
    together = F.zip_with(s["x"], s["y"], lambda x, y: (x - s["middle"]) * (y - s["mean"]))
    slope = F.when(F.size(s["y"]) > 1, _sum(together) / _squares(s["x"], s["middle"])).otherwise(F.lit(0.0))
    return named(F.struct(s.alias("s"), slope.alias("slope")), _lined)


def _lined(q: Column) -> Column:
    """All values of the line, its slope given."""
    s, slope = q["s"], q["slope"]
    start = s["mean"] - slope * s["middle"]
    fit = F.transform(s["x"], lambda x: start + slope * x)
    rest = F.zip_with(s["y"], fit, lambda y, f: (y - f) * (y - f))
    all_ = _squares(s["y"], s["mean"])
    size = F.greatest(F.size(s["y"]) - 1, F.lit(1))
    return F.struct(
        F.when(all_ == 0, F.lit(1.0)).otherwise(F.lit(1.0) - _sum(rest) / all_).alias("rsquare"),
        slope.alias("slope"),
        (all_ / size).alias("variance"),
        (_sum(rest) / size).alias("rvariance"),
        start.alias("interception"),
        dynamic.from_elements(fit, REAL).alias("line_fit"),
    )


def _bag(values: Column, parts: tuple[tuple[str, Type], ...]) -> Column:
    """A struct as a bag; of null, null."""
    bag = dynamic.bag_of([(F.lit(name), dynamic.encoded(values[name], kind)) for name, kind in parts])
    return F.when(values.isNotNull(), bag)


@scalar("series_stats_dynamic", DYNAMIC, Constant(BOOL), optional=1, returns=DYNAMIC)
def series_stats_dynamic(array: Column, ignore: bool | None = False) -> Column:
    parts = (*PARTS["series_stats"], ("sum", REAL), ("len", LONG))
    return named(_statistics(array, ignore), lambda s: _bag(s, parts))


@scalar("series_fit_line_dynamic", DYNAMIC, returns=DYNAMIC)
def series_fit_line_dynamic(array: Column) -> Column:
    return named(_line(array), lambda s: _bag(s, PARTS["series_fit_line"]))


def _statistic(name: str, array: Column, ignore: bool | None = False) -> Column:
    return _statistics(array, ignore)[name]


def _measure(name: str, array: Column) -> Column:
    return _line(array)[name]


_STATISTICS: tuple[Parameter, ...] = (DYNAMIC, Constant(BOOL))

for _part, _kind in PARTS["series_stats"]:
    scalar(f"series_stats.{_part}", *_STATISTICS, optional=1, returns=_kind)(partial(_statistic, _part))
for _part, _kind in PARTS["series_fit_line"]:
    scalar(f"series_fit_line.{_part}", DYNAMIC, returns=_kind)(partial(_measure, _part))
