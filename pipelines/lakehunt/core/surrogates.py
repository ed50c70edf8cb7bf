"""Halves of UTF-16 surrogate pairs, which JSON can hold as escapes and UTF-8 cannot."""

from __future__ import annotations

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"

HALF_A_PAIR = f"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}"
"""A regular expression for the escape of half a pair, in JSON in which every backslash begins an escape."""
