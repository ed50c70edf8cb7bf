"""What the commands print: progress on standard error, results on standard output."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from pipelines.hunting import lineage
from pipelines.kql import times
from pipelines.visible import cut, to_json, visible

if TYPE_CHECKING:
    from pipelines.alerts.sending import Delivery as Told
    from pipelines.forgetting import Lost
    from pipelines.hunting.checking import Checked, Problem
    from pipelines.hunting.evidence import Evidence
    from pipelines.hunting.exclusions import Exclusion
    from pipelines.hunting.explaining import Explained
    from pipelines.hunting.ledger import Run
    from pipelines.hunting.lineage import Node
    from pipelines.hunting.query import Answer
    from pipelines.hunting.reading import Found
    from pipelines.hunting.suppression import Effect
    from pipelines.importing.outcomes import Outcome
    from pipelines.lake.maintenance import Upkeep
    from pipelines.landing import Delivery, Settlement
    from pipelines.quality.telemetry import Day
    from pipelines.reporting.writing import Written
    from pipelines.serving.endpoint import Address
    from pipelines.testing.running import Tested

PLAIN_WIDTH = 200
"""Columns of a table that is printed to no terminal."""

SHORT_ID = 12
"""Characters of a finding's id that are shown; `lakehunt evidence` takes them."""

MOST_LETTERS = 300
"""Letters of a command line that a tree shows, unless all are asked for."""


def _console() -> Console:
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)  # `:x:` in a command line is no picture


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows the step that is being worked on, with a spinner on a terminal and a line each elsewhere."""
    console = Console(stderr=True, highlight=False, markup=False)
    started = time.perf_counter()
    with console.status("") if console.is_terminal else _no_spinner() as status:

        def say(step: str) -> None:
            console.print(f"{time.perf_counter() - started:6.1f} s  {step}", style="dim")
            if status is not None:
                status.update(step)

        yield say


@contextmanager
def _no_spinner() -> Iterator[None]:
    yield None


# Landing


def landing(delivery: Delivery | None, settlement: Settlement | None) -> bool:
    """Prints what was landed; whether all of it went well. A record in quarantine is landed, too."""
    console = _console()
    for line in [*_delivery_lines(delivery), *_settlement_lines(settlement)]:
        console.print(line, soft_wrap=True)
    refused = settlement is not None and any(batch.refused for batch in settlement.batches)
    unreadable = delivery is not None and bool(delivery.unreadable)
    return not refused and not unreadable


def _delivery_lines(delivery: Delivery | None) -> Iterator[str]:
    if delivery is None:
        return
    yield (
        f"landed {delivery.delivered} records from {delivery.files_read} files"
        f" ({delivery.files_unchanged} files had not changed)"
    )
    for file, line in delivery.pending:
        yield f"  unfinished: line {line} of {file} is not complete yet; the next run lands it"
    for file, why in delivery.unreadable:
        yield f"  unreadable: {file}: {why}"


def _settlement_lines(settlement: Settlement | None) -> Iterator[str]:
    if settlement is None:
        return
    for batch in settlement.batches:
        yield (
            f"batch {batch.batch}: {batch.delivered} records = {batch.events} events"
            f" + {batch.quarantined} quarantined + {batch.duplicates} duplicates"
            if not batch.refused
            else f"batch {batch.batch}: {batch.delivered} records REFUSED, none of them is in events"
        )
        yield from (f"  refused: {text}" for text in batch.refused)
        yield from (f"  warning: {text}" for text in batch.warnings)
        if batch.page:
            yield f"  see {batch.page}"
        if batch.unknown_properties:
            yield f"  unknown properties, kept: {', '.join(batch.unknown_properties)}"


# Hunts


def hunts(runs: Sequence[Run]) -> None:
    """Prints a line for each run of a hunt."""
    if not runs:
        return
    title = f"Hunts as of {times.format_datetime(runs[0].as_of)}"
    _print_columns(title, _HUNT_COLUMNS, (_hunt_cells(run) for run in runs))


_HUNT_COLUMNS = {
    "hunt": ("name", "left"),
    "matched": ("matched", "right"),
    "suppressed": ("suppressed", "right"),
    "findings": ("findings", "right"),
    "seconds": ("seconds", "right"),
    "": ("error", "left"),
}


def _hunt_cells(run: Run) -> list[str]:
    numbers = ["" if n is None else str(n) for n in (run.matched, run.suppressed, run.findings)]
    return [run.hunt.name, *numbers, "" if run.seconds is None else f"{run.seconds:.1f}", run.error or ""]


def unusual(day: Day) -> bool:
    """Prints what is unusual about the telemetry of a day; whether none of it is critical."""
    for kind, said in (("critical", day.critical), ("warning", day.warnings)):
        for text in said:
            print(f"telemetry: {kind}: {text}", file=sys.stderr)
    return not day.critical


_DAY_COLUMNS = {
    "day to": ("as_of", "left"),
    "events": ("events", "right"),
    "usual": ("usual_events", "right"),
    "% of usual": ("percent_of_usual", "right"),
    "hours without": ("hours_without_events", "right"),
    "% quarantined": ("quarantined_percent", "right"),
    "critical": ("critical", "left"),
    "warnings": ("warnings", "left"),
}
"""What is shown of a day's telemetry: title, field of `Day`, side."""


