"""Spark's columns and functions, described in Python and made in the JVM by one call.

PySpark makes a column in the JVM for each function and each operator, at 0.1 ms a call. A hunt's plan has thousands.
`F` has the functions of `pyspark.sql.functions`: the common ones return a `LazyColumn`, which is made when PySpark
needs it, with everything that it consists of. The others are PySpark's own. `select` makes all columns of a frame by
one call.

A description is a list of steps, each of which makes a column of literals and earlier steps (`ColumnBuilder.java`):

    l VALUE           a literal: null, a boolean, an integer or a text
    d TEXT            a literal of type double
    c NAME            a column by its name
    f NAME STEPS      a function of `org.apache.spark.sql.functions`
    n NAME STEPS      a function by its name in SQL
    m NAME STEPS      a method of the first of these columns
    r STEP TEXT       whether it matches a regular expression
    a STEP NAME       an alias
    t STEP TYPE       a cast; y: one that gives null in place of an error; j: to a type in Spark's JSON
    i STEPS           whether the first is one of the others
    v NAME            a parameter of a lambda function
    u STEPS           a lambda function: its result, then its parameters
    h NAME STEPS      a function of columns and lambda functions
    k NUMBER STEPS    a function that was given
    x NUMBER          a column that was given: it has been made already"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from pyspark import SparkContext
from pyspark.sql import Column, DataFrame, SparkSession, WindowSpec
from pyspark.sql import functions as spark_functions
from pyspark.sql.classic.column import Column as ClassicColumn
from pyspark.sql.types import DataType

from lakehunt.runtime import janino

__all__ = ["F", "LazyColumn", "called", "select"]

Step = tuple[Any, ...]
"""A letter and its arguments, in which a `LazyColumn` stands for the step that makes it."""

_LARGEST = 2**63
_LITERALS = (bool, int, float, str, type(None))


class LazyColumn(ClassicColumn):
    """A column that is made in the JVM when it is needed, and again in another JVM: columns are kept, and a process may
    outlive its JVM. What has no method here is done by PySpark with the made column."""

    def __init__(self, *step: Any) -> None:
        self._step: Step = step
        self._in: Any = None
        self._value: Any = None

    @property
    def is_made(self) -> bool:
        return self._made is not None

    @property
    def _made(self) -> Any:
        """The column in the JVM that PySpark is connected to; None if it is not made there."""
        return self._value if self._in is SparkContext._gateway else None

    @_made.setter
    def _made(self, made: Any) -> None:
        self._in, self._value = SparkContext._gateway, made

    @property
    def _jc(self) -> Any:
        if self._made is None:
            steps, made, _ = ([self._step], [], ()) if self._step[0] == "v" else _program([self])
            self._made = _builder().column(json.dumps(steps), made)
        return self._made

    @_jc.setter
    def _jc(self, made: Any) -> None:
        self._made = made

    @classmethod
    def of(cls, made: Column) -> LazyColumn:
        """A column that has been made already. PySpark's own would be the right one of two operands: Python asks the
        class that is derived from the other one first."""
        if isinstance(made, cls):
            return made
        column = cls("x")
        column._made = made._jc
        return column

    def _method(self, name: str, *others: Any) -> Column:
        return LazyColumn("m", name, self, *map(lit, others))

    def alias(self, *alias: str, **kwargs: Any) -> Column:
        if len(alias) != 1 or kwargs:
            return LazyColumn.of(super().alias(*alias, **kwargs))
        return LazyColumn("a", self, alias[0])

    def cast(self, dataType: DataType | str) -> Column:  # noqa: N803 (PySpark's name)
        return LazyColumn("t", self, dataType) if isinstance(dataType, str) else LazyColumn("j", self, dataType.json())

    def try_cast(self, dataType: DataType | str) -> Column:  # noqa: N803 (PySpark's name)
        return (
            LazyColumn("y", self, dataType) if isinstance(dataType, str) else LazyColumn.of(super().try_cast(dataType))
        )

    def isin(self, *cols: Any) -> Column:
        values = cols[0] if len(cols) == 1 and isinstance(cols[0], (list, set)) else cols
        if any(isinstance(value, DataFrame) for value in values):
            return LazyColumn.of(super().isin(*cols))
        return LazyColumn("i", self, *map(lit, values))

    def rlike(self, other: str) -> Column:
        return LazyColumn("r", self, other)

    def when(self, condition: Column, value: Any) -> Column:
        return self._method("when", condition, value)

    def otherwise(self, value: Any) -> Column:
        return self._method("otherwise", value)

    def over(self, window: WindowSpec) -> Column:
        return LazyColumn.of(super().over(window))

    def substr(self, startPos: Any, length: Any) -> Column:  # noqa: N803 (PySpark's names)
        return self._method("substr", startPos, length)

    def like(self, other: str) -> Column:
        return LazyColumn.of(super().like(other))

    def ilike(self, other: str) -> Column:
        return LazyColumn.of(super().ilike(other))

    def __getitem__(self, k: Any) -> Column:
        return LazyColumn.of(super().__getitem__(k)) if isinstance(k, slice) else self._method("apply", k)

    def __neg__(self) -> Column:
        return LazyColumn("f", "negate", self)

    def __invert__(self) -> Column:
        return LazyColumn("f", "not", self)

    def __repr__(self) -> str:
        return f"Column<'{self._jc.toString()}'>"


def _binary(name: str) -> Callable[[LazyColumn, Any], Column]:
    return lambda self, other: self._method(name, other)


def _reversed(name: str) -> Callable[[LazyColumn, Any], Column]:
    return lambda self, other: LazyColumn("m", name, lit(other), self)


def _unary(name: str) -> Callable[[LazyColumn], Column]:
    return lambda self: self._method(name)


_BINARY = {
    "__add__": "plus", "__radd__": "plus", "__sub__": "minus", "__mul__": "multiply", "__rmul__": "multiply",
    "__truediv__": "divide", "__mod__": "mod", "__eq__": "equalTo", "__ne__": "notEqual", "__lt__": "lt",
    "__le__": "leq", "__gt__": "gt", "__ge__": "geq", "__and__": "and", "__rand__": "and", "__or__": "or",
    "__ror__": "or", "eqNullSafe": "eqNullSafe", "bitwiseAND": "bitwiseAND", "bitwiseOR": "bitwiseOR",
    "bitwiseXOR": "bitwiseXOR", "contains": "contains", "startswith": "startsWith", "endswith": "endsWith",
}  # fmt: skip
"""Methods of a PySpark column, and those of Spark's that they call."""

