"""Compiles typed plans to Spark: one small function for each operator and each function of KQL."""
