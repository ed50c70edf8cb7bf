"""`lakehunt status`, `telemetry`, `alert`, `maintain` and `forget`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import context, options, render, showing
from lakehunt.cli.render import Column
from lakehunt.cli.section import Section
from lakehunt.core.credentials import redacted
from lakehunt.core.errors import UsageError
from lakehunt.core.progress import Progress

if TYPE_CHECKING:
    from lakehunt.alerts.sending import AlertDelivery
    from lakehunt.config import Config
    from lakehunt.hunting.clock import Due
    from lakehunt.hunting.content.hunt_file import Hunt
    from lakehunt.lake.delta_lake import Lake
    from lakehunt.lake.small_tables import LocalTables
    from lakehunt.operations.erasure import LostFindings
    from lakehunt.operations.maintenance import TableMaintenance
    from lakehunt.operations.status import Status
    from lakehunt.quality.volume import DayVolume

SECTION = Section("Operations")


@SECTION.command("status")
@options.formats()
def status(config: Config, form: str) -> None:
    """Print what the lake holds, what is due, what has failed, and what to do next.

    Other formats than table and vertical print the tables only."""
    from lakehunt.operations import status as overview

    hunts, now = context.loaded_hunts(config, ()), context.now()
    with context.small_tables(config) as lake:
        found = overview.status(lake, hunts, config.hunting, now)
    names = _names_of_tables(hunts)
    rows = [vars(one) | {"hunt": names.get(one.table)} for one in found.tables]
    columns = [_table_column(names), *_STATUS_COLUMNS]
    if form not in render.FOR_READING:
        render.records(form, rows, columns)
        return
    render.records(form, rows, columns, title=f"Lake {redacted(found.lake)}", what="table")
    click.echo()
    render.records(form, found.runs, _LAST_RUN_COLUMNS, title="Last runs", empty="no hunt has run yet", what="run")
    click.echo()
    due = [_lagging(one, overview.lag(one, now)) for one in found.due]
    _print_some(form, due, _DUE_COLUMNS, f"Hunts that are due at {context.instant(now)}", "hunt")
    _print_some(form, found.failing, _FAILING_COLUMNS, "Hunts whose last run failed", "hunt")
    _print_some(form, [vars(one) for one in found.late], _LATE_COLUMNS, "Late events in the last 7 days", "hunt")
    _print_some(form, found.batches, _BATCH_COLUMNS, "Batches that are refused", "batch")
    _print_some(form, [vars(one) for one in found.refused], _REFUSED_COLUMNS, "Files that landing refuses", "file")
    context.next_steps(*_what_is_next(found))


MOST_SHOWN = 10
"""Rows of a part of the status."""


def _print_some(form: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], title: str, what: str) -> None:
    """Prints the first rows under a title that counts all; nothing without rows."""
    if rows:
        counted = f"{title}: {len(rows):,}, the first {MOST_SHOWN}" if len(rows) > MOST_SHOWN else title
        render.records(form, rows[:MOST_SHOWN], columns, title=counted, what=what)
        click.echo()


def _lagging(due: Due, lag: timedelta) -> dict[str, Any]:
    from lakehunt.hunting.content import period

    return {
        "hunt_name": due.hunt.name,
        "every": period.written(due.frequency),
        "due": len(due.as_ofs),
        "first_due": context.instant(due.as_ofs[0]),
        "lag": str(timedelta(seconds=int(lag.total_seconds()))),
        "again": len(due.again),
        "skipped": 0 if due.skipped is None else due.skipped.count,
    }


_STATUS_COLUMNS = [
    Column("rows"),
    Column("files"),
    Column("bytes", "MB", showing.megabytes),
    Column("first", "from", showing.moment),
    Column("last", "to", showing.moment),
]
_LAST_RUN_COLUMNS = [
    Column("as_of", "as of", showing.moment),
    Column("hunt_name", "hunt"),
    Column("findings"),
    Column("outcome"),
    Column("error"),
]
_DUE_COLUMNS = [
    Column("hunt_name", "hunt"),
    Column("every"),
    Column("due", "as-ofs due"),
    Column("first_due", "first"),
    Column("lag"),
    Column("again", "failed before"),
    Column("skipped", "skipped"),
]
_FAILING_COLUMNS = [
    Column("as_of", "as of", showing.moment),
    Column("hunt_name", "hunt"),
    Column("started_at", "started", showing.moment),
    Column("error"),
]
_LATE_COLUMNS = [
    Column("hunt_name", "hunt"),
    Column("asked_again", "as-ofs asked again"),
    Column("added", "findings added"),
    Column("removed", "findings removed"),
    Column("too_late", "events too late"),
]
_BATCH_COLUMNS = [
    Column("batch"),
    Column("event_table", "table"),
    Column("landed_at", "landed", showing.moment),
    Column("delivered", "records"),
    Column("detail", "why"),
]
_REFUSED_COLUMNS = [
    Column("file"),
    Column("bytes", "MB", showing.megabytes),
    Column("modified_at", "modified", showing.moment),
    Column("noted_at", "refused", showing.moment),
    Column("reason"),
]


def _names_of_tables(hunts: Sequence[Hunt]) -> dict[str, str]:
    """Names of hunts by their findings tables, whose names contain only the id."""
    return {f"findings.{hunt.id}": hunt.name for hunt in hunts}


def _table_column(names: Mapping[str, str]) -> Column:
    """The column of table names, with a hunt's name for its findings table."""
    return Column("table", show=lambda table: render.shown(_in_words(table, names)))


