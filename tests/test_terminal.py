"""What commands print."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines import terminal
from pipelines.hunting.hunt import Hunt
from pipelines.hunting.ledger import FAILED, Run


def test_a_hunt_that_could_not_begin_is_told_beside_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """It has neither counts nor seconds."""
    bad, good = (Hunt(f"{n}b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", name, "x") for n, name in enumerate(("bad", "good")))
    begun = datetime(2026, 3, 10, tzinfo=UTC)
    why = "hunts/bad.yaml:7:1: there is no table 'Nothing'"
    terminal.hunts(
        [
            Run(bad, 0, "r", begun, outcome=FAILED, error=why),
            Run(good, 0, "r", begun, 1.25, matched=3, suppressed=0, findings=2),
        ]
    )
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert why in told
    assert "good 3 0 2 1.2" in told
