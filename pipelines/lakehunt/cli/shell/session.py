"""A session of the shell: its settings, what it answers, and how it prints answers and errors."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import context, diagnostics, render
from lakehunt.cli.shell.statements import Statement, statements
from lakehunt.core.errors import LakehuntError

if TYPE_CHECKING:
    from lakehunt.cli.shell.engine import Engine
    from lakehunt.config import Config
    from lakehunt.hunting.query.table_catalog import TableCatalog
    from lakehunt.live.result import Result

QUERY = "<query>"
"""What a query that was typed is called in errors."""

PAGER = "-RSX"
"""Options of `less`: it scrolls to the right instead of wrapping rows."""


@dataclass(frozen=True)
class Answered:
    """A query that was answered, with what it was asked for, in ticks."""

    text: str
    as_of: int
    period: int | None
    result: Result

    @property
    def records(self) -> list[dict[str, Any]]:
        names = [column.name for column in self.result.schema]
        return [dict(zip(names, row, strict=True)) for row in self.result.rows]

    @property
    def columns(self) -> list[render.Column]:
        return [render.Column(column.name) for column in self.result.schema]


class EndError(Exception):
    """The user wants to leave."""


class Session:
    """The settings of a session; `as_of` (ticks) None means the time of each query, `period` None no limit."""

    def __init__(self, config: Config, engine: Engine, as_of: int | None, period: int | None, form: str) -> None:
        self.config = config
        self.engine = engine
        self.as_of = as_of
        self.period = period
        self.form = form
        self.is_typed = False
        """Whether it is on a terminal."""
        self.remember: Callable[[str], None] | None = None
        """Adds a text to the history, where there is one."""
        self.asked = ""
        """The text of the last query, whatever became of it."""
        self.answered: Answered | None = None

    @property
    def tables(self) -> TableCatalog:
        return self.engine.live.tables

    @property
    def moment(self) -> int:
        """The as-of of a query that is asked now."""
        return context.now() if self.as_of is None else self.as_of

    def run_lines(self, lines: Iterable[str], name: str) -> bool:
        """Runs what lines of a file of this name consist of; returns whether all of it succeeded."""
        fine = True
        try:
            for one in statements(lines):
                text = one.text if one.is_command else "\n" * (one.line - 1) + one.text  # for the places of errors
                fine = self.run(Statement(text, one.line), name) and fine
        except EndError:
            pass
        return fine

    def run(self, one: Statement, name: str = QUERY) -> bool:
        """Runs a query or a command; returns whether it succeeded. What fails is reported, and the session goes on.

        Raises EndError if the user wants to leave."""
        from lakehunt.cli.shell import commands

        try:
            return commands.run(self, one.text) if one.is_command else self.ask(one.text, self.period, name)
        except LakehuntError as error:
            diagnostics.report(error)
        except KeyboardInterrupt:
            if not self.is_typed:
                raise
            click.echo("lakehunt: cancelled", err=True)
        except (EndError, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 (what nobody expected must not end what was built up here)
            diagnostics.traceback_of(type(error), error, error.__traceback__)
        return False

    def ask(self, text: str, period: int | None, name: str = QUERY) -> bool:
        """Answers a query and prints its rows; returns whether it is valid.

        Raises LakehuntError if it fails, and KeyboardInterrupt if it is cancelled."""
        from lakehunt.kql.errors import QueryErrors

        self.asked = text.strip()
        as_of = self.moment
        try:
            with _waiting(self.is_typed):
                began = time.perf_counter()
                result = self.engine.live.query(text, as_of, period)
                seconds = time.perf_counter() - began
        except QueryErrors as errors:
            print_errors(name, text, errors)
            return False
        self.answered = Answered(self.asked, as_of, period, result)
        self._print(self.answered, seconds)
        return True

    def _print(self, answered: Answered, seconds: float) -> None:
        taken = f"{seconds:.2f} s"
        if self.form not in render.FOR_READING:
            render.records(self.form, answered.records, answered.columns)
            if self.is_typed:
                click.echo(f"({render.counted(len(answered.result.rows))}, {taken})", err=True)
            return
        lines = list(render.lines(self.form, answered.records, answered.columns, render.terminal_width()))
        lines.append(f"({render.counted(len(answered.result.rows))}, {taken})")
        if self.is_typed and len(lines) >= shutil.get_terminal_size().lines:
            self.page(answered)
            click.echo(lines[-1])
        else:
            click.echo("\n".join(lines))

    def page(self, answered: Answered) -> None:
        """Shows all rows and columns in the pager."""
        form = self.form if self.form in render.FOR_READING else "table"
        lines = render.lines(form, answered.records, answered.columns, None)
        os.environ.setdefault("LESS", PAGER)
        click.echo_via_pager("\n".join(lines))

    def print_rows(self, rows: Sequence[dict[str, Any]], *names: str, what: str = "row") -> None:
        """Prints what a command lists."""
        render.records(self.form, rows, [render.Column(name) for name in names], what=what)


def print_errors(name: str, text: str, errors: Any) -> None:
    """Prints the errors of a query, each with its place, as `lakehunt query` does."""
    from lakehunt.hunting import compile_check

    diagnostics.problems([compile_check.of_text(Path(name), text, errors)])


@contextmanager
def _waiting(is_typed: bool) -> Iterator[None]:
    """Shows on a terminal that, and how long, an answer is waited for."""
    if not is_typed or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False, markup=False)
    shown = (SpinnerColumn(), TextColumn("running; Ctrl-C cancels"), TimeElapsedColumn())
    with Progress(*shown, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        progress.add_task("", total=None)
        yield
