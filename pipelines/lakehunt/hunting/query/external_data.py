"""`externaldata`: files that a query names by URL. Nothing is fetched while hunts run: the team keeps copies, and the
configuration maps URLs to them.

    external:
      https://example.com/lolbins.csv: lookups/lolbins.csv

So a run needs no network access, and the same data give the same findings until a copy changes."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame

from lakehunt.core.errors import LakehuntError
from lakehunt.kql import plan as p
from lakehunt.kql.types import DYNAMIC, STRING, Type
from lakehunt.lake.delta_lake import Lake
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import form
from lakehunt.spark.relations import ORDER, Relation

_SEPARATORS = {"csv": ",", "tsv": "\t", "psv": "|", "scsv": ";", "txt": "\u0001"}
"""Column separators; a line of `txt` is a single column, so its separator is a character that does not occur."""

HINT = "save a copy, and name it under `external` in lakehunt.yaml"

_QUOTED = {name: {"escape": '"', "multiLine": "true"} for name in _SEPARATORS} | {"txt": {"quote": ""}}


class NoCopyError(LakehuntError):
    """A query names an address of which there is no copy."""


def relation(lake: Lake, copies: Mapping[str, str], plan: p.External) -> Relation:
    """The rows of all files, in order. Values that cannot be converted to their column's type are null.

    Raises NoCopyError for an address without a copy, LakehuntError for one with an unreadable copy."""
    files = []
    for address in plan.addresses:
        if address not in copies:
            raise NoCopyError(f"externaldata: there is no copy of {address}", HINT)
        files.append(copies[address])
    read = _read(lake, plan, files)
    columns = [converted(read[f"c{i}"], c.type).alias(c.name) for i, c in enumerate(plan.schema)]
    order = F.struct(*(F.col(f"c{i}") for i in range(len(plan.schema))), F.lit(0).alias("all"))
    return Relation(read.select(*columns, order.alias(ORDER)), plan.schema)


def _read(lake: Lake, plan: p.External, files: list[str]) -> DataFrame:
    """The columns as strings `c0`, `c1`, ...: by position, in JSON by name."""
    count = len(plan.schema)
    if plan.format in _SEPARATORS:
        options = {"sep": _SEPARATORS[plan.format], "header": str(plan.has_header), **_QUOTED[plan.format]}
        schema = ", ".join(f"c{i} string" for i in range(count))
        return lake.spark.read.options(**options).schema(schema).csv(files, enforceSchema=True)
    names = [c.name.replace("`", "``") for c in plan.schema]
    schema = ", ".join(f"`{name}` string" for name in names)
    lines = lake.spark.read.schema(schema).json(files, multiLine=plan.format == "multijson")
    return lines.select(*(F.col(f"`{name}`").alias(f"c{i}") for i, name in enumerate(names)))


def converted(text: Column, kind: Type) -> Column:
    """A text as a value of the type; null where it is not one."""
    string = F.coalesce(text, F.lit(""))
    if kind == STRING:
        return string
    function = "todynamic" if kind == DYNAMIC else f"to{kind}"
    made: Column = form("scalar", function, [STRING]).call([STRING], [string], [None])
    return made
