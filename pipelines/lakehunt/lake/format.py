"""Which lakes this version of Lakehunt understands.

A lake has a format: a number in the file FILE in its folder. A lake without the file has format 1. What an earlier
version may not know and need not, such as a further column, changes no format: null in it means that an earlier version
wrote the row. What an earlier version would get wrong (a table in place of another one, a column that means something
else) raises FORMAT, and comes with a migration that writes the file first. An earlier version then refuses the lake,
instead of writing beside what it does not see. Imports no Spark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lakehunt import __version__
from lakehunt.core import object_store
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore

FORMAT = 1
"""The newest format that this version understands."""

FILE = "lakehunt-format.json"
"""In the lake's folder, such as {"format": 2, "since": "0.4.0"}: the format, and the version that introduced it. It is
not hidden, so that whoever copies a lake copies it."""


class NewerLakeError(LakehuntError):
    """The lake was written by a later version."""


def check(root: str, store: ObjectStore) -> None:
    """Raises NewerLakeError if this version does not understand the lake in a folder or in S3."""
    if "://" not in root:
        _check(root, Path(root, FILE).read_bytes)
    else:
        check_once(root, lambda: _read_from_s3(root, store))


def _read_from_s3(root: str, store: ObjectStore) -> bytes:
    try:
        with store.filesystem().open_input_stream(f"{object_store.key_of(root)}/{FILE}") as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise object_store.failure(f"the lake {root} cannot be read", store, error) from error


_checked: set[str] = set()


def check_once(root: str, read: Callable[[], bytes]) -> None:
    """Checks a lake in an object store, which takes a request, once in a process. `read` gives the content of the file,
    and raises FileNotFoundError if there is none."""
    if root not in _checked:
        _check(root, read)
        _checked.add(root)


def _check(root: str, read: Callable[[], bytes]) -> None:
    place = f"{root.rstrip('/')}/{FILE}"
    try:
        content = read()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise LakehuntError(f"{place} cannot be read: {error.strerror}") from error
    try:
        stored = json.loads(content)
        found, since = int(stored["format"]), stored.get("since")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LakehuntError(f"{place} does not say which format the lake has", "restore it from a backup") from error
    if found > FORMAT:
        raise NewerLakeError(
            f"the lake {root} has format {found}, and this version of Lakehunt ({__version__}) knows only {FORMAT}",
            f"install {f'Lakehunt {since} or later' if since else 'a later version'}; see docs/how-to/upgrade.md",
        )