_REVERSED = {"__rsub__": "minus", "__rtruediv__": "divide", "__rmod__": "mod"}

_UNARY = (
    "asc", "asc_nulls_first", "asc_nulls_last", "desc", "desc_nulls_first", "desc_nulls_last", "isNull", "isNotNull",
    "isNaN",
)  # fmt: skip

for _name, _of_spark in _BINARY.items():
    setattr(LazyColumn, _name, _binary(_of_spark))
for _name, _of_spark in _REVERSED.items():
    setattr(LazyColumn, _name, _reversed(_of_spark))
for _name in _UNARY:
    setattr(LazyColumn, _name, _unary(_name))
LazyColumn.__hash__ = ClassicColumn.__hash__  # type: ignore[method-assign]


def lit(value: Any) -> Column:
    """A literal; a column is itself."""
    if isinstance(value, Column):
        return value
    if type(value) is float:
        return LazyColumn("d", _double(value))
    if type(value) in _LITERALS and (type(value) is not int or -_LARGEST <= value < _LARGEST):
        return LazyColumn("l", value)
    return LazyColumn.of(spark_functions.lit(value))


def _double(value: float) -> str:
    """The value as Java reads it."""
    if math.isnan(value):
        return "NaN"
    return repr(value) if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"


def _named(value: Any) -> Column:
    """A text is the name of a column, other values are literals."""
    return LazyColumn("c", value) if isinstance(value, str) else lit(value)


# Functions

_OF_COLUMNS = (
    "abs", "acos", "array", "array_append", "array_compact", "array_distinct", "array_except", "array_intersect",
    "array_max", "array_min", "array_remove", "array_repeat", "array_size", "array_sort", "array_union",
    "arrays_zip", "ascii", "asin", "atan", "atan2", "base64", "bin", "bit_count", "bitwise_not", "bool_and", "cbrt",
    "ceil", "char", "char_length", "character_length", "coalesce", "collect_list", "collect_set", "concat",
    "contains", "cos", "count", "count_if", "date_from_unix_date", "dayofmonth", "dayofweek", "dayofyear",
    "degrees", "endswith", "exp", "explode", "explode_outer", "flatten", "floor", "get", "greatest", "hash", "hex",
    "hour", "initcap", "isnan", "isnotnull", "isnull", "last_day", "least", "length", "ln", "log10", "log2",
    "lower", "ltrim", "map_concat", "map_entries", "map_from_arrays", "map_from_entries", "map_keys", "map_values",
    "max", "max_by", "md5", "min", "min_by", "minute", "month", "negate", "nullif", "octet_length", "pmod",
    "posexplode", "pow", "quarter", "radians", "replace", "reverse", "rint", "rtrim", "second", "sequence", "sha1",
    "sign", "signum", "sin", "size", "slice", "sqrt", "startswith", "struct", "substring", "sum", "tan",
    "timestamp_micros", "timestamp_millis", "timestamp_seconds", "trim", "unbase64", "unhex", "unix_date",
    "unix_micros", "unix_millis", "upper", "var_pop", "var_samp", "weekday", "weekofyear", "xxhash64", "year",
)  # fmt: skip
"""Functions all of whose arguments are columns: given as texts, these are their names."""

_WITH_LITERALS = {
    "array_contains": 1, "array_position": 1, "element_at": 1, "lpad": 1, "regexp_replace": 1, "rpad": 1,
}  # fmt: skip
"""Functions whose arguments are literals from this place on, if they are not columns."""

