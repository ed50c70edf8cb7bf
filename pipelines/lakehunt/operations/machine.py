"""Whether this machine can run Lakehunt: Python, Java, Spark, jars, memory, temporary files. Imports no Spark."""

from __future__ import annotations

import os
import platform
import pwd
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import lakehunt
from lakehunt.operations import check
from lakehunt.operations.check import Check, Result
from lakehunt.runtime import java, jvm_cache, settings
from lakehunt.runtime.settings import SparkSettings

INSTALL = "docs/how-to/install.md"
_OFFLINE = "docs/how-to/offline.md"

_BESIDE = 1 << 30
"""Bytes that Python, and Java outside of its heap, need beside the heap."""

_ROOM = 2 << 30
"""Bytes that hunts may need for intermediate rows."""

_OVER_PYSPARK = ("pyspark-client", "databricks-connect")
"""Packages that overwrite files of pyspark."""


def checks(config: SparkSettings) -> Iterator[Check]:
    """All of them, each as soon as it has been made."""
    yield from check.made("Python", _python)
    yield from check.made("Java", _java)
    yield from check.made("Spark", lambda: _spark(config.spark))
    yield from check.made("jars", lambda: _jars(config))
    yield from check.made("memory", lambda: _memory(config.spark))
    yield from check.made("temporary files", lambda: _temporary_files(config.spark))
    yield from check.made("cache", _cache)
    yield from check.made("user", _user)
    yield from check.made("host name", _host_name)


def _python() -> Iterator[Result]:
    yield check.ok(f"{platform.python_version()} ({sys.executable}), Lakehunt {lakehunt.__version__}")
    missing = []
    for requirement in requires("lakehunt") or ():
        name, _, condition = requirement.partition(";")
        package = re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0]
        if "extra" not in condition:
            try:
                version(package)
            except PackageNotFoundError:
                missing.append(package)
    if missing:
        yield check.failure(f"packages are missing: {', '.join(missing)}", f"install Lakehunt with pip ({INSTALL})")


def _java() -> Iterator[Result]:
    found = java.found()
    yield check.ok(f"{found.version} ({found.command})")


def _spark(given: Mapping[str, str]) -> Iterator[Result]:
    master = given.get("spark.master", settings.ALONE["spark.master"])
    yield check.ok(f"{version('pyspark')}, Delta {version('delta-spark')}, master {master}")
    for package in _OVER_PYSPARK:
        with suppress(PackageNotFoundError):
            what = f"{package} {version(package)} is installed, which overwrites files of pyspark"
            yield check.failure(what, f"pip uninstall {package}, then pip install --force-reinstall pyspark")
    if remote := os.environ.get("SPARK_REMOTE"):
        yield check.failure(f"SPARK_REMOTE={remote}: Lakehunt cannot use Spark Connect", "unset SPARK_REMOTE")
    if home := os.environ.get("SPARK_HOME"):
        yield from _spark_home(Path(home))


def _spark_home(home: Path) -> Iterator[Result]:
    """That which the variable names is started instead of the package's."""
    wanted = version("pyspark")
    core = next(iter(sorted((home / "jars").glob("spark-core_*.jar"))), None)
    if core is None:
        yield check.failure(f"SPARK_HOME={home} has no Spark", "unset SPARK_HOME, or correct it")
    elif not core.stem.endswith(f"-{wanted}"):
        what = f"SPARK_HOME={home} has {core.name}, pyspark is {wanted}"
        yield check.failure(what, f"unset SPARK_HOME, or name a Spark {wanted}")


def _jars(config: SparkSettings) -> Iterator[Result]:
    jars = settings.delta_jars(config)
    needed = settings.packages(config)
    if not jars:
        if configured := config.spark.get("spark.jars.packages"):
            yield check.ok(f"spark.jars.packages: Spark resolves {configured} whenever it starts")
            return
        yield check.warning(
            f"{needed} is not here yet: Spark fetches it when it first starts",
            f"nothing, if Maven Central or a mirror of it is reached; else put the jars into a folder ({_OFFLINE})",
        )
        return
    yield check.ok(f"{len(jars)} in {jars[0].parent}")
    if config.delta_jars is not None:
        _, name, number = settings.delta_package().split(":")
        for artifact in (f"{name}-{number}.jar", f"delta-storage-{number}.jar"):
            if not any(jar.name.endswith(artifact) for jar in jars):
                yield check.failure(f"{artifact} is not in {config.delta_jars}", f"gather the jars anew ({_OFFLINE})")


# Memory


