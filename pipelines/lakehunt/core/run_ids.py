"""Ids of runs: of hunts, and of passes over new events."""

from __future__ import annotations

import secrets
from datetime import datetime


def run_id(begun: datetime) -> str:
    """An id of a run that has begun at a time in UTC: ids are in the order of these times, and no two are the same."""
    return f"{begun:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
