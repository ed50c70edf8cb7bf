"""Tables that landing writes, for all event tables: delivered records, those in quarantine, the progress of each blob,
the files that were refused, and the outcome of each batch."""

from __future__ import annotations

from lakehunt.schemas.event_table import BATCH, EXPORTED_AT, FILE, LANDED_AT, LINE
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.table import Erasure, Expires, KeptForever, Match, NotErased, Table, TableColumn

RECORD_KEY = ("batch", "file", "line")
"""The key of a delivered record."""

_CATEGORY = TableColumn("category", "STRING", "Kind of record, according to the record")
_TEXT = TableColumn("text", "STRING", "The record as delivered, without the line end; null where it is not UTF-8")
_BYTES = TableColumn("bytes", "BINARY", "The record as delivered where it is not UTF-8, else null")

_DEVICES = tuple(dict.fromkeys(name for table in EVENT_TABLES for name in table.device_columns))
_ACCOUNTS = tuple(dict.fromkeys(name for table in EVENT_TABLES for name in table.account_columns))


def _erasure(emptied: tuple[str, ...] = ()) -> Erasure:
    return Erasure(Match.RECORD, RECORD_KEY, _DEVICES, _ACCOUNTS, emptied)


RECORDS = Table(
    "raw.records",
    "Every delivered record of any table, exactly once, as it was delivered",
    (
        BATCH,
        FILE,
        LINE,
        LANDED_AT,
        EXPORTED_AT,
        TableColumn("tenant_id", "STRING", "Entra tenant of the record"),
        _CATEGORY,
        _TEXT,
        _BYTES,
    ),
    retention=Expires("raw", "landed_at"),
    erasure=_erasure(emptied=("text", "bytes")),
    served=False,
    written="once per delivered record",
    formerly="raw.device_process_events",
)

QUARANTINE = Table(
    "quarantine.records",
    "One row is one delivered record that is not a valid event, with every reason",
    (
        BATCH,
        FILE,
        LINE,
        LANDED_AT,
        TableColumn("reasons", "ARRAY<STRING>", "Everything that is wrong with the record"),
        _TEXT,
        _BYTES,
        _CATEGORY,
    ),
    retention=Expires("quarantine", "landed_at"),
    erasure=_erasure(),
    served=False,
    written="once per refused record",
    formerly="quarantine.device_process_events",
)

FILES = Table(
    "raw.files",
    "How far each blob has been landed: one row each time it grew. The row with the most bytes counts",
    (
        FILE,
        TableColumn("bytes", "BIGINT", "Size of the blob when it was landed"),
        TableColumn("modified_at", "TIMESTAMP", "When the blob was last changed (UTC), according to its store"),
        TableColumn("lines", "BIGINT", "Lines of the blob that are landed, blank ones counted"),
        TableColumn("pending", "BIGINT", "Its half-written last line, which waits for its end, if any"),
        TableColumn("batch", "BIGINT", "Newest batch in raw.records when this row was written"),
        LANDED_AT,
    ),
    retention=KeptForever("it says what has been landed, so that nothing is landed twice"),
    erasure=NotErased("it names blobs, not what is in them"),
    served=False,
    written="per delivery that saw the blob grow",
    small=True,
    vouches_for=(RECORDS.name,),
)

REFUSED_FILES = Table(
    "raw.refused_files",
    "Files of which landing took nothing, and why: one row each time that something about such a file has changed. The"
    " newest row of a file counts",
    (
        TableColumn("file", "STRING", "The file, full path or URI"),
        TableColumn("bytes", "BIGINT", "Its size"),
        TableColumn("modified_at", "TIMESTAMP", "When it was last changed (UTC), according to its store"),
        TableColumn("reason", "STRING", "Why it was refused; null: it has been landed since"),
        TableColumn("noted_at", "TIMESTAMP", "Time of the run that noted it (UTC)"),
    ),
    retention=Expires("raw", "noted_at"),
    erasure=NotErased("it names files, not what is in them"),
    served=False,
    written="per landing that refused a file, or landed one that was refused before",
    small=True,
)

BATCHES = Table(
    "raw.batches",
    "The result of each landed batch, a row for each event table: delivered = events + quarantined + duplicates,"
    " unless it was refused",
    (
        BATCH,
        LANDED_AT,
        TableColumn("delivered", "BIGINT", "Records of the table in the batch"),
        TableColumn("events", "BIGINT", "Records that are now in the events table"),
        TableColumn("quarantined", "BIGINT", "Records that are now in quarantine.records"),
        TableColumn("duplicates", "BIGINT", "Records whose event was already there, or came earlier in the batch"),
        TableColumn(
            "outcome",
            "STRING",
            "settled, or refused: an expectation or Spark failed, and nothing was written",
        ),
        TableColumn(
            "detail",
            "STRING",
            "Why it was refused: the critical expectations that failed; of a settled batch the records of other tables",
        ),
        TableColumn(
            "hours",
            "ARRAY<STRUCT<hour: TIMESTAMP, events: BIGINT>>",
            "Its events by the hour of their Timestamp, whole hours (UTC)",
        ),
        TableColumn(
            "event_table",
            "STRING",
            "KQL name of the event table; empty: records that belong to none; null: DeviceProcessEvents",
        ),
    ),
    retention=KeptForever("it says what has been done, so that nothing is done twice"),
    erasure=NotErased("it counts what happened"),
    served=False,
    written="once per delivery",
    small=True,
    vouches_for=(*(table.events.name for table in EVENT_TABLES), QUARANTINE.name),
)
