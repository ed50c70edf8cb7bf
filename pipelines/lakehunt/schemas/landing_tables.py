"""Tables that landing writes, for all event tables: the progress of each blob, the files that were refused, and the
outcome of each batch."""

from __future__ import annotations

from lakehunt.schemas.event_table import BATCH, FILE, LANDED_AT
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.table import Expires, KeptForever, NotErased, Table, TableColumn

FILES = Table(
    "raw.files",
    "How far each blob has been landed: one row each time it grew. The row with the most bytes counts",
    (
        FILE,
        TableColumn("bytes", "BIGINT", "Size of the blob when it was landed"),
        TableColumn("modified_at", "TIMESTAMP", "When the blob was last changed (UTC), according to its store"),
        TableColumn("lines", "BIGINT", "Lines of the blob that are landed, blank ones counted"),
        TableColumn("pending", "BIGINT", "Its half-written last line, which waits for its end, if any"),
        TableColumn("batch", "BIGINT", "Newest batch in raw.device_process_events when this row was written"),
        LANDED_AT,
    ),
    retention=KeptForever("it says what has been landed, so that nothing is landed twice"),
    erasure=NotErased("it names blobs, not what is in them"),
    served=False,
    written="per delivery that saw the blob grow",
    vouches_for=(DEVICE_PROCESS_EVENTS.raw.name,),
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
)

BATCHES = Table(
    "raw.batches",
    "The result of each landed batch: delivered = events + quarantined + duplicates, unless it was refused",
    (
        BATCH,
        LANDED_AT,
        TableColumn("delivered", "BIGINT", "Records of the table in the batch; those of other tables stay in raw"),
        TableColumn("events", "BIGINT", "Records that are now in events.device_process_events"),
        TableColumn("quarantined", "BIGINT", "Records that are now in quarantine.device_process_events"),
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
    ),
    retention=KeptForever("it says what has been done, so that nothing is done twice"),
    erasure=NotErased("it counts what happened"),
    served=False,
    written="once per delivery",
    vouches_for=(DEVICE_PROCESS_EVENTS.events.name, DEVICE_PROCESS_EVENTS.quarantine.name),
)
