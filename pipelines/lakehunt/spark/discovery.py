"""Finds out the result columns of plugins from the data, if the query does not declare them."""

from __future__ import annotations

from typing import Any

from lakehunt.kql import syntax as s
from lakehunt.kql.catalog import common_type
from lakehunt.kql.types import BOOL, DYNAMIC, LONG, REAL, STRING, Column, Schema, Type
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.expressions import as_argument, column
from lakehunt.spark.functions.registry import form
from lakehunt.spark.relations import Relation

MAX_COLUMNS = 1_000
"""Maximum number of result columns."""

_TYPES: dict[str, Type] = {"bool": BOOL, "long": LONG, "double": REAL, "string": STRING}


def bag_unpack(source: Relation, op: s.Evaluate) -> Schema:
    """One column for each property name in any bag, sorted. A property with values of several types is dynamic.

    The arguments are those of `Unpacking.call`."""
    name, (prefix, _, ignored) = _arguments(op.plugin)
    bag = as_argument(column(name), next(c.type for c in source.schema if c.name == name))
    pairs = source.frame.select(F.explode(F.map_entries(dynamic.entries(bag))).alias("$$pair")).select(
        column("$$pair")["key"].alias("name"), dynamic.kind(column("$$pair")["value"]).alias("kind")
    )
    wanted = pairs.where(~F.col("name").isin(*ignored)) if ignored else pairs
    found = wanted.groupBy("name").agg(F.collect_set("kind").alias("kinds")).orderBy("name").limit(MAX_COLUMNS)
    return tuple(Column(prefix + row["name"], _type_of(set(row["kinds"]))) for row in found.collect())


def _arguments(call: s.Call) -> tuple[str, list[Any]]:
    first, *others = call.args
    return getattr(first, "name", ""), [getattr(one, "value", None) for one in others]


def _type_of(kinds: set[str]) -> Type:
    types = [_TYPES.get(kind, DYNAMIC) for kind in kinds - {"null"}]
    return (common_type(types) if types else None) or DYNAMIC


def pivot(source: Relation, op: s.Evaluate) -> Schema:
    """A column of the aggregate's type for each value of the key column, sorted. The binder adds the others."""
    name = getattr(op.plugin.args[0], "name", "")
    kind = next(c.type for c in source.schema if c.name == name)
    text = form("scalar", "tostring", [kind]).call([kind], [column(name)], [None])
    found = source.frame.select(text.alias("value")).distinct().orderBy("value").limit(MAX_COLUMNS).collect()
    return tuple(Column(row["value"], DYNAMIC) for row in found)


COLUMNS = {"bag_unpack": bag_unpack, "pivot": pivot}
"""For each plugin whose columns depend on the data, the function that determines them."""