def _in_words(table: str, names: Mapping[str, str]) -> str:
    return f"findings: {names[table]}" if table in names else table


def _what_is_next(found: Status) -> list[str]:
    if found.last_event is None:
        return ["land SOURCE", "hunt"]
    steps = ["validate"] if found.batches else []
    steps += ["hunt --due"] if found.due else []
    for row in found.failing[:1]:
        at = showing.moment(row["as_of"]).replace(" ", "T")
        steps.append(f"hunt {row['hunt_id']} --as-of {at}")
    if found.runs:
        return [*steps, "findings", "report"]
    return steps or ["hunt", "findings"]


# Metrics


@SECTION.command("metrics")
def metrics(config: Config) -> None:
    """Print metrics of the lake as OpenMetrics text.

    With `metrics` in the configuration, every job publishes them."""
    from lakehunt.cli import measuring
    from lakehunt.operations.metrics import publishing, text

    with context.small_tables(config) as lake:
        families = publishing.current(config.metrics, config.lake, measuring.ledgers(config, lake))
    click.echo(text.openmetrics(families, config.metrics.labels), nl=False)


# Telemetry


@SECTION.command("telemetry")
@options.as_of("The end of the newest day")
@click.option(
    "--days", metavar="N", type=options.COUNT, default=14, show_default=True, help="How many days, the newest first"
)
@options.formats()
def telemetry(config: Config, as_of: int, days: int, form: str) -> bool:
    """Print how many events each day had, and what is unusual about it."""
    from lakehunt.quality import volume

    with context.lake(config) as lake:
        found = volume.judge_days(lake, config.expectations, as_of, days)
    print_telemetry(found, form)
    return not found[0].critical


_DAY = ("as_of", "events", "usual_events", "percent_of_usual", "hours_without_events", "quarantined_percent")
_DAY_COLUMNS = [
    Column("as_of", "day to", lambda at: f"{at:%Y-%m-%d %H:%M}"),
    Column("events"),
    Column("usual_events", "usual", showing.number),
    Column("percent_of_usual", "% of usual", showing.number),
    Column("hours_without_events", "hours without", showing.number),
    Column("quarantined_percent", "% quarantined", showing.number),
    Column("remarks"),
]


def print_telemetry(days: Sequence[DayVolume], form: str) -> None:
    """Prints days. The table format has codes for violated expectations, explained below the table."""
    rows = [{name: getattr(day, name) for name in _DAY} for day in days]
    if form != "table":
        found = [
            row | {"critical": day.critical, "warnings": day.warnings} for row, day in zip(rows, days, strict=True)
        ]
        render.records(form, found, _DAY_COLUMNS, what="day")
        return
    codes: dict[str, str] = {}
    coded = [row | {"remarks": " ".join(_codes(day, codes))} for row, day in zip(rows, days, strict=True)]
    render.records(form, coded, _DAY_COLUMNS, title="Telemetry, newest day first", what="day")
    for text, code in codes.items():
        click.echo(f"{code}: {text}")


