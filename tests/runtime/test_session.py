"""The Spark session: what is said if it does not start."""

from __future__ import annotations

from pyspark.errors import PySparkRuntimeError

from lakehunt.runtime import session

LOG = """
WARN: something
Exception in thread "main" org.apache.spark.SparkException: Could not parse Master URL: 'nonsense'
\tat org.apache.spark.deploy.SparkSubmit.prepareSubmitEnvironment(SparkSubmit.scala:263)
\tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)
Caused by: java.lang.IllegalStateException: it
\t... 12 more
"""


def test_the_last_words_of_spark_are_not_its_stack() -> None:
    error = session._start_failure(LOG, "", PySparkRuntimeError("the gateway exited\nand more"))
    assert (error.message, error.hint.splitlines()) == (
        "Spark did not start: the gateway exited",
        [
            "its last words:",
            "    WARN: something",
            "    Exception in thread \"main\" org.apache.spark.SparkException: Could not parse Master URL: 'nonsense'",
            "    Caused by: java.lang.IllegalStateException: it",
        ],
    )
