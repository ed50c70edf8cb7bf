"""`lakehunt hunt`, `runs`, `exclusions` and `explain`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import context, operate, options, render, showing
from lakehunt.cli.render import Column
from lakehunt.cli.section import Section
from lakehunt.core.errors import UsageError

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.hunting.content.hunt_file import Hunt
    from lakehunt.hunting.explanation import ExplainedTable, Explanation
    from lakehunt.hunting.findings.run_log import HuntRun
    from lakehunt.hunting.findings.suppression import ExclusionEffect

SECTION = Section("Hunts")


@SECTION.command("hunt", is_job=True)
@options.hunts
@options.as_of(options.SEE_EVENTS, default="now, or --from and --to")
@options.period("Backfill: the as-of of the first day", "Backfill: the as-of of the last day")
@click.option(
    "--due",
    is_flag=True,
    help="Ask each hunt at the as-ofs of its queryFrequency since it was last asked, until --as-of",
)
@click.option("--full", is_flag=True, help="Read all events of each window; the findings are the same")
@click.option("--alert", is_flag=True, help="Afterwards do as `lakehunt alert` does")
@options.exclusions
def hunt(
    config: Config,
    names: Sequence[str],
    as_of: int | None,
    since: int | None,
    until: int | None,
    due: bool,
    full: bool,
    alert: bool,
    exclusions: str,
) -> bool:
    """Run hunts on the events of the lake: for one as-of, for each day of a range, or for what is due.

    HUNT is an id or a name; default: all hunts."""
    if due:
        if since is not None or until is not None or full or exclusions == options.AS_RUN:
            raise UsageError("--due is without --from, --to, --full and --exclusions", "give only --as-of, if at all")
        from lakehunt.cli.due import hunt_due

        with context.progress(total=True) as say:
            return hunt_due(config, names, context.now() if as_of is None else as_of, alert, say)
    context.begin(config, learning=True)

    from lakehunt.hunting import compiled_hunt, engine
    from lakehunt.hunting.findings import suppression
    from lakehunt.kql.types import TICKS_PER_DAY

    tables = context.tables(config)
    known, fine = context.checked_hunts(config, tables)
    now = context.now()
    first, last = options.as_ofs(as_of, since, until) or (now, now)
    chosen = compiled_hunt.select_hunts(known, names)
    with context.progress(total=True) as say, context.lake(config, learning=True, writing=True) as lake:
        for at in range(first, last + 1, TICKS_PER_DAY):
            excluding, late = chosen, config.hunting.late
            if exclusions == options.AS_RUN:  # of this as-of: of others there were others
                excluding, late = suppression.exclusions_at(lake, chosen, at), engine.NEVER
            runs = engine.run_hunts(lake, excluding, at, say, tables, full, config.limits, late)
            fine = print_runs(runs) and fine
            day = operate.judged_day(lake, config, at)
            fine = operate.print_unusual(day) and fine
            fine = (not alert or operate.send_alerts(lake, config, at, day, say)) and fine
    return fine


COUNTS = [
    Column("hunt"),
    Column("matched"),
    Column("suppressed"),
    Column("findings"),
    Column("seconds", show=showing.number),
    Column("outcome"),
]


MOST_LISTED = 50
"""Runs up to which each has a line. Of more, those that found something or failed have one, and a summary follows."""


def print_runs(runs: Sequence[HuntRun]) -> bool:
    """Prints what runs of hunts found, those of as-ofs that were asked again by themselves, and errors; returns whether
    all runs succeeded."""
    fine = _print_asked([run for run in runs if run.found_as_of is None])
    return print_asked_again([run for run in runs if run.found_as_of is not None]) and fine


def print_asked_again(runs: Sequence[HuntRun]) -> bool:
    """Prints what has changed at as-ofs that were asked again, and errors; returns whether all runs succeeded."""
    if not runs:
        return True
    rows = [
        {
            "as_of": context.instant(run.as_of),
            "hunt": run.hunt.name,
            "findings": run.findings,
            "added": run.changed and run.changed.added,
            "removed": run.changed and run.changed.removed,
            "seconds": run.seconds,
            "outcome": "succeeded" if run.error is None else "failed",
        }
        for run in runs
    ]
    render.records("table", rows, _AGAIN, title="Asked again, because events landed late", what="hunt")
    failed = [run for run in runs if run.error is not None]
    for run in failed:
        click.echo(f"{run.hunt.name} as of {context.instant(run.as_of)} failed: {run.error}")
    return not failed


_AGAIN = [
    Column("as_of", "as of"),
    Column("hunt"),
    Column("findings"),
    Column("added"),
    Column("removed"),
    Column("seconds", show=showing.number),
    Column("outcome"),
]


def _print_asked(runs: Sequence[HuntRun]) -> bool:
    if not runs:
        return True
    are_few = len(runs) <= MOST_LISTED
    listed = [run for run in runs if are_few or run.findings or run.error is not None]
    rows = [counts(run) for run in listed]
    moment = context.instant(runs[0].as_of)
    title = f"Hunts as of {moment}" if are_few else f"Hunts as of {moment} that found something or failed"
    render.records("table", rows, COUNTS, title=title, empty=f"No hunt as of {moment} found anything", what="hunt")
    failed = [run for run in runs if run.error is not None]
    for run in failed:
        click.echo(f"{run.hunt.name} failed: {run.error}")
    if not are_few:
        render.records("table", _by_outcome(runs), _OUTCOMES, title="Outcomes", what="outcome")
    click.echo(f"{len(runs) - len(failed)} succeeded, {len(failed)} failed")
    for run in runs:
        if run.too_late:
            events = f"{run.too_late:,} event{'s' * (run.too_late != 1)}"
            click.echo(f"{run.hunt.name}: {events} landed too late to ask again about their time (hunting.late)")
    return not failed


def counts(run: HuntRun) -> dict[str, Any]:
    """What is printed of a run."""
    return {
        "hunt": run.hunt.name,
        "matched": run.matched,
        "suppressed": run.suppressed,
        "findings": run.findings,
        "seconds": run.seconds,
        "outcome": "succeeded" if run.error is None else "failed",
    }


_OUTCOMES = [
    Column("outcome"),
    Column("hunts"),
    Column("matched"),
    Column("suppressed"),
    Column("findings"),
    Column("seconds", show=showing.number),
]


def _by_outcome(runs: Sequence[HuntRun]) -> list[dict[str, Any]]:
    """Sums of the runs of each outcome. Hunts run at the same time: their seconds are more than the run's."""
    outcomes: dict[str, list[HuntRun]] = {"found something": [], "found nothing": [], "failed": []}
    for run in runs:
        found = "found something" if run.findings else "found nothing"
        outcomes["failed" if run.error is not None else found].append(run)
    return [
        {
            "outcome": outcome,
            "hunts": len(some),
            "matched": sum(run.matched or 0 for run in some),
            "suppressed": sum(run.suppressed or 0 for run in some),
            "findings": sum(run.findings or 0 for run in some),
            "seconds": sum(run.seconds or 0 for run in some),
        }
        for outcome, some in outcomes.items()
    ]


