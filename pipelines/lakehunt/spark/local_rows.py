"""Rows in the driver's memory. A frame of few rows is computed while it is planned, without a job, and queries on its
rows do not plan it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

_SETTINGS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""For queries over few rows: adapting to their number, and compiling, take longer than running."""


@dataclass(frozen=True)
class LocalRows:
    """The rows of a frame, as Spark holds them: a LocalRelation."""

    spark: SparkSession
    _plan: Any

    @property
    def count(self) -> int:
        return int(self._plan.data().size())

    @property
    def frame(self) -> DataFrame:
        """A frame of these rows in one partition: nothing needs to be shuffled to group, join or sort them."""
        return self._frame(self._plan).coalesce(1)

    def part(self, start: int, end: int) -> DataFrame:
        """A frame of the rows from one place to before another. What is selected of it may be local rows again."""
        made: Any = self.spark._jvm.org.apache.spark.sql.catalyst.plans.logical.LocalRelation  # type: ignore[union-attr]
        none: Any = self._plan.stream()
        return self._frame(made(self._plan.output(), self._plan.data().slice(start, end), False, none))

    def _frame(self, plan: Any) -> DataFrame:
        dataset: Any = self.spark._jvm.org.apache.spark.sql.classic.Dataset  # type: ignore[union-attr]
        return DataFrame(dataset.ofRows(self.spark._jsparkSession, plan), self.spark)


def local_rows(frame: DataFrame) -> LocalRows | None:
    """The rows of a frame whose plan Spark's optimizer computes; None if it does not, as for files."""
    plan: Any = frame._jdf.queryExecution().optimizedPlan()
    is_local = plan.getClass().getSimpleName() == "LocalRelation"
    return LocalRows(frame.sparkSession, plan) if is_local else None


@contextmanager
def queries_of_few_rows(spark: SparkSession) -> Iterator[None]:
    """Spark's settings for such queries, which are the session's."""
    before = {name: spark.conf.get(name, None) for name in _SETTINGS}
    for name, value in _SETTINGS.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, known in before.items():
            if known is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, known)
