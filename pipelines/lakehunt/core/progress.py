"""Progress messages of long-running work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Receives one line about the step that starts now, such as `batch 3: validating 12 new events`."""
