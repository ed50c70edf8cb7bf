"""Halves of UTF-16 surrogate pairs, which JSON can hold as escapes and UTF-8 cannot."""

from __future__ import annotations

from pyspark.sql import Column

from lakehunt.spark.columns import F

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"

_HALF_A_PAIR = f"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}"
"""The escape of half a pair, in JSON in which every backslash begins an escape."""

_BACKSLASH = "\x01"
"""Stands for an escaped backslash; a control character cannot occur in JSON."""


def well_formed(json: Column) -> Column:
    """JSON in which each half of a surrogate pair is U+FFFD. Spark's readers of JSON make a question mark of it, or
    nothing of the whole text."""
    escaped = F.replace(json, F.lit("\\\\"), F.lit(_BACKSLASH))  # so that a backslash left over begins an escape
    mended = F.replace(F.regexp_replace(escaped, _HALF_A_PAIR, r"\\ufffd"), F.lit(_BACKSLASH), F.lit("\\\\"))
    may_have_one = F.contains(json, F.lit(r"\ud")) | F.contains(json, F.lit(r"\uD"))
    # A text with this control character is not JSON. It must not become JSON.
    return F.when(may_have_one & ~F.contains(json, F.lit(_BACKSLASH)), mended).otherwise(json)
