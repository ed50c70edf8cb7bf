"""Starts the JVM, while this process goes on, with its settings in files that only this user can read.

PySpark would wait for it, write every setting on the command line of spark-submit, and spark-submit the options of the
JVM on that of java: both are visible to every user of the machine, and settings may be keys of object stores or
passwords. Where the environment says how Spark is to be started, its own scripts do it. Imports no Spark, until it
connects."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import java, jvm_cache, settings, spark_log
from lakehunt.runtime.settings import OPTIONS, SparkSettings

_SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
_SHELL = "pyspark-shell"
"""What PySpark calls its application when it has no arguments of its own."""

_CONNECTION = "_PYSPARK_DRIVER_CONN_INFO_PATH"
_PORT, _SECRET = "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"
_MAIN = "org.apache.spark.deploy.SparkSubmit"

_OF_SCRIPTS = (
    *("SPARK_HOME", "SPARK_CONF_DIR", "SPARK_SUBMIT_OPTS", "SPARK_TESTING", "SPARK_PREPEND_CLASSES"),
    *("HADOOP_CONF_DIR", "YARN_CONF_DIR", _SUBMIT_ARGUMENTS),
)
"""Variables that Spark's scripts read."""

_OF_THE_LAUNCHER = ("spark.driver.extraClassPath", "spark.driver.extraLibraryPath", "spark.driver.defaultJavaOptions")
"""Settings, beside memory and options, that Spark's launcher turns into arguments of java."""

_OPENED = (
    *("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "util.concurrent.atomic"),
)
ARGUMENTS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED),
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    *(f"--add-opens=java.base/sun.{package}=ALL-UNNAMED" for package in ("nio.ch", "nio.cs", "security.action")),
    "--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.type=pooled",
    "-Dio.netty.handler.ssl.defaultEndpointVerificationAlgorithm=NONE",
    "--enable-native-access=ALL-UNNAMED",
    "-Dderby.connection.requireAuthentication=false",
)
"""What Spark's launcher gives java, but for a module that only Spark's machine learning uses: some runtimes lack it,
and java starts faster without."""

_WITHOUT_INTERRUPTS = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Ctrl-C is for this process, which cancels what runs."""

_OFTEN = 0.01
"""Seconds between two looks at whether the JVM has started."""


@dataclass(frozen=True)
class _Started:
    """A JVM that is starting with these settings, for this configuration, and the folder of its files."""

    settings: Mapping[str, str]
    config: SparkSettings
    process: subprocess.Popen[bytes]
    folder: Path

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Current:
    """The JVM of this process, until it is connected to."""

    started: _Started | None = None


def begin(config: SparkSettings, learning: bool = False, brief: bool = False) -> dict[str, str]:
    """Starts a JVM for these settings, which are returned complete, unless this process has one. Does not wait for it.
    `learning` and `brief` as in `settings.of_own_jvm`.

    Raises LakehuntError if Java is missing or does not fit, or if configured jars are not there."""
    if _Current.started is not None:
        if _Current.started.config == config:
            return dict(_Current.started.settings)
        discard()
    wanted = settings.of_own_jvm(config, learning, brief)
    if not _is_connected() and _is_plain(wanted):
        folder = Path(tempfile.mkdtemp(prefix="lakehunt-start-"))  # which nobody else may enter
        try:
            process = _process(wanted, folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _Current.started = _Started(wanted, config, process, folder)
        atexit.unregister(discard)
        atexit.register(discard)
    return wanted


def discard() -> None:
    """Ends a JVM that was begun and that nobody has connected to."""
    if _Current.started is not None:
        _Current.started.end()
        _Current.started = None


def _is_connected() -> bool:
    """Whether PySpark has a JVM."""
    core = sys.modules.get("pyspark.core.context")
    return core is not None and core.SparkContext._gateway is not None


def _is_plain(wanted: Mapping[str, str]) -> bool:
    """Whether nothing but these settings says how Spark is to be started."""
    configured = (jvm_cache.spark_jars().parent / "conf").is_dir()
    return not (
        configured
        or os.name != "posix"
        or any(os.environ.get(name) for name in _OF_SCRIPTS)
        or any(name in wanted for name in _OF_THE_LAUNCHER)
        or not wanted["spark.master"].startswith("local")
    )


def _process(wanted: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    file = folder / "spark.properties"
    options = _options_in_file(wanted, folder)
    file.write_text(properties({**wanted, **options}), encoding="ascii")
    places = [f"{jvm_cache.spark_jars()}/*", os.environ.get(jvm_cache.CLASS_PATH, "")]
    command = [java.found().command, "-cp", ":".join(filter(None, places)), f"-Xmx{wanted['spark.driver.memory']}"]
    command += [*shlex.split({**wanted, **options}.get(OPTIONS, "")), *ARGUMENTS]
    command += [_MAIN, "--properties-file", str(file), _SHELL]
    log = spark_log.opened()
    with log.file.open("ab") as sink:
        printed = None if log.on_terminal else sink
        return subprocess.Popen(  # noqa: S603  (Java, with settings that its user wrote, none of which is a shell's)
            [*_WITHOUT_INTERRUPTS, *command],
            stdin=subprocess.PIPE,  # at whose end it ends
            stdout=printed,
            stderr=printed,
            env=os.environ | _variables(folder),
        )


def _variables(folder: Path) -> dict[str, str]:
    """What Spark's scripts and PySpark tell the JVM."""
    home = jvm_cache.spark_jars().parent
    return {_CONNECTION: str(folder / "connection"), "SPARK_CONNECT_MODE": "0", "SPARK_HOME": str(home)}


