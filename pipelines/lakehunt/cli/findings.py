"""`lakehunt findings`, `evidence` and `report`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import context, findings_groups, options, render
from lakehunt.cli.render import Column
from lakehunt.cli.section import Section
from lakehunt.core.printable import printable, truncated

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from lakehunt.config import Config
    from lakehunt.hunting.findings.evidence import Evidence
    from lakehunt.hunting.findings.process_tree import ProcessNode
    from lakehunt.hunting.findings.reader import HuntFindings
    from lakehunt.reporting.report_files import Written

SECTION = Section("Findings")

SHORT_ID = 12
"""Characters of a finding's id in a table; `lakehunt evidence` takes them."""

PLAIN_WIDTH = 200
"""Width of a tree that is not printed on a terminal."""

MOST_LETTERS = 300
"""Maximum length of a command line in a tree, unless all are shown in full."""


@SECTION.command("findings")
@options.hunts
@options.as_of("Findings of this as-of", default="each hunt's newest run")
@click.option(
    "--group-by",
    type=click.Choice(list(findings_groups.GROUPS)),
    help="Count findings instead: by folder of hunts, severity, tactic, technique, or hunt",
)
@options.formats()
def findings(config: Config, names: Sequence[str], as_of: int | None, group_by: str | None, form: str) -> None:
    """Print what was found.

    HUNT is an id or a name; default: all hunts."""
    from lakehunt.hunting.findings import reader

    chosen = context.loaded_hunts(config, names)
    with context.lake(config) as lake:
        found = reader.latest_findings(lake, chosen, as_of)
        if group_by is not None:
            findings_groups.print_groups(found, group_by, config.hunts, form)
            return
        without = [one.hunt for one in found if not one.rows]
        others = reader.newest_with_rows(lake, without) if without else {}
    print_findings(found, others, form)


def print_findings(found: Sequence[HuntFindings], others: Mapping[str, int], form: str) -> None:
    """Prints findings; `others` has, for hunts without any, the newest as-of (ticks) that has some, by their ids."""
    rows = [row for one in found for row in one.rows]
    if form in {"json", "jsonl"}:
        render.records(form, rows, [])
    elif form in render.CSV and len(found) == 1:  # one hunt: its own columns; several: the common columns of findings
        render.records(form, map(_result, repeat(found[0]), rows), list(map(Column, found[0].columns)))
    elif form in render.CSV:
        render.records(form, rows, [])
    else:
        for one in found:
            _print_hunt(one, others.get(one.hunt.id), form)


def _print_hunt(one: HuntFindings, other: int | None, form: str) -> None:
    click.echo()
    if one.as_of is None:
        click.echo(f"{one.hunt.name}: has not run yet{_elsewhere(other)}")
        return
    title = f"{one.hunt.name}, as of {context.instant(one.as_of)}"
    rows = [{"finding": row["finding_id"][:SHORT_ID]} | _result(one, row) for row in one.rows]
    columns = [Column("finding"), *map(Column, one.columns)]
    render.records(form, rows, columns, title=title, empty=f"{title}: no findings{_elsewhere(other)}", what="finding")


