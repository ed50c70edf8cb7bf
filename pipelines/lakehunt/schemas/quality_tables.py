"""The table of validation results."""

from __future__ import annotations

from lakehunt.schemas.table import Expires, NotErased, Table, TableColumn

VALIDATIONS = Table(
    "quality.validations",
    "The result of each expectation for each batch",
    (
        TableColumn("batch", "BIGINT", "Batch of raw.records"),
        TableColumn("suite", "STRING", "Suite in expectations/ that holds the expectation"),
        TableColumn("position", "INT", "Place of the expectation in its suite, from 1"),
        TableColumn("expectation", "STRING", "Type of the expectation, as Great Expectations names it"),
        TableColumn("column", "STRING", "Column that it is about; null where it is about the table"),
        TableColumn("severity", "STRING", "critical: refuses the batch; warning: the run warns; info: noted"),
        TableColumn("success", "BOOLEAN", "Whether the expectation was met"),
        TableColumn("observed", "STRING", "Number or type that was observed; never a value of the data"),
        TableColumn("element_count", "BIGINT", "Rows looked at"),
        TableColumn("unexpected_count", "BIGINT", "Rows that do not meet it"),
        TableColumn("unexpected_percent", "DOUBLE", "The same, as percent of the rows that have a value"),
        TableColumn("notes", "STRING", "What the expectation is for, from the suite"),
        TableColumn("validated_at", "TIMESTAMP", "Landing time of the batch, the only clock of a run (UTC)"),
        TableColumn("gx_version", "STRING", "Version of Great Expectations"),
    ),
    retention=Expires("validations", "validated_at"),
    erasure=NotErased("it counts what happened, and holds no value of the data"),
    served=True,
    written="replaced per batch",
    small=True,
)
