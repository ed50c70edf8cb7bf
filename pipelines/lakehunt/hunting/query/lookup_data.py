"""Lookups as relations: the content that a file had as of a run.

The first run at an as-of that reads a lookup records its version in `hunts.lookups`: the digest of a file's content, or
the version of a Delta table. A file's content is kept in the lake, at `lookups/<version>`, as a table of text. So a run
that is repeated reads what the first one read, whatever has become of the file; a run at an as-of between two recorded
ones reads what the earlier of them read."""

from __future__ import annotations

import csv
import secrets
import tempfile
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import types as t

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query import geo_networks
from lakehunt.hunting.query.events_table import EventsSnapshot, LakeSnapshot
from lakehunt.hunting.query.external_data import converted
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.lookup_names import FILE_ID, NETWORKS, PROFILES
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.filesystem import FileSystem
from lakehunt.lake.retry import CONFLICTS
from lakehunt.runtime.error_text import in_one_line
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.hunt_tables import LOOKUPS
from lakehunt.schemas.lookups import CSV, DELTA, ITEM_ID, JSON, LAKE, MMDB, SEARCH_KEY, UPDATED, Lookup
from lakehunt.spark import values
from lakehunt.spark.columns import F
from lakehunt.spark.expressions import INGESTED, column
from lakehunt.spark.relations import ORDER, Relation

_HINT = "correct it under `lookups` in the configuration; see docs/how-to/lookups.md"


def relation(lake: Lake, lookup: Lookup, plan: p.Scan, as_of: int, recording: bool) -> Relation:
    """The rows of a lookup as of an instant (ticks). Raises LakehuntError if they cannot be read."""
    if lookup.format == LAKE:
        return with_order(prevalence(LakeSnapshot(lake).of, as_of), plan)
    try:
        made = typed(_texts(lake, lookup, as_of, recording), lookup)
    except (PySparkException, Py4JError) as error:
        what = f"lookup {lookup.shown} ({lookup.path}) cannot be read: {in_one_line(error)}"
        raise LakehuntError(what, _HINT) from error
    return with_order(made, plan)


def with_order(frame: DataFrame, plan: p.Scan) -> Relation:
    """The rows in an order that their content decides. Networks are joined, never ordered."""
    columns = [column(c.name) for c in plan.schema]
    ordered = [] if plan.table == NETWORKS else [F.col(f"`{c.name}`").cast("string") for c in plan.schema]
    order = F.struct(F.lit(0).alias("all"), *(one.alias(f"c{i}") for i, one in enumerate(ordered)))
    return Relation(frame.select(*columns, order.alias(ORDER), F.lit(None).cast("bigint").alias(INGESTED)), plan.schema)


# Versions


def _texts(lake: Lake, lookup: Lookup, as_of: int, recording: bool) -> DataFrame:
    """The columns of the content in force at an as-of, as text. Without `recording`, as in a query that somebody runs,
    nothing is written, except the ranges of a GeoIP file."""
    known = _recorded(lake, lookup)
    version = _in_force(known, as_of)
    if version is None:
        version = _current(lake, lookup)
        if not recording and lookup.format in (CSV, JSON):
            return _read(lake, lookup)
        _keep(lake, lookup, version)
    if recording and as_of not in known:
        at = times.to_datetime(as_of)
        row = (lookup.table, at, version, datetime.now(UTC))
        lake.append_unless(LOOKUPS, [row], [("lookup", "=", lookup.table), ("as_of", "=", at)])
        version = _recorded(lake, lookup)[as_of]  # of runs at the same time, the first one decides
    return _content(lake, lookup, version)


def _in_force(known: dict[int, str], as_of: int) -> str | None:
    """The recorded version that a run at this as-of reads; None after the last one."""
    if as_of in known or not known or as_of > max(known):
        return known.get(as_of)
    return known[max((at for at in known if at < as_of), default=min(known))]


def _recorded(lake: Lake, lookup: Lookup) -> dict[int, str]:
    """The versions that runs have read, by their as-ofs (ticks)."""
    rows = lake.few(LOOKUPS, ("as_of", "version"), [("lookup", "=", lookup.table)])
    return {times.from_datetime(row["as_of"]): row["version"] for row in rows}


def _current(lake: Lake, lookup: Lookup) -> str:
    """The version that the file or table has now."""
    if lookup.format == DELTA:
        if not DeltaTable.isDeltaTable(lake.spark, lookup.path):
            raise LakehuntError(f"lookup {lookup.shown}: there is no Delta table at {lookup.path}", _HINT)
        return f"v{DeltaTable.forPath(lake.spark, lookup.path).history(1).select('version').collect()[0][0]}"
    files = lake.spark.read.format("binaryFile").load(lookup.path)
    digests = [row[0] for row in files.select(F.sha2("content", 256)).collect()]
    if len(digests) != 1:
        raise LakehuntError(f"lookup {lookup.shown}: expected one file at {lookup.path}", _HINT)
    return f"{lookup.format}-{digests[0]}"


