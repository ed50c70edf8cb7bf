"""Starts the Spark session, with helpful errors."""

from __future__ import annotations

import atexit
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import commits, error_text, launch, settings, spark_log, timestamps
from lakehunt.runtime.settings import SparkSettings
from lakehunt.runtime.spark_log import SparkLog


def start(config: SparkSettings, learning: bool = False) -> SparkSession:
    """The process's Spark session, started if there is none. With `learning` its JVM may write the cache that lets the
    next one start faster (see jvm_cache.py).

    Under spark-submit, its options and spark-defaults.conf take precedence.
    Raises LakehuntError if Java is missing or does not fit, or if Delta's jars cannot be resolved."""
    timestamps.read_whole_calendar()
    running = SparkSession.getActiveSession()
    if running is not None:
        return _as_required(running)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if submitted:
        wanted = settings.of_submitted(config, _submitted())
    else:  # by default Spark's Python processes are of the first `python3` on the path
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        wanted = launch.begin(config, learning)
    with _quiet_jvm() as log:
        try:
            if not submitted:
                launch.connect(wanted)
            spark = _session(commits.settings(wanted) | wanted)
        except (PySparkException, Py4JError, OSError) as e:
            raise _start_failure(log.file.read_text(errors="replace"), settings.packages(config), e) from e
    commits.install(spark)
    _cancel_on_interrupt(spark)
    logging.getLogger().addFilter(_is_news)
    spark.sparkContext.setLogLevel("ERROR")
    log.started()
    if not submitted:
        settings.remember_jars(config, spark)
    return spark


def _session(wanted: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder
    for key, value in wanted.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


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
    for key, value in settings.REQUIRED.items():
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
