"""The Spark session: Delta's jars, the settings that Kusto's semantics need, and errors that say what to do."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import jvm_cache

MINIMUM_JAVA = 17

DEFAULTS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "8",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.debug.maxToStringFields": "200",
    # The JVM never compiles a larger method: Spark then has to make the stage of many small ones.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Where in Python each column was made: told to the JVM by two calls for every one, which is most of a compilation.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}
"""For one machine; the configuration, and before it spark-submit, may say otherwise."""

ALONE = {"spark.app.name": "lakehunt", "spark.master": "local[*]", "spark.driver.memory": "4g"}
"""More of the same, where no spark-submit has chosen them."""

REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",  # Kusto's datetimes are UTC
    "spark.sql.caseSensitive": "true",  # Kusto's column names are
    "spark.sql.ansi.enabled": "false",  # long arithmetic wraps and a failed conversion is null in Kusto, too
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.legacy.parquet.nanosAsLong": "false",
}
"""Lakehunt's answers depend on these, so the configuration does not override them."""


class SparkSettings(Protocol):
    """What a session is started with; a `Config` has it."""

    @property
    def spark(self) -> Mapping[str, str]:
        """Spark's own settings."""

    @property
    def delta_jars(self) -> Path | None:
        """The folder with Delta's jars; None: they are fetched, or were before."""


def start(config: SparkSettings, learning: bool = False) -> SparkSession:
    """The process's one Spark session, started if there is none. `learning`: its JVM may keep what makes the next one
    start sooner (see jvm.py).

    Under spark-submit what that was told comes first: its options and its spark-defaults.conf.
    Raises LakehuntError where Java is missing or too old, or where Delta's jars cannot be fetched."""
    running = SparkSession.getActiveSession()
    if running is not None:
        return _as_required(running)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    given = _submitted() if submitted else _alone(config, learning)
    settings = DEFAULTS | dict(config.spark) | given | REQUIRED
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    with _quiet_jvm() as log:
        try:
            spark = builder.getOrCreate()
        except PySparkRuntimeError as e:
            raise _start_failure(log.read_text(errors="replace"), e) from e
    spark.sparkContext.setLogLevel("ERROR")
    if not submitted:
        _remember_jars(config, spark)
    return spark


def _as_required(running: SparkSession) -> SparkSession:
    """A session that another one has made, as the platform of a managed Spark does, with what can still be set."""
    for key, value in REQUIRED.items():
        if running.conf.isModifiable(key):
            running.conf.set(key, value)
    return running


def _submitted() -> dict[str, str]:
    """The settings that spark-submit has told its JVM."""
    SparkContext._ensure_initialized()
    return dict(SparkConf().getAll())


_CODEGEN = {
    True: {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"},
    False: {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"},
}

CODEGEN = "spark.lakehunt.codegen"
"""Set to `never`, Spark compiles no code, not even to read whole tables: for many small lakes, as tests have them."""


@contextmanager
def codegen(spark: SparkSession, on: bool) -> Iterator[None]:
    """Whether Spark compiles code for each query. For one over few rows that takes longer than the answer."""
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


def _alone(config: SparkSettings, learning: bool) -> dict[str, str]:
    """The settings of a JVM that nobody else has started, before which the configuration's come."""
    settings = ALONE | dict(config.spark)
    jars = delta_jars(config)
    if jars and settings["spark.master"].startswith("local"):
        os.environ[jvm_cache.CLASS_PATH] = jvm_cache.class_path(jars)
    elif jars:
        settings = {"spark.jars": ",".join(map(str, jars))} | settings
    else:
        settings = {_PACKAGES: delta_package()} | settings
    options = jvm_cache.options(java(), settings.get(_OPTIONS, ""), jars, learning and bool(jars))
    return settings | {_OPTIONS: options}


_PACKAGES = "spark.jars.packages"
_OPTIONS = "spark.driver.extraJavaOptions"


def delta_jars(config: SparkSettings) -> list[Path]:
    """Delta's jars, with those that they need: of the folder that the configuration names, or as the resolver has
    fetched them before; none where it has to be asked.

    Raises LakehuntError for a folder without them."""
    if config.delta_jars is None:
        return [] if _PACKAGES in config.spark else jvm_cache.known_jars(delta_package())
    jars = sorted(config.delta_jars.glob("*.jar"))
    if not any("delta-spark" in jar.name for jar in jars):
        raise LakehuntError(
            f"no delta-spark jar in {config.delta_jars}",
            f"put the jars of {delta_package()} (delta-spark and delta-storage) there, or unset delta_jars",
        )
    return [jar.resolve() for jar in jars]


def _remember_jars(config: SparkSettings, spark: SparkSession) -> None:
    """What the resolver has fetched, if it was asked for Delta and nothing else."""
    asked = spark.conf.get(_PACKAGES, "")
    resolved = spark.conf.get("spark.jars", "") or ""
    if asked == delta_package() and _PACKAGES not in config.spark and "spark.jars" not in config.spark:
        jvm_cache.remember_jars(delta_package(), [Path(unquote(urlsplit(jar).path)) for jar in resolved.split(",")])


def java() -> str:
    """What `java -version` says. Raises LakehuntError where it is missing or too old."""
    home = os.environ.get("JAVA_HOME")
    command = f"{home}/bin/java" if home else shutil.which("java")
    if not command or not Path(command).exists():
        raise LakehuntError(
            f"no Java found{f' at JAVA_HOME={home}' if home else ''}",
            f"install Java {MINIMUM_JAVA} or 21 (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME",
        )
    told = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr)
    if not found or int(found[1]) < MINIMUM_JAVA:
        raise LakehuntError(
            f"{command} is Java {found[1] if found else '(unknown version)'}, Spark needs {MINIMUM_JAVA} or 21",
            "install it and set JAVA_HOME to its folder",
        )
    return f"{command}\n{told.stderr}"


@contextmanager
def _quiet_jvm() -> Iterator[Path]:
    """Sends what the starting JVM prints into a file: a page of resolver output helps nobody, and on standard output it
    would stand among our answers.

    The JVM inherits the descriptors, so its later warnings go there too. A file that nobody has named goes when the
    process ends."""
    chosen = os.environ.get("LAKEHUNT_SPARK_LOG")
    if chosen == "-":
        yield Path(os.devnull)
        return
    log = Path(chosen or Path(tempfile.gettempdir()) / f"lakehunt-spark-{os.getpid()}.log")
    if not chosen:
        atexit.register(log.unlink, missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with log.open("wb") as sink:
        for descriptor in kept:
            os.dup2(sink.fileno(), descriptor)
    try:
        yield log
    finally:
        for descriptor, original in kept.items():
            os.dup2(original, descriptor)
            os.close(original)


def _start_failure(log: str, cause: Exception) -> LakehuntError:
    if "unresolved dependency" in log or "UNRESOLVED DEPENDENCIES" in log or "ivySettings" in log:
        return LakehuntError(
            f"Spark could not fetch Delta's jars ({delta_package()})",
            "behind a mirror: set LAKEHUNT_IVY_SETTINGS (or spark.jars.ivySettings) to an ivysettings.xml that names "
            "it; without a network: put the jars in a folder and set LAKEHUNT_DELTA_JARS to it "
            "(docs/how-to/offline.md)",
        )
    last = [line for line in log.splitlines() if line.strip()][-8:]
    return LakehuntError(f"Spark did not start: {cause}", "its last words:\n    " + "\n    ".join(last))
