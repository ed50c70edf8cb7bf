"""Findings as JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pyspark.sql import Row

from lakehunt.kql import times
from lakehunt.lake.delta_lake import utc


def finding_json(row: Row) -> dict[str, Any]:
    """A row of `findings.all`: times as Kusto writes them, `result` as an object."""
    made = {name: _text(value) if isinstance(value, datetime) else value for name, value in row.asDict().items()}
    return made | {"result": json.loads(row["result"])}


def _text(moment: datetime) -> str:
    return times.format_datetime(times.from_datetime(utc(moment)))
