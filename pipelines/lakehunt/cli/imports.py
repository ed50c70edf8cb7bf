"""What `lakehunt import` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lakehunt.cli import diagnostics, options, render
from lakehunt.cli.render import Column

if TYPE_CHECKING:
    from lakehunt.importing.results import QueryResult

F = TypeVar("F", bound=Callable[..., Any])

MOST_TABLES = 8
"""Maximum number of missing tables that are listed."""

_LEFT_OUT = {
    "table": "over a table that the lake does not have",
    "unsupported": "using what Lakehunt does not support",
    "query": "with an error in the query",
    "duplicate id": "with an id that another one has",
    "duplicate query": "with the query of another one",
    "duplicate twin": "with the query of another one but for Timestamp and TimeGenerated",
    "reads no table": "reading no table",
    "incomplete": "that are templates or parts of a query",
    "other content": "that are here with other content",
    "invalid hunt": "in files that are not valid hunts",
    "no query": "files without a query",
    "sigma rule": "Sigma rules that ask for what the lake cannot answer",
    "sigma log source": "Sigma rules over events that no table has",
    "sigma part": "Sigma filters and rules that are parts of other rules",
    "not chosen": "Sigma rules that the options leave out",
    "not a hunting query": "files of another kind",
    "link": "links that lead out of the folder",
    "unreadable": "that cannot be read",
}
"""Descriptions of the reasons for leaving queries out, in the order of the table."""

_COUNTED_ONLY = ("no query", "sigma log source", "sigma part", "not chosen", "not a hunting query")

_COLUMNS = [Column("source"), Column("line"), Column("result"), Column("reason"), Column("detail"), Column("name")]


class _Names(click.ParamType[frozenset[str]]):
    """Names separated by commas, in lower case; `known` gives the allowed ones, if not all are."""

    name = "names"

    def __init__(self, known: Callable[[], Sequence[str]] = lambda: ()) -> None:
        self.known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        names, known = frozenset(name.strip().lower() for name in str(value).split(",") if name.strip()), self.known()
        if wrong := sorted(name for name in names if known and name not in known):
            self.fail(f"{wrong[0]!r} is not one of {', '.join(known)}", param, ctx)
        return names


def _levels() -> Sequence[str]:
    from lakehunt.importing.sigma.documents import LEVELS

    return LEVELS


def _statuses() -> Sequence[str]:
    from lakehunt.importing.sigma.documents import STATUSES

    return STATUSES


def sigma_choice(function: F) -> F:
    """--level, --status, --product, --category: which Sigma rules to import."""

    @click.option("--level", type=_Names(_levels), metavar="NAMES", help="Sigma rules of these levels: high,critical")
    @click.option("--status", type=_Names(_statuses), metavar="NAMES", help="... with these statuses: stable,test")
    @click.option("--product", type=_Names(), metavar="NAMES", help="... for these products: windows,linux")
    @click.option("--category", type=_Names(), metavar="NAMES", help="... of these log sources: process_creation")
    @wraps(function)
    def command(*args: Any, **given: Any) -> Any:
        from lakehunt.importing.sigma.rules import Choice

        asked = (given.pop(name) or frozenset() for name in ("level", "status", "product", "category"))
        return function(*args, sigma=Choice(*asked), **given)

    return command  # type: ignore[return-value]


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
    failing = [one for one in outcomes if one.warnings]
    if failing:
        click.echo("Imported, but fails when it runs until there is a copy (`external` in lakehunt.yaml):")
        for one in failing:
            for warning in one.warnings:
                click.echo(f"  {pack / one.source}:{warning.start.line}:{warning.start.column}: {warning.message}")
        click.echo()
    kept = Counter(str(one.result) for one in outcomes if not one.reason)
    counts = [*kept.items(), *((f"left out: {_LEFT_OUT[r]}", len(found)) for r, found in by_reason.items() if found)]
    rows = [{"": what, "queries": count} for what, count in counts] + [{"": "in all", "queries": len(outcomes)}]
    title = "What would be imported" if dry_run else "Imported"
    click.echo(render.bold(title))
    click.echo("\n".join(render.table(rows, [Column(""), Column("queries")], render.terminal_width())))
    _print_last_lines(outcomes, by_reason)


def _print_last_lines(outcomes: Sequence[QueryResult], by_reason: dict[str, list[QueryResult]]) -> None:
    """Prints what to do about what was left out; last, which tables would bring most."""
    from lakehunt.importing import missing_tables

    if any(by_reason[reason] for reason in _COUNTED_ONLY):
        click.echo("--format jsonl names what is only counted here, too")
    queries = [one for one in outcomes if one.reason not in _COUNTED_ONLY]
    kept = sum(not one.reason for one in queries)
    failing = sum(bool(one.warnings) for one in outcomes)
    but = f", {failing} of them fail until there is a copy of what they read with externaldata" if failing else ""
    click.echo(f"{kept} imported{but}, {len(queries) - kept} left out")
    wanted = missing_tables.worth(outcomes)
    if not wanted:
        return
    click.echo("\nTables and lookups that would bring most once lakehunt.yaml names them, each with those above it:")
    shown = [{"table": table, "queries": f"+{count}"} for table, count in wanted[:MOST_TABLES]]
    columns = [Column("table"), Column("queries", "hunts, at most")]
    click.echo("\n".join(render.table(shown, columns, render.terminal_width())))


def _object(one: QueryResult) -> dict[str, Any]:
    candidate = one.candidate
    warnings = {"warnings": list(map(diagnostics.as_object, one.warnings))} if one.warnings else {}
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
        **warnings,
        **one.attack.json(),
    }
