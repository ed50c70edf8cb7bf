"""How tables show values of a kind."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def moment(value: Any) -> str:
    """A time, to the second; midnight is a day."""
    if not isinstance(value, datetime):
        return ""
    return value.replace(tzinfo=None).isoformat(" ", "seconds").removesuffix(" 00:00:00")


def megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1_000_000:.1f}"


def number(value: float | None) -> str:
    """A number with at most one decimal."""
    return "" if value is None else f"{value:.1f}".removesuffix(".0")
