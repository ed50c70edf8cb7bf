"""Names for imported hunts."""

from __future__ import annotations

import re
from pathlib import Path

from lakehunt.hunting.content import hunt_file
from lakehunt.importing.results import Candidate

_UNSAFE = re.compile(r"[^\w .,()\[\]{}+@#&=!~-]|[\x00-\x1f]")
_LONGEST_STEM = 150


class Names:
    """Unused file names in a folder, compared case-insensitively, as some file systems do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken = {path.name.casefold() for path in folder.iterdir()} if folder.is_dir() else set()

    def free(self, candidate: Candidate) -> Path:
        """The pack's own file name for a hunt; with the start of its id if the name is taken."""
        stem = safe(candidate.stem)
        for name in (stem, f"{stem}-{candidate.hunt.id[:8]}", f"{stem}-{candidate.hunt.id}"):
            file = self.folder / f"{name}{candidate.suffix}"
            if file.name.casefold() not in self.taken:
                break
        self.taken.add(file.name.casefold())
        return file


def safe(stem: str) -> str:
    """A name that is valid on every file system and for a hunt: neither hidden nor `<hunt>.tests`."""
    name = _UNSAFE.sub("-", stem)[:_LONGEST_STEM].strip(" .") or "hunt"
    return name if hunt_file.is_hunt_file(Path(f"{name}.yaml")) else name.replace(".", "-")
