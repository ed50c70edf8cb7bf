"""An independent evaluator of Sigma rules: rsigma-eval, which Cargo builds once (`sigma-evaluator/`)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).with_name("sigma-evaluator")
PATIENCE = 1800

_COLUMNS = {
    "CommandLine": "ProcessCommandLine",
    "ProcessId": "ProcessId",
    "IntegrityLevel": "ProcessIntegrityLevel",
    "OriginalFileName": "ProcessVersionInfoOriginalFileName",
    "Description": "ProcessVersionInfoFileDescription",
    "Product": "ProcessVersionInfoProductName",
    "Company": "ProcessVersionInfoCompanyName",
    "md5": "MD5",
    "sha1": "SHA1",
    "sha256": "SHA256",
    "ParentCommandLine": "InitiatingProcessCommandLine",
    "ParentProcessId": "InitiatingProcessId",
}
_HASHES = ("SHA1", "MD5", "SHA256")


def as_sysmon(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of DeviceProcessEvents under the names and in the form that Sysmon would give it."""

    def account(prefix: str) -> str:
        return "\\".join(filter(None, [event.get(f"{prefix}AccountDomain"), event.get(f"{prefix}AccountName")]))

    grandparent = event.get("InitiatingProcessParentFileName")
    found = {
        **{name: event.get(column) for name, column in _COLUMNS.items()},
        "Image": _path(event.get("FolderPath"), event.get("FileName")),
        "ParentImage": _path(event.get("InitiatingProcessFolderPath"), event.get("InitiatingProcessFileName")),
        "GrandParentImage": f"C:\\?\\{grandparent}" if grandparent and "\\" not in grandparent else grandparent,
        "User": account("") if event.get("AccountName") else None,
        "ParentUser": account("InitiatingProcess") if event.get("InitiatingProcessAccountName") else None,
        "LogonId": hex(int(event["LogonId"])) if event.get("LogonId") is not None else None,
        "Hashes": ",".join(f"{name}={event[name]}" for name in _HASHES if event.get(name)),
    }
    return {name: value for name, value in found.items() if value not in {None, ""}}


def _path(path: str | None, name: str | None) -> str | None:
    """The full path, also where Defender's has only the folder."""
    if path and name and "\\" in path and not path.lower().endswith(f"\\{name.lower()}"):
        return f"{path}\\{name}"
    return path


def hits(
    rules: Sequence[Path], events: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[dict[Path, set[int]], dict[Path, str]]:
    """The numbers of the events that each rule finds, and the errors of the rules that the evaluator does not take."""
    (folder / "rules").write_text("".join(f"{rule}\n" for rule in rules))
    (folder / "events").write_text("".join(f"{json.dumps(as_sysmon(event))}\n" for event in events))
    ran = subprocess.run(
        [built(), folder / "rules", folder / "events"], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    answers = list(map(json.loads, ran.stdout.splitlines()))
    found = {Path(one["rule"]): set(one["hits"]) for one in answers if "hits" in one}
    return found, {Path(one["rule"]): one["error"] for one in answers if "error" in one}


def built() -> Path:
    """The evaluator's program. Skips the test, saying why, where Cargo cannot build it."""
    folder = Path.home() / ".cache/lakehunt-tests" / "sigma-evaluator-0.23.0"
    program = folder / "release" / "sigma-evaluator"
    if program.is_file():
        return program
    if not shutil.which("cargo"):
        pytest.skip("needs Cargo, which builds the evaluator of Sigma rules")
    # Some of what it depends on asks for a newer Rust than it needs.
    command = ["cargo", "build", "--release", "--ignore-rust-version", "--target-dir", folder]
    source = folder / "source"
    shutil.copytree(SOURCE, source, dirs_exist_ok=True)
    made = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if made.returncode:
        pytest.skip(f"Cargo cannot build the evaluator of Sigma rules: {made.stderr[-300:]}")
    return program
