"""Finds out the result columns of plugins from the data, if the query does not declare them."""

from __future__ import annotations

from pyspark.sql import functions as F

from lakehunt.kql import syntax as s
from lakehunt.kql.catalog import common_type
from lakehunt.kql.errors import Kind, KqlError
from lakehunt.kql.types import BOOL, DYNAMIC, LONG, REAL, STRING, Column, Schema, Type
from lakehunt.spark import dynamic
from lakehunt.spark.expressions import as_argument, column
from lakehunt.spark.functions.registry import form
from lakehunt.spark.relations import Relation

MAX_COLUMNS = 1_000
"""Maximum number of result columns."""

_TYPES: dict[str, Type] = {"bool": BOOL, "long": LONG, "double": REAL, "string": STRING}


def bag_unpack(source: Relation, op: s.Evaluate) -> Schema:
    """The source's other columns, then one for each property name in any bag, sorted; one with the name of the unpacked
    column takes its place. A property with values of several types is dynamic.

    Raises KqlError if a property has the name of an existing column."""
    name = getattr(op.plugin.args[0], "name", "")
    prefix = str(getattr(op.plugin.args[1], "value", "")) if len(op.plugin.args) > 1 else ""
    kept = [c for c in source.schema if c.name != name]
    bag = as_argument(column(name), next(c.type for c in source.schema if c.name == name))
    pairs = source.frame.select(F.explode(F.map_entries(dynamic.entries(bag))).alias("$$pair")).select(
        column("$$pair")["key"].alias("name"), dynamic.kind(column("$$pair")["value"]).alias("kind")
    )
    found = pairs.groupBy("name").agg(F.collect_set("kind").alias("kinds")).orderBy("name").limit(MAX_COLUMNS).collect()
    made = [Column(prefix + row["name"], _type_of(set(row["kinds"]))) for row in found]
    taken = {c.name for c in kept} & {c.name for c in made}
    if taken:
        hint = "give a prefix: bag_unpack(d, 'd_')"
        raise KqlError(Kind.UNSUPPORTED, f"there is a column '{min(taken)}' already", op.span, hint)
    placed = [m for c in source.schema for m in (made if c.name == name else [c]) if m.name == c.name]
    return (*placed, *(m for m in made if m.name != name))


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
