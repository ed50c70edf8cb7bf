"""Why a file could not be written."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path


def why(error: OSError, place: Path) -> str:
    """What, where, and how much room is left there."""
    folder = next((one for one in (place, *place.parents) if one.is_dir()), Path("/"))
    free = ""
    with suppress(OSError):
        free = f", {shutil.disk_usage(folder).free // 1_000_000:,} MB are free there"
    return f"{error.filename or place} cannot be written: {error.strerror or error}{free}"
