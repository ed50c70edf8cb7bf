"""Invented Streaming API records and blobs, and suites small enough for quick tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NOW = datetime(2024, 5, 2, 12, tzinfo=UTC)
CATEGORY = "AdvancedHunting-DeviceProcessEvents"
BLOB = "insights-logs-advancedhunting-deviceprocessevents/tenantId=0f0e/y=2024/m=05/d=02/h=11/m=00/PT1H.json"

NOT_NULL = "expect_column_values_to_not_be_null"


def record(category: str = CATEGORY, **properties: Any) -> str:
    """One delivered record as text; `properties` on top of a readable Timestamp and DeviceId."""
    event = {"Timestamp": "2024-05-02T11:00:00.1234567Z", "DeviceId": "d1"} | properties
    return json.dumps({"time": "2024-05-02T11:05:00Z", "tenantId": "0f0e", "category": category, "properties": event})


def blob(folder: Path, content: bytes | str, name: str = BLOB) -> Path:
    """Writes (or overwrites) a blob in `folder`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def suite(name: str, *expectations: dict[str, Any]) -> str:
    return json.dumps({"name": name, "expectations": expectations})


def write_suites(
    folder: Path, events: tuple[dict[str, Any], ...] = (), landing: tuple[dict[str, Any], ...] = ()
) -> Path:
    required = [
        {"type": NOT_NULL, "kwargs": {"column": c}, "severity": "critical", "meta": {"on_failure": "quarantine"}}
        for c in ("Timestamp", "DeviceId")
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "device_process_events.json").write_text(suite("device_process_events", *required, *events))
    (folder / "landing.json").write_text(suite("landing", *landing))
    return folder
