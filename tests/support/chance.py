"""When something is killed: another moment in each run, and the same again on demand.

from tests.support.chance import chance  # noqa: F401 (a fixture)"""

from __future__ import annotations

import os
import random
import time

import pytest


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """When to kill. Its seed is printed where the test fails; LAKEHUNT_KILL_SEED=... repeats it."""
    seed = int(os.environ.get("LAKEHUNT_KILL_SEED") or time.time_ns() % 1_000_000)
    request.node.add_report_section("setup", "seed", f"LAKEHUNT_KILL_SEED={seed}")
    return random.Random(seed)
