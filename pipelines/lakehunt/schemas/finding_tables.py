"""Findings: `findings.all` with the same columns for all hunts, and one table per hunt with its query's columns."""

from __future__ import annotations

from lakehunt.schemas.table import Erasure, Expires, Match, Table, TableColumn, TableFamily

MAX_EVIDENCE = 100
"""Maximum number of event ids in a finding's evidence. A finding may have millions of events."""

CONTRACT = 1
"""The contract version of `findings.all` for readers: its columns, their types and meanings.
docs/reference/findings.md says when it is raised."""

FINDINGS_ALL = Table(
    "findings.all",
    "One row per finding of any hunt and as-of. Replaced per hunt and as-of.",
    (
        TableColumn("finding_id", "STRING", "The same for the same finding on every run and as-of"),
        TableColumn("as_of", "TIMESTAMP", "Instant up to which the hunt saw events (UTC)"),
        TableColumn("ordinal", "BIGINT", "Place of the finding in the order of its hunt's query, from 1"),
        TableColumn("hunt_id", "STRING", "The hunt's id; its own table is findings/<hunt_id>"),
        TableColumn("hunt_name", "STRING", "The hunt's name"),
        TableColumn("hunt_version", "STRING", "Digest of what in the hunt decides its results"),
        TableColumn("tactics", "ARRAY<STRING>", "MITRE ATT&CK tactics, as the hunt's author wrote them"),
        TableColumn("techniques", "ARRAY<STRING>", "MITRE ATT&CK techniques, as the hunt's author wrote them"),
        TableColumn(
            "attack_tactics", "ARRAY<STRING>", "The same tactics by ATT&CK's names, each once; other words as written"
        ),
        TableColumn(
            "attack_techniques", "ARRAY<STRING>", "The same techniques by ATT&CK's ids, each once; others as written"
        ),
        TableColumn("severity", "STRING", "Informational, Low, Medium or High; null where the hunt has none"),
        TableColumn("status", "STRING", "new, or recurring if an as-of within the window before it had this finding"),
        TableColumn("device_id", "STRING", "The device; null where the finding's events come from several"),
        TableColumn("device_name", "STRING", "The device's name; null where there are several"),
        TableColumn("account_name", "STRING", "The account; null where there are several"),
        TableColumn("first_seen", "TIMESTAMP", "Timestamp of the finding's first event in the window"),
        TableColumn("last_seen", "TIMESTAMP", "Timestamp of the finding's last event in the window"),
        TableColumn("events", "BIGINT", "How many events the finding was made of"),
        TableColumn(
            "suppressed", "BIGINT", "Events of its device (if it has several: of all) that exclusions kept out"
        ),
        TableColumn("evidence", "ARRAY<STRING>", f"event_id of the first {MAX_EVIDENCE} of them; joins events"),
        TableColumn("window_start", "TIMESTAMP", "Start of what the hunt read; null where it read from the beginning"),
        TableColumn("window_end", "TIMESTAMP", "End of what the hunt read"),
        TableColumn("result", "STRING", "The row of findings.<hunt> as JSON, datetimes in full"),
    ),
    contract=CONTRACT,
    retention=Expires("findings", "as_of"),
    erasure=Erasure(Match.FINDING, ("hunt_id", "as_of", "finding_id"), ("device_id", "device_name"), ("account_name",)),
    served=True,
    written="replaced per hunt and as-of",
)

HUNT_FINDINGS = TableFamily(
    "findings",
    "hunt id",
    "One row of a hunt's result: the query's columns in its order, then the run's",
    (
        TableColumn("as_of", "TIMESTAMP", "Instant up to which the hunt saw events (UTC); its now()"),
        TableColumn("hunt_version", "STRING", "Digest of what in the hunt decides its results"),
        TableColumn("finding_id", "STRING", "The same for the same finding on every run and as-of; joins findings.all"),
        TableColumn("ordinal", "BIGINT", "Place of the row in the query's order, from 1"),
    ),
    retention=Expires("findings", "as_of"),
    erasure=Erasure(Match.HUNT_RESULT, ("as_of", "finding_id")),
    served=True,
    written="replaced per as-of",
)