def _codes(day: DayVolume, codes: dict[str, str]) -> list[str]:
    """A code for each violation of a day: C1 is critical, W1 a warning. Adds new ones to `codes`."""
    kinds = [("C", text) for text in day.critical] + [("W", text) for text in day.warnings]
    for kind, text in kinds:
        same_kind = sum(code.startswith(kind) for code in codes.values())
        codes.setdefault(_without_number(text), f"{kind}{same_kind + 1}")
    return [codes[_without_number(text)] for _, text in kinds]


def _without_number(text: str) -> str:
    """The message of a violated expectation without the observed number, which is in the table."""
    return re.sub(r" \(it is [^)]*\)", "", text)


def judged_day(lake: Lake | LocalTables, config: Config, as_of: int) -> DayVolume:
    """The telemetry of the day before an as-of (ticks)."""
    from lakehunt.quality import volume

    return volume.judge_days(lake, config.expectations, as_of)[0]


def print_unusual(day: DayVolume) -> bool:
    """Prints what is unusual about the telemetry of a day; returns whether nothing is critical."""
    for kind, texts in (("critical", day.critical), ("warning", day.warnings)):
        for text in texts:
            click.echo(f"telemetry: {kind}: {text}", err=True)
    return not day.critical


# Alerts


@SECTION.command("alert", is_job=True)
@options.as_of("The as-of of the run that the alerts are about")
def alert(config: Config, as_of: int) -> bool:
    """Send new findings and failures to the configured channels, each once."""
    with context.progress() as say, context.lake(config) as lake:
        return send_alerts(lake, config, as_of, judged_day(lake, config, as_of), say)


def send_alerts(lake: Lake, config: Config, as_of: int, day: DayVolume | None, say: Progress) -> bool:
    """Sends the alerts due for an as-of (ticks), and of the telemetry of its day; returns whether every channel
    accepted all of them."""
    from lakehunt.alerts import sending

    if not config.alerts.channels:
        say("nothing is sent: the configuration has no alerts (docs/how-to/alerts.md)")
    return _print_sent(sending.send(lake, config.alerts, as_of, datetime.now(UTC), say, day))


def _print_sent(done: Sequence[AlertDelivery]) -> bool:
    for one in done:
        if one.error:
            click.echo(f"{one.channel}: not sent: {one.alert.title}: {one.error}", err=True)
        else:
            click.echo(f"{one.channel}: {one.alert.title}")
    if not done:
        click.echo("nothing new to send")
    return all(one.error is None for one in done)


# Maintenance


@SECTION.command("maintain", is_job=True)
@click.option("--table", "only", metavar="NAME", multiple=True, help="Only this table; may be repeated")
@click.option("--dry-run", is_flag=True, help="Print what retention would delete, and change nothing")
@click.option("--force", is_flag=True, help="Allow vacuum_hours below 168: only when nothing else uses the lake")
@options.formats()
def maintain(config: Config, only: Sequence[str], dry_run: bool, force: bool, form: str) -> bool:
    """Delete rows past their retention, compact tables, VACUUM."""
    from lakehunt.hunting.content import hunt_file
    from lakehunt.operations import maintenance, stale_hits
    from lakehunt.schemas.hunt_tables import HITS_TABLES

    now = datetime.now(UTC)
    maintenance.check_window(config.retention.vacuum_hours, force)
    hunts, errors = hunt_file.load_folder(context.hunts_folder(config))
    names = _names_of_tables(hunts)
    with context.progress(total=True) as say, context.lake(config, writing=True) as lake:
        chosen = maintenance.select_tables(lake, list(only))
        hits = {table.name for table in HITS_TABLES}
        if not errors and not hits.isdisjoint(chosen):  # an invalid file may be a hunt that still needs its hits
            say("looking for hits that no hunt uses")
            _print_unused(stale_hits.delete_stale(lake, {one.digest for one in hunts}, now, dry_run), dry_run)
        done = maintenance.maintain_tables(lake, config.retention, now, _naming_hunts(say, names), chosen, dry_run)
        if not dry_run and not only:
            _render_pages(config, say)
    return _print_upkeep(done, names, dry_run, form)


