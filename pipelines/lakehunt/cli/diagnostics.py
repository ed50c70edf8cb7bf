"""Errors and warnings in the format of compilers: on standard error, with file and position."""

from __future__ import annotations

import logging
import shutil
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli.render import MORE, NARROWEST, fit, styled, width_of
from lakehunt.core import json_log
from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.core.printable import is_hidden, printable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from lakehunt.hunting.compile_check import CheckedFile, Problem

INDENT = "    "


def report(error: LakehuntError) -> None:
    """An error that ends a command."""
    if json_log.is_on():
        json_log.LOG.error("%s", error.message, extra=json_log.fields(hint=error.hint or None))
        return
    click.echo(f"{styled('lakehunt:', sys.stderr, bold=True)} {error}", err=True)


def traceback_of(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that nothing expected, as Python prints it, without credentials."""
    click.echo(redacted("".join(traceback.format_exception(kind, error, trace))), err=True, nl=False)


def problems(checked: Iterable[CheckedFile]) -> None:
    """Prints errors of hunts and queries in a format that editors and CI can parse."""
    for one in checked:
        for problem in one.problems:
            _print(one.file, problem, "error", "red")


def warnings(checked: Iterable[CheckedFile]) -> int:
    """Prints warnings and returns their number."""
    found = [(one.file, warning) for one in checked for warning in one.warnings]
    for file, warning in found:
        _print(file, warning, "warning", "yellow")
    return len(found)


def as_object(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "message": problem.message,
        "line": problem.start.line,
        "column": problem.start.column,
        "end_line": problem.end.line,
        "end_column": problem.end.column,
        "hint": problem.hint,
    }


def _print(file: Path, problem: Problem, level: str, colour: str) -> None:
    if json_log.is_on():
        place = json_log.fields(file=str(file), line=problem.start.line, column=problem.start.column)
        number = logging.ERROR if level == "error" else logging.WARNING
        json_log.LOG.log(number, "%s", problem.message, extra=place)
        return
    start = f"{file}:{problem.start.line}:{problem.start.column}"
    click.echo(f"{start}: {styled(f'{level}:', sys.stderr, fg=colour, bold=True)} {problem.message}", err=True)
    for line in excerpt_lines(problem.excerpt, _terminal_width()):
        click.echo(f"{INDENT}{line}", err=True)
    if problem.hint:
        click.echo(f"{INDENT}hint: {problem.hint}", err=True)


def _terminal_width() -> int | None:
    return max(NARROWEST, shutil.get_terminal_size().columns) if sys.stderr.isatty() else None


def excerpt_lines(excerpt: Sequence[str], width: int | None) -> Sequence[str]:
    """The line of a query and the marks under a position in it, cut so that a terminal does not wrap them.

    On a terminal of `width` cells, the line is cut around the position, and tabs and hidden characters are escaped, so
    that the marks are aligned. Otherwise (None) both are unchanged."""
    if width is None or not excerpt:
        return excerpt
    line, marks = excerpt
    start = len(marks) - len(marks.lstrip())
    end = start + len(marks.strip())
    before, place, after = map(_written_out, (line[:start], line[start:end], line[end:]))
    room = width - len(INDENT)
    place = _cut(place, max(1, room - 2 * len(MORE)))
    size = max(1, width_of(place))
    left = _last_part(before, max(0, min(width_of(before), room // 2, room - size - len(MORE))))
    right = _cut(after, max(0, room - width_of(left) - size))
    return [left + place + right, " " * width_of(left) + "^" * size]


def _written_out(text: str) -> str:
    return "".join("    " if c == "\t" else printable(c) if is_hidden(c) else c for c in text)


def _cut(text: str, width: int) -> str:
    if width_of(text) <= width:
        return text
    return fit(text, width) if width else ""


def _last_part(text: str, width: int) -> str:
    """The end of a text, at most `width` cells wide, with a mark if its start is cut off."""
    if width_of(text) <= width:
        return text
    kept = text
    while kept and width_of(kept) > width - len(MORE):
        kept = kept[1:]
    return MORE + kept if width else ""
