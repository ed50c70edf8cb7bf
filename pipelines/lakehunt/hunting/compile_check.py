"""Checks hunts without running them: reports every problem of every file with its position."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lakehunt.core.credentials import masked
from lakehunt.core.errors import LakehuntError
from lakehunt.core.strict_yaml import START, Position, YamlError
from lakehunt.hunting.compiled_hunt import query_period
from lakehunt.hunting.content import exclusion_file, hunt_file
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt, HuntError
from lakehunt.hunting.query import external_data
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import plan as p
from lakehunt.kql.errors import Kind, KqlError, QueryErrors, Span, line_and_column, lines
from lakehunt.kql.types import Schema

FILE = "file"
"""The kind of a problem outside the query; problems in the query have a `lakehunt.kql.errors.Kind`."""


EXTERNAL = "external data"
"""The kind of a warning for a file that is read from elsewhere and has no copy."""

QUERY_SUFFIX = ".kql"
"""Suffix of files that contain a bare query instead of a hunt."""


@dataclass(frozen=True)
class Problem:
    """Something wrong at a place in a hunt's file. Lines and columns count from one; `end` is exclusive.

    `excerpt` is the query's line with a marker line below; empty for problems outside the query. `table` is the name of
    an unknown table, if that is the problem."""

    kind: str
    message: str
    start: Position
    end: Position
    hint: str = ""
    excerpt: tuple[str, ...] = ()
    table: str = ""


@dataclass(frozen=True)
class CheckedFile:
    """A checked file: a hunt with the plan of its query, or exclusions, or problems.

    `hunt` is set if the file could be read, even if its query is wrong; `id` and `name` if they could be read.
    `warnings` are probable mistakes that change no result; a file with warnings only is `ok`.
    `exclusions` are the usable ones of an exclusion file; None for other files."""

    file: Path
    id: str | None = None
    name: str | None = None
    hunt: Hunt | None = None
    plan: p.Plan | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    exclusions: tuple[Exclusion, ...] | None = None

    @property
    def schema(self) -> Schema:
        return self.plan.schema if self.plan else ()

    @property
    def ok(self) -> bool:
        return not self.problems


def check_files(paths: Sequence[Path], tables: TableCatalog) -> list[CheckedFile]:
    """Every hunt in these files and folders, each file once, in order; ids are compared across all of them. Then the
    exclusion files in the folders and beside the files; their exclusions are attached to the hunts."""
    with _uncollected():
        return _checked(paths, tables)


def _checked(paths: Sequence[Path], tables: TableCatalog) -> list[CheckedFile]:
    checked: list[CheckedFile] = []
    earlier: dict[str, Hunt] = {}
    for file in _files(paths, checked):
        one = _check(file, earlier, tables)
        checked.append(one)
        if one.hunt:
            earlier[one.hunt.id] = one.hunt
    loaded = exclusion_file.load(_exclusion_files(paths), list(earlier.values()))
    with_exclusions = {hunt.id: hunt for hunt in hunt_file.with_exclusions(earlier.values(), loaded)}
    hunts = [replace(one, hunt=with_exclusions[one.hunt.id]) if one.hunt else one for one in checked]
    return hunts + [
        CheckedFile(one.file, problems=tuple(map(of_file, one.errors)), exclusions=one.exclusions) for one in loaded
    ]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: what is read and compiled is kept, so that it would find nothing, again and again,
    in a third of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _exclusion_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from hunt_file.find(path, exclusion_file.is_exclusion_file)[0]
        else:
            yield from filter(Path.exists, hunt_file.siblings(path, "exclusions"))


def _files(paths: Iterable[Path], checked: list[CheckedFile]) -> Iterator[Path]:
    """The files at the paths. An unreadable folder is added to `checked` with its problem."""
    seen: set[Path] = set()
    for path in paths:
        files, errors = hunt_file.find(path) if path.is_dir() else ([path], [])
        checked.extend(CheckedFile(path, problems=(_anywhere(error),)) for error in errors)
        for file in files:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _check(file: Path, earlier: dict[str, Hunt], tables: TableCatalog) -> CheckedFile:
    if file.suffix.lower() == QUERY_SUFFIX:
        return _check_query_file(file, tables)
    try:
        hunt = hunt_file.load(file, earlier)
    except HuntError as error:
        # The file has errors outside the query: errors inside it are reported with them.
        part = error.hunt
        query = check_query(part, tables) if part and part.query else None
        problems = [*map(of_file, error.problems), *(query.problems if query else ())]
        known = (part.id or None, part.name or None) if part else (None, None)
        ordered = tuple(sorted(problems, key=lambda problem: problem.start))
        return CheckedFile(file, *known, problems=ordered, warnings=_warnings(part))
    except LakehuntError as error:
        return CheckedFile(file, problems=(of_file(error),))
    return check_query(hunt, tables)


def _check_query_file(file: Path, tables: TableCatalog) -> CheckedFile:
    try:
        return check_text(file, file.read_text("utf-8-sig"), tables)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        return CheckedFile(file, problems=(_anywhere(LakehuntError(f"cannot be read: {why}")),))


def check_text(file: Path, text: str, tables: TableCatalog) -> CheckedFile:
    """Checks a bare query."""
    return _without_hunt(check_query(_around(file, text), tables))


def of_text(file: Path, text: str, errors: QueryErrors) -> CheckedFile:
    """The result for a bare query whose errors are known."""
    hunt = _around(file, text)
    return CheckedFile(file, problems=tuple(_of_query(hunt, error) for error in errors.errors))


def _around(file: Path, text: str) -> Hunt:
    return Hunt("", "", text, file)


def _without_hunt(checked: CheckedFile) -> CheckedFile:
    return replace(checked, id=None, name=None, hunt=None)


def check_query(hunt: Hunt, tables: TableCatalog) -> CheckedFile:
    """Checks the query of a hunt against these tables."""
    plan: p.Plan | None = None
    problems: tuple[Problem, ...] = ()
    try:
        plan = tables.bind(hunt.query, period=query_period(hunt))
    except QueryErrors as errors:
        problems = tuple(_of_query(hunt, error) for error in errors.errors)
    except RecursionError:
        place = hunt.place(1, 1)
        problems = (Problem(FILE, "the query is nested too deeply", place, place, "take it apart with let"),)
    of_plan = (*_without_copies(hunt, plan, tables), *_left_out(hunt, plan)) if plan else ()
    warnings = (*_warnings(hunt), *of_plan)
    return CheckedFile(hunt.file, hunt.id, hunt.name, hunt, plan, problems, warnings)


def _without_copies(hunt: Hunt, plan: p.Plan, tables: TableCatalog) -> Iterator[Problem]:
    """What would fail at run time: files that `externaldata` names and that nobody keeps a copy of."""
    for step in p.distinct(plan):
        if not isinstance(step, p.External):
            continue
        for address in step.addresses:
            if address not in tables.copies:
                what = f"externaldata fails when it runs: there is no copy of {address}"
                error = KqlError(Kind.SEMANTIC, what, step.span, external_data.HINT)
                yield replace(_of_query(hunt, error), kind=EXTERNAL)


def _left_out(hunt: Hunt, plan: p.Plan) -> Iterator[Problem]:
    """Operands of `union isfuzzy=true` that are not there."""
    for step in p.distinct(plan):
        for name, span in step.left_out if isinstance(step, p.Union) else ():
            hint = "register it under `tables` in lakehunt.yaml, or take it out of the union"
            what = f"there is no '{name}': isfuzzy=true leaves it out of the union"
            yield _of_query(hunt, KqlError(Kind.SEMANTIC, what, span, hint))


def _warnings(hunt: Hunt | None) -> tuple[Problem, ...]:
    return tuple(map(of_file, hunt.warnings)) if hunt else ()


def of_file(error: LakehuntError) -> Problem:
    """The problem of a file, with its position if the error has one."""
    if isinstance(error, YamlError):
        return Problem(FILE, error.problem, error.position, error.position, error.hint)
    return _anywhere(error)


def _anywhere(error: LakehuntError) -> Problem:
    return Problem(FILE, error.message, START, START, error.hint)


def _of_query(hunt: Hunt, error: KqlError) -> Problem:
    line, column = line_and_column(hunt.query, error.span.start)
    start, end = hunt.place(line, column), hunt.place(*line_and_column(hunt.query, error.span.end))
    shown = excerpt(hunt.query, error.span)
    return Problem(error.kind.value, error.message, start, end, error.hint, shown, error.table)


def excerpt(text: str, span: Span) -> tuple[str, str]:
    """The line on which the span starts, and a line of markers below the part of the span on that line."""
    line, column = line_and_column(text, span.start)
    shown = masked(lines(text)[line - 1])
    before, length = shown[: column - 1], min(span.end - span.start, len(shown) - column + 1)
    return shown, "".join("\t" if c == "\t" else " " for c in before) + "^" * max(1, length)
