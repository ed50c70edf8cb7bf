"""Typed plans -> Spark DataFrames, by family: one small function for each kind of plan. Importing this package fills
the table that `compile_plan` looks in."""

from lakehunt.spark.plans import bodies, groups, rows, tables
from lakehunt.spark.relations import Context, compile_plan

__all__ = ["Context", "bodies", "compile_plan", "groups", "rows", "tables"]
