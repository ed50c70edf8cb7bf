"""The two seed hunts and hunts made for a test: how to run them, and what a lake holds afterwards."""

from __future__ import annotations

from typing import Any

from lakehunt.hunting import engine
from lakehunt.hunting.content import exclusion_file, hunt_file
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.findings import writer
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from tests.support.paths import PROJECT

AS_OF = "2026-03-07T00:00:00Z"

BACKUP = Exclusion(
    "backup",
    "AccountName == 'backup'",
    "r",
    "us@example.com",
    hunts=(),
    condition=exclusion_file.condition("AccountName == 'backup'", "DeviceProcessEvents"),
)

H1, H2 = (
    hunt_file.load(PROJECT / "hunts" / f"{name}.yaml")
    for name in (
        "detect-suspicious-commands-initiated-by-web-server-processes",
        "webserver-executing-suspicious-applications",
    )
)


def ticks(text: str) -> int:
    found = times.parse_datetime(text)
    assert found is not None
    return found


def run(lake: Lake, *hunts: hunt_file.Hunt, as_of: str = AS_OF) -> list[engine.Run]:
    return engine.run_hunts(lake, hunts, ticks(as_of), lambda step: None)


def custom(query: str, **fields: Any) -> hunt_file.Hunt:
    return hunt_file.Hunt(id="0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", name="custom", query=query, **fields)


def own(lake: Lake, one: hunt_file.Hunt) -> list[dict[str, Any]]:
    """The rows of the hunt's own table, which it has once it has found something."""
    if not lake.exists(writer.name_of(one)):
        return []
    return [row.asDict() for row in lake.read(writer.name_of(one)).orderBy("as_of", "ordinal").collect()]


def common(lake: Lake) -> list[dict[str, Any]]:
    return [row.asDict() for row in lake.read(writer.ALL).orderBy("hunt_id", "as_of", "finding_id").collect()]
