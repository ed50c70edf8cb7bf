"""Spark's settings: Delta's jars, what Kusto's semantics require, and what a JVM of our own is started with. Imports no
Spark."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore, is_sparks
from lakehunt.runtime import java, jvm_cache

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OPTIONS = "spark.driver.extraJavaOptions"

FIRST_COMPILER = "-XX:TieredStopAtLevel=1"
"""Leaves out Java's second compiler, whose work pays only where code runs for long."""

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

BESIDE = (
    "spark.sql.debug.maxToStringFields",
    "spark.sql.codegen.hugeMethodLimit",
    "spark.sql.analyzer.maxIterations",
    "spark.sql.execution.arrow.maxBytesPerBatch",
)
"""Those of the defaults that a session needs beside one that exists; what suits its machines is for others to say."""

WITHIN = {
    # By default Spark listens on an address that other machines reach, and takes messages from whoever connects.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.authenticate": "true",  # by a secret that Spark makes for itself: against other users of this machine
}
"""Further defaults where all of Spark is in that JVM (`local[...]`)."""

_WITHIN_ONE_JVM = re.compile(r"local(\[[^]]*\])?")

DELTA = "io.delta.sql.DeltaSparkSessionExtension"

REQUIRED = {
    "spark.sql.extensions": DELTA,
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


def of_own_jvm(config: SparkSettings, learning: bool, brief: bool = False) -> dict[str, str]:
    """All settings of a session in a JVM that this process starts. With `learning` it may write the cache that lets the
    next one start faster (see jvm_cache.py). A `brief` one has little to do: it compiles quickly rather than well.

    Raises LakehuntError if Java is missing or does not fit, or if configured jars are not there."""
    return DEFAULTS | _of_s3(config) | dict(config.spark) | _own_jvm(config, learning, brief) | REQUIRED


def of_submitted(config: SparkSettings, given: Mapping[str, str]) -> dict[str, str]:
    """All settings of a session under spark-submit, which has given some of them. What reaches S3 is spark-submit's to
    say, unless we are told."""
    s3 = {} if config.object_store == ObjectStore() else _of_s3(config)
    return DEFAULTS | s3 | dict(config.spark) | dict(given) | REQUIRED


def of_session_beside(config: SparkSettings) -> dict[str, str]:
    """Settings for a session beside one that exists: of them, those that a session may have for itself."""
    return {name: DEFAULTS[name] for name in BESIDE} | dict(config.spark) | REQUIRED


def _of_s3(config: SparkSettings) -> dict[str, str]:
    """How S3 is reached, unless Spark's own settings say it."""
    return {} if is_sparks(config.spark) else config.object_store.spark_settings()


def delta_package() -> str:
    """The Maven coordinate of the Delta jar for the installed Spark, as `spark.jars.packages` takes it."""
    spark = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{version('delta-spark')}"


def s3_package() -> str:
    """The Maven coordinate of Hadoop's connector for S3, of the Hadoop that the installed Spark has. It depends on
    Amazon's SDK: 640 MB."""
    client = next(jvm_cache.spark_jars().glob("hadoop-client-api-*.jar"))
    return f"org.apache.hadoop:hadoop-aws:{client.stem.removeprefix('hadoop-client-api-')}"


def packages(config: SparkSettings) -> str:
    """What Spark does not include and these settings need, as `spark.jars.packages` takes it."""
    return ",".join([delta_package(), *([s3_package()] if config.needs_s3 else [])])


def _own_jvm(config: SparkSettings, learning: bool, brief: bool) -> dict[str, str]:
    """The settings of a JVM that this process starts; the configuration's take precedence."""
    settings = ALONE | {_WAREHOUSE: f"{tempfile.gettempdir()}/lakehunt-warehouse"} | dict(config.spark)
    if _WITHIN_ONE_JVM.fullmatch(settings["spark.master"]):
        settings = WITHIN | settings
    jars = delta_jars(config)
    if jars and settings["spark.master"].startswith("local"):
        os.environ[jvm_cache.CLASS_PATH] = jvm_cache.class_path(jars)
    elif jars:
        settings = {"spark.jars": ",".join(map(str, jars))} | settings
    else:
        settings = {_PACKAGES: packages(config)} | settings
    given = settings.get(OPTIONS, "")
    if brief and not re.search(r"Tiered|-Xint|-Xcomp", given):
        given = f"{FIRST_COMPILER} {given}"
    options = jvm_cache.options(java.found().identity, given, jars, learning and bool(jars))
    return settings | {OPTIONS: options if "-Xss" in options else f"{_STACK} {options}"}


_STACK = "-Xss4m"
"""The stack of each of Java's threads: Spark plans nested conditions recursively."""


_PACKAGES = "spark.jars.packages"

_WAREHOUSE = "spark.sql.warehouse.dir"
"""A folder that stays empty. Spark makes it with its catalog, by default in the working folder."""


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


def remember_jars(config: SparkSettings, spark: SparkSession) -> None:
    """Caches the resolved jars, if only those of `packages` were requested."""
    requested = spark.conf.get(_PACKAGES, "")
    resolved = spark.conf.get("spark.jars", "") or ""
    if requested == packages(config) and _PACKAGES not in config.spark and "spark.jars" not in config.spark:
        jvm_cache.remember_jars(requested, [Path(unquote(urlsplit(jar).path)) for jar in resolved.split(",")])
