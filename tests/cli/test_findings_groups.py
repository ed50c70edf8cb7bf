"""What `lakehunt findings --group-by` counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehunt.cli import findings_groups
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.reader import HuntFindings

FOLDER = Path("/hunts")


def row(device: str | None, status: str, seen: str | None, **columns: Any) -> dict[str, Any]:
    told = {"severity": None, "attack_tactics": [], "attack_techniques": []} | columns
    return {"device_id": device, "status": status, "last_seen": seen} | told


def hunt(number: int, file: str) -> Hunt:
    return Hunt(f"{number:08d}-0000-4a5e-9a3e-0d8b8f5b7a10", f"hunt {number}", "x", FOLDER / file)


BOTH = {"attack_tactics": ["Execution", "Persistence"], "attack_techniques": ["T1059", "T1053"], "severity": "High"}
FOUND = [
    HuntFindings(hunt(1, "own.yaml"), 0, (), [row(None, "new", None)]),
    HuntFindings(
        hunt(2, "sigma/windows/a.yaml"),
        0,
        (),
        [row("d1", "new", "2026-03-02", **BOTH), row("d2", "recurring", "2026-03-05", **BOTH)],
    ),
    HuntFindings(
        hunt(3, "sigma/windows/b.yaml"),
        0,
        (),
        [row("d2", "new", "2026-03-01", severity="Low", attack_tactics=["Execution"])],
    ),
    HuntFindings(hunt(4, "sigma/windows/c.yaml"), 0, (), []),
]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("pack", [("sigma/windows", 3, 2, 2, 2, "2026-03-05"), (".", 1, 1, 1, 0, None)]),
        (
            "severity",
            [("High", 2, 1, 1, 2, "2026-03-05"), ("Low", 1, 1, 1, 1, "2026-03-01"), ("none", 1, 1, 1, 0, None)],
        ),
        (
            "tactic",
            [
                ("Execution", 3, 2, 2, 2, "2026-03-05"),
                ("Persistence", 2, 1, 1, 2, "2026-03-05"),
                ("none", 1, 1, 1, 0, None),
            ],
        ),
        (
            "technique",
            [
                ("T1053", 2, 1, 1, 2, "2026-03-05"),
                ("T1059", 2, 1, 1, 2, "2026-03-05"),
                ("none", 2, 2, 2, 1, "2026-03-01"),
            ],
        ),
        (
            "hunt",
            [
                ("hunt 2", 2, 1, 1, 2, "2026-03-05"),
                ("hunt 1", 1, 1, 1, 0, None),
                ("hunt 3", 1, 1, 1, 1, "2026-03-01"),
            ],
        ),
    ],
)
def test_groups(by: str, expected: list[tuple[Any, ...]]) -> None:
    """A finding of two tactics is one of each; in a table its group names how many hunts, devices, and new ones."""
    made = list(findings_groups.groups(FOUND, by, FOLDER))
    assert [tuple(group.values()) for group in made] == expected
    assert list(made[0]) == [by, "findings", "new", "hunts", "devices", "last_seen"]


def test_groups_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    findings_groups.print_groups(FOUND, "severity", FOLDER, "json")
    assert [one["severity"] for one in json.loads(capsys.readouterr().out)] == ["High", "Low", "none"]
    findings_groups.print_groups(FOUND, "pack", FOLDER, "table")
    assert "sigma/windows" in capsys.readouterr().out
    findings_groups.print_groups([], "pack", FOLDER, "table")
    assert capsys.readouterr().out == "no findings\n"