_OF_FUNCTIONS = {
    "aggregate": 2, "array_sort": 1, "exists": 1, "filter": 1, "forall": 1, "map_filter": 1, "transform": 1,
    "transform_values": 1, "zip_with": 2,
}  # fmt: skip
"""Functions that are given lambda functions from this place on."""


def _lambda(function: Callable[..., Column]) -> Column:
    count = len(inspect.signature(function).parameters)
    parameters = [LazyColumn("v", name) for name in ("x", "y", "z")[:count]]
    return LazyColumn("u", function(*parameters), *parameters)


def _when(condition: Column, value: Any) -> Column:
    return LazyColumn("f", "when", condition, lit(value))


def _call_function(name: str, *columns: Any) -> Column:
    return LazyColumn("n", name, *map(_named, columns))


def _of_columns(name: str) -> Callable[..., Column]:
    of_spark: Callable[..., Column] = getattr(spark_functions, name)
    literals, functions = _WITH_LITERALS.get(name), _OF_FUNCTIONS.get(name)

    @wraps(of_spark)  # with its signature: it may be a lambda function's
    def function(*arguments: Any, **named: Any) -> Column:
        if named or any(isinstance(one, (list, tuple)) for one in arguments):
            return LazyColumn.of(of_spark(*arguments, **named))
        if functions is not None and len(arguments) > functions:
            lambdas = map(_lambda, arguments[functions:])
            return LazyColumn("h", name, *map(_named, arguments[:functions]), *lambdas)
        until = len(arguments) if literals is None else literals
        return LazyColumn("f", name, *map(_named, arguments[:until]), *map(lit, arguments[until:]))

    return function


_OWN: dict[str, Callable[..., Column]] = {
    "lit": lit,
    "col": _named,
    "when": _when,
    "call_function": _call_function,
    **{name: _of_columns(name) for name in (*_OF_COLUMNS, *_WITH_LITERALS, *_OF_FUNCTIONS)},
}


def _delegated(function: Callable[..., Any]) -> Callable[..., Any]:
    """PySpark's own function, which may be one of tables."""

    @wraps(function)
    def made(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        return LazyColumn.of(result) if isinstance(result, Column) else result

    return made


class _Functions:
    """`pyspark.sql.functions` with functions that return a `LazyColumn` where that is possible."""

    def __getattr__(self, name: str) -> Callable[..., Column]:
        return _OWN[name] if name in _OWN else _delegated(getattr(spark_functions, name))


if TYPE_CHECKING:
    from pyspark.sql import functions as F
else:
    F = _Functions()


def called(function: Any, *columns: Column) -> Column:
    """The value of a `UserDefinedFunction` of Java for columns."""
    return LazyColumn("k", function, *columns)


# Making columns


def select(frame: DataFrame, *columns: Column) -> DataFrame:
    """`frame.select` by one call."""
    steps, made, numbers = _program(columns)
    return _frame(frame, _builder().select(_java(frame), json.dumps(steps), json.dumps(numbers), made))


def _java(frame: DataFrame) -> Any:
    return frame._jdf


def _frame(like: DataFrame, made: Any) -> DataFrame:
    frame: DataFrame = type(like)(made, like.sparkSession)
    return frame


def _program(wanted: Iterable[Column]) -> tuple[list[Step], Any, list[int]]:
    """The steps that make these columns, the list of columns that have been made already, and the steps' numbers.

    Iterates: real hunts have expressions of hundreds of levels."""
    steps: list[Step] = []
    numbers: dict[int, int] = {}
    given: list[Any] = []
    free: dict[int, LazyColumn] = {}
    columns = list(wanted)
    left: list[tuple[Column, bool]] = [(one, False) for one in reversed(columns)]
    while left:
        one, are_inner_done = left.pop()
        if id(one) in numbers:
            continue
        if not isinstance(one, LazyColumn) or (one.is_made and one._step[0] not in "cdl"):
            numbers[id(one)] = len(steps)
            steps.append(("x", len(given)))
            given.append(one._jc)
        elif are_inner_done:
            step = tuple(numbers[id(part)] if isinstance(part, Column) else part for part in one._step)
            if step[0] == "k":
                step = ("k", len(given), *step[2:])
                given.append(one._step[1])
            numbers[id(one)] = number = len(steps)
            steps.append(step)
            if step[0] == "v":
                free[number] = one
            elif step[0] == "u":
                free = {n: parameter for n, parameter in free.items() if n not in step[2:]}
        else:
            left.append((one, True))
            left += [(part, False) for part in reversed(one._step) if isinstance(part, Column)]
    # A parameter of a lambda function that is not in this description: PySpark's functions make a part of its result.
    for number, parameter in free.items():
        steps[number] = ("x", len(given))
        given.append(parameter._jc)
    return steps, given, [numbers[id(one)] for one in columns]


def _builder() -> Any:
    return _builder_of(SparkSession.active().sparkContext)


@cache
def _builder_of(context: SparkContext) -> Any:
    return janino.compile_class(SparkSession.active(), "ColumnBuilder").newInstance()