def _render_pages(config: Config, say: Progress) -> None:
    """Renders the pages of Data Docs that landing left: those of batches of which nothing was refused."""
    from lakehunt.core import disk
    from lakehunt.quality import data_docs_site

    folder = config.data_docs.within(config.lake).folder
    if folder is None:
        return
    say("rendering Data Docs")
    try:
        data_docs_site.render(folder)
    except OSError as error:
        click.echo(f"no Data Docs: {disk.why(error, folder)}", err=True)


def _naming_hunts(say: Progress, names: Mapping[str, str]) -> Progress:
    """Progress that shows hunts' names instead of their tables."""

    def named(step: str) -> None:
        *words, table = step.split(" ")
        say(" ".join([*words, _in_words(table, names)]))

    return named


def _print_unused(hits: int, dry_run: bool) -> None:
    if hits:
        verb = "would be removed" if dry_run else "removed"
        click.echo(
            f"{hits} hits {verb}: their hunts, or those versions of them, are not in the folder of hunts", err=True
        )


def _print_upkeep(done: Sequence[TableMaintenance], names: Mapping[str, str], dry_run: bool, form: str) -> bool:
    """Prints a line for each table; returns whether there were no errors."""
    columns = [
        _table_column(names),
        Column("files_before", "files"),
        Column("files_after", "now"),
        Column("bytes_after", "MB", showing.megabytes),
        Column("rows_deleted", "rows to delete" if dry_run else "rows deleted"),
        Column("freed", "MB freed", showing.megabytes),
        Column("seconds"),
        Column("error"),
    ]
    rows: list[dict[str, Any]] = [{"table": one.table, "hunt": names.get(one.table)} | vars(one) for one in done]
    title = "What would be deleted" if dry_run else "Maintained"
    render.records(form, rows, columns, title=title, what="table")
    return all(one.error is None for one in done)


# Forgetting


class _Value(click.ParamType[str]):
    """A name or an id, which must not be empty."""

    name = "VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("an empty value would match records that name nobody", param, ctx)
        return str(value).strip()


@SECTION.command("forget", is_job=True)
@click.option("--device", type=_Value(), multiple=True, help="Its DeviceId or DeviceName; may be repeated")
@click.option("--account", type=_Value(), multiple=True, help="Its name, SID, UPN or object id; may be repeated")
@click.option("--dry-run", is_flag=True, help="Count what would be removed, and change nothing")
def forget(config: Config, device: Sequence[str], account: Sequence[str], dry_run: bool) -> None:
    """Remove everything about a device or an account from the lake."""
    from lakehunt.operations import erasure

    who = erasure.ErasureRequest(tuple(device), tuple(account))
    if not who.values:
        raise UsageError("name a --device or an --account")
    kept_from = config.retention.oldest("events", datetime.now(UTC))
    with context.progress() as say, context.lake(config, writing=True) as lake:
        say("looking for events and findings")
        found = erasure.find_matches(lake, who)
        lost = erasure.lost_findings(lake, found)
        _print_lost(lost, list(erasure.commands(lost, kept_from)))
        _print_forgotten(erasure.forget(lake, found, say, dry_run), dry_run)


def _print_lost(lost: Sequence[LostFindings], commands: Sequence[str]) -> None:
    """Prints which hunts lose findings, and the commands that compute them from what is left."""
    for one in lost:
        what = f"{one.findings} findings go" if one.findings else "findings may count events that go"
        click.echo(f"{one.hunt_name}, as of {context.instant(one.as_of)}: {what}")
    if commands:
        click.echo("Afterwards, compute them from the events that are left:")
        for command in commands:
            click.echo(f"  {command}")


def _print_forgotten(done: Mapping[str, int], dry_run: bool) -> None:
    """Prints the number of rows erased from each table, and what is left to do."""
    for name, rows in done.items():
        click.echo(f"{rows:>10}  {name}")
    if not dry_run:
        click.echo("Files of old versions still hold them until `lakehunt maintain` has removed those (vacuum_hours).")
