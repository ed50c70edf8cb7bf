"""Source `defender_streaming`: records of Defender's Streaming API, one JSON object per line.

    {"time": "...", "tenantId": "...", "category": "AdvancedHunting-DeviceProcessEvents", "properties": {...}}

The event is in `properties`. Its values become typed columns, or faults if they cannot be parsed. Nothing is coerced: a
number in a string column is a fault, not a string. Everything runs inside Spark's JVM, in one pass.

JSON can hold half of a UTF-16 surrogate pair as an escape (`\\ud83d`), which UTF-8 cannot, and file names and command
lines may contain it. It is stored as U+FFFD; the event's id is of what was delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.classic.column import Column as ClassicColumn
from pyspark.sql.classic.column import _to_seq

from lakehunt.kql.types import TICKS_PER_MICROSECOND
from lakehunt.runtime import janino
from lakehunt.runtime.surrogates import well_formed
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.sources import forms, listing
from lakehunt.sources.blobs import Blob

NAME = "defender_streaming"
TABLES = (DEVICE_PROCESS_EVENTS,)
CATEGORY = DEVICE_PROCESS_EVENTS.category
MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Larger records are refused without parsing: no process event is that large, and one could exhaust an executor."""

SHOWN_CHARACTERS = 40
"""How much of an unreadable value is repeated in its fault."""

FAULTS_TYPE = "ARRAY<STRUCT<column: STRING, why: STRING>>"
"""What is wrong with a record: the column (null if the whole record is unreadable) and the reason."""

_ENVELOPE = "time VARIANT, tenantId VARIANT, category VARIANT"
_DATETIME = r"^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$"
_LENGTH_WITH_TICKS = len("2024-01-31T23:59:59.1234567Z")
_NESTED = "^(OBJECT|ARRAY)"
_DYNAMIC = tuple(column.name for column in DEVICE_PROCESS_EVENTS.columns if column.type == "dynamic")

_FOUND = {
    "STRING": "a string",
    "BIGINT": "an integer",
    "DECIMAL": "a number that is not a 64-bit integer",
    "DOUBLE": "a number that is not a 64-bit integer",
    "FLOAT": "a number that is not a 64-bit integer",
    "BOOLEAN": "a boolean",
    "OBJECT": "an object",
    "ARRAY": "an array",
    "VOID": "null",
}
"""How a fault names each type of `schema_of_variant`."""


def find(spark: SparkSession, source: str) -> list[Blob]:
    """The blobs in a folder (with its subfolders), a glob or a file. Raises LakehuntError if there are none."""
    return listing.find(spark, source)


def is_complete(text: Column) -> Column:
    """Whether `text` is exactly one JSON object."""
    return F.coalesce(_kind(_only_value(well_formed(text))).startswith("OBJECT"), F.lit(False))


def may_be_record(line: Column) -> Column:
    """Whether a line looks like a record, as far as can be told without parsing it."""
    text = F.trim(line, F.lit(" \t\r"))
    is_object = F.startswith(text, F.lit("{")) & F.endswith(text, F.lit("}")) & ~text.startswith('{"records"')
    return is_object & F.contains(text, F.lit('"category"')) & F.contains(text, F.lit('"properties"'))


def other_form(head: bytes) -> str | None:
    """What a file with this beginning, and without a line that looks like a record, is instead, and how to land it."""
    return forms.other_form(head)


def with_envelope(rows: DataFrame) -> DataFrame:
    """Adds the fields around the event to `rows`, which have `text STRING`: `exported_at`, `tenant_id`, `category`.

    A field is null if it is missing or not a string (for the time: not a valid time); `parse` reports it if it
    matters."""
    keep = [F.col(name) for name in rows.columns]
    readable = F.when(_is_small(F.col("text")), F.col("text"))
    record = rows.select(*keep, F.from_json(well_formed(readable), _ENVELOPE).alias("_record"))
    return record.select(
        *keep,
        _timestamp(_text_in("_record.time")).alias("exported_at"),
        _text_in("_record.tenantId").alias("tenant_id"),
        _text_in("_record.category").alias("category"),
    )


def fields(text: Column, names: Sequence[str]) -> Column:
    """The event's columns `names` in a record, as a struct of strings; null where they cannot be read."""
    return F.from_json(_properties(text), ", ".join(f"{name} STRING" for name in names))


