"""`lakehunt init`, `new`, `check`, `test` and `import`: a project and its folder of hunts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import context, diagnostics, imports, options, render
from lakehunt.cli.query import STDIN
from lakehunt.cli.render import Column
from lakehunt.cli.section import Section
from lakehunt.core.errors import LakehuntError, UsageError

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.hunting.compile_check import CheckedFile
    from lakehunt.hunting.query.table_catalog import TableCatalog
    from lakehunt.hunting.testing.runner import TestedHunt
    from lakehunt.importing.sigma.rules import Choice
    from lakehunt.kql.types import Schema

SECTION = Section("Hunt content")


@SECTION.command("init")
@click.argument("folder", metavar="DIR", type=options.FILE)
@click.option("--samples", is_flag=True, help="Add a week of invented telemetry in which both hunts find something")
def init(config: Config, folder: Path, samples: bool) -> None:
    """Write a project to begin with: configuration, hunts, suites, DAGs and jobs.

    DIR is made if it does not exist. Nothing that is there already is overwritten."""
    from lakehunt import project

    for written in project.create(folder, samples):
        click.echo(f"{written}/" if written.is_dir() else str(written))
    source = "samples/streaming --as-of 2026-03-10 --show" if samples else "SOURCE"
    click.echo(f"next: cd {shlex.quote(str(folder))}\n      {context.PROGRAM} run {source}", err=True)


@SECTION.command("new")
@click.argument("name")
@click.option("--into", type=options.FILE, metavar="DIR", help="Folder; default: the configuration's folder of hunts")
def new(config: Config, name: str, into: Path | None) -> None:
    """Write a hunt to begin with, and its test.

    NAME is the hunt's name, in words."""
    from lakehunt.hunting.content import scaffold

    hunt, tests = scaffold.create(name, into or context.own_hunts_folder(config))
    click.echo(f"{hunt}\n{tests}")
    click.echo("The query in it, and the rows in its test, are an example: replace them with your own.", err=True)
    context.next_steps(f"check {shlex.quote(str(hunt))}", *([] if into else [f"test {shlex.quote(name)}"]))


# Checks


@SECTION.command("check")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=options.FILE)
@click.option("--strict", is_flag=True, help="Fail on warnings, too")
@click.option("-v", "--verbose", is_flag=True, help="Print the result columns of each hunt")
@click.option(
    "--tables", "make_tables", is_flag=True, help="Make the findings tables that hunts still lack in the lake"
)
@options.json_for_scripts
@options.formats(options.TEXT)
@click.option("--jsonl", is_flag=True, help='Answer lines {"id","query"} on standard input: {"id","schema"}')
def check(
    config: Config, paths: Sequence[Path], strict: bool, verbose: bool, make_tables: bool, form: str, jsonl: bool
) -> bool:
    """Compile hunts without Spark: result columns, or errors with their places.

    PATH is a hunt, a folder of hunts, a .kql file with a query, or - for a query on standard input; default: the
    configuration's folder of hunts."""
    from lakehunt.hunting import compile_check
    from lakehunt.hunting.query import adhoc

    tables = context.tables(config)
    if jsonl:
        if form != options.TEXT or paths or make_tables:
            raise UsageError("--jsonl answers standard input: it takes no PATH, no --format and no --tables")
        render.json_lines(adhoc.schema_lines(sys.stdin, tables))
        return True
    with_stdin = [path for path in paths if str(path) == STDIN]
    files = [path for path in paths if str(path) != STDIN]
    checked = [_check_stdin(tables)] if with_stdin else []
    if files or not paths:
        checked += compile_check.check_files(files or [context.hunts_folder(config)], tables)
    if form == options.TEXT:
        _print_checked(checked, verbose)
    else:
        render.records(form, [_checked(one) for one in checked], _CHECKED_COLUMNS, what="file")
    warned = diagnostics.warnings(checked) if form == options.TEXT else sum(len(one.warnings) for one in checked)
    _print_summary(checked, warned)
    if make_tables:
        _make_tables(config, checked)
    return all(one.ok for one in checked) and not (strict and warned)


def _make_tables(config: Config, checked: Sequence[CheckedFile]) -> None:
    from lakehunt.hunting.findings import tables

    lake = context.without_spark(config)
    if lake is None:
        hint = "each is made when its hunt first finds something"
        raise LakehuntError(f"tables cannot be made in {config.lake} without Spark", hint)
    hunts = [(one.hunt, one.plan) for one in checked if one.ok and one.hunt and one.plan]
    with context.written(config):
        made = tables.create_tables(lake, hunts)
    click.echo(f"{_counted(len(made), 'table')} made in {config.lake}", err=True)


def _check_stdin(tables: TableCatalog) -> CheckedFile:
    from lakehunt.hunting import compile_check

    return compile_check.check_text(Path("<stdin>"), sys.stdin.read(), tables)


def _print_checked(checked: Sequence[CheckedFile], verbose: bool) -> None:
    """Prints a line for each valid file, and errors of the others on standard error."""
    for one in checked:
        if one.exclusions is not None:
            names = [exclusion.name + " (off)" * (not exclusion.enabled) for exclusion in one.exclusions]
            click.echo(f"{one.file}: {', '.join(names) or 'no exclusions'}")
        elif one.ok:
            click.echo(f"{one.file}: {one.name or 'a query'}, {_counted(len(one.schema), 'column')}")
            if verbose:
                click.echo(f"  {_columns(one.schema)}")
    diagnostics.problems(checked)


def _columns(schema: Schema) -> str:
    return ", ".join(f"{column.name}: {column.type}" for column in schema)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


