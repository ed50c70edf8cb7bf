"""The data dictionary: every table and view, written from the comments that they carry themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from lakehunt.schemas import registry
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import HITS_TABLES, PASSES, RUNS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE
from lakehunt.schemas.table import Erasure, Expires, Table, TableColumn, TableFamily
from lakehunt.serving import views
from lakehunt.serving.views import VIEWS, View

TABLES_HEAD = """\
# Tables

Generated from the table declarations by `make docs`.

Every table is a Delta table at `<lake>/<schema>/<table>`, and every column carries a comment in the table itself. All
tables stay at Delta reader version 1, so `deltalake`, DuckDB and Polars can open them ([how](../how-to/sql.md)).

Hunts can also read tables that Lakehunt does not write: [register them](configuration.md#other-tables).
"""

NOTES = {
    FINDINGS_ALL.name: """\
This table is a contract for BI; its columns are described in [Findings](findings.md).
""",
    RUNS.name: """\
`lakehunt runs` shows this table. A run that was killed has a row with the outcome `started` and no second row.
""",
    **{
        hits.name: """\
A hit is a candidate event: it passed the hunt's row-level filters. Columns that the hunt's query does not read are
null. A hit counts only if its `pass_id` is in `hunts.passes`. If two passes found the same event for the
same hunt version, it counts once.
[Decision 10](../decisions/0010-incremental-hunting.md) explains how hits stay complete.
"""
        for hits in HITS_TABLES
    },
    PASSES.name: """\
A pass is one scan of new events of a table for all hunts that read it (the prefilter). This table records which events
have been scanned for which hunt versions, so the next run reads only what is missing.
""",
    BATCHES.name: """\
A batch is `settled` once its events are accepted: from then on hunts see them. A batch that a critical expectation
failed is `refused`, and the next run validates it again.
""",
    QUARANTINE.name: """\
Quarantine is a dead-letter table: records that are not valid events, kept as they were delivered.
""",
}
"""What the comments of the columns cannot say."""

FAMILY_NOTE = """\
These columns follow the query's own, which are named and ordered as Kusto names and orders them. If a new version of
the hunt returns other columns, the table takes the new ones; earlier results stay in `findings.all` and in the table's
history.
"""

FINDINGS_HEAD = """\
# Findings and views

Generated from the table and view declarations by `make docs`. [Tables](tables.md) describes the other tables,
[Query findings with SQL](../how-to/sql.md) shows how to read them.

`findings.all` (`<lake>/findings/all`) has one row per finding of any hunt and as-of, with columns that all hunts share.
It is a Delta table at reader version 1. This page describes **contract {contract}**; the table property
`lakehunt.contract` holds the contract of a table. The number is raised when a column is added, removed or renamed, or
changes its type or meaning, and each number has an entry in the [changelog](../../CHANGELOG.md). Column order is not
part of the contract; select by name.

- **Identity.** `finding_id` is a digest of the hunt and of what identifies the row: the keys of the query's last
  `summarize`, or the row and its events where there is none. It is the same on every re-run, for every as-of and on
  every machine. Values that change from day to day, such as counts and sets, do not affect it. `as_of` and
  `finding_id` together identify a row.
- **New or recurring.** `status` says whether an earlier as-of within the hunt's window had the same finding. It does
  not depend on the order in which as-ofs were run.
- **As-ofs.** A row belongs to one as-of and is replaced when the hunt runs for that as-of again. A hunt that found
  nothing has no row; `hunts.runs` shows that it ran. So the current findings are the ones of each hunt's newest run
  (`bi.current_findings`), not the rows with the newest `as_of` in the table.
- **A hunt's own table**, `findings.<hunt>`, is made when the hunt first finds something. For tools that expect it
  before, `lakehunt check --tables` makes the tables that are missing, without rows. If a hunt's columns change, the
  table has the new ones from the next finding on; until then it keeps the old ones, with their rows.
- **First and last seen.** `first_seen` and `last_seen` cover the finding's events inside the window of that as-of.
  `bi.finding_history` covers all as-ofs.
- **Times** are UTC, to the microsecond.
- **ATT&CK.** `tactics` and `techniques` are as the hunt's author wrote them: "Defense evasion", "DefenseEvasion",
  "TA0005". `attack_tactics` and `attack_techniques` hold ATT&CK's own names and ids, so equal ones compare equal; the
  views use these. They are null in rows that were written before the columns were added.
- **Other tables.** A finding of a hunt that reads no event table has no device, account, first or last event, and 0
  events.
"""

VIEWS_HEAD = """\
## Views

The SQL endpoint has them in the schema `bi`. In DuckDB, [duckdb-views.sql](duckdb-views.sql) creates the same views
with the same rows. "New" and "current" count from a hunt's newest as-of, not from the wall clock. Views are unordered:
use `ORDER BY`.
"""

SQL_HEAD = """\
-- The views of findings.md for DuckDB. Generated by `make docs`.
--
-- Create the tables that they read first, for example with DuckDB's extension `delta`:
--
--   CREATE SCHEMA findings; CREATE VIEW findings.all AS FROM delta_scan('lake/findings/all');
--   CREATE SCHEMA hunts;    CREATE VIEW hunts.runs AS FROM delta_scan('lake/hunts/runs');
--   CREATE SCHEMA events;
--   CREATE VIEW events.device_process_events AS FROM delta_scan('lake/events/device_process_events');
"""


def tables() -> str:
    """The page reference/tables.md."""
    declared = registry.declarations()
    overview = [(f"[{t.name}](#{_anchor(t.name)})", _sentence(t.comment)) for t in declared]
    sections = (line for table in declared for line in _table_section(table))
    return "\n".join([TABLES_HEAD, *_rows(("table", "content"), overview), "", *sections])


def _table_section(table: Table | TableFamily) -> Iterator[str]:
    yield f"## {table.name.replace('<', '&lt;')}\n"
    yield f"{_sentence(table.comment)}\n"
    yield from (f"- {fact}" for fact in _facts(table))
    yield ""
    if table.name in NOTES:
        yield NOTES[table.name]
    if isinstance(table, TableFamily):
        yield FAMILY_NOTE
    if table is not FINDINGS_ALL:
        yield from _columns(_own_columns(table))
        yield ""


def _facts(table: Table | TableFamily) -> Iterator[str]:
    """What a reader has to know beside the columns."""
    yield f"**Written** {_sentence(table.written)}"
    if isinstance(table, Table) and table.partitioned_by:
        yield f"**Partitioned** by `{'`, `'.join(table.partitioned_by)}`."
    if isinstance(table.retention, Expires):
        yield f"**Retention**: `{table.retention.kind}`, by `{table.retention.column}`.{_because(table.retention.why)}"
    else:
        yield f"**Retention**: kept for ever.{_because(table.retention.why)}"
    if isinstance(table.erasure, Erasure):
        yield f"**Erasure** (`lakehunt forget`): {'blanks rows' if table.erasure.emptied else 'deletes rows'}."
    else:
        yield f"**Erasure** (`lakehunt forget`): none.{_because(table.erasure.why)}"
    yield f"**SQL endpoint**: {'served' if table.served else 'not served'}."


def _because(why: str) -> str:
    return f" {_sentence(why[0].upper() + why[1:])}" if why else ""


def _own_columns(table: Table | TableFamily) -> Sequence[TableColumn]:
    """The columns of a table, without the ones that hits copy from events."""
    if isinstance(table, TableFamily):
        return table.trailing
    if table not in HITS_TABLES:
        return table.columns
    copied = {column for events in EVENT_TABLES for column in events.events.columns}
    own = [column for column in table.columns if column not in copied]
    return [*own, TableColumn("...", "", "The columns of the events")]


def findings() -> str:
    """The page reference/findings.md."""
    parts = [
        FINDINGS_HEAD.format(contract=FINDINGS_ALL.contract),
        f"## {FINDINGS_ALL.name}\n",
        *_columns(FINDINGS_ALL.columns),
        "",
        VIEWS_HEAD,
        *(line for view in VIEWS for line in _view_section(view)),
    ]
    return "\n".join(parts)


def _view_section(view: View) -> Iterator[str]:
    yield f"### {views.SCHEMA}.{view.name}\n"
    yield f"{_sentence(view.comment)}\n"
    yield from _rows(("column", "meaning"), view.columns)
    yield ""


def duckdb_views() -> str:
    """The script reference/duckdb-views.sql."""
    statements = (*views.PREPARED, *(view.duckdb for view in VIEWS))
    return SQL_HEAD + "".join(f"\n{statement};\n" for statement in statements)


def _columns(columns: Iterable[TableColumn]) -> Iterator[str]:
    rows = [(c.name, f"`{_broken(c.type)}`" if c.type else "", c.comment) for c in columns]
    return _rows(("column", "type", "meaning"), rows)


def _broken(type_: str) -> str:
    """A long struct is shown by its kind: its fields would make the table unreadable."""
    return type_ if len(type_) <= _LONGEST_TYPE else f"{type_.partition('<')[0]}<...>"


_LONGEST_TYPE = 80


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return escaped if text.startswith("`") else escaped.replace("<", "&lt;")


def _sentence(text: str) -> str:
    return text.rstrip(".") + "."


def _anchor(name: str) -> str:
    return re.sub(r"[^\w-]", "", name.replace(" ", "-"))