def holds_event(text: Column) -> Column:
    """Whether a record can be parsed, so that its fields name its device and account."""
    return F.coalesce(_properties(text).startswith("{"), F.lit(False)) & is_complete(text)


def _properties(text: Column) -> Column:
    return F.get_json_object(well_formed(text), "$.properties")


def parse(rows: DataFrame) -> DataFrame:
    """Parses the events in `rows`, which have `text STRING` and `bytes BINARY` (if the record is not UTF-8).

    Returns `rows` with the 73 columns, `tick_digits`, `unknown_properties STRING` (a JSON object, or null),
    `event_id` and `faults` (see FAULTS_TYPE; empty for a valid record)."""
    steps = (_with_record, _with_fields, _with_values, _with_delivered, _with_derived)
    return reduce(lambda made, step: made.transform(step), steps, rows)


def _only_value(text: Column) -> Column:
    """`text` as a VARIANT if it is exactly one JSON value, else null.

    Spark's parser stops after the first value and would ignore the rest of `{...} rest`. So the text is also parsed as
    the first element of a pair whose second element is its hash, and the hash must be found in its place."""
    seal = F.xxhash64(text).cast("string")
    pair = F.concat(F.lit("["), text, F.lit(","), seal, F.lit("]"))
    return F.when(F.get_json_object(pair, "$[1]") == seal, F.try_parse_json(text))


def _is_small(text: Column) -> Column:
    return F.octet_length(text) <= MAX_RECORD_BYTES


def _kind(value: Column) -> Column:
    return F.schema_of_variant(value)


def _text_in(variant: str) -> Column:
    value = F.col(variant)
    return F.when(_kind(value) == "STRING", F.try_variant_get(value, "$", "string"))


def _with_record(rows: DataFrame) -> DataFrame:
    text = F.when(_is_small(F.col("text")), well_formed(F.col("text")))
    return rows.withColumn("_text", text).withColumn("_record", _only_value(F.col("_text")))


def _with_fields(rows: DataFrame) -> DataFrame:
    """Adds `_properties`, `_field`: a struct with each delivered column as an untyped VARIANT, and `_kind`: their
    types."""
    wanted = ", ".join(f"`{column.name}`: VARIANT" for column in DEVICE_PROCESS_EVENTS.columns)
    opened = rows.withColumn("_properties", F.try_variant_get(F.col("_record"), "$.properties", "variant"))
    fields = F.try_variant_get(F.col("_properties"), "$", f"STRUCT<{wanted}>")
    kinds = F.struct(*(_kind(_field(column.name)).alias(column.name) for column in DEVICE_PROCESS_EVENTS.columns))
    return opened.withColumn("_field", fields).withColumn("_kind", kinds)


def _with_values(rows: DataFrame) -> DataFrame:
    """Adds each typed column, null if it is missing, null or unreadable, and the tick digits."""
    readers = {column.name: _READERS[column.type](column.name) for column in DEVICE_PROCESS_EVENTS.columns}
    return rows.withColumns(readers).withColumn("tick_digits", _tick_digits())


def _with_delivered(rows: DataFrame) -> DataFrame:
    """Adds `unknown_properties`, and `_delivered`: what the columns do not say of the record (see DeliveredText.java);
    null for a record without numbers or nested values that Spark rewrites."""
    nested = (_kind_of(name).rlike(_NESTED) for name in _DYNAMIC)
    rewritten = F.col("unknown_properties").isNotNull() | (F.col("text") != F.col("_text"))
    needed = reduce(Column.__or__, (F.coalesce(one, F.lit(False)) for one in nested), rewritten | _has_negative_zero())
    delivered = F.when(F.col("_field").isNotNull() & needed, _delivered(rows.sparkSession))
    return rows.withColumn("unknown_properties", _unknown_properties()).withColumn("_delivered", delivered)


def _delivered(spark: SparkSession) -> Column:
    """What DeliveredText.java finds in `text`."""
    made = janino.compile_and_distribute(spark, "DeliveredText").newInstance()
    made.configure(list(_DYNAMIC))
    # PySpark can only call a Java UDF that is registered by name in the session; this one is not.
    return ClassicColumn(made.function().apply(_to_seq(spark.sparkContext, [F.col("text")._jc])))


def _has_negative_zero() -> Column:
    """Whether a long may be written `-0`, which is 0."""
    return F.col("text").rlike(r":\s*-0\s*[,}]")


