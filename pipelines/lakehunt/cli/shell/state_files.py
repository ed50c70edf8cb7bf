"""The file with the history of the shell, which only its user can read: queries name devices and people."""

from __future__ import annotations

import os
from pathlib import Path

import click
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

_OWN_FOLDER, _OWN_FILE = 0o700, 0o600


def folder() -> Path:
    """The folder of the user's state: `$XDG_STATE_HOME/lakehunt`, by default `~/.local/state/lakehunt`. Raises
    RuntimeError for a user without a home."""
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local/state") / "lakehunt"


def history() -> History:
    """What was typed in earlier sessions; that of this one only where there is no folder that can be written."""
    try:
        file = folder() / "history"
        file.parent.mkdir(mode=_OWN_FOLDER, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, _OWN_FILE)):  # or prompt_toolkit would let others read it
            file.chmod(_OWN_FILE)
        return FileHistory(str(file))
    except (OSError, RuntimeError) as error:
        click.echo(f"lakehunt: what is typed will not be kept: {error}", err=True)
        return InMemoryHistory()
