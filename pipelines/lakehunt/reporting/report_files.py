"""Writes a report: the page and the ATT&CK Navigator layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lakehunt.core import atomic_write, disk
from lakehunt.core.errors import LakehuntError
from lakehunt.core.printable import to_json
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.lake.delta_lake import Lake
from lakehunt.reporting import navigator, page, redacted_report, report_data
from lakehunt.reporting.attack_coverage import coverage
from lakehunt.reporting.report_data import Period


@dataclass(frozen=True)
class Written:
    """The files that were written, and the numbers of findings covered and listed (`shown`)."""

    files: Sequence[Path]
    findings: int
    new: int
    shown: int


def check_folders(*files: Path | None) -> None:
    """Raises LakehuntError if the folder of a file cannot be written to; called before Spark starts."""
    for file in filter(None, files):
        if not file.parent.is_dir() or file.is_dir():
            why = "is a folder" if file.is_dir() else f"there is no folder {file.parent}"
            raise LakehuntError(f"{file} cannot be written: {why}", "name a file in a folder that is there")


def write(
    lake: Lake,
    hunts: Sequence[Hunt],
    only: Collection[str],
    period: tuple[int, int] | None,
    suites: Path,
    output: Path,
    layer: Path | None,
    redact: bool,
    say: Callable[[str], None],
) -> Written:
    """Reads the lake as `report_data.read` does, and writes the page to `output` and, if given, the layer to `layer`.
    `period` are as-ofs in ticks; `redact`: redact secrets."""
    say("reading findings and what is around them")
    report = report_data.read(lake, hunts, only, Period(*period) if period else None, suites)
    if redact:
        report = redacted_report.without_secrets(report)
    say("drawing the page")
    files = {output: page.render(report, datetime.now(UTC))}
    if layer is not None:
        files[layer] = to_json(navigator.layer(report, coverage(report))) + "\n"
    for file, text in files.items():
        _replace(file, text)
    return Written(list(files), len(report.findings), sum(one.is_new for one in report.findings), len(report.shown))


def _replace(file: Path, text: str) -> None:
    """Writes atomically: readers see the old page or the new one, never a partial one."""
    try:
        atomic_write.write(file, text.encode())
    except OSError as error:
        raise LakehuntError(disk.why(error, file), "make room, or name another file with --output") from error
