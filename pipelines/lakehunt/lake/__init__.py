"""The lake: a Spark session, Delta tables with documented columns, idempotent writes."""
