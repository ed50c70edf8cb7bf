"""Starts the Spark session: Delta's jars, the settings that Kusto's semantics require, and helpful start errors."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol
from urllib.parse import unquote, urlsplit

import pyspark
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore, is_sparks
from lakehunt.runtime import commits, error_text, jvm_cache, launch, spark_log, timestamps
from lakehunt.runtime.spark_log import SparkLog

MINIMUM_JAVA = 17

DEFAULTS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "8",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.debug.maxToStringFields": "200",
    # The JIT never compiles larger methods (HugeMethodLimit); Spark then falls back to several small ones.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # An iteration resolves one level of functions inside of each other; what the last one leaves unresolved fails.
    "spark.sql.analyzer.maxIterations": "1000",
    # Lines of blobs go to Python in batches of so many bytes: a record may have 16 MB.
    "spark.sql.execution.arrow.maxBytesPerBatch": str(16 << 20),
    # PySpark's call-site tracking makes two JVM calls per column, which is most of a query's compilation time.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}
"""Defaults for one machine, overridden by the configuration, which is overridden by spark-submit."""

ALONE = {
    "spark.app.name": "lakehunt",
    "spark.master": "local[*]",
    "spark.driver.memory": "4g",
    # A task that runs out of memory or stack fails. Otherwise it would end the JVM, and with it all other hunts.
    "spark.executor.killOnFatalError.depth": "0",
}
"""Further defaults for a JVM that was not started by spark-submit."""

REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",  # Kusto's datetimes are UTC
    "spark.sql.caseSensitive": "true",  # Kusto's column names are
    "spark.sql.ansi.enabled": "false",  # long arithmetic wraps and a failed conversion is null in Kusto, too
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.legacy.parquet.nanosAsLong": "false",
}
"""Lakehunt's results depend on these, so they override the configuration."""


class SparkSettings(Protocol):
    """Settings of a session; `Config` implements this."""

    @property
    def spark(self) -> Mapping[str, str]:
        """Spark's own settings."""

    @property
    def delta_jars(self) -> Path | None:
        """The folder with Delta's jars; None: they are resolved by Ivy, or cached."""

    @property
    def object_store(self) -> ObjectStore:
        """Where S3 is."""

    @property
    def needs_s3(self) -> bool:
        """Whether a place in S3 may be read or written, for which Hadoop needs its connector."""


def start(config: SparkSettings, learning: bool = False) -> SparkSession:
    """The process's Spark session, started if there is none. With `learning` its JVM may write the cache that lets the
    next one start faster (see jvm_cache.py).

    Under spark-submit, its options and spark-defaults.conf take precedence.
    Raises LakehuntError if Java is missing or too old, or if Delta's jars cannot be resolved."""
    timestamps.read_whole_calendar()
    running = SparkSession.getActiveSession()
    if running is not None:
        return _as_required(running)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:  # by default Spark's Python processes are of the first `python3` on the path
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    given = _submitted() if submitted else _own_jvm(config, learning)
    settings = DEFAULTS | _of_s3(config, submitted) | dict(config.spark) | given | REQUIRED
    settings = commits.settings(settings) | settings
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    with _quiet_jvm() as log:
        try:
            if not submitted:
                launch.start_jvm(settings)
            spark = builder.getOrCreate()
        except (PySparkException, Py4JError, OSError) as e:
            raise _start_failure(log.file.read_text(errors="replace"), packages(config), e) from e
    commits.install(spark)
    _cancel_on_interrupt(spark)
    logging.getLogger().addFilter(_is_news)
    spark.sparkContext.setLogLevel("ERROR")
    log.started()
    if not submitted:
        _remember_jars(config, spark)
    return spark


def _of_s3(config: SparkSettings, submitted: bool) -> dict[str, str]:
    """How S3 is reached. Where spark-submit or Spark's own settings say it, we do not, unless we are told to."""
    silent = (submitted and config.object_store == ObjectStore()) or is_sparks(config.spark)
    return {} if silent else config.object_store.spark_settings()


_CANCELLING = 5
"""Seconds that cancelling jobs may take."""


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record of Python's root logger says more than the exception that follows it: Py4J logs tracebacks if
    the JVM has ended, and at Ctrl-C."""
    return record.msg not in ("Exception while sending command.", "KeyboardInterrupt while sending command.")


def _cancel_on_interrupt(spark: SparkSession) -> None:
    """Ctrl-C cancels Spark's jobs and raises KeyboardInterrupt. Spark's own handler does so, too, but over the main
    thread's connection, which is usually waiting for an answer: then Py4J reports an error, and no interrupt."""
    if threading.current_thread() is not threading.main_thread():
        return

    def interrupted(number: int, frame: FrameType | None) -> NoReturn:
        cancelling = threading.Thread(target=spark.sparkContext.cancelAllJobs, daemon=True)
        cancelling.start()
        cancelling.join(_CANCELLING)  # no later, or it would cancel what cleans up
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)


def _as_required(running: SparkSession) -> SparkSession:
    """An existing session, as on a managed Spark platform, with those required settings that can still be changed."""
    for key, value in REQUIRED.items():
        if running.conf.isModifiable(key):
            running.conf.set(key, value)
    return running


def _submitted() -> dict[str, str]:
    """The settings given by spark-submit."""
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


