"""Files that a reader sees whole or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path


def write(file: Path, content: bytes) -> None:
    """Writes a file under another, hidden name and then gives it its own. Raises OSError."""
    temporary = file.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
