"""The dashboard and the alert rules of samples/monitoring ask only for metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehunt.operations.metrics import catalog, text
from lakehunt.operations.metrics.metric import Family
from tests.support.paths import PROJECT

FOLDER = PROJECT / "samples" / "monitoring"
RULES = yaml.safe_load((FOLDER / "lakehunt-alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
METRICS = {
    text.series(Family(one.name, one.kind, one.help, one.unit, ()))
    for one in (*catalog.LAKE.metrics, *catalog.LOGS.metrics, *catalog.COMMANDS.metrics)
}
NEEDS_PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def expressions() -> list[str]:
    """Those of the rules and of the dashboard's panels."""
    return [rule["expr"] for rule in RULES] + [
        target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
    ]


def test_only_metrics_that_there_are() -> None:
    asked = {name for one in expressions() for name in re.findall(r"\blakehunt_\w+", one)}
    assert asked - METRICS == set()
    assert len(asked) >= 20


def test_every_rule_is_tested_and_described() -> None:
    cases = yaml.safe_load((FOLDER / "lakehunt-alerts-test.yaml").read_text())["tests"]
    tested: dict[str, set[bool]] = {}
    for case in (one for test in cases for one in test["alert_rule_test"]):
        tested.setdefault(case["alertname"], set()).add("exp_alerts" in case)
    assert tested == {rule["alert"]: {True, False} for rule in RULES}  # when it fires, and when not
    page = (PROJECT / "docs" / "how-to" / "monitoring.md").read_text()
    assert [rule["alert"] for rule in RULES if f"`{rule['alert']}`" not in page] == []


def test_every_metric_is_described() -> None:
    page = (PROJECT / "docs" / "how-to" / "monitoring.md").read_text()
    named = set(re.findall(r"lakehunt_\w+", page)) | {"lakehunt_landing_lag_max_seconds"}  # which it shortens
    assert METRICS - named == set()


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


@NEEDS_PROMTOOL
@pytest.mark.campaign
def test_alerts_fire_when_they_should() -> None:
    done = promtool("test", "rules", FOLDER / "lakehunt-alerts-test.yaml")
    assert done.returncode == 0, done.stderr + done.stdout


@NEEDS_PROMTOOL
@pytest.mark.campaign
def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    asked = [one.replace("$__rate_interval", "5m").replace("$lake", ".*") for one in expressions()]
    rules = [{"record": f"a:r{number}", "expr": one} for number, one in enumerate(asked)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stderr + done.stdout


def promtool(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
