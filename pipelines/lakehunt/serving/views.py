"""Views for common questions about findings: what is new, where, which tactics, trends, noisy command lines.

The SQL uses only what Spark and DuckDB share, over `findings.all`, `hunts.runs` and `events.device_process_events`. One
function is named differently: DuckDB's `unnest` is Spark's `explode` (PREPARED). Days are days in UTC, so both engines
need UTC as their time zone.

"Now" is a hunt's newest as-of, not the wall clock: a lake filled for last March answers as of last March."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakehunt.core.sql import string_literal

SCHEMA = "bi"


@dataclass(frozen=True)
class View:
    """A view: its name in the schema `bi`, a comment, its columns with comments, and its query."""

    name: str
    comment: str
    columns: Sequence[tuple[str, str]]
    query: str
    events: str = ""
    """The event table that it reads beside findings and runs. A lake without this table does not have the view."""

    @property
    def spark(self) -> str:
        """The statement that creates it in Spark, with comments."""
        columns = ", ".join(f"{name} COMMENT {string_literal(comment)}" for name, comment in self.columns)
        comment = string_literal(self.comment)
        return f"CREATE OR REPLACE VIEW {SCHEMA}.{self.name} ({columns}) COMMENT {comment} AS{self.query}"

    @property
    def duckdb(self) -> str:
        """The statement that creates it in DuckDB."""
        return f"CREATE OR REPLACE VIEW {SCHEMA}.{self.name} AS{self.query}"


PREPARED = (
    "SET TimeZone = 'UTC'",
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    "CREATE OR REPLACE MACRO explode(list) AS unnest(list)",
)
"""Statements that DuckDB needs before the views."""


_HUNT = (("hunt_id", "The hunt's id"), ("hunt_name", "Its name at the newest as-of"))

_FINDING = (
    ("finding_id", "The same for the same finding on every run and as-of"),
    ("as_of", "The as-of whose row of findings.all this is"),
    ("hunt_id", "The hunt's id"),
    ("hunt_name", "The hunt's name"),
    ("severity", "Informational, Low, Medium or High; null where the hunt has none"),
    ("tactics", "MITRE ATT&CK tactics, by ATT&CK's names"),
    ("techniques", "MITRE ATT&CK techniques, by ATT&CK's ids"),
    ("device_id", "The device; null where the finding has several or none"),
    ("device_name", "The device's name"),
    ("account_name", "The account; null where the finding has several or none"),
    ("first_seen", "Timestamp of the finding's first event in the window"),
    ("last_seen", "Timestamp of the finding's last event in the window"),
    ("events", "How many events it was made of"),
    ("window_start", "Start of what the hunt read; null: from the beginning"),
    ("window_end", "End of what the hunt read"),
    ("evidence", "event_id of its first events; joins the event tables that the hunt reads"),
    ("result", "The row of the hunt's own table as JSON"),
)

_COLUMNS = """f.finding_id, f.as_of, f.hunt_id, f.hunt_name, f.severity,
  coalesce(f.attack_tactics, f.tactics) AS tactics, coalesce(f.attack_techniques, f.techniques) AS techniques,
  f.device_id, f.device_name, f.account_name, f.first_seen, f.last_seen, f.events, f.window_start, f.window_end,
  f.evidence, f.result"""

_TODAY = "those that were new in the 24 hours up to the newest as-of"

VIEWS = (
    View(
        "as_ofs",
        "One row per hunt and as-of for which it completed, or has findings",
        (
            *_HUNT,
            ("as_of", "Instant up to which the hunt saw events"),
            ("newest_as_of", "The newest as-of of the hunt"),
        ),
        """
SELECT hunt_id,
  first_value(hunt_name) OVER (PARTITION BY hunt_id ORDER BY as_of DESC) AS hunt_name,
  as_of,
  max(as_of) OVER (PARTITION BY hunt_id) AS newest_as_of
