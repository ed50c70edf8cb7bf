"""What delivered records say about an event's columns, read on Spark's executors by `lakehunt.records`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame

from lakehunt.core.sql import quoted_name
from lakehunt.records import arrow_columns, defender_streaming

READABLE = "readable"


def with_fields(records: DataFrame, names: Sequence[str]) -> DataFrame:
    """`records` with a column READABLE, whether a record's `text` is an event, instead of the text; and with the
    event's columns `names` as texts, null where they cannot be read."""
    kept = [field for field in records.schema.fields if field.name != "text"]
    types = [f"{quoted_name(field.name)} {field.dataType.simpleString()}" for field in kept]
    types += [f"{quoted_name(READABLE)} BOOLEAN", *(f"{quoted_name(name)} STRING" for name in names)]

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            texts = batch.column("text").to_pylist()
            found = [None if text is None else defender_streaming.fields(text.encode(), names) for text in texts]
            columns = {field.name: batch.column(field.name) for field in kept}
            columns[READABLE] = arrow_columns.booleans([one is not None for one in found])
            for name in names:
                columns[name] = arrow_columns.texts([None if one is None else one[name] for one in found])
            yield pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])

    return records.mapInArrow(read, ", ".join(types))
