"""A source in S3, and what a lake holds in which it has landed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE, RECORDS
from lakehunt.schemas.table import Table
from tests.support.blobs import record
from tests.support.s3_server import put

EVENTS = DEVICE_PROCESS_EVENTS.events


def many(bucket: str, count: int) -> str:
    """A source of so many objects."""
    for number in range(count):
        lines = [record(FileName=str(n), ReportId=number * 1000 + n) for n in range(40)]
        put(f"{bucket}/source/{number}.json", "\n".join([*lines, "nope", lines[0]]) + "\n")
    return f"s3a://{bucket}/source"


def rows(root: str, table: Table) -> list[str]:
    """The rows of a table as text, in order, apart from when and in which batch they came, and where the source is."""
    names = [name for name in table.column_names if name not in {"landed_at", "batch", "modified_at"}]
    found = LocalTables(root).rows(table, names)
    times = {column.name for column in EVENTS.columns if column.type == "TIMESTAMP"}
    arrays = [found.column(name).cast(pa.string()) if name in times else found.column(name) for name in names]
    listed = pa.table(arrays, names).to_pylist()
    return sorted(
        json.dumps(row | {"file": row["file"].rpartition("/source/")[2]}, default=repr, sort_keys=True)
        for row in listed
    )


def everything(root: str) -> list[list[str]]:
    return [rows(root, table) for table in (RECORDS, EVENTS, QUARANTINE)]


def waiting(root: str) -> list[dict[str, Any]]:
    """Batches that are not settled."""
    return LocalTables(root).few(BATCHES, ["batch", "outcome"], [("outcome", "!=", "settled")])


def watched(process: subprocess.Popen[str]) -> tuple[str, set[str]]:
    """What a process says until it ends, and the command lines of this machine meanwhile."""
    commands: set[str] = set()
    while process.poll() is None:
        commands |= set(_command_lines())
        time.sleep(0.05)
    assert process.stdout is not None
    return process.stdout.read(), commands


def _command_lines() -> Iterator[str]:
    """Those of all processes of this machine, as every user may read them."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
