"""Delivered records to typed columns: bytes in, Arrow out. No Spark, no files, no state."""