def connect(wanted: Mapping[str, str]) -> None:
    """Connects PySpark to the JVM that was begun, when it has started, or lets it start one with these settings, unless
    it has one. Raises PySparkRuntimeError if it does not start."""
    started, _Current.started = _Current.started, None
    if started is None:
        _by_scripts(wanted)
        return
    try:
        os.environ[_PORT], os.environ[_SECRET] = _address(started)
        _ensure_initialized(started.process)
    except BaseException:
        started.end()
        raise
    finally:
        for name in (_PORT, _SECRET):
            os.environ.pop(name, None)
        shutil.rmtree(started.folder, ignore_errors=True)


def _address(started: _Started) -> tuple[str, str]:
    """The port and the secret of the JVM."""
    from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415 (see above)

    file = started.folder / "connection"
    while not file.exists():  # it appears whole
        if started.process.poll() is not None:
            raise PySparkRuntimeError(errorClass="JAVA_GATEWAY_EXITED", messageParameters={})
        time.sleep(_OFTEN)
    content = file.read_bytes()
    length = int.from_bytes(content[4:8])
    return str(int.from_bytes(content[:4])), content[8 : 8 + length].decode()


def _ensure_initialized(process: subprocess.Popen[bytes] | None = None) -> None:
    from pyspark import SparkContext  # noqa: PLC0415 (see above)

    SparkContext._ensure_initialized()
    if process is not None:  # kept as PySpark keeps its own: with its standard input the JVM would end
        SparkContext._gateway.proc = process  # type: ignore[union-attr]


def _start_by_scripts() -> None:
    """As PySpark starts its JVM, but for what that prints, Ivy's page of output above all: it is to be in our log."""
    from pyspark import SparkContext  # noqa: PLC0415 (see above)
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415

    log = spark_log.opened()
    if SparkContext._gateway is not None or log.on_terminal:
        _ensure_initialized()
        return
    with log.file.open("ab") as sink:
        gateway = launch_gateway(None, {"stdout": sink, "stderr": sink})  # type: ignore[no-untyped-call]
        SparkContext._ensure_initialized(gateway=gateway)


def is_without(name: str) -> bool:
    """Whether PySpark is connected to a JVM that lacks a class."""
    if not _is_connected():
        return False
    from py4j.protocol import Py4JError  # noqa: PLC0415 (see above)
    from pyspark import SparkContext  # noqa: PLC0415

    jvm: Any = SparkContext._jvm
    try:
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        jvm.java.lang.Class.forName(name, False, loader)
    except Py4JError:  # it may have ended, too
        return True
    return False


def end() -> None:
    """Ends the JVM that PySpark is connected to, so that it may connect to another one. Not for a JVM that this process
    did not start.

    Its session must have been stopped. Whatever was made in it is of no use any more."""
    from pyspark import SparkContext  # noqa: PLC0415 (see above)

    gateway: Any = SparkContext._gateway
    process: subprocess.Popen[bytes] = gateway.proc
    with suppress(Exception):  # it may have ended
        gateway.shutdown()
    assert process.stdin is not None
    process.stdin.close()  # at whose end it ends
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    SparkContext._gateway = SparkContext._jvm = None


_ENDING = 20
"""Seconds that a JVM may take to end."""


def _by_scripts(wanted: Mapping[str, str]) -> None:
    before = os.environ.get(_SUBMIT_ARGUMENTS)
    if "--properties-file" in (before or ""):  # spark-submit takes one: ours would be ignored
        hint = "put its settings under `spark:` in lakehunt.yaml"
        raise LakehuntError(f"{_SUBMIT_ARGUMENTS} has a --properties-file", hint)
    with _private_folder() as folder:
        file = folder / "spark.properties"
        file.write_text(properties({**wanted, **_options_in_file(wanted, folder)}), encoding="ascii")
        # Without the second option spark-defaults.conf would not be read any more.
        ours = f"--properties-file {shlex.quote(str(file))} --load-spark-defaults"
        os.environ[_SUBMIT_ARGUMENTS] = f"{ours} {before or _SHELL}"
        try:
            _start_by_scripts()
        finally:
            if before is None:
                del os.environ[_SUBMIT_ARGUMENTS]
            else:
                os.environ[_SUBMIT_ARGUMENTS] = before


@contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lakehunt-start-"))  # which nobody else may enter
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options_in_file(settings: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The setting that makes java read its options from a file: one may be the password of a keystore."""
    options = shlex.split(settings.get(OPTIONS, ""))
    if not options or " " in str(folder):  # spark-submit splits options at spaces
        return {}
    file = folder / "java.options"
    file.write_text("".join(f"{_quoted(option)}\n" for option in options), encoding="utf-8")
    return {OPTIONS: f"@{file}"}


def _quoted(option: str) -> str:
    escaped = option.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def properties(settings: Mapping[str, str]) -> str:
    """The settings as a file of Java's properties."""
    return "".join(f"{_escaped(name)}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(text: str) -> str:
    """The text with every character escaped that a properties file, or the trimming of its values, takes for anything
    but itself."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2)]
    return "".join(chr(code) if chr(code) in _PLAIN else f"\\u{code:04x}" for code in codes)


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/,;@*$+()[]{}<>?&%'\"|~^")
