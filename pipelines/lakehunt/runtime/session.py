"""Starts the Spark session, with helpful errors."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, SQLContext
from pyspark.sql.utils import is_remote

from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import commits, error_text, launch, settings, spark_log, timestamps
from lakehunt.runtime.settings import SparkSettings


def start(config: SparkSettings, learning: bool = False) -> SparkSession:
    """A Spark session for this process: started, if there is none; else one beside that, which stays as it is. With
    `learning` its JVM may write the cache that lets the next one start faster (see jvm_cache.py).

    Under spark-submit, its options and spark-defaults.conf take precedence.
    Raises LakehuntError if Java is missing or does not fit, if Delta's jars cannot be resolved, or if a session that
    exists cannot read Delta tables."""
    running = existing()
    if running is not None:
        return running if is_own(running) else beside(running, config)
    timestamps.read_whole_calendar()
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if submitted:
        wanted = settings.of_submitted(config, _submitted())
    else:  # by default Spark's Python processes are of the first `python3` on the path
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        if launch.is_without(settings.DELTA):  # that of a session that was stopped
            launch.end()
        wanted = launch.begin(config, learning)
    log = spark_log.opened()
    try:
        if not submitted:
            launch.connect(wanted)
        spark = _session(commits.settings(wanted) | wanted)
    except (PySparkException, Py4JError, OSError) as e:
        said = log.file.read_text(errors="replace") if log.file.is_file() else ""
        raise _start_failure(said, settings.packages(config), e) from e
    _Own.context = spark.sparkContext
    commits.install(spark)
    logging.getLogger().addFilter(_is_news)
    spark.sparkContext.setLogLevel("ERROR")
    log.started()
    if not submitted:
        settings.remember_jars(config, spark)
    return spark


class _Own:
    """The Spark context that `start` has started."""

    context: SparkContext | None = None


def is_own(spark: SparkSession) -> bool:
    """Whether `start` has started the Spark context of a session: then it may be stopped."""
    return spark.sparkContext is _Own.context


def existing() -> SparkSession | None:
    """The session of this process, whoever started it. Raises LakehuntError for one of Spark Connect."""
    if context() is None:
        return None
    # A thread has an active session only if it began one.
    return SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()


def context() -> SparkContext | None:
    """The Spark context of this process, whoever started it. Raises LakehuntError for Spark Connect, which has none."""
    if is_remote():
        raise LakehuntError(
            "this process reaches Spark by Spark Connect, which cannot do what Kusto's semantics need",
            "run in the driver of a cluster or on one machine, without SPARK_REMOTE",
        )
    running = SparkContext._active_spark_context
    return None if running is None or running._jsc is None else running


def beside(running: SparkSession, config: SparkSettings) -> SparkSession:
    """A session with settings of its own that shares the Spark context of another one, none of whose settings change.

    Raises LakehuntError if that context was not started for Delta tables, which cannot be made up for."""
    extensions = running.conf.get("spark.sql.extensions", "") or ""
    if settings.DELTA not in extensions and "DATABRICKS_RUNTIME_VERSION" not in os.environ:  # where Delta is built in
        raise LakehuntError(
            "the Spark session of this process cannot read Delta tables",
            f"start it with spark.jars.packages={settings.delta_package()} and spark.sql.extensions={settings.DELTA}, "
            "or without it: Lakehunt then starts its own",
        )
    made = running.newSession()
    for name, value in settings.of_session_beside(config).items():
        if made.conf.isModifiable(name):
            made.conf.set(name, value)
    return made


def answers(spark: SparkSession) -> bool:
    """Whether the session can be used: its JVM runs, and nobody has stopped its Spark context."""
    context = spark.sparkContext
    try:
        return context._jsc is not None and not context._jsc.sc().isStopped()
    except (Py4JError, OSError):
        return False


def end(spark: SparkSession) -> None:
    """Stops an own session and ends its JVM, which may have ended by itself, so that another one can be started. Under
    spark-submit, whose JVM it is, the session is stopped only."""
    context = spark.sparkContext
    if answers(spark):
        with suppress(Py4JError, OSError):  # its JVM may end meanwhile
            spark.stop()
    context._jsc = None  # else a JVM that has ended would be asked, and there would be warnings
    context.stop()
    SparkSession._instantiatedSession = SparkSession._activeSession = None
    SQLContext._instantiatedContext = None
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        launch.end()
    _Own.context = None


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


def cancel_on_interrupt(spark: SparkSession) -> None:
    """For a process that is a command: Ctrl-C cancels Spark's jobs and raises KeyboardInterrupt. Spark's own handler
    does so, too, but over the main thread's connection, which is usually waiting for an answer: then Py4J reports an
    error, and no interrupt."""
    if threading.current_thread() is not threading.main_thread():
        return

    def interrupted(number: int, frame: FrameType | None) -> NoReturn:
        cancelling = threading.Thread(target=spark.sparkContext.cancelAllJobs, daemon=True)
        cancelling.start()
        cancelling.join(_CANCELLING)  # no later, or it would cancel what cleans up
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)


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