def _telemetry_table(days: Sequence[Day]) -> None:
    rows = ([_day_cell(getattr(day, name)) for name, _ in _DAY_COLUMNS.values()] for day in days)
    _print_columns("Telemetry, newest day first", _DAY_COLUMNS, rows)


def _day_cell(value: Any) -> str:
    if isinstance(value, tuple):
        return "\n".join(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "" if value is None else f"{value:.1f}".removesuffix(".0")


def _telemetry_json(days: Sequence[Day]) -> None:
    names = [name for name, _ in _DAY_COLUMNS.values()]
    json_lines(dict(zip(names, (_plain(getattr(day, name)) for name in names), strict=True)) for day in days)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


TELEMETRY: dict[str, Callable[[Sequence[Day]], None]] = {"table": _telemetry_table, "json": _telemetry_json}
"""The forms in which telemetry is printed; json is a line each."""

_RUN_COLUMNS = {
    "as of": ("as_of", "left"),
    "hunt": ("hunt_name", "left"),
    "version": ("hunt_version", "left"),
    "window from": ("window_start", "left"),
    "mode": ("mode", "left"),
    "scanned": ("events_scanned", "right"),
    "MB": ("bytes_read", "right"),
    "matched": ("matched", "right"),
    "suppressed": ("suppressed", "right"),
    "findings": ("findings", "right"),
    "seconds": ("seconds", "right"),
    "outcome": ("outcome", "left"),
    "error": ("error", "left"),
}
"""What is shown of a run: title, column of `hunts.runs`, side."""


def _runs_table(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        print("no runs")
        return
    cells = ([_run_cell(name, row[name]) for name, _ in _RUN_COLUMNS.values()] for row in rows)
    _print_columns("Runs, newest first", _RUN_COLUMNS, cells)


def _run_cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00")
    return f"{value / 1e6:.1f}" if name == "bytes_read" else str(value)


def _runs_json(rows: Sequence[dict[str, Any]]) -> None:
    json_lines({key: _plain(value) for key, value in row.items()} for row in rows)


RUNS: dict[str, Callable[[Sequence[dict[str, Any]]], None]] = {"table": _runs_table, "json": _runs_json}
"""The forms in which runs are printed; json is a line each."""


_EFFECT_COLUMNS: dict[str, tuple[str, str]] = {
    "exclusion": ("name", "left"),
    "state": ("state", "left"),
    "expires": ("expires", "left"),
    "suppressed": ("events", "right"),
    "last": ("last", "left"),
    "owner": ("owner", "left"),
    "hunts": ("hunts", "left"),
}
"""What is shown of an exclusion in a table: title, key, side. Its reason may be long: json has it."""


def _effects_table(effects: Sequence[Effect], names: Mapping[str, str], days: int) -> None:
    if not effects:
        print("no exclusions")
        return
    rows = [_effect_object(one, names) for one in effects]
    cells = ([_effect_cell(row[key]) for key, _ in _EFFECT_COLUMNS.values()] for row in rows)
    _print_columns(
        f"Exclusions, and events that they suppressed in runs of the last {days} days", _EFFECT_COLUMNS, cells
    )
    idle = [one.exclusion.name for one in effects if one.state == "on" and not one.events]
    if idle:
        _console().print(f"on, and suppressed nothing: {', '.join(idle)}", soft_wrap=True)
    for one in effects:
        if one.state == "expired":
            ended = f"{one.exclusion.name} ended on {one.exclusion.expires} and suppresses nothing any more"
            _console().print(f"{ended}: ask {one.exclusion.owner}, then renew or remove it", soft_wrap=True)


def _effect_object(one: Effect, names: Mapping[str, str]) -> dict[str, Any]:
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
        "where": exclusion.where,
        "file": str(exclusion.file),
        "line": exclusion.position.line,
    }


def _effect_cell(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _effects_json(effects: Sequence[Effect], names: Mapping[str, str], days: int) -> None:
    json_lines(_effect_object(one, names) for one in effects)


EXCLUSIONS: dict[str, Callable[[Sequence[Effect], Mapping[str, str], int], None]] = {
    "table": _effects_table,
    "json": _effects_json,
}
"""The forms in which exclusions are printed, with the names of hunts by their ids; json is a line each."""


def explained(one: Explained) -> None:
    """Prints how a hunt is run."""
    console = _console()
    for line in _explained_lines(one):
        console.print(line, soft_wrap=True)


def _explained_lines(one: Explained) -> Iterator[str]:
    window = one.window
    start = "the beginning" if window.since is None else times.format_datetime(window.since)
    yield f"{one.hunt.name} ({one.hunt.id}, version {one.hunt.digest})"
    yield f"  window: from {start} to {times.format_datetime(window.until)}"
    if one.why is not None:
        yield f"  reads all events of its window: {one.why}"
    else:
        yield "  incremental: every event is looked at once, when it has landed, and is a hit if"
    for number, front in enumerate(one.fronts):
        yield from (["    or"] if number else [])
        for condition in front:
            yield f"    by {condition.by:5}  {condition.text}"
    for exclusion, how in one.exclusions:
        yield f"  not if {exclusion.name} ({how}): {' '.join(exclusion.where.split())}"
    if one.columns:
        yield f"  columns of the hits: {', '.join(one.columns)}"
    yield "  then, on the hits of the window:" if one.why is None else "  steps:"
    yield from (f"    {step}" for step in one.plan)
    yield ""


def findings(found: Sequence[Found], form: str) -> None:
    FINDINGS[form](found)


def _findings_tables(found: Sequence[Found]) -> None:
    console = _console()
    for one in found:
        console.print()
        if one.as_of is None:
            console.print(f"{one.hunt.name}: has not run yet")
            continue
        title = f"{one.hunt.name}, as of {times.format_datetime(one.as_of)}"
        if not one.rows:
            console.print(f"{title}: no findings")
            continue
        rows = ([row["finding_id"][:SHORT_ID], *(row["result"][c] for c in one.columns)] for row in one.rows)
        _print_table(console, title, ["finding", *one.columns], rows)


def _findings_json(found: Sequence[Found]) -> None:
    rows = [row for one in found for row in one.rows]
    json.dump(rows, sys.stdout, ensure_ascii=False, indent=1)
    print()


def _findings_csv(found: Sequence[Found]) -> None:
    """One hunt: its own columns. Several: what all findings have in common."""
    if len(found) == 1:
        one = found[0]
        return _write_csv(one.columns, ([row["result"][c] for c in one.columns] for row in one.rows))
    rows = [row for one in found for row in one.rows]
    names = list(rows[0]) if rows else []
    return _write_csv(names, (list(row.values()) for row in rows))


FINDINGS: dict[str, Callable[[Sequence[Found]], None]] = {
    "table": _findings_tables,
    "json": _findings_json,
    "csv": _findings_csv,
}


# Evidence


def _evidence_tree(found: Evidence, full: bool) -> None:
    """Prints a finding and the processes around its events."""
    console = _console()
    for line in _evidence_lines(found):
        console.print(line, soft_wrap=True)
    devices = {root.device_id for root in found.trees}
    for root in found.trees:
        tree = Tree(_process(root, full, bool(len(devices) > 1)))
        _grow(tree, root, full)
        console.print()
        console.print(tree)
    if any(not node.events for node in lineage.walk(found.trees)):
        console.print("\n* an event of the finding   ~ told by what it started: the lake has no event of its own")
    elif found.trees:
        console.print("\n* an event of the finding")


def _evidence_lines(found: Evidence) -> Iterator[str]:
    one = found.finding
    told = [f"as of {one['as_of']}", one["status"], one["severity"]]
    yield f"{visible(one['hunt_name'])}, {', '.join(filter(None, told))}"
    yield f"finding {one['finding_id']}"
    if one["first_seen"]:
        who = ", ".join(visible(one[name]) for name in ("device_name", "account_name") if one[name])
        yield f"{who or 'several devices'}, {one['first_seen']} to {one['last_seen']}, {one['events']} events"
    else:
        yield "of no events: the hunt reads other tables only"
    yield from _evidence_notes(found)


def _evidence_notes(found: Evidence) -> Iterator[str]:
    """What is not shown, and why."""
    if found.gone:
        yield f"{found.gone} of its events are no longer in the lake: retention or `lakehunt forget` has removed them"
    if found.unnamed:
        yield f"{found.unnamed} more events belong to it; its evidence names the first {len(found.finding['evidence'])}"
    if found.cut:
        yield "there were more processes around them than are read, so some are missing; try fewer --minutes"


def _grow(tree: Tree, node: Node, full: bool) -> None:
    for child in node.children:
        _grow(tree.add(_process(child, full)), child, full)
    if node.more:
        tree.add(Text(f"and {node.more} more", style="dim"))


def _process(node: Node, full: bool, with_device: bool = False) -> Text:
    """A process on one line: mark, name and id, when, who, its command line."""
    process = node.process
    mark = "* " if node.evidence else "" if node.events else "~ "
    text = Text(f"{mark}{visible(process.file_name or '?')}", style="bold" if node.evidence else "")
    at = process.created if process.has_time else node.at
    told = [f"({process.id})" if process.id else "", "" if at is None else _clock(at)]
    told += [visible(name) for name in (process.account_name, with_device and node.device_name) if name]
    text.append("".join(f" {one}" for one in told if one), style="dim")
    if process.command_line:
        line = process.command_line
        text.append(f"  {visible(line) if full else cut(line, MOST_LETTERS)}", style="not bold")
    return text


def _clock(ticks: int) -> str:
    return times.format_datetime(ticks)[:23].replace("T", " ")


def _evidence_json(found: Evidence, full: bool) -> None:
    """Prints one object; always whole."""
    print(
        to_json(
            {
                "finding": found.finding,
                "events": found.events,
                "events_gone": found.gone,
                "events_not_named": found.unnamed,
                "more_around": found.cut,
                "tree": [lineage.as_json(root) for root in found.trees],
            }
        )
    )


EVIDENCE: dict[str, Callable[[Evidence, bool], None]] = {"tree": _evidence_tree, "json": _evidence_json}
"""The forms in which the evidence of a finding is printed; the flag: command lines in full."""


# Pages


def written(one: Written) -> None:
    """Prints what a page holds and where it is."""
    console = _console()
    left_out = f", {one.findings - one.shown} of them counted only" if one.findings > one.shown else ""
    console.print(f"{one.findings} findings, {one.new} new{left_out}", soft_wrap=True)
    for file in one.files:
        console.print(f"{file}", soft_wrap=True)


# Queries


def answer(result: Answer, form: str) -> None:
    ANSWERS[form](result)


def _answer_table(result: Answer) -> None:
    _print_table(_console(), None, [c.name for c in result.schema], result.rows)


def _answer_json(result: Answer) -> None:
    names = [c.name for c in result.schema]
    json.dump([dict(zip(names, row, strict=True)) for row in result.rows], sys.stdout, ensure_ascii=False, indent=1)
    print()


def _answer_csv(result: Answer) -> None:
    _write_csv([c.name for c in result.schema], result.rows)


ANSWERS: dict[str, Callable[[Answer], None]] = {"table": _answer_table, "json": _answer_json, "csv": _answer_csv}


def json_lines(objects: Iterable[Any]) -> None:
    """One object a line, each as soon as it is there."""
    for item in objects:
        print(json.dumps(item, ensure_ascii=False), flush=True)


# Alerts


def alerts(done: Sequence[Told]) -> bool:
    """Prints what was told to whom; whether everybody took it."""
    for one in done:
        if one.error:
            print(f"{one.channel}: not told: {one.alert.title}: {one.error}", file=sys.stderr)
        else:
            _console().print(f"{one.channel}: {one.alert.title}", soft_wrap=True)
    if not done:
        _console().print("nothing that was not told before")
    return all(one.error is None for one in done)


# Upkeep


def maintenance(done: Sequence[Upkeep], dry_run: bool) -> bool:
    """Prints a line for each table; whether all of them went well."""
    table = Table(title="What would be deleted" if dry_run else "Maintained", title_justify="left")
    rows = "rows to delete" if dry_run else "rows deleted"
    for name in ("table", "files", "now", "MB", rows, "MB freed", "seconds", ""):
        table.add_column(name, justify="left" if name in {"table", ""} else "right", overflow="fold")
    for one in done:
        counts = (one.files_before, one.files_after, _megabytes(one.bytes_after), one.rows_deleted)
        numbers = ("" if one.error else str(n) for n in (*counts, _megabytes(one.freed)))
        table.add_row(one.table, *numbers, f"{one.seconds:.1f}", one.error or "")
    _console().print(table)
    return all(one.error is None for one in done)


def abandoned(hits: int, dry_run: bool) -> None:
    """Prints how many hits belong to hunts that are no more."""
    if hits:
        verb = "would be removed" if dry_run else "removed"
        _console().print(f"{hits} hits {verb}: of hunts, or versions of hunts, that are not in the folder of hunts")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f}"


def lost_findings(lost: Sequence[Lost], commands: Sequence[str]) -> None:
    """Prints which hunts lose findings, and the commands that compute them anew from what is left."""
    console = _console()
    for one in lost:
        what = f"{one.findings} findings go" if one.findings else "findings may count events that go"
        console.print(f"{one.hunt_name}, as of {times.format_datetime(one.as_of)}: {what}", soft_wrap=True)
    if commands:
        console.print("Afterwards these compute them anew from the events that are left:")
        for command in commands:
            console.print(f"  {command}", soft_wrap=True)


def forgotten(done: Mapping[str, int], dry_run: bool) -> None:
    """Prints how many rows went from each table, and what is left to do."""
    console = _console()
    for name, rows in done.items():
        console.print(f"{rows:>10}  {name}")
    if not dry_run:
        console.print(
            "Files of old versions still hold them until `lakehunt maintain` has removed those (vacuum_hours)."
        )


# Serving


def serving(address: Address, settings: Mapping[str, str]) -> None:
    """Prints how clients reach the endpoint, at once: whoever started it waits for these lines."""
    url = f"jdbc:hive2://{address}/default{_of_connection(settings)}"
    print(f"serving at {url}")
    print(f"  beeline -u '{url}' -n \"$USER\" -e 'SHOW TABLES IN bi'", flush=True)


def _of_connection(settings: Mapping[str, str]) -> str:
    """What a client's address needs beside host and port."""
    principal = settings.get("spark.hadoop.hive.server2.authentication.kerberos.principal")
    encrypted = settings.get("spark.hadoop.hive.server2.use.SSL", "").lower() == "true"
    return ";ssl=true" * encrypted + (f";principal={principal}" if principal else "")


# Checks


def _checked_text(checked: Sequence[Checked]) -> None:
    """Prints the result columns of each hunt that compiles; what is wrong with the others on standard error."""
    for one in checked:
        if one.exclusions is not None:
            print(f"{one.file}: {', '.join(_named(exclusion) for exclusion in one.exclusions) or 'no exclusions'}")
        elif one.ok:
            columns = ", ".join(f"{c.name}: {c.type}" for c in one.schema)
            print(f"{one.file}: {one.name}\n  {columns}")
    problems(checked)
    _checked_summary(checked)


def _checked_json(checked: Sequence[Checked]) -> None:
    """Prints a line of JSON for each file."""
    json_lines(
        {
            "file": str(one.file),
            "id": one.id,
            "name": one.name,
            "ok": one.ok,
            "schema": [{"name": c.name, "type": c.type.name} for c in one.schema],
            "errors": [_problem_object(problem) for problem in one.problems],
        }
        | ({} if one.exclusions is None else {"exclusions": [exclusion.name for exclusion in one.exclusions]})
        for one in checked
    )
    _checked_summary(checked)


CHECKED: dict[str, Callable[[Sequence[Checked]], None]] = {"text": _checked_text, "json": _checked_json}


def _named(exclusion: Exclusion) -> str:
    return exclusion.name if exclusion.enabled else f"{exclusion.name} (off)"


def _checked_summary(checked: Sequence[Checked]) -> None:
    hunts = [one for one in checked if one.exclusions is None]
    compiled = sum(one.ok for one in hunts)
    print(f"{compiled} hunts compile, {len(hunts) - compiled} do not", file=sys.stderr)
    if unusable := sum(len(one.problems) for one in checked if one.exclusions is not None):
        print(f"{unusable} exclusions suppress nothing: they cannot be used", file=sys.stderr)


def problems(checked: Iterable[Checked]) -> None:
    """Prints on standard error, as compilers do, what is wrong with hunts: editors and CI find the place."""
    for one in checked:
        for problem in one.problems:
            start = f"{one.file}:{problem.start.line}:{problem.start.column}"
            print(f"{start}: error: {problem.message}", file=sys.stderr)
            for line in [*problem.excerpt, *([f"hint: {problem.hint}"] if problem.hint else [])]:
                print(f"    {line}", file=sys.stderr)


def _problem_object(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "message": problem.message,
        "line": problem.start.line,
        "column": problem.start.column,
        "end_line": problem.end.line,
        "end_column": problem.end.column,
        "hint": problem.hint,
    }


# Tests of hunts


def _tested_text(tested: Sequence[Tested], strict: bool) -> bool:
    """Prints each test that failed, with what differs; whether all passed."""
    console = _console()
    for one in tested:
        failed = [outcome for outcome in one.outcomes if not outcome.passed]
        passed = len(one.outcomes) - len(failed)
        console.print(f"{one.hunt.name}: {_tests_told(one, passed, len(failed))}", soft_wrap=True)
        for outcome in failed:
            case = outcome.case
            console.print(f"  FAILED {case.name} ({case.file}:{case.position.line})", soft_wrap=True)
            for difference in outcome.differences:
                console.print(f"    {_shown(difference)}", soft_wrap=True)
    without = [one for one in tested if not one.outcomes and not one.problem]
    if without:
        print(f"{'error' if strict else 'warning'}: {len(without)} hunts have no test", file=sys.stderr)
    return _all_passed(tested, strict)


def _tests_told(one: Tested, passed: int, failed: int) -> str:
    if one.problem:
        return f"tests cannot be run: {one.problem}"
    if not one.outcomes:
        return f"no test: write {one.hunt.sibling('tests')}"
    return f"{passed} passed" + (f", {failed} failed" if failed else "")


def _all_passed(tested: Sequence[Tested], strict: bool) -> bool:
    passed = all(outcome.passed for one in tested for outcome in one.outcomes)
    return passed and not any(one.problem or (strict and not one.outcomes) for one in tested)


def _tested_json(tested: Sequence[Tested], strict: bool) -> bool:
    """Prints a line of JSON for each hunt; whether all passed."""
    json_lines(
        {
            "id": one.hunt.id,
            "name": one.hunt.name,
            "problem": one.problem or None,
            "tests": [
                {
                    "name": outcome.case.name,
                    "file": str(outcome.case.file),
                    "line": outcome.case.position.line,
                    "passed": outcome.passed,
                    "differences": list(outcome.differences),
                }
                for outcome in one.outcomes
            ],
        }
        for one in tested
    )
    return _all_passed(tested, strict)


TESTED: dict[str, Callable[[Sequence[Tested], bool], bool]] = {"text": _tested_text, "json": _tested_json}
"""The forms in which tests of hunts are printed; each says whether all passed."""


# Imports

_LEFT_OUT = {
    "table": "over a table that the lake does not have",
    "unsupported": "using what Lakehunt does not support",
    "query": "with an error in the query",
    "duplicate id": "with an id that another one has",
    "duplicate query": "with the query of another one",
    "other content": "that are here with other content",
    "invalid hunt": "in files that are no valid hunts",
    "no query": "files without a query",
    "not a hunting query": "files of another kind",
    "link": "links that lead out of the folder",
    "unreadable": "that cannot be read",
}
"""What is left out, by its reason, in the order of the table."""

_COUNTED_ONLY = ("no query", "not a hunting query")


def _imported_text(outcomes: Sequence[Outcome], pack: Path, dry_run: bool) -> None:
    """Prints counts, and below them each query that was left out, at its place, under the reason."""
    by_reason: dict[str, list[Outcome]] = {reason: [] for reason in _LEFT_OUT}
    for one in outcomes:
        if one.reason:
            by_reason[one.reason].append(one)
    console = _console()
    console.print(_imported_table(outcomes, by_reason, dry_run))
    for reason, left_out in by_reason.items():
        if left_out and reason not in _COUNTED_ONLY:
            console.print(f"\nLeft out, {_LEFT_OUT[reason]}:")
            for one in left_out:
                place = f"{pack / one.source}:{one.place.line}:{one.place.column}"
                console.print(f"  {place}: {one.detail}", soft_wrap=True)
    if any(by_reason[reason] for reason in _COUNTED_ONLY):
        console.print("\n--json names the files without a query, too.")


def _imported_table(outcomes: Sequence[Outcome], by_reason: Mapping[str, Sequence[Outcome]], dry_run: bool) -> Table:
    table = Table(title="What would be imported" if dry_run else "Imported", title_justify="left")
    table.add_column("")
    table.add_column("queries", justify="right")
    for result, count in Counter(str(one.result) for one in outcomes if not one.reason).items():
        table.add_row(result, str(count))
    for reason, left_out in by_reason.items():
        if left_out:
            table.add_row(f"left out: {_LEFT_OUT[reason]}", str(len(left_out)))
    table.add_section()
    table.add_row("in all", str(len(outcomes)))
    return table


def _imported_json(outcomes: Sequence[Outcome], pack: Path, dry_run: bool) -> None:
    """Prints a line of JSON for each query, and for each file without one."""
    json_lines(_outcome_object(one) for one in outcomes)


def _outcome_object(one: Outcome) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "source": one.source.as_posix(),
        "line": one.place.line,
        "column": one.place.column,
        "result": one.result,
        "reason": one.reason,
        "detail": one.detail or None,
        "errors": [_problem_object(problem) for problem in one.problems],
        "file": str(one.file) if one.file else None,
        "id": candidate and candidate.hunt.id,
        "original_id": (candidate and candidate.original_id) or None,
        "name": candidate and candidate.hunt.name,
        **one.attack.json(),
    }


IMPORTED: dict[str, Callable[[Sequence[Outcome], Path, bool], None]] = {"text": _imported_text, "json": _imported_json}
"""The forms in which an import is printed; json is a line each."""


# Tables and text


def _print_table(console: Console, title: str | None, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_shown(value) for value in row))
    console.print(table)


def _print_columns(title: str, columns: Mapping[str, tuple[str, str]], rows: Iterable[Sequence[str]]) -> None:
    """A table whose columns are given as title, field and side."""
    table = Table(title=title, title_justify="left")
    for name, (_, side) in columns.items():
        table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def _shown(value: Any) -> str:
    """A cell: a list one item a line, control characters made visible, since a command line may hold them."""
    if isinstance(value, list):
        return "\n".join(_shown(item) for item in value)
    if value is None:
        return ""
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _write_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([json.dumps(v, ensure_ascii=False) if isinstance(v, (list, dict)) else v for v in row])