def _with_derived(rows: DataFrame) -> DataFrame:
    whole = rows.withColumn("faults", _faults()).withColumn("event_id", _event_id())
    return whole.withColumns(_filled_in()).drop("_text", "_record", "_properties", "_field", "_kind", "_delivered")


def _field(name: str) -> Column:
    return F.col(f"_field.`{name}`")


def _kind_of(name: str) -> Column:
    return F.col(f"_kind.`{name}`")


def _of_kind(kind: str, stored: str) -> Callable[[str], Column]:
    return lambda name: F.when(_kind_of(name) == kind, F.try_variant_get(_field(name), "$", stored))


_string = _of_kind("STRING", "string")


def _datetime(name: str) -> Column:
    return _timestamp(_string(name))


def _timestamp(text: Column) -> Column:
    """A UTC time in microseconds; a seventh fraction digit is truncated, not rounded."""
    return F.when(text.rlike(_DATETIME), text.try_cast("timestamp"))


def _dynamic(name: str) -> Column:
    """JSON text: a string as delivered, an object or array as Spark writes it, which is what ids are made of."""
    nested = F.get_json_object(F.col("_text"), f"$.properties.{name}")
    return F.when(_kind_of(name).rlike(_NESTED), nested).otherwise(_string(name))


_READERS: dict[str, Callable[[str], Column]] = {
    "string": _string,
    "long": _of_kind("BIGINT", "bigint"),
    "bool": _of_kind("BOOLEAN", "boolean"),
    "datetime": _datetime,
    "dynamic": _dynamic,
}
"""How a column of each Kusto type is read from JSON."""

_EXPECTED = {
    "string": "a string",
    "long": "a long",
    "bool": "a boolean",
    "datetime": "a UTC time like 2024-01-31T23:59:59.1234567Z",
    "dynamic": "text, an object or an array",
}


def _tick_digits() -> Column:
    """The seventh fraction digit (100 ns) of every time, which a TIMESTAMP cannot hold; null if the time is null."""
    return F.struct(
        *(
            F.when(F.col(name).isNotNull(), _tick_digit(name)).alias(name)
            for name in DEVICE_PROCESS_EVENTS.datetime_names
        )
    )


def _tick_digit(name: str) -> Column:
    text = F.try_variant_get(_field(name), "$", "string")
    has_seven = F.length(text) == _LENGTH_WITH_TICKS
    return F.when(has_seven, F.substring(text, _LENGTH_WITH_TICKS - 1, 1)).otherwise("0").cast("tinyint")


def _unknown_properties() -> Column:
    """Properties of the record without a column, as a JSON object; null if there are none."""
    known = DEVICE_PROCESS_EVENTS.column_names
    everything = F.try_variant_get(F.col("_properties"), "$", "MAP<STRING, VARIANT>")
    unknown = F.map_filter(everything, lambda name, _: ~name.isin(*known))
    return F.when(F.size(unknown) > 0, F.to_json(unknown))


def _event_id() -> Column:
    """A hash of the event's content, independent of when and how often it was delivered, and of the order of keys.

    Nulls do not occur in the hashed JSON, so a column added by a later version does not change old ids. Nor does
    `exact`, without which records that Spark's parsers cannot tell apart would have the same id."""
    content = [
        (F.unix_micros(F.col(c.name)) * TICKS_PER_MICROSECOND + F.col(f"tick_digits.{c.name}")).alias(c.name)
        if c.type == "datetime"
        else F.col(c.name)
        for c in DEVICE_PROCESS_EVENTS.columns
    ]
    exact = F.col("_delivered.exact").alias("exact")
    return F.sha2(F.to_json(F.struct(*content, F.col("unknown_properties"), exact)), 256)


def _filled_in() -> dict[str, Column]:
    """Columns that this source does not deliver, derived from the others, and dynamic ones as they were delivered."""
    digits = {
        name: F.coalesce(F.col(f"tick_digits.{name}"), F.col("tick_digits.Timestamp"))
        if name == "TimeGenerated"
        else F.col(f"tick_digits.{name}")
        for name in DEVICE_PROCESS_EVENTS.datetime_names
    }
    return {name: F.coalesce(F.col(f"_delivered.dynamic.{name}"), F.col(name)) for name in _DYNAMIC} | {
        "TimeGenerated": F.coalesce(F.col("TimeGenerated"), F.col("Timestamp")),
        "Type": F.coalesce(F.col("Type"), F.lit(DEVICE_PROCESS_EVENTS.name)),
        "tick_digits": F.struct(*(digit.alias(name) for name, digit in digits.items())),
    }


