"""Caches for a quicker start of the JVM, written by earlier starts.

Two things are kept in the user's cache folder (`$XDG_CACHE_HOME/lakehunt`, by default `~/.cache/lakehunt`): which jars
the resolver had fetched for Delta, so that it need not be asked again, and an archive of the classes that were loaded,
which the next JVM maps into memory instead of reading and verifying them one by one ("application class-data sharing",
JEP 350). Entries that no longer fit (a missing jar, another Java) are replaced. Without a writable folder each start
takes longer, and nothing else changes."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pyspark

from lakehunt.core import atomic_write

COLLECTOR = "-XX:+UseParallelGC"
"""For work that nobody waits for between two answers, it takes less of the two or four cores of a small machine."""

GIVEN_UP = 900
"""Seconds after which an archive that is not there was not finished."""

UNUSED = 30 * 24 * 3600
"""Seconds after which an archive goes that no start has used: 100 to 200 MB that belong to another Java or Spark."""


def cache_folder() -> Path:
    """The user's own folder; it may not be there. Raises OSError for a user without a home: what anybody may write is
    no place for what a JVM loads."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "lakehunt"
    try:
        return Path.home() / ".cache/lakehunt"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error


# Jars


def known_jars(package: str) -> list[Path]:
    """The jars that the resolver fetched for a Maven coordinate, none if it was not asked or one of them is gone."""
    with suppress(OSError):
        jars = [Path(line) for line in _listed(package).read_text(encoding="utf-8").splitlines()]
        return jars if all(jar.is_file() for jar in jars) else []
    return []


def remember_jars(package: str, jars: Iterable[Path]) -> None:
    """Keeps which jars were fetched, but for those that Spark has, of whatever version: its own come first anyway."""
    spark = {_artifact(jar) for jar in _spark_jars().glob("*.jar")}
    lacking = [jar for jar in jars if _artifact(jar) not in spark]
    with suppress(OSError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        atomic_write.write(_listed(package), "".join(f"{jar}\n" for jar in lacking).encode())


def _artifact(jar: Path) -> str:
    """`io.delta_delta-storage-4.4.0.jar`, as the resolver calls it, and `delta-storage-4.4.0.jar` are delta-storage."""
    name = re.split(r"-(?=\d)", jar.name, maxsplit=1)[0]
    group, _, artifact = name.partition("_")
    return artifact if "." in group else name


def _spark_jars() -> Path:
    return Path(pyspark.__file__).parent / "jars"


def _listed(package: str) -> Path:
    return cache_folder() / f"{package.replace(':', '_')}.jars"


CLASS_PATH = "SPARK_DIST_CLASSPATH"
"""Environment variable: class path that Spark's JVM searches after Spark's own jars. Unlike jars that Spark adds later,
its classes are loaded, and archived, like Spark's own."""


def class_path(jars: Iterable[Path]) -> str:
    """The variable's value with these jars, and what it has already."""
    there = [place for place in os.environ.get(CLASS_PATH, "").split(os.pathsep) if place]
    return os.pathsep.join(dict.fromkeys([*there, *map(str, jars)]))


# Options


def options(java: str, given: str, jars: Sequence[Path], learning: bool) -> str:
    """The options for a JVM: `given` ones, which come first, and ours where they do not contradict.

    `java` is what `java -version` says. With `learning` the JVM archives its classes when it ends, where no archive
    fits."""
    ours = [] if re.search(r"-XX:\+Use\w+GC\b", given) else [COLLECTOR]
    if not re.search(r"-Xshare|SharedArchiveFile|ArchiveClassesAtExit", given):
        ours += _archive(java, jars, learning)
    return " ".join([*ours, given]).strip()


def _archive(java: str, jars: Sequence[Path], learning: bool) -> list[str]:
    with suppress(OSError):
        archive = cache_folder() / f"classes-{_fitting(java, jars)}.jsa"
        if " " in str(archive):  # spark-submit takes options apart at spaces
            return []
        if archive.exists():
            os.utime(archive)
            return [f"-XX:SharedArchiveFile={archive}"]
        if learning and _is_first(archive.with_suffix(".making")):
            _remove_unused(archive.parent)
            return [f"-XX:ArchiveClassesAtExit={archive}"]
    return []


def _is_first(mark: Path) -> bool:
    """Whether nobody else makes the archive at this time: that takes a start half as long again."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if mark.stat().st_mtime < time.time() - GIVEN_UP:
            mark.unlink(missing_ok=True)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _fitting(java: str, jars: Sequence[Path]) -> str:
    """A digest of what the JVM asks of an archive: the same Java, the same jars, in the same places and unchanged."""
    places = [f"{place} {place.stat().st_mtime_ns}" for place in (_spark_jars(), *jars)]
    parts = [java, class_path(jars), *places]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _remove_unused(folder: Path) -> None:
    for file in folder.glob("classes-*"):
        if file.stat().st_mtime < time.time() - UNUSED:
            file.unlink()
