"""Conditions on rows that each engine understands. Imports no Spark."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.core.sql import quoted_name, string_literal

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in"]

Where = Sequence[tuple[str, Operator, Any]]
"""Conditions that all hold: column, operator and value (with `in`: values). Values are numbers, texts, dates and
times. A null satisfies none, and no conditions hold for every row."""


def spark_sql(where: Where) -> str:
    """The condition in Spark SQL."""
    return _sql(where, quoted_name, _spark_literal)


def delta_rs_sql(where: Where) -> str:
    """The condition as delta-rs reads it."""
    return _sql(where, lambda name: '"' + name.replace('"', '""') + '"', _literal)


def expression(where: Where) -> pc.Expression:
    """The condition as an expression of Arrow."""
    every = pc.scalar(True)
    for name, operator, value in where:
        every &= _COMPARED[operator](pc.field(name), value)
    return every


def of_files(where: Where, known: Collection[str]) -> pc.Expression:
    """Whether the condition may hold for a row of a file, as an expression on what the log says of the table's files
    (`known`: its columns): values of partitions, and the least and greatest value of others where a file has them."""
    every = pc.scalar(True)
    for name, operator, value in where:
        if (partition := f"partition.{name}") in known:
            every &= _COMPARED[operator](pc.field(partition), value)
        elif {least := f"min.{name}", greatest := f"max.{name}"} <= set(known):
            possible = _possible(pc.field(least), operator, value, pc.field(greatest))
            every &= pc.coalesce(possible, pc.scalar(True))  # a file without statistics
    return every


def _possible(least: pc.Expression, operator: Operator, value: Any, greatest: pc.Expression) -> pc.Expression:
    if operator in ("<", "<="):
        return _COMPARED[operator](least, value)
    if operator in (">", ">="):
        return _COMPARED[operator](greatest, _truncated(value))
    values = value if operator == "in" else [value]
    if operator == "!=" or not values:
        return pc.scalar(operator == "!=")
    return (least <= arrow_value(max(values))) & (greatest >= arrow_value(_truncated(min(values))))


def _truncated(value: Any) -> Any:
    """A time that is less by as much as the log may have cut off the greatest one: Delta writes milliseconds."""
    return value - timedelta(milliseconds=1) if isinstance(value, datetime) else value


def arrow_value(value: Any) -> Any:
    """The value as Arrow compares it: a time in UTC, in microseconds."""
    return pa.scalar(value.astimezone(UTC), pa.timestamp("us", "UTC")) if isinstance(value, datetime) else value


_COMPARED: dict[str, Callable[[pc.Expression, Any], pc.Expression]] = {
    "=": lambda column, value: column == arrow_value(value),
    "!=": lambda column, value: column != arrow_value(value),
    "<": lambda column, value: column < arrow_value(value),
    "<=": lambda column, value: column <= arrow_value(value),
    ">": lambda column, value: column > arrow_value(value),
    ">=": lambda column, value: column >= arrow_value(value),
    "in": lambda column, values: column.isin([arrow_value(value) for value in values]) if values else pc.scalar(False),
}


def _sql(where: Where, quoted: Callable[[str], str], literal: Callable[[Any], str]) -> str:
    every = []
    for name, operator, value in where:
        if operator == "in":
            values = ", ".join(map(literal, value))
            every.append(f"{quoted(name)} IN ({values})" if values else "FALSE")
        else:
            every.append(f"{quoted(name)} {operator} {literal(value)}")
    return " AND ".join(every) or "TRUE"


def _spark_literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"TIMESTAMP {_literal(value)}"
    if isinstance(value, date):
        return f"DATE {_literal(value)}"
    return string_literal(value) if isinstance(value, str) else _literal(value)


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC).replace(tzinfo=None).isoformat('T', 'microseconds')}Z'"
    if isinstance(value, date):
        return f"'{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
