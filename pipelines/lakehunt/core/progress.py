"""How long-running work reports what it is doing."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Takes one line about the step that begins now, such as `batch 3: validating 12 new events`."""