# Contents


_KEEPING = threading.Lock()
"""Hunts run at the same time, and may read the same lookup."""


def _place(lake: Lake, version: str) -> str:
    return f"{lake.root}/lookups/{version}"


def _keep(lake: Lake, lookup: Lookup, version: str) -> None:
    """Keeps the content of a file; Delta keeps its own. Whoever else does it at the same time writes the same."""
    place = _place(lake, version)
    with _KEEPING:
        if lookup.format == DELTA or DeltaTable.isDeltaTable(lake.spark, place):
            return
        try:
            if lookup.format == MMDB:
                _keep_networks(lake, lookup, place)
            else:
                _write(_read(lake, lookup), place)
        except CONFLICTS:
            if not DeltaTable.isDeltaTable(lake.spark, place):
                raise


def _write(rows: DataFrame, place: str) -> None:
    # Names of columns are the file's own, which Parquet may not allow: they are comments.
    named = [F.col(f"`{name}`").alias(f"c{i}", metadata={"comment": name}) for i, name in enumerate(rows.columns)]
    Lake.write_copy(rows.select(*named).coalesce(1), place)


def _read(lake: Lake, lookup: Lookup) -> DataFrame:
    """The columns of a CSV or JSON file as text."""
    if lookup.format == CSV:
        options = {"header": "true", "escape": '"', "multiLine": "true"}
        return _as_text(lake.spark.read.options(**options).csv(lookup.path))
    # A JSON array has many lines and its objects may, too; without an array each line is an object.
    begins = lake.spark.read.text(lookup.path, wholetext=True).select(F.ltrim(F.substring("value", 1, 100))).collect()
    whole = bool(begins) and str(begins[0][0]).lstrip("\ufeff \r\n\t").startswith("[")
    read = lake.spark.read.options(multiLine=str(whole).lower(), mode="FAILFAST")
    names = read.json(lookup.path).columns
    return read.schema(t.StructType([t.StructField(name, t.StringType()) for name in names])).json(lookup.path)


def _as_text(frame: DataFrame) -> DataFrame:
    return frame.select(*(_text(field).alias(field.name) for field in frame.schema.fields))


def _text(field: t.StructField) -> Column:
    value = F.col(f"`{field.name}`")
    if isinstance(field.dataType, (t.ArrayType, t.StructType, t.MapType)):
        return F.to_json(value)
    return value.cast("string")


def _keep_networks(lake: Lake, lookup: Lookup, place: str) -> None:
    """Turns a GeoIP file into ranges: once, as it may hold millions."""
    with tempfile.TemporaryDirectory(prefix="lakehunt-geo-") as folder:
        source, made = Path(folder, "geo.mmdb"), Path(folder, "ranges.tsv")
        files = FileSystem(lake.spark)
        fs, path = files.at(lookup.path)
        fs.copyToLocalFile(False, path, files.at(f"file:{source}")[1], True)
        with made.open("w", encoding="utf-8", newline="") as sink:
            try:
                csv.writer(sink, delimiter="\t").writerows(geo_networks.ranges(source))
            except LakehuntError as error:
                raise LakehuntError(f"lookup {lookup.shown} ({lookup.path}): {error.message}", _HINT) from error
        staged = f"{place}.{secrets.token_hex(8)}.ranges"
        fs, path = files.at(staged)
        fs.copyFromLocalFile(False, True, files.at(f"file:{made}")[1], path)
        read = lake.spark.read.options(sep="\t", escape='"').schema(
            "bucket string, first string, last string, info string"
        )
        try:
            lake.write_copy(read.csv(staged), place)
        finally:
            files.remove(staged)


def _content(lake: Lake, lookup: Lookup, version: str) -> DataFrame:
    """The columns of a version as text."""
    if lookup.format == DELTA:
        stored = lake.spark.read.format("delta").option("versionAsOf", version.removeprefix("v")).load(lookup.path)
        return _as_text(stored)
    kept = lake.spark.read.format("delta").load(_place(lake, version))
    if lookup.format == MMDB:
        return kept
    return kept.select(*(F.col(f.name).alias((f.metadata or {}).get("comment", f.name)) for f in kept.schema.fields))


def typed(texts: DataFrame, lookup: Lookup) -> DataFrame:
    """The columns of the lookup, from those of its file as text. A column that a table's file lacks is empty; a
    watchlist's must be there."""
    if lookup.format == MMDB:
        return texts
    return _profiles(texts, lookup) if lookup.table == PROFILES else _converted(texts, lookup)