# Runs

_COSTS = {
    "seconds": "seconds",
    "matched": "matched",
    "findings": "findings",
    "scanned": "events_scanned",
    "bytes": "bytes_read",
}
"""What runs are sorted by, with the column of `hunts.runs`."""


@SECTION.command("runs")
@options.hunts
@options.as_of("Only runs as of this instant", default="runs of every as-of")
@click.option(
    "--last", metavar="N", type=options.COUNT, default=20, show_default=True, help="How many runs, the newest first"
)
@click.option(
    "--sort",
    type=click.Choice(["newest", *_COSTS]),
    default="newest",
    show_default=True,
    help="Which runs come first: the newest, or those that took or found the most",
)
@click.option("--due", is_flag=True, help="Print when each hunt is due, at --as-of or now, instead of runs")
@options.formats()
def runs(config: Config, names: Sequence[str], as_of: int | None, last: int, sort: str, due: bool, form: str) -> None:
    """Print what the runs of hunts did: windows, events read, findings, errors.

    HUNT is an id or a name; default: all hunts. With --sort, the dearest of all runs, or of those of an as-of."""
    from lakehunt.hunting.findings import run_log

    if due:
        from lakehunt.cli.due import print_dues

        print_dues(config, names, context.now() if as_of is None else as_of, form)
        return

    chosen = context.loaded_hunts(config, names)
    with context.small_tables(config) as lake:
        rows = run_log.recent_runs(lake, chosen, as_of, last if sort == "newest" else sys.maxsize)
    title = "Runs, newest first" if sort == "newest" else f"Runs by {sort}, the most first"
    render.records(form, dearest(rows, sort)[:last], _RUN_COLUMNS, title=title, empty="no runs", what="run")


