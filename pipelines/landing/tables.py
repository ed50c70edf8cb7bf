"""The tables that landing writes: what was delivered, what became of it, and how the counts add up."""

from __future__ import annotations

from pipelines.lake.schema import STORED_AS, device_process_events
from pipelines.lake.tables import Table, TableColumn

_FILE = TableColumn("file", "STRING", "Blob that the record came in, full path or URI")
_LINE = TableColumn("line", "BIGINT", "Line of the record in that blob (after decompression), from 1")
_BATCH = TableColumn("batch", "BIGINT", "Number of the delivery, from 1; each one that brought records has its own")
_LANDED_AT = TableColumn("landed_at", "TIMESTAMP", "When the record was landed (UTC)")
_TEXT = TableColumn("text", "STRING", "The record as delivered, without the line end; null where it is not UTF-8")
_BYTES = TableColumn("bytes", "BINARY", "The record as delivered where it is not UTF-8, else null")
_EXPORTED_AT = TableColumn("exported_at", "TIMESTAMP", "When the service received the event (UTC), as the record says")

RAW = Table(
    "raw.device_process_events",
    "Every delivered record, exactly once, as it was delivered",
    (
        _BATCH,
        _FILE,
        _LINE,
        _LANDED_AT,
        _EXPORTED_AT,
        TableColumn("tenant_id", "STRING", "Entra tenant that the record says it belongs to"),
        TableColumn("category", "STRING", "Kind of record, as it says itself"),
        _TEXT,
        _BYTES,
    ),
)

FILES = Table(
    "raw.files",
    "How far each blob has been landed, one row for each time it had grown; the row with the most bytes counts",
    (
        _FILE,
        TableColumn("bytes", "BIGINT", "Size of the blob when it was landed"),
        TableColumn("modified_at", "TIMESTAMP", "When the blob was last changed (UTC), as its store says"),
        TableColumn("lines", "BIGINT", "Lines of the blob that are landed, blank ones counted"),
        TableColumn("pending", "BIGINT", "Its half-written last line, which waits for its end, if any"),
        TableColumn("batch", "BIGINT", "Newest batch in raw.device_process_events when this row was written"),
        _LANDED_AT,
    ),
)

BATCHES = Table(
    "raw.batches",
    "What became of each delivery: delivered = events + quarantined + duplicates, unless it was refused",
    (
        _BATCH,
        _LANDED_AT,
        TableColumn("delivered", "BIGINT", "Records in the batch"),
        TableColumn("events", "BIGINT", "Records that are now in events.device_process_events"),
        TableColumn("quarantined", "BIGINT", "Records that are now in quarantine.device_process_events"),
        TableColumn("duplicates", "BIGINT", "Records whose event was already there, or came earlier in the batch"),
        TableColumn("outcome", "STRING", "settled, or refused: a critical expectation failed and nothing was written"),
        TableColumn("detail", "STRING", "The critical expectations that failed; null for a settled batch"),
        TableColumn(
            "hours",
            "ARRAY<STRUCT<hour: TIMESTAMP, events: BIGINT>>",
            "Its events by the hour of their Timestamp, whole hours (UTC)",
        ),
    ),
)


def _tick_digits() -> str:
    names = [column.name for column in device_process_events() if column.type == "datetime"]
    return f"STRUCT<{', '.join(f'`{name}`: TINYINT' for name in names)}>"


EVENTS = Table(
    "events.device_process_events",
    "One row is one process event, however often it was delivered: the columns of DeviceProcessEvents, then provenance",
    (
        *(TableColumn(c.name, STORED_AS[c.type], c.description) for c in device_process_events()),
        TableColumn("tick_digits", _tick_digits(), "Seventh fraction digit (100 ns) of each time"),
        TableColumn("event_id", "STRING", "SHA-256 of all that the record says; the same when re-delivered"),
        TableColumn("event_date", "DATE", "Day of Timestamp (UTC)"),
        TableColumn("unknown_properties", "STRING", "Delivered properties that are no column, as JSON"),
        _EXPORTED_AT,
        _LANDED_AT,
        _BATCH,
        _FILE,
        _LINE,
    ),
    partitioned_by=("event_date",),
    # When it happened, and when it came: what hunts, settlement and passes over new batches select by. Other numbers
    # (process ids, sizes) span their whole range in every file.
    statistics=("Timestamp", "TimeGenerated", "exported_at", "landed_at", "batch", "line"),
)

QUARANTINE = Table(
    "quarantine.device_process_events",
    "One row is one delivered record that is no event, with every reason",
    (
        _BATCH,
        _FILE,
        _LINE,
        _LANDED_AT,
        TableColumn("reasons", "ARRAY<STRING>", "Everything that is wrong with the record"),
        _TEXT,
        _BYTES,
    ),
)
