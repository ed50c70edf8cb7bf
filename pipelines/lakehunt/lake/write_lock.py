"""A lock of a lake that is a folder: commands that write to it share it, one that moves tables away has it alone.

Delta lets several writers work on a table, but not while somebody moves its folder. The lock is `flock` on a file of
the lake, so it ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lakehunt.core.errors import LakehuntError

FILE = ".lakehunt.lock"


@contextmanager
def shared(root: str) -> Iterator[None]:
    """Held while a command writes to the lake. It waits while another command moves tables, which takes a moment.

    Nothing is locked in an object store, in a lake that is not there yet, or on a file system without locks: on that,
    nobody gets the lock alone either."""
    file = None
    if "://" not in root and Path(root).is_dir():
        with suppress(OSError):
            file = _opened(root)
            fcntl.flock(file, fcntl.LOCK_SH)
    try:
        yield
    finally:
        if file is not None:
            os.close(file)


@contextmanager
def alone(root: str, purpose: str) -> Iterator[None]:
    """Held while tables are moved. Raises LakehuntError, with the purpose, while a command writes to the lake."""
    try:
        file = _opened(root)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(file)
    except BlockingIOError as error:
        raise LakehuntError(
            f"{purpose}, but another command is writing to the lake {root}", "run again when it has ended"
        ) from error


@contextmanager
def only_one(root: str, work: str) -> Iterator[bool]:
    """Held while a command does some work that two should not do at once; whether no other command does it now.

    Where nothing can be locked, as in an object store, the answer is that none does: the work must stand that, too."""
    file = None
    if "://" not in root and Path(root).is_dir():
        with suppress(OSError):
            file = _opened(root, f".lakehunt.{work}.lock")
    try:
        if file is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError:  # a file system without locks
                pass
        yield True
    finally:
        if file is not None:
            os.close(file)


def _opened(root: str, name: str = FILE) -> int:
    return os.open(Path(root, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