def dearest(rows: Sequence[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    """The runs in this order; those without a value come last, and equal ones stay in their order."""
    if sort == "newest":
        return list(rows)
    return sorted(rows, key=lambda row: -1 if row[_COSTS[sort]] is None else row[_COSTS[sort]], reverse=True)


_RUN_COLUMNS = [
    Column("as_of", "as of", showing.moment),
    Column("hunt_name", "hunt"),
    Column("hunt_version", "version"),
    Column("window_start", "window from", showing.moment),
    Column("mode"),
    Column("events_scanned", "scanned"),
    Column("bytes_read", "MB", showing.megabytes),
    Column("matched"),
    Column("suppressed"),
    Column("findings"),
    Column("seconds"),
    Column("outcome"),
    Column("reason", show=lambda reason: reason or "asked"),
    Column("too_late", "too late"),
    Column("error"),
]


# Exclusions


@SECTION.command("exclusions")
@options.as_of("The end of the last day")
@click.option(
    "--days", metavar="N", type=options.COUNT, default=7, show_default=True, help="Count runs of the last N days"
)
@options.formats()
def exclusions(config: Config, as_of: int, days: int, form: str) -> bool:
    """Print exclusions, and what each of them suppressed lately."""
    from lakehunt.hunting.findings import suppression

    hunts, fine = context.checked_hunts(config, context.tables(config))
    known = {one.name: one for hunt in hunts for one in hunt.exclusions}
    with context.lake(config) as lake:
        effects = suppression.exclusion_effects(lake, known.values(), as_of, days)
    names = {hunt.id: hunt.name for hunt in hunts}
    title = f"Exclusions, and events that they suppressed in runs of the last {days} days"
    rows = [_effect(one, names) for one in effects]
    render.records(form, rows, _EFFECT_COLUMNS, title=title, empty="no exclusions", what="exclusion")
    if form in {"table", "vertical"}:
        _print_remarks(effects)
    return fine


_EFFECT_COLUMNS = [
    Column("name", "exclusion"),
    Column("state"),
    Column("expires"),
    Column("events", "suppressed"),
    Column("last"),
    Column("owner"),
    Column("hunts"),
]
"""Columns of the table format. The reason may be long, so only other formats have it."""


def _effect(one: ExclusionEffect, names: Mapping[str, str]) -> dict[str, Any]:
    exclusion = one.exclusion
    return {
        "name": exclusion.name,
        "state": one.state,
        "expires": exclusion.expires and exclusion.expires.isoformat(),
        "events": one.events,
        "last": one.last and one.last.isoformat(),
        "owner": exclusion.owner,
        "hunts": [names.get(hunt, hunt) for hunt in exclusion.hunts],
        "reason": " ".join(exclusion.reason.split()),
        "table": exclusion.table,
        "where": exclusion.where,
        "file": str(exclusion.file),
        "line": exclusion.position.line,
    }


def _print_remarks(effects: Sequence[ExclusionEffect]) -> None:
    idle = [one.exclusion.name for one in effects if one.state == "on" and not one.events]
    if idle:
        click.echo(f"on, but suppressed nothing: {', '.join(idle)}")
    for one in effects:
        if one.state == "expired":
            ended = f"{one.exclusion.name} expired on {one.exclusion.expires} and suppresses nothing any more"
            click.echo(f"{ended}: ask {one.exclusion.owner}, then renew or remove it")


# Explanations


@SECTION.command("explain")
@options.hunts
@options.as_of(options.SEE_EVENTS)
@click.option("--spark", is_flag=True, help="Also print Spark's plan for the query over the lake")
@click.option("-v", "--verbose", is_flag=True, help="Also exclusions that are off or expired, and columns of the hits")
def explain(config: Config, names: Sequence[str], as_of: int, spark: bool, verbose: bool) -> None:
    """Explain how a hunt is run: what is decided event by event, and why not; and what its last run took.

    HUNT is an id or a name; default: all hunts."""
    from lakehunt.hunting import compiled_hunt, explanation

    tables = context.tables(config)
    compiled = [compiled_hunt.compile_hunt(one, tables) for one in context.loaded_hunts(config, names)]
    last = _last_runs(config, [one.hunt for one in compiled])
    for one in compiled:
        clock_of = _clock(config, one.hunt, as_of)
        click.echo("\n".join(explained(explanation.explain(one, as_of), verbose, last.get(one.hunt.id), clock_of)))
    if spark:
        with context.lake(config) as lake:
            for one in compiled:
                click.echo(explanation.spark_plan(lake, one, as_of, tables))


_DECIDED = {True: "matcher", False: "Spark, if the matcher leaves it open"}
"""What decides a condition: the matcher, which searches for all hunts' texts at once, or an expression of Spark."""


def _last_runs(config: Config, hunts: Sequence[Hunt]) -> dict[str, dict[str, Any]]:
    """The last run of each hunt that has ended, by its id, where the lake has a run log that is read without Spark."""
    from lakehunt.hunting.findings import run_log
    from lakehunt.schemas.hunt_tables import RUNS

    tables = context.without_spark(config)
    if tables is None or not tables.exists(RUNS.name):
        return {}
    unended = {run_log.STARTED, run_log.SKIPPED}
    ended = [row for row in run_log.recent_runs(tables, hunts, None, sys.maxsize) if row["outcome"] not in unended]
    return {str(row["hunt_id"]): row for row in reversed(ended)}


def _what_it_took(run: Mapping[str, Any]) -> str:
    """What a run read and found, and how long that took."""
    told = f"  last run, as of {showing.moment(run['as_of'])}: "
    if run["error"] is not None:
        return f"{told}failed: {run['error']}"
    counts = [f"{run[name]:,} {what}" for name, what in _MEASURED.items() if run[name] is not None]
    seconds = [] if run["seconds"] is None else [f"{showing.number(run['seconds'])} s"]
    return told + ", ".join([*counts, *seconds])


MOST_KEYWORDS = 6
"""Maximum keywords that are named."""


def _looked_at(table: ExplainedTable) -> str:
    """Of which new events the conditions are looked at: what a hunt costs in a pass."""
    if table.keywords is None:
        return f"dear: every new event of {table.name} is looked at, because no text has to occur in it"
    shown = ", ".join(f"{column} {text!r}" for column, text in table.keywords[:MOST_KEYWORDS])
    more = len(table.keywords) - MOST_KEYWORDS
    rest = f" and {more:,} more" if more > 0 else ""
    these = "the keyword" if len(table.keywords) == 1 else f"one of {len(table.keywords):,} keywords:"
    return f"events of {table.name} are looked at that have {these} {shown}{rest}"


_MEASURED = {"events_scanned": "events read", "matched": "matched", "suppressed": "suppressed", "findings": "findings"}


def _clock(config: Config, hunt: Hunt, as_of: int) -> str:
    """When a hunt is asked, and why then."""
    from lakehunt.hunting import clock
    from lakehunt.hunting.content import period

    every = clock.frequency(hunt, config.hunting)
    why = "hunting.frequency of the configuration"
    if hunt.query_frequency is not None:
        why = "its queryFrequency" if hunt.query_frequency == every else "the nearest to its queryFrequency"
    elif hunt.kind.lower() == clock.NEAR_REAL_TIME:
        why = "as it is of kind NRT"
    return f"every {period.written(every)} ({why}), newest: {context.instant(clock.newest(every, as_of))}"


def explained(
    one: Explanation, verbose: bool, last: Mapping[str, Any] | None = None, clock: str | None = None
) -> Iterator[str]:
    """The lines about a hunt; `last` is the row of its last run, `clock` says when it is asked."""
    window = one.window
    start = "the beginning" if window.since is None else context.instant(window.since)
    yield f"{one.hunt.name} ({one.hunt.id}, version {one.hunt.digest})"
    yield f"  window: from {start} to {context.instant(window.until)}"
    if clock is not None:
        yield f"  as-ofs of its clock: {clock}"
    if one.why is not None:
        yield f"  full scan: every run reads all events of its window, because {one.why}"
    else:
        yield "  incremental: every event is read once, after it landed"
    if last is not None:
        yield _what_it_took(last)
    for name, why in one.in_full.items():
        yield f"  except for {name}: every run reads all its events of the window, because {why}"
    for table in one.tables:
        yield f"  {_looked_at(table)}"
        yield f"  an event of {table.name} is kept as a hit if"
        for number, conditions in enumerate(table.alternatives):
            yield from (["    or"] if number else [])
            for condition in conditions:
                yield f"    {condition.text}   [{_DECIDED[condition.by_matcher]}]"
    for exclusion, state in one.exclusions:
        if state == "on" or verbose:
            yield f"  unless excluded by {exclusion.name} ({state}): {' '.join(exclusion.where.split())}"
    for table in one.tables if verbose else ():
        yield f"  columns of the hits in {table.name}: {', '.join(table.columns)}"
    yield "  steps:" if one.why is not None else "  then, on the hits of the window:"
    yield from (f"    {step}" for step in one.plan)
    yield ""
