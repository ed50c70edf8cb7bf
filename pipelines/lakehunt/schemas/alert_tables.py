"""What alert channels have been told."""

from __future__ import annotations

from lakehunt.schemas.table import Expires, NotErased, Table, TableColumn

SENT = Table(
    "hunts.alerts",
    "One row for each finding, failure or warning that a channel was told, or did not take",
    (
        TableColumn("channel", "STRING", "Name of the channel in the configuration"),
        TableColumn("kind", "STRING", "findings, failure or warning"),
        TableColumn("key", "STRING", "The finding_id; of others, a digest of what was told"),
        TableColumn("alert_id", "STRING", "The message that told it"),
        TableColumn("as_of", "TIMESTAMP", "As-of of the run that it is about (UTC)"),
        TableColumn("sent_at", "TIMESTAMP", "When it was told (UTC); null: the channel did not take it"),
    ),
    retention=Expires(
        "runs",
        "as_of",
        keep="kind = 'warning'",
        why="a batch that is still refused would be announced again",
    ),
    erasure=NotErased("it holds ids of findings and digests, no value of an event"),
    served=False,
    written="appended when a channel was told, or did not take it",
)
