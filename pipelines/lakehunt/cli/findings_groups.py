"""Counts of findings by folder of hunts, severity, tactic, technique or hunt: what `findings --group-by` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehunt.cli import render
from lakehunt.cli.render import Column

if TYPE_CHECKING:
    from lakehunt.hunting.content.hunt_file import Hunt
    from lakehunt.hunting.findings.reader import HuntFindings

Row = Mapping[str, Any]

NONE = "none"
"""The group of findings without a severity, a tactic or a technique."""


def _pack(hunt: Hunt, row: Row, folder: Path) -> list[str]:
    """The folder of the hunt's file, below that of all hunts; `.` if it is directly in that."""
    if not hunt.file.is_relative_to(folder):
        return [str(hunt.file.parent)]
    return [hunt.file.parent.relative_to(folder).as_posix()]


def _of_row(name: str) -> Callable[[Hunt, Row, Path], list[str]]:
    """The values of a column of `findings.all`, which may hold several."""

    def values(hunt: Hunt, row: Row, folder: Path) -> list[str]:
        value = row[name]
        return list(value or [NONE]) if isinstance(value, list) else [value or NONE]

    return values


def _hunt(hunt: Hunt, row: Row, folder: Path) -> list[str]:
    return [hunt.name]


GROUPS: dict[str, Callable[[Hunt, Row, Path], list[str]]] = {
    "pack": _pack,
    "severity": _of_row("severity"),
    "tactic": _of_row("attack_tactics"),
    "technique": _of_row("attack_techniques"),
    "hunt": _hunt,
}
"""The groups of a finding. One of several tactics or techniques is counted in each of them."""


def print_groups(found: Sequence[HuntFindings], by: str, folder: Path, form: str) -> None:
    """Prints a line for each group with findings. `folder` is that of all hunts."""
    rows = list(groups(found, by, folder))
    columns = [
        Column(by),
        Column("findings"),
        Column("new"),
        Column("hunts"),
        Column("devices"),
        Column("last_seen", "last seen"),
    ]
    render.records(form, rows, columns, title=f"Findings by {by}", empty="no findings", what="group")


def groups(found: Sequence[HuntFindings], by: str, folder: Path) -> Iterator[dict[str, Any]]:
    """For each group of findings, the one with the most findings first: how many there are and how many are new, of how
    many hunts and devices, and when the last event was seen."""
    grouped: dict[str, list[tuple[Hunt, Row]]] = {}
    for one in found:
        for row in one.rows:
            for name in dict.fromkeys(GROUPS[by](one.hunt, row, folder)):
                grouped.setdefault(name, []).append((one.hunt, row))
    for name, members in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0])):
        rows = [row for _, row in members]
        yield {
            by: name,
            "findings": len(rows),
            "new": sum(row["status"] == "new" for row in rows),
            "hunts": len({hunt.id for hunt, _ in members}),
            "devices": len({row["device_id"] for row in rows if row["device_id"]}),
            "last_seen": max((row["last_seen"] for row in rows if row["last_seen"]), default=None),
        }
