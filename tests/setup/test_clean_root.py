"""The image, and what README.md says, in roots that hold nothing but Debian."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

SCRIPT = PROJECT / "scripts/clean_root.sh"


def test_what_it_is_called_with() -> None:
    done = subprocess.run(
        [SCRIPT, "engine"], env=os.environ | {"CLEAN_ROOT": "/"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "clean_root: there is no part 'engine': image, checkout\n"


@pytest.mark.campaign
@pytest.mark.parametrize("part", ["image", "checkout"])
def test_a_clean_root(part: str, tmp_path: Path) -> None:
    if os.getuid() or not all(map(shutil.which, ("debootstrap", "buildah", "unshare"))):
        pytest.skip("needs root, debootstrap and buildah")
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([SCRIPT, part], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "landed 446 records from 122 files" in done.stdout
    # Those of README.md.
    for finding, device in {
        "e07ac9f1f5c4": "web-iis-01",
        "ec064649192b": "web-iis-01",
        "0502aca000a9": "app-01",
    }.items():
        assert re.search(rf"^{finding} │ .*{device}", done.stdout, re.MULTILINE)
    assert re.search(
        r"^ok +lake files: \d+ tables, \d+ data files: nothing damaged or gone$", done.stdout, re.MULTILINE
    )
    assert list(tmp_path.iterdir()) == []
