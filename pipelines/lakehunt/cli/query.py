"""`lakehunt query`."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from lakehunt.cli import context, diagnostics, options, render
from lakehunt.cli.section import Section
from lakehunt.core.errors import LakehuntError, UsageError

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.hunting.query.adhoc import Answer
    from lakehunt.kql.errors import QueryErrors

SECTION = Section("Queries")

STDIN = "-"


@SECTION.command("query")
@click.argument("kql", metavar="[KQL]", required=False)
@click.option("-f", "--file", type=options.FILE, help="Read the query from this file")
@options.as_of(options.SEE_EVENTS)
@click.option("--period", type=options.TIMESPAN, help="How far a query without a time filter looks back; default: all")
@options.formats()
@click.option("--jsonl", is_flag=True, help='Answer lines {"id","query"} on standard input: {"id","columns","rows"}')
def query(
    config: Config, kql: str | None, file: Path | None, as_of: int, period: int | None, form: str, jsonl: bool
) -> bool:
    """Run a KQL query on the lake.

    KQL is the query, or - to read it from standard input, as `lakehunt query < q.kql` does, too. It is compiled while
    Spark starts."""
    if kql is None and file is None and not jsonl and is_redirected(sys.stdin):
        kql = STDIN  # `lakehunt query < q.kql`
    if (kql is not None) + (file is not None) + jsonl != 1:
        raise UsageError("give one of KQL, --file and --jsonl", "lakehunt query 'DeviceProcessEvents | take 10'")
    name, text = ("<stdin>", "") if jsonl else read_query(kql, file)
    context.begin(config, brief=not jsonl and context.is_brief(config))

    from lakehunt.hunting.query import adhoc
    from lakehunt.kql.errors import QueryErrors

    tables = context.tables(config)
    if jsonl:
        with context.lake(config) as lake:
            render.json_lines(adhoc.answer_lines(lake, sys.stdin, as_of, period, tables, config.limits))
        return True
    try:
        adhoc.compile_first(text, tables)
        with context.lake(config) as lake:
            _print(adhoc.query(lake, text, as_of, period, tables, limits=config.limits), form)
    except QueryErrors as errors:
        _print_errors(name, text, errors)
        return False
    return True


def is_redirected(stream: TextIO) -> bool:
    """Whether a stream is a file or a pipe, not a terminal or nothing."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # closed, or not a file at all
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def read_query(kql: str | None, file: Path | None) -> tuple[str, str]:
    """The name of the query in errors, and its text."""
    if file is not None and str(file) != STDIN:
        try:
            return str(file), file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise LakehuntError(f"{file} cannot be read: {why}", "name a file with a KQL query") from error
    if file is not None or kql == STDIN:
        return "<stdin>", sys.stdin.read()
    return "<query>", kql or ""


def _print(answer: Answer, form: str) -> None:
    names = [column.name for column in answer.schema]
    rows = [dict(zip(names, row, strict=True)) for row in answer.rows]
    render.records(form, rows, [render.Column(name) for name in names])


def _print_errors(name: str, text: str, errors: QueryErrors) -> None:
    from lakehunt.hunting import compile_check

    diagnostics.problems([compile_check.of_text(Path(name), text, errors)])


# Sessions


@SECTION.command("shell")
@options.as_of("See events up to this instant, and use it as now()", default="now, at each query")
@click.option("--period", type=options.TIMESPAN, help="How far a query without a time filter looks back; default: all")
@options.formats()
def shell(config: Config, as_of: int | None, period: int | None, form: str) -> bool:
    """Ask one query after another, while Spark keeps running.

    A query ends at an empty line, or at a line that ends in ';'. `.help` lists the commands. If standard input is not a
    terminal, what is read from it is run to its end, and the exit code is 1 if anything of it failed:

        lakehunt shell < queries.kql"""
    from lakehunt.cli.shell import engine, session

    running = engine.Engine(config)
    try:
        asking = session.Session(config, running, as_of, period, form)
        if not sys.stdin.isatty():
            return asking.run_lines(sys.stdin, "<stdin>")
        from lakehunt.cli.shell import prompt

        prompt.run(asking)
    finally:
        running.close()
    return True
