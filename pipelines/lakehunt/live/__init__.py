"""Asking again and again in one process: what keeps Spark's JVM between questions, and what asks them."""
