"""Compiles typed plans to Spark DataFrames: one small function for each kind of plan, by family. Importing this package
registers them for `compile_plan`."""

from lakehunt.spark.plans import bodies, groups, rows, tables
from lakehunt.spark.relations import Context, compile_plan

__all__ = ["Context", "bodies", "compile_plan", "groups", "rows", "tables"]
