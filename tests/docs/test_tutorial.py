"""The tutorial, done as it says: its commands are run in a folder of their own, one after the other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.docs.pages import DOCS
from scripts.docs.site import ROOT

TEXT = (DOCS / "tutorials/first-hunt.md").read_text(encoding="utf-8")
HUNT, TESTS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^    lakehunt (.+)$", TEXT, re.MULTILINE)
DEMO = "run samples/streaming --as-of 2026-03-10T00:00:00Z --lake demo-lake --show"
"""What `make demo` runs once everything is set up."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What of a clone the tutorial uses."""
    for folder in ("hunts", "samples", "expectations"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    config = tmp_path / "samples" / "lakehunt.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "hunts: ../hunts\n", encoding="utf-8")
    return tmp_path


def lakehunt(folder: Path, command: str) -> str:
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
    code = "import sys; from lakehunt.cli.app import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--config", "samples/lakehunt.yaml", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"lakehunt {command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_the_hunt_of_the_tutorial_compiles(checkout: Path) -> None:
    (checkout / "hunts" / "group-discovery-with-net.yaml").write_text(HUNT, encoding="utf-8")
    check = next(command for command in COMMANDS if command.startswith("check"))
    said = lakehunt(checkout, check)
    assert "DeviceId: string, DeviceName: string, Times: long, CommandLines: dynamic" in said
    shown = TEXT.split("It answers with the columns of the result:")[1].split("A mistake")[0]
    assert re.sub(r"^    ", "", shown.strip("\n"), flags=re.MULTILINE).strip() == said.strip()


@pytest.mark.campaign
def test_every_command_does_what_the_tutorial_says(checkout: Path) -> None:
    said = lakehunt(checkout, DEMO)
    assert "batch 1: 446 records = 442 events + 2 quarantined + 2 duplicates" in said
    printed = {}
    for command in COMMANDS:
        printed[command.split()[0]] = lakehunt(checkout, command)
        if command.startswith("new"):
            made = checkout / "hunts" / "group-discovery-with-net.yaml"
            assert made.is_file()
            made.write_text(HUNT, encoding="utf-8")
            made.with_suffix(".tests.yaml").write_text(TESTS, encoding="utf-8")
    assert "net localgroup administrators" in printed["evidence"]
    assert "Group discovery with net: 1 passed" in printed["test"]
    assert 'net group "Domain Admins" /domain' in printed["findings"]
    assert "web-iis-01" in printed["findings"]
    assert (checkout / "lakehunt-report.html").is_file()
