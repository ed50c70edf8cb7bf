"""Names and texts inside Spark SQL. Imports no Spark."""

from __future__ import annotations


def quoted_name(name: str) -> str:
    """An identifier in backticks, whatever characters it has."""
    return f"`{name.replace('`', '``')}`"


def string_literal(text: str) -> str:
    """A text as a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
