"""Typed tree -> Spark plan: one small function for each operator and each function of KQL."""
