"""A query provider of msticpy that asks a lake: in an environment of its own, as msticpy wants another pandas."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.paths import PROJECT
from tests.support.samples import land

MSTICPY = "msticpy==3.0.2"

PAGE = PROJECT / "docs" / "how-to" / "python.md"

SHOWN = """
import json
print(json.dumps([len(frame), commands["DeviceName"].unique().tolist(), str(commands["Timestamp"].dtype)]))
provider._query_provider.close()
"""


@pytest.mark.campaign
def test_the_example_of_the_page(tmp_path: Path) -> None:
    land(tmp_path / "demo-lake")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", MSTICPY], check=True)
    beside = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages" / "beside.pth"
    beside.write_text(f"{sysconfig.get_path('purelib')}\n{PROJECT / 'pipelines'}\n")  # after its own packages

    text = PAGE.read_text(encoding="utf-8")
    [example] = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "msticpy" in block)
    done = subprocess.run(
        [python, "-c", example + SHOWN],
        cwd=tmp_path,
        env=os.environ | {"MSTICPYCONFIG": str(tmp_path / "none.yaml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    devices = ["web-iis-01.fjordbooks.example"]
    assert json.loads(done.stdout.splitlines()[-1]) == [5, devices, "datetime64[ns, UTC]"]
    assert MSTICPY.replace("==", " ") in text
