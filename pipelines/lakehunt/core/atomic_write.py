"""Atomic file writes."""

from __future__ import annotations

import uuid
from pathlib import Path


def write(file: Path, content: bytes) -> None:
    """Writes a hidden temporary file, then renames it. Raises OSError."""
    temporary = file.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