def _faults() -> Column:
    """All faults of a record. Small, code-generated expressions check whether there are any; the texts, which few
    records need, are built by interpreted expressions, one lambda for all columns."""
    names = DEVICE_PROCESS_EVENTS.column_names
    odd = F.array_compact(F.array(*(F.when(_unreadable(name), F.lit(name)) for name in names)))
    ours = F.array_compact(F.array(_record_fault(), _category_fault()))
    faults = F.concat(ours.cast(FAULTS_TYPE), F.transform(odd, _column_fault).cast(FAULTS_TYPE))
    # `_field` is not null only if the record is an object with an object in `properties`
    is_good = F.col("_field").isNotNull() & F.col("category").eqNullSafe(CATEGORY)
    all_read = ~F.array_contains(F.array(*map(_unreadable, names)), True)
    return F.when(is_good & all_read, F.array().cast(FAULTS_TYPE)).otherwise(faults)


def _unreadable(name: str) -> Column:
    return F.col(name).isNull() & F.coalesce(_kind_of(name) != "VOID", F.lit(False))


def _fault(column: Column | None, why: Column) -> Column:
    return F.struct((F.lit(None) if column is None else column).cast("string").alias("column"), why.alias("why"))


def _record_fault() -> Column:
    """Why the whole record is unreadable, or null."""
    size = F.octet_length(F.coalesce(F.col("bytes"), F.col("text").cast("binary")))
    too_large = F.concat(F.lit("record of "), size.cast("string"), F.lit(f" bytes is larger than {MAX_RECORD_BYTES}"))
    record, properties = _kind(F.col("_record")), _kind(F.col("_properties"))
    return (
        F.when(size > MAX_RECORD_BYTES, _fault(None, too_large))
        .when(F.col("text").isNull(), _fault(None, F.lit("not UTF-8")))
        .when(F.col("_record").isNull(), _fault(None, F.lit("not JSON, or a key occurs twice")))
        .when(~record.startswith("OBJECT"), _fault(None, F.concat(F.lit("not a JSON object: "), _found(record))))
        .when(F.col("_properties").isNull(), _fault(None, F.lit("properties: missing")))
        .when(
            ~properties.startswith("OBJECT"),
            _fault(None, F.concat(F.lit("properties: expected an object, found "), _found(properties))),
        )
    )


def _category_fault() -> Column:
    named = F.concat(F.lit("category is "), F.substring(F.col("category"), 1, 200))
    found = F.coalesce(named, F.lit("category: missing"))
    wrong = F.col("_properties").isNotNull() & ~F.col("category").eqNullSafe(CATEGORY)
    return F.when(wrong, _fault(F.lit("category"), F.concat(found, F.lit(f", not {CATEGORY}"))))


def _column_fault(name: Column) -> Column:
    value = F.element_at(F.try_variant_get(F.col("_properties"), "$", "MAP<STRING, VARIANT>"), name)
    expected = _lookup({column.name: _EXPECTED[column.type] for column in DEVICE_PROCESS_EVENTS.columns}, name)
    found = _found(_kind(value))
    return _fault(name, F.concat(name, F.lit(": expected "), expected, F.lit(", found "), found, _shown(name, value)))


def _found(kind: Column) -> Column:
    return _lookup(_FOUND, F.regexp_extract(kind, "^[A-Z]+", 0))


def _lookup(words: dict[str, str], key: Column) -> Column:
    table = F.create_map(*(F.lit(item) for pair in words.items() for item in pair))
    return F.coalesce(F.try_element_at(table, key), key)


def _shown(name: Column, value: Column) -> Column:
    """The unreadable value itself, truncated; hidden if it could contain a secret or is not a scalar."""
    text = F.try_variant_get(value, "$", "string")
    cut = F.concat(F.substring(text, 1, SHOWN_CHARACTERS), F.when(F.length(text) > SHOWN_CHARACTERS, "…").otherwise(""))
    hidden = name.isin(*DEVICE_PROCESS_EVENTS.sensitive_columns) | _kind(value).rlike(_NESTED) | text.isNull()
    return F.when(hidden, "").otherwise(F.concat(F.lit(" ("), cut, F.lit(")")))
