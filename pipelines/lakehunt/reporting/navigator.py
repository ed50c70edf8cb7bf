"""A layer for MITRE's ATT&CK Navigator: the techniques that hunts cover, and their findings.

Source: the Navigator's layer format 4.5, github.com/mitre-attack/attack-navigator, layers/spec/v4.5/layerformat.md."""

from __future__ import annotations

from typing import Any

from lakehunt.hunting.content import attack
from lakehunt.kql import times
from lakehunt.reporting.attack_coverage import Coverage, Technique
from lakehunt.reporting.report_data import Report

_VERSIONS = {"navigator": "5.2.0", "layer": "4.5"}
_COLORS = ["#ffffff", "#fdae6b", "#d94801"]
_LEAST_MAXIMUM = 1


def layer(report: Report, coverage: Coverage) -> dict[str, Any]:
    """The layer as the Navigator's JSON. The score of a technique is the number of its findings, 0 for one that hunts
    look for and have not found; under which of its tactics a hunt means it, the hunt does not say.

    Techniques that this version of ATT&CK does not have are left out: the Navigator has no place for them."""
    known = [one for one in coverage.techniques if one.name]
    maximum = max((one.findings for one in known), default=0)
    return {
        "name": f"Lakehunt, as of {times.format_datetime(report.period.until)[:10]}",
        "versions": {"attack": attack.version().partition(".")[0], **_VERSIONS},
        "domain": "enterprise-attack",
        "description": _description(report),
        "sorting": 3,
        "layout": {"layout": "side", "showName": True, "showID": True, "expandedSubtechniques": "annotated"},
        "techniques": [_technique(one) for one in known],
        "gradient": {"colors": _COLORS, "minValue": 0, "maxValue": max(maximum, _LEAST_MAXIMUM)},
        "metadata": [
            {"name": f"{one.id} {one.name}", "value": f"hunts: {len(one.hunts)}, findings: {one.findings}"}
            for one in coverage.tactics
            if one.hunts
        ],
    }


def _description(report: Report) -> str:
    since, until = (times.format_datetime(at) for at in (report.period.since, report.period.until))
    when = f"as of {until}" if report.period.is_one else f"as of instants from {since} to {until}"
    score = "Score: number of findings; 0: hunted for, none found."
    return f"Findings of threat hunts {when}. {score} ATT&CK {attack.version()}."


def _technique(one: Technique) -> dict[str, Any]:
    return {"techniqueID": one.id, "score": one.findings, "comment": "; ".join(sorted(one.hunts.values()))}