_CHECKED_COLUMNS = [
    Column("file"),
    Column("name"),
    Column("ok"),
    Column(
        "errors", show=lambda errors: " ".join(f"{one['line']}:{one['column']}: {one['message']}" for one in errors)
    ),
    Column("schema", "columns", lambda columns: ", ".join(f"{one['name']}: {one['type']}" for one in columns)),
]


def _checked(one: CheckedFile) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": str(one.file),
        "id": one.id,
        "name": one.name,
        "ok": one.ok,
        "schema": [{"name": column.name, "type": column.type.name} for column in one.schema],
        "errors": list(map(diagnostics.as_object, one.problems)),
    }
    if one.warnings:
        found["warnings"] = list(map(diagnostics.as_object, one.warnings))
    if one.exclusions is not None:
        found["exclusions"] = [exclusion.name for exclusion in one.exclusions]
    return found


def _print_summary(checked: Sequence[CheckedFile], warned: int) -> None:
    hunts = [one for one in checked if one.exclusions is None]
    compiled = sum(one.ok for one in hunts)
    click.echo(f"{compiled} hunts compile, {len(hunts) - compiled} do not", err=True)
    if unusable := sum(len(one.problems) for one in checked if one.exclusions is not None):
        click.echo(f"{unusable} exclusions suppress nothing: they cannot be used", err=True)
    if warned:
        click.echo(_counted(warned, "warning"), err=True)


# Tests of hunts


@SECTION.command("test")
@options.hunts
@click.option("--strict", is_flag=True, help="Fail if a hunt has no test")
@options.json_for_scripts
@options.formats(options.TEXT)
def test(config: Config, names: Sequence[str], strict: bool, form: str) -> bool:
    """Run the tests of hunts.

    HUNT is an id or a name; default: all hunts."""
    from lakehunt.hunting import compiled_hunt
    from lakehunt.hunting.testing import runner

    tables = context.tables(config)
    hunts, fine = context.checked_hunts(config, tables)
    read = list(runner.read(compiled_hunt.select_hunts(hunts, names), tables))
    if any(found and not isinstance(found, str) for _, found in read):
        with context.progress(total=True) as say, context.lake(config) as lake:
            tested = runner.run_all(lake, read, tables, say)
    else:
        tested = [runner.TestedHunt(hunt, problem=found if isinstance(found, str) else "") for hunt, found in read]
    if form == options.TEXT:
        _print_tested(tested, strict)
    else:
        render.records(form, [_tested(one) for one in tested], _TESTED_COLUMNS, what="hunt")
    return _all_passed(tested, strict) and fine


def _print_tested(tested: Sequence[TestedHunt], strict: bool) -> None:
    """Prints each failed test with its differences."""
    for one in tested:
        failed = [outcome for outcome in one.outcomes if not outcome.passed]
        passed = len(one.outcomes) - len(failed)
        click.echo(f"{one.hunt.name}: {_test_result(one, passed, len(failed))}")
        for outcome in failed:
            case = outcome.case
            click.echo(f"  {_red('FAILED')} {case.name} ({case.file}:{case.position.line})")
            for difference in outcome.differences:
                click.echo(f"    {render.shown(difference)}")
    without = [one for one in tested if not one.outcomes and not one.problem]
    if without:
        click.echo(f"{'error' if strict else 'warning'}: {len(without)} hunts have no test", err=True)


def _red(text: str) -> str:
    return render.styled(text, sys.stdout, fg="red", bold=True)


def _test_result(one: TestedHunt, passed: int, failed: int) -> str:
    if one.problem:
        return f"tests cannot be run: {one.problem}"
    if not one.outcomes:
        return f"no test: write {one.hunt.sibling('tests')}"
    return f"{passed} passed" + (f", {failed} failed" if failed else "")


def _all_passed(tested: Sequence[TestedHunt], strict: bool) -> bool:
    passed = all(outcome.passed for one in tested for outcome in one.outcomes)
    return passed and not any(one.problem or (strict and not one.outcomes) for one in tested)


def _number_that(passed: bool) -> Callable[[Any], str]:
    return lambda tests: str(sum(one["passed"] == passed for one in tests))


_TESTED_COLUMNS = [
    Column("name", "hunt"),
    Column("tests", "passed", _number_that(passed=True)),
    Column("tests", "failed", _number_that(passed=False)),
    Column("problem"),
]


def _tested(one: TestedHunt) -> dict[str, Any]:
    return {
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


# Imports


@SECTION.command("import")
@click.argument("pack", metavar="FOLDER", type=options.FILE)
@click.option("--into", type=options.FILE, metavar="DIR", help="Where hunts go; default: the configuration's folder")
@click.option("--replace", is_flag=True, help="Take the pack's content for hunts that are there")
@click.option("--dry-run", is_flag=True, help="Print what would be imported, and write nothing")
@imports.sigma_choice
@options.json_for_scripts
@options.formats(options.TEXT)
def import_(
    config: Config,
    pack: Path,
    into: Path | None,
    replace: bool,
    dry_run: bool,
    sigma: Choice,
    form: str,
) -> bool:
    """Import the queries of a Sentinel, Defender or Sigma repository that the lake can answer.

    FOLDER is a clone of the repository, or a single file of it. Of Sigma rules, --level, --status, --product and
    --category import some."""
    from lakehunt.importing.pack import folder_of, import_pack
    from lakehunt.importing.results import all_read

    target = into or context.own_hunts_folder(config)
    hunts = config.hunts if target.resolve().is_relative_to(config.hunts.resolve()) else target
    with context.progress(total=True) as say:
        outcomes = import_pack(
            pack, target, hunts, context.tables(config), say, replacing=replace, dry_run=dry_run, sigma=sigma
        )
        imports.print_outcomes(outcomes, folder_of(pack), dry_run, form)
    return all_read(outcomes) and any(one.candidate or one.problems for one in outcomes)
