"""Caches that let the JVM start faster.

Two things are cached in the user's cache folder (`$XDG_CACHE_HOME/lakehunt`, by default `~/.cache/lakehunt`): the list
of jars that Ivy resolved for Delta, so that they need not be resolved again, and an archive of the loaded classes,
which the next JVM maps into memory instead of reading and verifying each class (application class-data sharing, JEP
350). Stale entries (a missing jar, another Java, an archive that was not finished) are replaced. Without a writable
folder each start takes longer, and nothing else changes."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from lakehunt.core import atomic_write

COLLECTOR = "-XX:+UseParallelGC"
"""For batch work on two or four cores, the parallel collector costs less CPU than the default G1."""

GIVEN_UP = 900
"""Seconds after which the writer of a missing archive is taken to have failed."""

UNUSED = 30 * 24 * 3600
"""Seconds after which an unused archive is removed: 100 to 200 MB for another version of Java or Spark."""

MOST = 4
"""Archives that are kept, the ones that were used last."""

_MAGIC = (0xF00BABA8).to_bytes(4, sys.byteorder)
"""How an archive begins. Java writes it last, so one that it could not write to its end begins otherwise."""


def cache_folder() -> Path:
    """The user's own folder, which may not exist. Raises OSError for a user without a home: a JVM must not load classes
    from a folder that anybody can write."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "lakehunt"
    try:
        return Path.home() / ".cache/lakehunt"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error


# Jars


def known_jars(package: str) -> list[Path]:
    """The jars that were resolved for a Maven coordinate before; none if it never was, or if one of them is gone."""
    with suppress(OSError):
        jars = [Path(line) for line in _list_file(package).read_text(encoding="utf-8").splitlines()]
        return jars if all(jar.is_file() for jar in jars) else []
    return []


def remember_jars(package: str, jars: Iterable[Path]) -> None:
    """Stores which jars were resolved, except those that Spark has itself in any version, as its own take
    precedence."""
    spark = {_artifact(jar) for jar in spark_jars().glob("*.jar")}
    needed = [jar for jar in jars if _artifact(jar) not in spark]
    with suppress(OSError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        atomic_write.write(_list_file(package), "".join(f"{jar}\n" for jar in needed).encode())


def _artifact(jar: Path) -> str:
    """The artifact of a jar: `delta-storage` for Ivy's `io.delta_delta-storage-4.4.0.jar` and
    `delta-storage-4.4.0.jar`."""
    name = re.split(r"-(?=\d)", jar.name, maxsplit=1)[0]
    group, _, artifact = name.partition("_")
    return artifact if "." in group else name


def spark_jars() -> Path:
    """The folder of Spark's own jars."""
    found = find_spec("pyspark")  # not imported: commands without Spark are to start fast
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "jars"


def _list_file(package: str) -> Path:
    return cache_folder() / f"{package.replace(':', '_')}.jars"


CLASS_PATH = "SPARK_DIST_CLASSPATH"
"""Environment variable: class path after Spark's own jars. Unlike those of `spark.jars`, its classes are loaded by the
application class loader, so they can be archived."""


def class_path(jars: Iterable[Path]) -> str:
    """The variable's current value with these jars added."""
    present = [place for place in os.environ.get(CLASS_PATH, "").split(os.pathsep) if place]
    return os.pathsep.join(dict.fromkeys([*present, *map(str, jars)]))


# Options


def options(java: str, given: str, jars: Sequence[Path], learning: bool) -> str:
    """JVM options: those in `given`, and ours unless they contradict.

    `java` is the output of `java -version`. With `learning` the JVM archives its classes at exit, unless a matching
    archive exists."""
    ours = [] if re.search(r"-XX:\+Use\w+GC\b", given) else [COLLECTOR]
    if not re.search(r"-Xshare|SharedArchiveFile|ArchiveClassesAtExit", given):
        ours += _archive(java, jars, learning)
    return " ".join([*ours, given]).strip()


def _archive(java: str, jars: Sequence[Path], learning: bool) -> list[str]:
    with suppress(OSError):
        archive = cache_folder() / f"classes-{_digest(java, jars)}.jsa"
        if " " in str(archive):  # spark-submit splits options at spaces
            return []
        if _is_whole(archive):
            os.utime(archive)
            return [f"-XX:SharedArchiveFile={archive}"]
        if learning and _claim(archive.with_suffix(".making")):
            archive.unlink(missing_ok=True)
            _remove_unused(archive.parent)
            return [*_base(java, archive), f"-XX:ArchiveClassesAtExit={archive}"]
    return []


def _is_whole(archive: Path) -> bool:
    """Whether a file is an archive, as long as at its first use, that nobody but this user may have written."""
    try:
        with archive.open("rb") as stream:
            status, folder = os.fstat(stream.fileno()), archive.parent.stat()
            ours = status.st_uid == folder.st_uid == os.geteuid()
            shared = (status.st_mode | folder.st_mode) & stat.S_IWOTH
            is_archive = stream.read(len(_MAGIC)) == _MAGIC
        return ours and not shared and is_archive and status.st_size == _first_size(archive, status.st_size)
    except FileNotFoundError:
        return False


def _first_size(archive: Path, now: int) -> int:
    mark = archive.with_suffix(".making")
    noted = mark.read_text(encoding="ascii") if mark.exists() else ""
    if not noted:
        mark.write_text(str(now), encoding="ascii")
    return int(noted or now) if (noted or "0").isdecimal() else -1


def _claim(mark: Path) -> bool:
    """Whether no other process is writing the archive, which makes its start half as long again."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if mark.stat().st_mtime < time.time() - GIVEN_UP:
            mark.unlink(missing_ok=True)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _digest(java: str, jars: Sequence[Path]) -> str:
    """A digest of what must match for an archive to be usable: Java, and the jars with their paths and times."""
    places = [f"{place} {place.stat().st_mtime_ns}" for place in (spark_jars(), *jars)]
    parts = [java, class_path(jars), *places]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _base(java: str, archive: Path) -> list[str]:
    """Java adds an archive to one of its own classes. Small runtimes have none: it is made beside, in some seconds."""
    command = Path(java.partition("\n")[0])
    if not command.is_file() or any((command.resolve().parents[1] / "lib/server").glob("classes*.jsa")):
        return []
    base = archive.with_suffix(".base")
    making = [str(command), "-Xshare:dump", COLLECTOR, f"-XX:SharedArchiveFile={base}"]
    base.unlink(missing_ok=True)
    subprocess.run(making, capture_output=True, check=False)  # noqa: S603  (the Java that runs Spark)
    return [f"-XX:SharedArchiveFile={base}"] if base.exists() else []


def _remove_unused(folder: Path) -> None:
    """Leaves room for one more archive."""
    used = {file: file.stat().st_mtime for file in folder.glob("classes-*.*")}
    newest = sorted((file for file in used if file.suffix == ".jsa"), key=used.__getitem__, reverse=True)
    gone = {file.stem for file in newest if used[file] < time.time() - UNUSED} | {
        one.stem for one in newest[MOST - 1 :]
    }
    for file, at in used.items():
        alone = not file.with_suffix(".jsa").exists()
        if file.stem in gone or (alone and at < time.time() - UNUSED):
            file.unlink(missing_ok=True)
