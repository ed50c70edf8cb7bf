"""The limit on the rows of a result."""

from __future__ import annotations

from dataclasses import replace

from lakehunt.runtime.limits import LimitError
from lakehunt.spark.relations import Relation


def limited(relation: Relation, most: int) -> Relation:
    """The relation with at most one row more than `most`, so that Spark stops there and `checked` notices."""
    return replace(relation, frame=relation.frame.limit(most + 1))


def checked(count: int, most: int) -> int:
    """The number of rows of a result. Raises LimitError if they are more than `most`."""
    if count > most:
        hint = "make it find less (summarize, take, a narrower condition), or raise limits.rows in the configuration"
        raise LimitError(f"the result has more than {most:,} rows, the limit", hint)
    return count
