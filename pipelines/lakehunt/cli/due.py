"""What `lakehunt hunt --due` and `watch` do: hunts at as-ofs of their own, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import context, hunts, operate, render
from lakehunt.cli.render import Column
from lakehunt.core.progress import Progress

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.hunting.clock import Asked, Due
    from lakehunt.hunting.content.hunt_file import Hunt
    from lakehunt.hunting.findings.run_log import HuntRun
    from lakehunt.hunting.query.table_catalog import TableCatalog
    from lakehunt.lake.delta_lake import Lake
    from lakehunt.lake.small_tables import LocalTables
    from lakehunt.quality.volume import DayVolume

Opened = Callable[[], AbstractContextManager["Lake"]]
"""Opens the lake in a Spark session."""

NO_EVENTS = "nothing is due: no event has landed in this lake yet"

WORK = "due"
"""The name of the lock that one process holds while it asks what is due."""


def hunt_due(config: Config, names: Sequence[str], now: int, alert: bool, say: Progress) -> bool:
    """Asks hunts at all as-ofs at which they are due at an instant (ticks), and prints what they found. Spark starts if
    something may be found. Returns whether everything succeeded."""

    def opened() -> AbstractContextManager[Lake]:
        return context.lake(config, learning=True, writing=True)

    chosen, fine = context.readable_hunts(config, names)
    return asked_due(config, chosen, now, alert, say, opened, lambda: context.begin(config, learning=True)) and fine


def asked_due(
    config: Config,
    chosen: Sequence[Hunt],
    now: int,
    alert: bool,
    say: Progress,
    opened: Opened,
    begin: Callable[[], None],
    tables: TableCatalog | None = None,
    quiet: bool = False,
) -> bool:
    """The same of hunts that are read already. `begin` lets Spark start for `opened`; `tables` keep what they compiled.
    With `quiet`, nothing is said where nothing is due, or nothing found."""
    from lakehunt.hunting import clock
    from lakehunt.lake import write_lock
    from lakehunt.schemas.hunt_tables import PASSES

    context.check_place(config)
    with write_lock.only_one(config.lake, WORK) as is_alone:
        if not is_alone:
            say("another command is asking what is due in this lake")
            return True
        tables = tables or context.tables(config)
        local = context.without_spark(config)
        if local is None:
            with opened() as lake:
                if not _has_events(lake):
                    return _not_due(NO_EVENTS, quiet)
                found = clock.all_due(lake, chosen, config.hunting, now, datetime.now(UTC))
                return _asked(config, found, tables, None, alert, say, lambda: nullcontext(lake), quiet)
        if not _has_events(local):
            return _not_due(NO_EVENTS, quiet)
        found = clock.all_due(local, chosen, config.hunting, now, datetime.now(UTC))
        if not any(due.as_ofs for due in found):
            return _not_due(nothing_due(found), quiet)
        if not local.exists(PASSES.name):
            begin()
        return _asked(config, found, tables, local, alert, say, opened, quiet)


def _not_due(why: str, quiet: bool) -> bool:
    if not quiet:
        click.echo(why)
    return True


def _has_events(lake: Lake | LocalTables) -> bool:
    from lakehunt.schemas.event_tables import EVENT_TABLES

    return any(lake.exists(table.events.name) for table in EVENT_TABLES)


def nothing_due(found: Sequence[Due]) -> str:
    """Says which hunt is due next."""
    following = min(found, key=lambda due: due.following, default=None)
    if following is None:
        return "nothing is due: there are no hunts"
    return f"nothing is due; next: {following.hunt.name}, at {context.instant(following.following)}"


def _asked(
    config: Config,
    found: Sequence[Due],
    tables: TableCatalog,
    local: LocalTables | None,
    alert: bool,
    say: Progress,
    opened: Opened,
    quiet: bool,
) -> bool:
    from lakehunt.hunting import due_run

    asked = due_run.in_order(found)
    say(f"due: {_counted(len(asked), 'as-of')} of {_counted(sum(bool(due.as_ofs) for due in found), 'hunt')}")
    runs: list[HuntRun] = []
    if local is not None:
        with context.written(config):
            _print_skipped(due_run.record_skipped(local, found, config.hunting.catch_up))
            runs, asked = due_run.ask_quiet(local, asked, tables, config.hunting.late)
        if runs:
            say(f"{_counted(len(runs), 'as-of')} without new events, and without a hit in the window")
        if not asked:
            days = _judged(local, config, runs)
            fine = _are_usual(days)
            if alert and config.alerts.channels and any(day.critical or day.warnings for day in days):
                with opened() as lake:
                    fine = _sent(lake, config, runs, days, say) and fine
            return (quiet or print_due(runs, found)) and fine
    with opened() as lake:
        if local is None:
            _print_skipped(due_run.record_skipped(lake, found, config.hunting.catch_up))
        for some in due_run.ask(lake, asked, say, tables, config.limits, config.hunting.late):
            runs += some
        days = _judged(lake, config, runs)
        fine = _are_usual(days)
        fine = (not alert or _sent(lake, config, runs, days, say)) and fine
    return print_due(runs, found) and fine


def _judged(lake: Lake | LocalTables, config: Config, runs: Sequence[HuntRun]) -> list[DayVolume]:
    """The telemetry of each day that ended with an as-of of these runs: it is judged once a day."""
    from lakehunt.kql.types import TICKS_PER_DAY

    midnights = sorted({run.as_of for run in runs if run.as_of % TICKS_PER_DAY == 0 and run.found_as_of is None})
    return [operate.judged_day(lake, config, at) for at in midnights]


def _are_usual(days: Sequence[DayVolume]) -> bool:
    """Prints what is unusual about each day; returns whether nothing is critical."""
    told = [operate.print_unusual(day) for day in days]
    return all(told)


def _sent(lake: Lake, config: Config, runs: Sequence[HuntRun], days: Sequence[DayVolume], say: Progress) -> bool:
    """Alerts what each as-of brought, and of the telemetry of these days."""
    from lakehunt.kql import times

    judged = {times.from_datetime(day.as_of): day for day in days}
    asked = [run for run in runs if run.found_as_of is None]
    news = {run.as_of for run in asked if run.findings or run.error is not None}
    news |= {run.found_as_of for run in runs if run.found_as_of is not None}  # these alerts tell of late findings
    last = {max(run.as_of for run in asked)} if asked else set()
    sent = [operate.send_alerts(lake, config, at, judged.get(at), say) for at in sorted(news | judged.keys() | last)]
    return all(sent)


def _print_skipped(runs: Sequence[HuntRun]) -> None:
    for run in runs:
        click.echo(f"{run.hunt.name}: {run.error}", err=True)


_COUNTS = [Column("as_of", "as of", context.instant), *hunts.COUNTS]


def print_due(runs: Sequence[HuntRun], found: Sequence[Due]) -> bool:
    """Prints the as-ofs at which hunts found something or failed; returns whether all succeeded."""
    again = [run for run in runs if run.found_as_of is not None]
    runs = [run for run in runs if run.found_as_of is None]
    if len({run.as_of for run in runs}) == 1:
        fine = hunts.print_runs(runs)
    else:
        listed = [run for run in runs if run.findings or run.error is not None]
        rows = [hunts.counts(run) | {"as_of": run.as_of} for run in listed]
        title = "Hunts that found something or failed"
        render.records("table", rows, _COUNTS, title=title, empty="No hunt found anything", what="as-of")
        failed = [run for run in runs if run.error is not None]
        for run in failed:
            click.echo(f"{run.hunt.name} as of {context.instant(run.as_of)} failed: {run.error}")
        click.echo(f"{len(runs) - len(failed)} succeeded, {len(failed)} failed")
        fine = not failed
    for run in runs:
        if run.error is not None and _is_last_attempt(run, found):
            what = f"{run.hunt.name} has failed too often as of {context.instant(run.as_of)} and is not asked again"
            click.echo(f"{what}: `lakehunt hunt {run.hunt.id} --as-of {context.instant(run.as_of)}` asks it")
    return hunts.print_asked_again(again) and fine


def _is_last_attempt(run: HuntRun, found: Sequence[Due]) -> bool:
    from lakehunt.hunting.clock import ATTEMPTS

    before = next((due.failures.get(run.as_of, 0) for due in found if due.hunt.id == run.hunt.id), 0)
    return before + 1 >= ATTEMPTS


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


# What is due


def rows(found: Sequence[Due], asked: dict[str, Asked]) -> Iterator[dict[str, Any]]:
    """What `lakehunt runs --due` prints of each hunt; times as ticks."""
    from lakehunt.hunting.content import period

    for due in found:
        last = asked.get(due.hunt.id)
        yield {
            "hunt_id": due.hunt.id,
            "hunt_name": due.hunt.name,
            "every": period.written(due.frequency),
            "last": None if last is None else context.instant(last.last),
            "due": len(due.as_ofs),
            "first_due": context.instant(due.as_ofs[0]) if due.as_ofs else None,
            "again": len(due.again),
            "skipped": 0 if due.skipped is None else due.skipped.count,
            "next": context.instant(due.following),
        }


COLUMNS = [
    Column("hunt_name", "hunt"),
    Column("every"),
    Column("last", "last as of"),
    Column("due", "as-ofs due"),
    Column("first_due", "first"),
    Column("again", "failed before"),
    Column("skipped", "skipped"),
    Column("next"),
]


def print_dues(config: Config, names: Sequence[str], now: int, form: str) -> None:
    """Prints when each hunt is due."""
    from lakehunt.hunting import clock

    chosen = context.loaded_hunts(config, names)
    with context.small_tables(config) as lake:
        asked = clock.read_asked(lake, {one.id for one in chosen}, datetime.now(UTC))
    found = [clock.due(one, config.hunting, asked.get(one.id), now) for one in chosen]
    found.sort(key=lambda due: (not due.as_ofs, due.following))
    title = f"What is due at {context.instant(now)}"
    render.records(form, list(rows(found, asked)), COLUMNS, title=title, empty="no hunts", what="hunt")
