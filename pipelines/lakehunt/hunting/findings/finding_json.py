"""Findings as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyspark.sql import Row

from lakehunt.kql import times
from lakehunt.lake.delta_lake import utc


def finding_json(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    """A row of `findings.all`: times as Kusto writes them, `result` as an object."""
    columns = row.asDict() if isinstance(row, Row) else row
    made = {name: _text(value) if isinstance(value, datetime) else value for name, value in columns.items()}
    return made | {"result": json.loads(row["result"])}


def _text(moment: datetime) -> str:
    return times.format_datetime(times.from_datetime(utc(moment)))