def _converted(texts: DataFrame, lookup: Lookup) -> DataFrame:
    given = {name: column(name) for name in texts.columns}
    if lookup.search_key:
        _check(given, lookup)
        given |= {
            SEARCH_KEY: column(lookup.search_key),
            ITEM_ID: F.sha2(F.to_json(F.struct(*(column(name) for name in texts.columns))), 256),
            UPDATED: F.lit(None).cast("string"),
        }
    nothing = F.lit(None).cast("string")
    return texts.select(*(converted(given.get(c.name, nothing), c.type).alias(c.name) for c in lookup.columns))


def _check(given: dict[str, Any], lookup: Lookup) -> None:
    made = {SEARCH_KEY, ITEM_ID, UPDATED}
    gone = [c.name for c in lookup.columns if c.name not in given and c.name not in made]
    if gone or lookup.search_key not in given:
        missing = ", ".join(gone or [lookup.search_key])
        raise LakehuntError(f"lookup {lookup.shown} ({lookup.path}): there is no column {missing}", _HINT)


# FileProfile


_HASHES = ("SHA1", "SHA256", "MD5")


def _profiles(texts: DataFrame, lookup: Lookup) -> DataFrame:
    """The rows of a file of profiles, one for each hash of a file."""
    rows = _converted(texts, lookup)
    if "ProfileAvailability" not in texts.columns:
        rows = rows.withColumn("ProfileAvailability", F.lit("Available"))
    ids = F.array_distinct(F.array(*(F.lower(F.trim(F.col(name))) for name in _HASHES)))
    found = rows.withColumn(FILE_ID, F.explode(F.filter(ids, lambda one: one != "")))
    row = F.struct(*(F.col(c.name) for c in lookup.columns))
    return found.groupBy(FILE_ID).agg(F.min(row).alias("row")).select("row.*")


def prevalence(of: Callable[[EventTable], EventsSnapshot], as_of: int) -> DataFrame:
    """What events tell of a file: on how many devices it was, and when it was first and last seen, as the file of an
    event (a process, an image that was loaded, a file that was written) or as the process that caused one. `of` gives
    the events of a table. What only a service can know is empty."""
    tables = [(table, prefixes) for table in EVENT_TABLES if (prefixes := _files(table))]
    seen = reduce(DataFrame.union, (_seen(of(table), prefixes, as_of) for table, prefixes in tables))
    ids = F.filter(F.array(*(F.lower(F.col(f"seen.{name}")) for name in _HASHES)), lambda one: one != "")
    by_id = seen.select(F.explode(ids).alias(FILE_ID), "seen.*", "DeviceId", "Timestamp")
    first, last = F.min("Timestamp"), F.max("Timestamp")
    return by_id.groupBy(FILE_ID).agg(
        *(F.coalesce(F.max(name), F.lit("")).alias(name) for name in _HASHES),
        F.max("FileSize").alias("FileSize"),
        F.count_distinct("DeviceId").cast("int").alias("GlobalPrevalence"),
        values.ticks(first).alias("GlobalFirstSeen"),
        values.ticks(last).alias("GlobalLastSeen"),
        *(F.lit("").alias(name) for name in ("Signer", "Issuer", "SignerHash", "SignatureState")),
        *(F.lit(None).cast("boolean").alias(name) for name in ("IsCertificateValid", "IsRootSignerMicrosoft")),
        F.lit(None).cast("boolean").alias("IsExecutable"),
        *(F.lit("").alias(name) for name in ("ThreatName", "Publisher", "SoftwareName")),
        F.lit("Available").alias("ProfileAvailability"),
    )


def _files(table: EventTable) -> list[str]:
    """What the names of columns about a file begin with in a table: `` and `InitiatingProcess`, as far as it has
    them."""
    return [prefix for prefix in ("", "InitiatingProcess") if f"{prefix}SHA1" in table.column_names]


def _seen(events: EventsSnapshot, prefixes: Sequence[str], as_of: int) -> DataFrame:
    """Each file of each event up to an instant: `seen` has its hashes and its size, null or empty if unknown."""
    types = dict.fromkeys(_HASHES, "string") | {"FileSize": "bigint"}

    def of_file(prefix: str) -> Column:
        names = ((name, f"{prefix}{name}", kind) for name, kind in types.items())
        known = events.table.column_names
        return F.struct(
            *(
                (F.col(s) if s in known else F.lit("" if kind == "string" else None)).cast(kind).alias(n)
                for n, s, kind in names
            )
        )

    until = events.frame.filter(F.col("Timestamp") <= values.moment(as_of))
    return until.select(F.explode(F.array(*map(of_file, prefixes))).alias("seen"), "DeviceId", "Timestamp")