FROM (
  SELECT hunt_id, as_of, max(hunt_name) AS hunt_name
  FROM (
    SELECT hunt_id, as_of, hunt_name FROM hunts.runs WHERE outcome = 'succeeded'
    UNION ALL
    SELECT hunt_id, as_of, hunt_name FROM findings.all
  ) AS known
  GROUP BY hunt_id, as_of
) AS once""",
    ),
    View(
        "new_findings",
        f"One row per new finding of a hunt: {_TODAY}",
        _FINDING,
        f"""
SELECT {_COLUMNS}
FROM (
  SELECT n.*, row_number() OVER (PARTITION BY n.finding_id ORDER BY n.as_of DESC) AS place
  FROM findings.all AS n JOIN bi.as_ofs AS a ON n.hunt_id = a.hunt_id AND n.as_of = a.as_of
  WHERE n.status = 'new' AND a.as_of > a.newest_as_of - INTERVAL '1' DAY
) AS f
WHERE f.place = 1""",
    ),
    View(
        "current_findings",
        "One row per finding of a hunt at its newest as-of; none for a hunt that found nothing then",
        (*_FINDING, ("is_new", "Whether it is one of bi.new_findings")),
        f"""
SELECT {_COLUMNS}, n.finding_id IS NOT NULL AS is_new
FROM findings.all AS f
JOIN bi.as_ofs AS a ON f.hunt_id = a.hunt_id AND f.as_of = a.as_of
LEFT JOIN bi.new_findings AS n ON f.finding_id = n.finding_id
WHERE a.as_of = a.newest_as_of""",
    ),
    View(
        "finding_history",
        "One row per finding, over all as-ofs that findings.all holds",
        (
            *_FINDING,
            ("first_as_of", "The first as-of that had it"),
            ("as_ofs", "How many as-ofs had it"),
            ("ever_first_seen", "Timestamp of its first event in any window"),
            ("ever_last_seen", "Timestamp of its last event in any window"),
            ("is_current", "Whether the newest as-of of its hunt has it"),
        ),
        f"""
SELECT {_COLUMNS}, f.first_as_of, f.as_ofs, f.ever_first_seen, f.ever_last_seen, f.as_of = a.newest_as_of AS is_current
FROM (
  SELECT h.*,
    row_number() OVER (PARTITION BY h.finding_id ORDER BY h.as_of DESC) AS place,
    min(h.as_of) OVER (PARTITION BY h.finding_id) AS first_as_of,
    count(*) OVER (PARTITION BY h.finding_id) AS as_ofs,
    min(h.first_seen) OVER (PARTITION BY h.finding_id) AS ever_first_seen,
    max(h.last_seen) OVER (PARTITION BY h.finding_id) AS ever_last_seen
  FROM findings.all AS h
) AS f
JOIN (SELECT hunt_id, max(as_of) AS newest_as_of FROM bi.as_ofs GROUP BY hunt_id) AS a ON f.hunt_id = a.hunt_id
WHERE f.place = 1""",
    ),
    View(
        "devices",
        "One row per device of current findings; the row without a device covers findings of several devices or none",
        (
            ("device_id", "The device"),
            ("device_name", "Its name; if it has several, the alphabetically last one"),
            ("findings", "Current findings of it"),
            ("new_findings", "The new ones among them"),
            ("hunts", "How many hunts found them"),
            ("events", "Events of these findings; an event that several hunts found counts for each"),
            ("highest_severity", "Highest severity of these findings; null if none has one"),
            ("first_seen", "Timestamp of their first event"),
            ("last_seen", "Timestamp of their last event"),
        ),
        """
SELECT device_id, max(device_name) AS device_name, count(*) AS findings,
  count(*) FILTER (WHERE is_new) AS new_findings, count(DISTINCT hunt_id) AS hunts,
  CAST(sum(events) AS BIGINT) AS events,
  CASE max(CASE severity WHEN 'High' THEN 4 WHEN 'Medium' THEN 3 WHEN 'Low' THEN 2 WHEN 'Informational' THEN 1 END)
    WHEN 4 THEN 'High' WHEN 3 THEN 'Medium' WHEN 2 THEN 'Low' WHEN 1 THEN 'Informational' END AS highest_severity,
  min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM bi.current_findings
