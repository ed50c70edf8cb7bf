"""Whether the lake's place can be used, and whether clocks agree. Nothing is left there."""

from __future__ import annotations

import ctypes
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lakehunt.core import object_store
from lakehunt.core.object_store import ObjectStore
from lakehunt.lake import damage, data_files
from lakehunt.lake import format as lake_format
from lakehunt.operations import check
from lakehunt.operations.check import Check, Result

APART = 5.0
"""Seconds by which clocks may differ."""

_ROOM = 1 << 30
_STORES = "docs/how-to/object-stores.md"
_KEEP_RIGHT = (
    "as-ofs, schedules and late events follow it: synchronise it, with chrony or systemd-timesyncd for example"
)


def checks(root: str, store: ObjectStore, by_spark: bool) -> Iterator[Check]:
    """Those of a lake's place. `by_spark`: only Spark reaches it."""
    apart: list[float] = []  # by how much the clock of the place is ahead of ours
    if by_spark:
        yield from check.made("lake", lambda: _by_spark(root))
    elif object_store.is_s3(root):
        yield from check.made("lake", lambda: _bucket(root, store, apart))
    else:
        yield from check.made("lake", lambda: _folder(Path(root).absolute(), apart))
    yield from check.made("clocks", lambda: _clocks(root, apart))


def _by_spark(root: str) -> Iterator[Result]:
    yield check.warning(f"only Spark reaches {root}", "lakehunt doctor --spark writes and reads there")


def _folder(root: Path, apart: list[float]) -> Iterator[Result]:
    there = next(one for one in (root, *root.parents) if one.exists())
    if not there.is_dir():
        yield check.failure(f"{root} cannot be a folder: {there} is a file", "name another one with --lake")
        return
    probe = there / f"_lakehunt-doctor-{uuid.uuid4().hex}"
    linked = probe.with_suffix(".link")
    try:
        before = time.time()
        probe.write_bytes(b"")
        apart.append(probe.stat().st_mtime - (before + time.time()) / 2)
        yield from _linked(probe, linked)
    except OSError as error:
        who = f"user {os.getuid()}"
        yield check.failure(f"{there} cannot be written by {who}: {error.strerror}", "landing and hunts have to write")
        return
    finally:
        for file in (probe, linked):
            with suppress(OSError):
                file.unlink(missing_ok=True)
    free = shutil.disk_usage(there).free
    what = f"{root}{'' if there == root else ' (not there yet)'}, {free / (1 << 30):.1f} GB free"
    yield check.ok(what) if free >= _ROOM else check.warning(what, "make room before the next landing")


def _linked(probe: Path, linked: Path) -> Iterator[Result]:
    """Spark commits by a hard link, which fails where the name exists: so two writers never overwrite a commit."""
    try:
        linked.hardlink_to(probe)
    except OSError as error:
        what = f"{probe.parent} has no hard links ({error.strerror}), by which Spark commits to tables"
        yield check.failure(what, "put the lake on a file system that has them, or in S3")
        return
    with suppress(FileExistsError):
        linked.hardlink_to(probe)
        what = f"{probe.parent} makes a hard link over a file that exists: two writers would lose commits"
        yield check.failure(what, "put the lake on another file system, or in S3")


def _bucket(root: str, store: ObjectStore, apart: list[float]) -> Iterator[Result]:
    object_store.check(root, "the lake", store)
    key = f"{object_store.key_of(root)}/_lakehunt-doctor-{uuid.uuid4().hex}"
    files = store.filesystem()
    try:
        before = time.time()
        with files.open_output_stream(key) as stream:
            stream.write(b"lakehunt doctor")
        written = files.get_file_info([key])[0].mtime
        after = time.time()
        files.delete_file(key)
    except OSError as error:
        raise object_store.failure(f"the lake {root} cannot be written", store, error) from error
    if written is not None:
        stamp = written.timestamp()  # which has no fraction
        apart.append(max(stamp - after, min(0.0, stamp + 1 - before)))
    yield check.ok(f"{root} can be listed, read and written at {store.name}")


# Files


def files(root: str, repair: bool) -> Iterator[Check]:
    """Whether the files of a lake's tables are there and whole. With `repair`, what is gone is first taken out of its
    table."""
    yield from check.made("lake files", lambda: _files(root, repair))


def _files(root: str, repair: bool) -> Iterator[Result]:
    if "://" in root:
        yield check.ok("not checked in an object store: turn on its versioning, by which what was deleted comes back")
        return
    if not Path(root).exists():
        yield check.warning(f"there is no lake at {root} yet", "lakehunt run SOURCE makes one; else correct --lake")
        return
    lake_format.check(root, ObjectStore())
    found = data_files.check(root)
    if repair and found.damage:
        for one in found.damage:
            yield check.warning(str(one), "repaired as follows, as far as it can be")
        for done in data_files.repair(root, found):
            yield check.ok(done)
        found = data_files.check(root)
    for one in found.damage:
        yield check.failure(str(one), damage.HINT)
    if not found.damage:
        yield check.ok(f"{found.tables} tables, {found.files} data files: nothing damaged or gone")


# Clocks


def _clocks(root: str, apart: list[float]) -> Iterator[Result]:
    wrong = [
        f"the clock of the lake's storage is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this one"
        for seconds in apart
        if abs(seconds) > APART
    ]
    for table, seconds in _in_future(root):
        wrong.append(f"{table} was written at a time that is {seconds:.0f} s ahead of this machine's clock")
    if is_synchronised() is False:
        wrong.append("nothing synchronises this machine's clock, as its kernel says")
    for what in wrong:
        yield check.warning(what, _KEEP_RIGHT)
    if not wrong:
        yield check.ok(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _in_future(root: str) -> Iterator[tuple[str, float]]:
    """Tables whose newest commit has a time to come, and by how many seconds."""
    if "://" in root:
        return
    for table in damage.tables(root):
        log = damage.log_of(root, table)
        with suppress(OSError):
            ahead = log.path(log.version).stat().st_mtime - time.time()
            if ahead > APART:
                yield table, ahead


_TIMEX = 256
"""Bytes that struct timex fits into."""

_ERROR = 5
"""What adjtimex answers for a clock that nothing keeps right."""


def is_synchronised() -> bool | None:
    """Whether something keeps the clock of this machine right; None if the system does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))  # all zero: it only reads
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != _ERROR
