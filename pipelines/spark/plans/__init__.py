"""Typed plans -> Spark DataFrames, by family: one small function for each kind of plan. Importing this package fills
the table that `compile_plan` looks in."""

from pipelines.spark.plans import bodies, groups, rows, tables
from pipelines.spark.relations import Context, compile_plan

__all__ = ["Context", "bodies", "compile_plan", "groups", "rows", "tables"]
