"""The data dictionary of findings, written from the comments that the tables and views themselves carry.

    make docs       # python -m pipelines.serving.dictionary docs

It writes findings.md, and duckdb-views.sql for those who read the lake without Spark. It needs no Spark session."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipelines.schemas.finding_tables import FINDINGS_ALL
from pipelines.serving import views
from pipelines.serving.views import VIEWS, View

HEAD = """\
# Findings: what is in them

Written by `make docs` from the comments of the tables and views. [tables.md](tables.md) describes the lake's other
tables, [sql.md](sql.md) says how to read them.

`findings.all` (`<lake>/findings/all`) has one row per finding of any hunt and as-of, in columns that all hunts share.
It is a Delta table at reader version 1. This page is **contract {contract}**; a table says in its property
`lakehunt.contract` which one it is of. The number is raised when a column comes, goes, or changes its name, type or
meaning, and each number has an entry in the [changelog](../CHANGELOG.md). Read columns by name: their order is no part
of the contract.

- **One id.** `finding_id` is a digest of the hunt and of what makes the row this finding: the keys of the query's last
  `summarize`, or else the row and its events. It is the same on every re-run, for every as-of and on every machine;
  what changes from day to day, such as counts and sets, is no part of it. `as_of` and `finding_id` identify a row.
- **New or recurring.** `status` says whether an as-of within the window before had the same finding. It does not depend
  on the order in which as-ofs were run.
- **As-ofs.** A row is about one as-of and is replaced when the hunt runs for it again. A hunt that found nothing at an
  as-of has no row for it; `hunts.runs` says that it ran. So the newest findings are those of a hunt's newest run, as
  `bi.current_findings` has them, not those with the newest `as_of` in the table.
- **Seen.** `first_seen` and `last_seen` are of the finding's events inside the window of that as-of.
  `bi.finding_history` has them over all as-ofs.
- **Times** are instants in UTC, to the microsecond.
- **ATT&CK.** `tactics` and `techniques` are as the hunt's author wrote them: "Defense evasion", "DefenseEvasion",
  "TA0005". `attack_tactics` and `attack_techniques` are the same by ATT&CK's own names and ids, so that equal ones are
  equal; the views show these. Rows that were written before these columns came have null there.
"""

VIEWS_HEAD = """\
## Views

The endpoint has them in the schema `bi`; in DuckDB [duckdb-views.sql](duckdb-views.sql) makes the same views, which
give the same rows. "New" and "current" count from a hunt's newest as-of, not from the clock on the wall. They have no
order: ask with `ORDER BY`.
"""

SQL_HEAD = """\
-- The views of findings.md for DuckDB. Written by `make docs`.
--
-- Before it, make the tables that they read, for example with DuckDB's extension `delta`:
--
--   CREATE SCHEMA findings; CREATE VIEW findings.all AS FROM delta_scan('lake/findings/all');
--   CREATE SCHEMA hunts;    CREATE VIEW hunts.runs AS FROM delta_scan('lake/hunts/runs');
--   CREATE SCHEMA events;
--   CREATE VIEW events.device_process_events AS FROM delta_scan('lake/events/device_process_events');
"""


def written() -> str:
    """The page findings.md."""
    columns = [(c.name, c.type, c.comment) for c in FINDINGS_ALL.columns]
    parts = [
        HEAD.format(contract=FINDINGS_ALL.contract),
        "## findings.all\n",
        *_table(("column", "type", "meaning"), columns),
        "",
        VIEWS_HEAD,
        *(line for view in VIEWS for line in _section(view)),
    ]
    return "\n".join(parts)


def _section(view: View) -> Iterator[str]:
    yield f"### {views.SCHEMA}.{view.name}\n"
    yield f"{view.comment}.\n"
    yield from _table(("column", "meaning"), view.columns)
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


def duckdb() -> str:
    """The script duckdb-views.sql."""
    statements = (*views.PREPARED, *(view.duckdb for view in VIEWS))
    return SQL_HEAD + "".join(f"\n{statement};\n" for statement in statements)


def main(arguments: Sequence[str]) -> None:
    folder = Path(arguments[0])
    (folder / "findings.md").write_text(written(), encoding="utf-8")
    (folder / "duckdb-views.sql").write_text(duckdb(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
