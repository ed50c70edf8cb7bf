"""The origin of imported hunts, and their MITRE ATT&CK mapping: `imported.jsonl` beside them, one line per hunt.

Hunts are copied unchanged, so normalised data is stored here. BI tools can join it to `findings.all` by the hunt's id.
Every import regenerates it from the pack; Lakehunt itself reads nothing else from it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lakehunt.core import atomic_write
from lakehunt.importing.results import Candidate, ImportStatus, QueryResult

NAME = "imported.jsonl"
_IN_FOLDER = (ImportStatus.IMPORTED, ImportStatus.REPLACED, ImportStatus.ALREADY_THERE)


def update(folder: Path, pack: Path, outcomes: Sequence[QueryResult]) -> None:
    """Adds the hunts of a pack to the index, and removes those whose files are gone. Raises OSError."""
    file = folder / NAME
    entries = {entry["id"]: entry for entry in _read(file) if (folder / entry["file"]).is_file()}
    others = {id_: entry["also"] for id_, entry in entries.items() if "also" in entry}
    for outcome in outcomes:
        if outcome.result in _IN_FOLDER and outcome.candidate and outcome.file:
            entries[outcome.candidate.hunt.id] = _entry(folder, pack, outcome.candidate, outcome.file)
    for id_ in entries.keys() & {outcome.same_as for outcome in outcomes}:
        from_others = [other for other in others.get(id_, []) if other["pack"] != pack.resolve().name]
        also = from_others + _other_names(id_, pack, outcomes)
        entries[id_]["also"] = sorted(also, key=lambda other: (other["pack"], other["source"], other["line"]))
    lines = sorted(entries.values(), key=lambda entry: (entry["file"], entry["id"]))
    text = "".join(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in lines)
    if entries and (not file.is_file() or file.read_text("utf-8") != text):
        atomic_write.write(file, text.encode())


def _read(file: Path) -> Sequence[dict[str, Any]]:
    """The existing entries. An invalid line, as after a merge conflict, is dropped; importing its hunt restores it."""
    if not file.is_file():
        return []
    entries = []
    for line in file.read_text("utf-8", errors="replace").split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and isinstance(entry.get("file"), str):
            entries.append(entry)
    return entries


def _other_names(id_: str, pack: Path, outcomes: Sequence[QueryResult]) -> list[dict[str, Any]]:
    """The queries of the pack that are the same as a hunt's, under the names that they have there."""
    return [
        {
            "name": one.candidate.hunt.name,
            "pack": pack.resolve().name,
            "source": one.source.as_posix(),
            "line": one.candidate.line,
        }
        for one in outcomes
        if one.same_as == id_ and one.candidate
    ]


def _entry(folder: Path, pack: Path, candidate: Candidate, file: Path) -> dict[str, Any]:
    return {
        "id": candidate.hunt.id,
        "name": candidate.hunt.name,
        "file": Path(os.path.relpath(file, folder)).as_posix(),  # an existing hunt may be in another folder
        "pack": pack.resolve().name,
        "source": candidate.source.as_posix(),
        "line": candidate.line,
        "original_id": candidate.original_id or None,
        **candidate.attack.json(),
    }