def _memory(given: Mapping[str, str]) -> Iterator[Result]:
    heap = bytes_of(given.get("spark.driver.memory", settings.ALONE["spark.driver.memory"]))
    machine = _of_machine("MemTotal")
    limit = memory_limit(Path("/"))
    there = min(one for one in (machine, limit) if one) if machine or limit else None
    whose = "this container or service may have" if limit and there == limit else "this machine has"
    if heap is None:
        yield check.failure(
            f"spark.driver.memory is {given['spark.driver.memory']!r}", "write a number and a unit, such as 4g"
        )
    elif there is None:
        yield check.ok(f"{_gb(heap)} for Spark; how much there is, the system does not say")
    else:
        what = f"{_gb(heap)} for Spark (spark.driver.memory), {whose} {_gb(there)}"
        smaller = f"lower spark.driver.memory to {max(1, (there - _BESIDE) >> 30)}g, or provide more memory"
        free = _of_machine("MemAvailable")
        if heap >= there:
            yield check.failure(what, smaller)
        elif heap + _BESIDE > there:
            yield check.warning(f"{what}: Python and Java itself need 1 GB beside", smaller)
        elif free is not None and heap + _BESIDE > free:
            yield check.warning(
                f"{what}, of which {_gb(free)} are free now", "end other programs, or run at another time"
            )
        else:
            yield check.ok(what)


_UNITS = {"": 20, "k": 10, "m": 20, "g": 30, "t": 40}


def bytes_of(size: str) -> int | None:
    """Bytes of a size as Spark has it: `4g`, `512m`; a number alone counts MiB. None if it is none."""
    found = re.fullmatch(r"(\d+)([kmgt]?)b?", size.strip().lower())
    return int(found[1]) << _UNITS[found[2]] if found else None


def _gb(size: int) -> str:
    return f"{size / (1 << 30):.1f} GB"


def _of_machine(name: str) -> int | None:
    """A figure of /proc/meminfo, in bytes; the total elsewhere, too."""
    with suppress(OSError):
        if found := re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE):
            return int(found[1]) << 10
    if name == "MemTotal":
        with suppress(ValueError, OSError):
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


_UNLIMITED = 1 << 60


def memory_limit(root: Path) -> int | None:
    """The lowest limit of the control groups that this process is in (version 2 or 1); None without one."""
    limits: list[int] = []
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text("ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                limits += _limits(root / "sys/fs/cgroup", path, "memory.max")
            elif "memory" in controllers.split(","):
                limits += _limits(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")
    return min(limits, default=None)


def _limits(top: Path, path: str, file: str) -> Iterator[int]:
    """Those of a group and of the ones above it. A container sees its own group as the top."""
    group = top / path.strip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # `max` is no number
            if (limit := int((folder / file).read_text("ascii"))) < _UNLIMITED:
                yield limit
        if folder == top:
            return


# Places of this machine


def _temporary_files(given: Mapping[str, str]) -> Iterator[Result]:
    option = re.search(r"-Djava\.io\.tmpdir=(\S+)", given.get(settings.OPTIONS, ""))
    of_java = option[1] if option else "/tmp" if sys.platform == "linux" else tempfile.gettempdir()  # noqa: S108
    of_spark = os.environ.get("SPARK_LOCAL_DIRS") or given.get("spark.local.dir") or of_java
    for place in map(Path, dict.fromkeys([tempfile.gettempdir(), of_java, *of_spark.split(",")])):
        with tempfile.NamedTemporaryFile(prefix="lakehunt-doctor-", dir=place):
            free = shutil.disk_usage(place).free
        if place == Path(of_java) and os.statvfs(place).f_flag & os.ST_NOEXEC:
            yield check.failure(
                f"{place} is mounted noexec, but Java loads its compression libraries from there",
                f"mount it exec, or set {settings.OPTIONS}: -Djava.io.tmpdir=FOLDER",
            )
        elif free < _ROOM:
            what = f"{place} has only {_gb(free)} free: hunts keep rows there"
            yield check.warning(what, "make room, or set spark.local.dir to a folder with more")
        else:
            yield check.ok(f"{place}, {_gb(free)} free")


def _cache() -> Iterator[Result]:
    slow = "each start takes longer; set HOME or XDG_CACHE_HOME to a folder that this user may write"
    try:
        folder = jvm_cache.cache_folder()
        there = next(one for one in (folder, *folder.parents) if one.exists())
    except OSError as error:
        yield check.warning(str(error), slow)
        return
    if os.access(there, os.W_OK | os.X_OK):
        yield check.ok(str(folder))
    else:
        yield check.warning(f"{folder} cannot be written", slow)


def _user() -> Iterator[Result]:
    number = os.getuid()
    try:
        yield check.ok(f"{pwd.getpwuid(number).pw_name} ({number})")
    except KeyError:
        yield check.failure(
            f"user {number} has no entry in /etc/passwd, so Hadoop cannot log in",
            "run as a user that has one, or add one to the image",
        )


def _host_name() -> Iterator[Result]:
    name = socket.gethostname()
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=5),
        ):
            pass
    except OSError as error:
        yield check.failure(f"the loopback interface does not work: {error.strerror or error}", "ip link set lo up")
    if set_ := next((one for one in ("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME") if os.environ.get(one)), None):
        yield check.ok(f"{set_}={os.environ[set_]}")
        return
    try:
        socket.getaddrinfo(name, None)
        yield check.ok(name)
    except OSError:
        yield check.failure(
            f"{name} has no address, so Spark cannot start",
            f"add '127.0.0.1 {name}' to /etc/hosts, or set SPARK_LOCAL_IP=127.0.0.1",
        )