def _result(one: HuntFindings, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of the hunt's query, in the order of its columns."""
    return {name: row["result"][name] for name in one.columns}


def _elsewhere(other: int | None) -> str:
    """A note on the newest as-of with findings."""
    return f"; the newest are as of {context.instant(other)}: --as-of {context.instant(other)}" if other else ""


# Evidence


@SECTION.command("evidence")
@click.argument("finding")
@options.as_of("Of the finding at this as-of", default="the newest that has it")
@click.option(
    "--minutes",
    metavar="N",
    type=options.COUNT,
    default=5,
    show_default=True,
    help="Show siblings and descendants that started so close to an event",
)
@options.formats(options.TREE)
@click.option("--whole-command-lines", is_flag=True, help="Do not cut command lines in the tree")
@options.hidden_flag("--full", "whole_command_lines")
def evidence(
    config: Config, finding: str, as_of: int | None, minutes: int, form: str, whole_command_lines: bool
) -> None:
    """Print the events of a finding, and the processes around them.

    FINDING is a finding_id, or the beginning of one. json is one object with all that is known; table, vertical, jsonl
    and csv are the finding's events."""
    from lakehunt.hunting.findings import evidence as finding_evidence
    from lakehunt.kql.types import TICKS_PER_MINUTE

    finding_evidence.check_name(finding)
    with context.lake(config) as lake:
        found = finding_evidence.of_finding(lake, finding, as_of, minutes * TICKS_PER_MINUTE)
    print_evidence(found, form, whole_command_lines)


def print_evidence(found: Evidence, form: str, whole_command_lines: bool = False) -> None:
    if form == options.TREE:
        _print_tree(found, whole_command_lines)
    elif form == "json":
        click.echo(_document(found))
    else:
        names = dict.fromkeys(name for event in found.events for name in event)
        render.records(form, found.events, list(map(Column, names)), what="event")


def _print_tree(found: Evidence, whole: bool) -> None:
    from rich.console import Console
    from rich.tree import Tree

    from lakehunt.hunting.findings import process_tree

    width = PLAIN_WIDTH if render.terminal_width() is None else None
    console = Console(width=width, highlight=False, markup=False, emoji=False)  # `:x:` in a command line is text
    for line in _evidence_lines(found):
        click.echo(line)
    devices = {root.device_id for root in found.trees}
    for root in found.trees:
        tree = Tree(_process(root, whole, len(devices) > 1))
        _grow(tree, root, whole)
        console.print()
        console.print(tree)
    if any(not node.events for node in process_tree.walk(found.trees)):
        click.echo("\n* an event of the finding   ~ known from its children: the lake has no event of its own")
    elif found.trees:
        click.echo("\n* an event of the finding")


def _evidence_lines(found: Evidence) -> Iterator[str]:
    one = found.finding
    facts = [f"as of {one['as_of']}", one["status"], one["severity"]]
    yield f"{printable(one['hunt_name'])}, {', '.join(filter(None, facts))}"
    yield f"finding {one['finding_id']}"
    if one["first_seen"]:
        who = ", ".join(printable(one[name]) for name in ("device_name", "account_name") if one[name])
        yield f"{who or 'several devices'}, {one['first_seen']} to {one['last_seen']}, {one['events']} events"
    else:
        yield "without events: the hunt reads other tables only"
    yield from _evidence_notes(found)


def _evidence_notes(found: Evidence) -> Iterator[str]:
    """Notes on what is not shown, and why."""
    if found.gone:
        yield f"{found.gone} of its events are no longer in the lake: retention or `lakehunt forget` has removed them"
    if found.unnamed:
        yield f"{found.unnamed} more events belong to it; its evidence names the first {len(found.finding['evidence'])}"
    if found.cut:
        yield "there were more processes around them than are read, so some are missing; try fewer --minutes"


def _grow(tree: Tree, node: ProcessNode, whole: bool) -> None:
    from rich.text import Text

    for child in node.children:
        _grow(tree.add(_process(child, whole)), child, whole)
    if node.more:
        tree.add(Text(f"and {node.more} more", style="dim"))


def _process(node: ProcessNode, whole: bool, with_device: bool = False) -> Text:
    """A process on one line: mark, name and id, time, account, command line."""
    from rich.text import Text

    process = node.process
    mark = "* " if node.evidence else "" if node.events else "~ "
    text = Text(f"{mark}{printable(process.file_name or '?')}", style="bold" if node.evidence else "")
    at = process.created if process.has_time else node.at
    facts = [f"({process.id})" if process.id else "", "" if at is None else _clock(at)]
    facts += [printable(name) for name in (process.account_name, with_device and node.device_name) if name]
    text.append("".join(f" {one}" for one in facts if one), style="dim")
    if process.command_line:
        line = process.command_line
        text.append(f"  {printable(line) if whole else truncated(line, MOST_LETTERS)}", style="not bold")
    return text


def _clock(ticks: int) -> str:
    from lakehunt.kql import times

    return times.format_datetime(ticks)[:23].replace("T", " ")


def _document(found: Evidence) -> str:
    """All evidence as one JSON object, never shortened."""
    from lakehunt.core.printable import to_json
    from lakehunt.hunting.findings import process_tree

    document: dict[str, Any] = {
        "finding": found.finding,
        "events": found.events,
        "events_gone": found.gone,
        "events_not_named": found.unnamed,
        "more_around": found.cut,
        "tree": [process_tree.as_json(root) for root in found.trees],
    }
    return to_json(document)


# Reports


@SECTION.command("report")
@options.hunts
@options.as_of("Findings of this as-of", default="the newest run")
@options.period("Findings of all as-ofs from this one", "to this one")
@click.option(
    "--output",
    type=options.FILE,
    metavar="FILE",
    default="lakehunt-report.html",
    show_default=True,
    help="The page",
)
@click.option("--redact", is_flag=True, help="Leave out what looks like a secret in command lines")
@click.option("--navigator", metavar="FILE", type=options.FILE, help="Also write a layer for the ATT&CK Navigator")
def report(
    config: Config,
    names: Sequence[str],
    as_of: int | None,
    since: int | None,
    until: int | None,
    output: Path,
    redact: bool,
    navigator: Path | None,
) -> None:
    """Write what was found as one HTML page.

    HUNT is an id or a name; default: all hunts."""
    from lakehunt.hunting import compiled_hunt
    from lakehunt.hunting.content import hunt_file
    from lakehunt.reporting import report_files

    period = options.as_ofs(as_of, since, until)
    report_files.check_folders(output, navigator)
    hunts, _ = hunt_file.load_folder(config.hunts)
    only = {one.id for one in compiled_hunt.select_hunts(hunts, names)} if names else set()
    with context.progress() as say, context.lake(config) as lake:
        written = report_files.write(lake, hunts, only, period, config.expectations, output, navigator, redact, say)
    _print_written(written)


def _print_written(one: Written) -> None:
    left_out = f", {one.findings - one.shown} of them counted only" if one.findings > one.shown else ""
    click.echo(f"{one.findings} findings, {one.new} new{left_out}")
    for file in one.files:
        click.echo(str(file))
