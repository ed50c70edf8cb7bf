"""The table of sent alerts."""

from __future__ import annotations

from lakehunt.schemas.table import Expires, NotErased, Table, TableColumn

SENT = Table(
    "hunts.alerts",
    "One row for each finding, failure or warning that was sent to a channel, or that the channel rejected",
    (
        TableColumn("channel", "STRING", "Name of the channel in the configuration"),
        TableColumn("kind", "STRING", "findings, failure or warning"),
        TableColumn("key", "STRING", "The finding_id; for other kinds, a digest of the item"),
        TableColumn("alert_id", "STRING", "Id of the message"),
        TableColumn("as_of", "TIMESTAMP", "As-of of the run that it is about (UTC)"),
        TableColumn("sent_at", "TIMESTAMP", "When it was sent (UTC); null: the channel rejected it"),
    ),
    retention=Expires(
        "runs",
        "as_of",
        keep="kind = 'warning'",
        why="a batch that is still refused would be announced again",
    ),
    erasure=NotErased("it holds ids of findings and digests, no value of an event"),
    served=False,
    written="appended when an alert was sent or rejected",
    small=True,
)