GROUP BY device_id""",
    ),
    View(
        "tactics",
        "One row per tactic of current findings; a finding of several tactics counts for each of them",
        (
            ("tactic", "ATT&CK's name of the tactic; null for findings whose hunt names none"),
            ("findings", "Current findings"),
            ("new_findings", "The new ones among them"),
            ("hunts", "How many hunts found them"),
            ("devices", "Number of devices they are from"),
            ("last_seen", "Timestamp of their last event"),
        ),
        """
SELECT t.tactic, count(*) AS findings, count(*) FILTER (WHERE f.is_new) AS new_findings,
  count(DISTINCT f.hunt_id) AS hunts, count(DISTINCT f.device_id) AS devices, max(f.last_seen) AS last_seen
FROM bi.current_findings AS f
LEFT JOIN (SELECT finding_id, explode(tactics) AS tactic FROM bi.current_findings) AS t ON f.finding_id = t.finding_id
GROUP BY t.tactic""",
    ),
    View(
        "trend",
        "One row per hunt and as-of, zeros included",
        (
            *_HUNT,
            ("as_of", "Instant up to which the hunt saw events"),
            ("as_of_date", "Its day (UTC)"),
            ("findings", "Findings of the hunt at this as-of"),
            ("new_findings", "Findings with the status new"),
            ("recurring_findings", "Findings with the status recurring"),
            ("devices", "Number of devices they are from"),
            ("events", "How many events they were made of"),
        ),
        """
SELECT a.hunt_id, a.hunt_name, a.as_of, CAST(a.as_of AS DATE) AS as_of_date, count(f.finding_id) AS findings,
  count(f.finding_id) FILTER (WHERE f.status = 'new') AS new_findings,
  count(f.finding_id) FILTER (WHERE f.status = 'recurring') AS recurring_findings,
  count(DISTINCT f.device_id) AS devices, CAST(coalesce(sum(f.events), 0) AS BIGINT) AS events
FROM bi.as_ofs AS a LEFT JOIN findings.all AS f ON f.hunt_id = a.hunt_id AND f.as_of = a.as_of
GROUP BY a.hunt_id, a.hunt_name, a.as_of""",
    ),
    View(
        "command_lines",
        "One row per hunt and command line of the process events among the evidence of current findings: what makes a "
        "hunt noisy. Events of other tables are not in it",
        (
            *_HUNT,
            ("command_line", "ProcessCommandLine of the process events"),
            ("events", "Events with it, among the evidence (the first 100 events) of each finding"),
            ("findings", "Current findings that they are evidence of"),
            ("devices", "How many devices ran it"),
            ("accounts", "How many accounts ran it"),
            ("first_seen", "Timestamp of the first of these events"),
            ("last_seen", "Timestamp of the last of these events"),
        ),
        """
SELECT f.hunt_id, max(f.hunt_name) AS hunt_name, e.ProcessCommandLine AS command_line,
  count(DISTINCT e.event_id) AS events, count(DISTINCT f.finding_id) AS findings,
  count(DISTINCT e.DeviceId) AS devices, count(DISTINCT e.AccountName) AS accounts,
  min(e.Timestamp) AS first_seen, max(e.Timestamp) AS last_seen
FROM (SELECT hunt_id, hunt_name, finding_id, explode(evidence) AS event_id FROM bi.current_findings) AS f
JOIN events.device_process_events AS e ON e.event_id = f.event_id
WHERE e.event_date >= (SELECT CAST(min(first_seen) AS DATE) FROM bi.current_findings)
GROUP BY f.hunt_id, e.ProcessCommandLine""",
        events="events.device_process_events",
    ),
)
"""In order of creation: some read earlier ones."""
