"""The report as one self-contained HTML file: nothing is fetched, and no text of an attacker can run as a script.

Everything that comes from the data goes through the template's escaping, hidden characters through `visible.pieces`.
Beside that, a content security policy names the hashes of the page's own script and style: whatever else got into the
page would be shown, not run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lakehunt import __version__
from lakehunt.core.printable import pieces, printable, truncated
from lakehunt.hunting.content import attack
from lakehunt.hunting.findings.process_tree import ProcessNode
from lakehunt.kql import times
from lakehunt.reporting import charts
from lakehunt.reporting.attack_coverage import coverage
from lakehunt.reporting.report_data import Finding, HuntRuns, Report

MOST_LETTERS = 240
"""Maximum letters of a command line in the list and the tree; the finding's commands show it in full."""

MOST_DEVICES = 200
"""Maximum devices in the list; all are counted."""

MOST_HUNTS = 50
"""Hunts up to which all are in one table. Of more, those that ran and found nothing are in a second, folded one."""

MOST_NAMES = 8
"""Maximum hunts named for a technique; all are counted."""

_HERE = Path(__file__).parent


def render(report: Report, made_at: datetime) -> str:
    """The page. `made_at` is when it was made (UTC)."""
    style, script = (_text(name) for name in ("report.css", "report.js"))
    template = templates(_HERE).get_template("report.html.j2")
    devices = _devices(report.findings)
    hunts, quiet = _hunts(report)
    named = {one.device_id for one in report.findings if one.device_id is not None}
    return template.render(
        report=report,
        coverage=coverage(report),
        attack_version=attack.version(),
        totals=_totals(report, len(named)),
        devices=devices[:MOST_DEVICES],
        left_out={"devices": len(devices) - MOST_DEVICES, "findings": len(report.findings) - len(report.shown)},
        hunts=hunts,
        quiet=quiet,
        charts=[chart for chart in (charts.by_status(report.findings), charts.by_hunt(report.findings)) if chart],
        policy=_policy(script, style),
        style=style,
        script=script,
        made_at=made_at,
        version=__version__,
        most_names=MOST_NAMES,
    )


def templates(folder: Path) -> Environment:
    """The templates of a folder, and those that they share, which escape what they show."""
    environment = Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "pieces": pieces,
        "visible": printable,
        "cut": truncated,
        "moment": _moment,
        "clock": _clock,
    }
    environment.filters |= {"number": lambda value: f"{value:,}", "json": json_text}
    environment.globals["most_letters"] = MOST_LETTERS
    return environment


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """The page's content security policy: its own script and style, nothing else."""
    allowed = {"default-src": "'none'", "script-src": _hash(script), "style-src": _hash(style)}
    forbidden = dict.fromkeys(("base-uri", "form-action"), "'none'")
    return "; ".join(f"{name} {value}" for name, value in (allowed | forbidden).items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _moment(at: datetime | int | None) -> str:
    """`2026-03-10 06:40:15`; a time in ticks with its milliseconds, if not zero."""
    if at is None:
        return ""
    if isinstance(at, datetime):
        return at.replace(tzinfo=None).isoformat(" ", "seconds")
    return times.format_datetime(at)[:23].replace("T", " ").removesuffix(".000")


def _clock(node: ProcessNode) -> str:
    """When a process was created, or its event was recorded."""
    process = node.process
    return _moment(process.created if process.has_time else node.at)


# What is counted


def _totals(report: Report, devices: int) -> Mapping[str, int]:
    runs = [hunt.last for hunt in report.hunts if hunt.last]
    return {
        "findings": len(report.findings),
        "new": sum(one.is_new for one in report.findings),
        "devices": devices,
        "hunts": len(runs),
        "failed": sum(hunt.has_failed for hunt in report.hunts),
        "suppressed": sum(row.suppressed or 0 for row in runs),
    }


@dataclass(frozen=True)
class DeviceSummary:
    """The findings of a device; without an id, the findings whose events come from several devices."""

    id: str | None
    name: str | None
    findings: int
    new: int
    hunts: int
    rank: int
    last: datetime | None


def _devices(findings: Sequence[Finding]) -> list[DeviceSummary]:
    """The devices, those with most findings first."""
    of_each: dict[tuple[str | None, str | None], list[Finding]] = defaultdict(list)
    for one in findings:
        of_each[one.device_id, one.device_name].append(one)
    made = [
        DeviceSummary(
            id_,
            name,
            len(some),
            sum(one.is_new for one in some),
            len({one.hunt_id for one in some}),
            max(one.rank for one in some),
            max((one.last_seen for one in some if one.last_seen), default=None),
        )
        for (id_, name), some in of_each.items()
    ]
    return sorted(made, key=lambda device: (-device.findings, device.name or "", device.id or ""))


@dataclass(frozen=True)
class HuntSummary:
    """A hunt with its findings in the period."""

    ran: HuntRuns
    findings: int
    new: int
    devices: int

    @property
    def is_quiet(self) -> bool:
        """Whether it ran and found nothing."""
        return self.ran.last is not None and not self.ran.has_failed and not self.findings


def _hunts(report: Report) -> tuple[list[HuntSummary], list[HuntSummary]]:
    """The hunts: those that failed, then those with most findings first. If there are many, those that ran and found
    nothing apart."""
    found = Counter(one.hunt_id for one in report.findings)
    new = Counter(one.hunt_id for one in report.findings if one.is_new)
    where: dict[str, set[Any]] = defaultdict(set)
    for one in report.findings:
        where[one.hunt_id].update({one.device_id} - {None})
    made = [HuntSummary(one, found[one.id], new[one.id], len(where[one.id])) for one in report.hunts]
    ordered = sorted(made, key=lambda hunt: (not hunt.ran.has_failed, -hunt.findings))
    if len(ordered) <= MOST_HUNTS:
        return ordered, []
    return [one for one in ordered if not one.is_quiet], [one for one in ordered if one.is_quiet]


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