_CODEGEN = {
    True: {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"},
    False: {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"},
}

CODEGEN = "spark.lakehunt.codegen"
"""Set to `never`, Spark never generates code, not even for whole tables: for many tiny lakes, as in tests."""


@contextmanager
def codegen(spark: SparkSession, on: bool) -> Iterator[None]:
    """Turns Spark's code generation on or off. For a query over few rows, compiling takes longer than running."""
    on = on and spark.conf.get(CODEGEN, "") != "never"
    before = {name: spark.conf.get(name, None) for name in _CODEGEN[on]}
    for name, wanted in _CODEGEN[on].items():
        spark.conf.set(name, wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, value)


def delta_package() -> str:
    """The Maven coordinate of the Delta jar for the installed Spark, as `spark.jars.packages` takes it."""
    spark = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{version('delta-spark')}"


def s3_package() -> str:
    """The Maven coordinate of Hadoop's connector for S3, of the Hadoop that the installed Spark has. It depends on
    Amazon's SDK: 640 MB."""
    client = next((Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar"))
    return f"org.apache.hadoop:hadoop-aws:{client.stem.removeprefix('hadoop-client-api-')}"


def packages(config: SparkSettings) -> str:
    """What Spark does not include and these settings need, as `spark.jars.packages` takes it."""
    return ",".join([delta_package(), *([s3_package()] if config.needs_s3 else [])])


def _own_jvm(config: SparkSettings, learning: bool) -> dict[str, str]:
    """The settings of a JVM that this process starts; the configuration's take precedence."""
    settings = ALONE | dict(config.spark)
    jars = delta_jars(config)
    if jars and settings["spark.master"].startswith("local"):
        os.environ[jvm_cache.CLASS_PATH] = jvm_cache.class_path(jars)
    elif jars:
        settings = {"spark.jars": ",".join(map(str, jars))} | settings
    else:
        settings = {_PACKAGES: packages(config)} | settings
    options = jvm_cache.options(java(), settings.get(launch.OPTIONS, ""), jars, learning and bool(jars))
    return settings | {launch.OPTIONS: options if "-Xss" in options else f"{_STACK} {options}"}


_STACK = "-Xss4m"
"""The stack of each of Java's threads: Spark plans nested conditions recursively."""


_PACKAGES = "spark.jars.packages"


def delta_jars(config: SparkSettings) -> list[Path]:
    """Delta's jars and, where they are needed, those for S3, with their dependencies: from the configured folder or the
    cache; none if Ivy has to resolve them.

    Raises LakehuntError for a folder without them."""
    if config.delta_jars is None:
        return [] if _PACKAGES in config.spark else jvm_cache.known_jars(packages(config))
    jars = sorted(config.delta_jars.glob("*.jar"))
    if config.needs_s3 and not any("hadoop-aws" in jar.name for jar in jars):
        hint = f"put the jars of {s3_package()} there (make jars ARGS=--s3), or unset delta_jars"
        raise LakehuntError(f"a place in S3 needs hadoop-aws, which is not in {config.delta_jars}", hint)
    if not any("delta-spark" in jar.name for jar in jars):
        raise LakehuntError(
            f"no delta-spark jar in {config.delta_jars}",
            f"put the jars of {delta_package()} (delta-spark and delta-storage) there, or unset delta_jars",
        )
    return [jar.resolve() for jar in jars]


def _remember_jars(config: SparkSettings, spark: SparkSession) -> None:
    """Caches the resolved jars, if only those of `packages` were requested."""
    requested = spark.conf.get(_PACKAGES, "")
    resolved = spark.conf.get("spark.jars", "") or ""
    if requested == packages(config) and _PACKAGES not in config.spark and "spark.jars" not in config.spark:
        jvm_cache.remember_jars(requested, [Path(unquote(urlsplit(jar).path)) for jar in resolved.split(",")])


def java() -> str:
    """The command and its `-version` output. Raises LakehuntError if Java is missing or too old."""
    home = os.environ.get("JAVA_HOME")
    command = f"{home}/bin/java" if home else shutil.which("java")
    if not command or not Path(command).exists():
        raise LakehuntError(
            f"no Java found{f' at JAVA_HOME={home}' if home else ''}",
            f"install Java {MINIMUM_JAVA} or 21 (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME",
        )
    result = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', result.stderr)
    if not found or int(found[1]) < MINIMUM_JAVA:
        raise LakehuntError(
            f"{command} is Java {found[1] if found else '(unknown version)'}, Spark needs {MINIMUM_JAVA} or 21",
            "install it and set JAVA_HOME to its folder",
        )
    return f"{command}\n{result.stderr}"


@contextmanager
def _quiet_jvm() -> Iterator[SparkLog]:
    """Redirects the output of the starting JVM to a file, so that Ivy's page of output does not mix with ours.

    The JVM inherits the descriptors, so later warnings go there too."""
    log = spark_log.opened()
    if log.on_terminal:
        yield log
        return
    atexit.register(log.close)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with log.file.open("wb") as sink:
        for descriptor in kept:
            os.dup2(sink.fileno(), descriptor)
    try:
        yield log
    finally:
        for descriptor, original in kept.items():
            os.dup2(original, descriptor)
            os.close(original)


def _start_failure(log: str, wanted: str, cause: Exception) -> LakehuntError:
    if "unresolved dependency" in log or "UNRESOLVED DEPENDENCIES" in log or "ivySettings" in log:
        return LakehuntError(
            f"Spark could not fetch the jars of {wanted}",
            "behind a mirror: set LAKEHUNT_IVY_SETTINGS (or spark.jars.ivySettings) to an ivysettings.xml that names "
            "it; without a network: put the jars in a folder and set LAKEHUNT_DELTA_JARS to it "
            "(docs/how-to/offline.md)",
        )
    last = [line for line in log.splitlines() if line.strip() and not _OF_A_STACK.match(line)][-8:]
    why = f"Spark did not start: {error_text.in_one_line(cause)}"
    return LakehuntError(why, "its last words:\n    " + "\n    ".join(map(redacted, last)))


_OF_A_STACK = re.compile(r"\s+(at |\.\.\. [0-9]+ more)")
