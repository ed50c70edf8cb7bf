"""The Spark session: what is said if it does not start, and Ctrl-C while it works for the main thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from pyspark.errors import PySparkRuntimeError

from lakehunt.runtime import session
from tests.support.paths import PROJECT
from tests.support.spark_settings import QUICK

LOG = """
WARN: something
Exception in thread "main" org.apache.spark.SparkException: Could not parse Master URL: 'nonsense'
\tat org.apache.spark.deploy.SparkSubmit.prepareSubmitEnvironment(SparkSubmit.scala:263)
\tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)
Caused by: java.lang.IllegalStateException: it
\t... 12 more
"""


def test_the_last_words_of_spark_are_not_its_stack() -> None:
    error = session._start_failure(LOG, PySparkRuntimeError("the gateway exited\nand more"))
    assert (error.message, error.hint.splitlines()) == (
        "Spark did not start: the gateway exited",
        [
            "its last words:",
            "    WARN: something",
            "    Exception in thread \"main\" org.apache.spark.SparkException: Could not parse Master URL: 'nonsense'",
            "    Caused by: java.lang.IllegalStateException: it",
        ],
    )


SCRIPT = f"""
from lakehunt.config import Config
from lakehunt.runtime import session

spark = session.start(Config(spark={QUICK!r}))
try:
    print("ready", flush=True)
    spark.range(10**15).selectExpr("sum(id)").collect()
except KeyboardInterrupt:
    print("interrupted", spark.range(3).count())
"""


@pytest.mark.slow
def test_an_interrupt_ends_the_job_and_the_session_can_be_used() -> None:
    command = [sys.executable, "-c", SCRIPT]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "pipelines")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate()
    assert (said, process.returncode) == ("interrupted 3\n", 0), errors
    assert "while sending command" not in errors
