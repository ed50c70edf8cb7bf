"""`lakehunt serve --kusto` as a process of its own."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lakehunt.lake.delta_lake import Lake
from tests.support.commands import WITHOUT_JAVA, lakehunt
from tests.support.kusto import Kusto
from tests.support.serving import free_port, serving

pytestmark = pytest.mark.slow

ENDLESS = """range a from 1 to 3000000 step 1 | extend k = a % 3
| join kind=inner (range b from 1 to 3000000 step 1 | extend k = b % 3) on k | summarize s = sum(a * b)"""


def test_the_command(hunted: Lake, tmp_path: Path) -> None:
    """It answers, and when it is told to end, it ends the query that runs, and its JVM, with code 0."""
    ended: list[Any] = []
    with serving(hunted.root, tmp_path, "--kusto") as process:
        one = Kusto(f"http://127.0.0.1:{process.port}", [])
        assert process.said.startswith(f"serving at {one.url}, database lakehunt\n  curl {one.url}/v2/rest/query ")
        assert len(one.show(".show databases")) == 1, "before Spark has started"
        assert one.rows("DeviceProcessEvents | count") == [[4]]
        thread = threading.Thread(target=lambda: ended.append(one.post("/v2/rest/query", ENDLESS)))
        thread.start()
        deadline = time.monotonic() + 60
        while not one.show(".show queries"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    thread.join()
    assert [answer.status_code for answer in ended] == [503]
    assert "Spark has started" in process.errors.read_text()
    assert "stopping" in process.errors.read_text()


def test_without_java_it_ends(tmp_path: Path) -> None:
    done = lakehunt("serve", "--kusto", "--lake", tmp_path / "lake", "--port", free_port(), **WITHOUT_JAVA)
    assert done.returncode == 1
    assert "JAVA_HOME" in done.stderr
