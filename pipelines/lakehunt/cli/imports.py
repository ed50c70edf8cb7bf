"""What `lakehunt import` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import diagnostics, options, render
from lakehunt.cli.render import Column

if TYPE_CHECKING:
    from lakehunt.importing.results import QueryResult

MOST_TABLES = 5
"""Maximum number of missing tables that are listed."""

_LEFT_OUT = {
    "table": "over a table that the lake does not have",
    "unsupported": "using what Lakehunt does not support",
    "query": "with an error in the query",
    "duplicate id": "with an id that another one has",
    "duplicate query": "with the query of another one",
    "other content": "that are here with other content",
    "invalid hunt": "in files that are not valid hunts",
    "no query": "files without a query",
    "not a hunting query": "files of another kind",
    "link": "links that lead out of the folder",
    "unreadable": "that cannot be read",
}
"""Descriptions of the reasons for leaving queries out, in the order of the table."""

_COUNTED_ONLY = ("no query", "not a hunting query")

_COLUMNS = [Column("source"), Column("line"), Column("result"), Column("reason"), Column("detail"), Column("name")]


def print_outcomes(outcomes: Sequence[QueryResult], pack: Path, dry_run: bool, form: str) -> None:
    if form == options.TEXT:
        _print_text(outcomes, pack, dry_run)
    else:
        render.records(form, map(_object, outcomes), _COLUMNS, what="query or file")


def _print_text(outcomes: Sequence[QueryResult], pack: Path, dry_run: bool) -> None:
    """Prints the queries that were left out, by reason with their positions; then the counts, last so that they stay
    visible."""
    by_reason = {reason: [one for one in outcomes if one.reason == reason] for reason in _LEFT_OUT}
    for reason, left_out in by_reason.items():
        if left_out and reason not in _COUNTED_ONLY:
            click.echo(f"Left out, {_LEFT_OUT[reason]}:")
            for one in left_out:
                click.echo(f"  {pack / one.source}:{one.place.line}:{one.place.column}: {one.detail}")
            click.echo()
    kept = Counter(str(one.result) for one in outcomes if not one.reason)
    counts = [*kept.items(), *((f"left out: {_LEFT_OUT[r]}", len(found)) for r, found in by_reason.items() if found)]
    rows = [{"": what, "queries": count} for what, count in counts] + [{"": "in all", "queries": len(outcomes)}]
    title = "What would be imported" if dry_run else "Imported"
    click.echo(render.bold(title))
    click.echo("\n".join(render.table(rows, [Column(""), Column("queries")], render.terminal_width())))
    _print_last_lines(outcomes, by_reason)


def _print_last_lines(outcomes: Sequence[QueryResult], by_reason: dict[str, list[QueryResult]]) -> None:
    wanted = Counter(
        table for one in by_reason["table"] for table in dict.fromkeys(p.table for p in one.problems) if table
    )
    if wanted:
        named = ", ".join(f"{table} {count}" for table, count in wanted.most_common(MOST_TABLES))
        click.echo(f"tables that most of the left-out queries need: {named}")
    if any(by_reason[reason] for reason in _COUNTED_ONLY):
        click.echo("--format jsonl names the files without a query, too")
    queries = [one for one in outcomes if one.reason not in _COUNTED_ONLY]
    kept = sum(not one.reason for one in queries)
    click.echo(f"{kept} imported, {len(queries) - kept} left out")


def _object(one: QueryResult) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "source": one.source.as_posix(),
        "line": one.place.line,
        "column": one.place.column,
        "result": one.result,
        "reason": one.reason,
        "detail": one.detail or None,
        "errors": list(map(diagnostics.as_object, one.problems)),
        "file": str(one.file) if one.file else None,
        "id": candidate and candidate.hunt.id,
        "original_id": (candidate and candidate.original_id) or None,
        "name": candidate and candidate.hunt.name,
        **one.attack.json(),
    }
