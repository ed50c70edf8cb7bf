"""The commands of the shell, which begin with a period."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from lakehunt.cli import context, options, render
from lakehunt.cli.shell.completion import Candidate
from lakehunt.cli.shell.session import EndError, print_errors
from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.core.printable import printable

if TYPE_CHECKING:
    from lakehunt.cli.shell.session import Session

Run = Callable[["Session", str], bool | None]
Suggest = Callable[["Session"], Iterable[Candidate]]


@dataclass(frozen=True)
class Command:
    """A command: how it is written, what it does, and the candidates for its argument. It returns whether it succeeded;
    None means success."""

    usage: str
    what: str
    run: Run
    suggest: Suggest = lambda session: ()

    @property
    def name(self) -> str:
        return self.usage.split()[0]


COMMANDS: dict[str, Command] = {}


def run(session: Session, text: str) -> bool:
    """Runs a command; returns whether it succeeded. Raises LakehuntError if it cannot be run."""
    name, _, argument = text.strip().partition(" ")
    found = COMMANDS.get(name.lower())
    if found is None:
        similar = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {similar[0]}?" if similar else ".help lists the commands"
        raise UsageError(f"there is no command {name}", hint)
    argument = argument.strip().removesuffix(";").strip()
    if argument and len(found.usage.split()) == 1:
        raise UsageError(f"{found.name} takes no argument", f"write {found.name}")
    return found.run(session, argument) is not False


def _command(usage: str, what: str, suggest: Suggest = lambda session: ()) -> Callable[[Run], Run]:
    def enter(function: Run) -> Run:
        one = Command(usage, what, function, suggest)
        COMMANDS[one.name] = one
        return function

    return enter


def _converted(kind: click.ParamType[int], text: str) -> int:
    """The value of an argument that is an option of commands, too. Raises UsageError for an invalid one."""
    try:
        return kind.convert(text, None, None)
    except click.UsageError as error:
        raise UsageError(error.message) from error


# Settings


@_command(".as-of [T|now]", "See events up to this instant, and use it as now(); now: the time of each query")
def _as_of(session: Session, argument: str) -> None:
    if argument:
        session.as_of = None if argument == "now" else _converted(options.INSTANT, argument)
    click.echo(f"as of {shown_as_of(session)}")


@_command(".period [SPAN|all]", "How far a query without a time filter looks back")
def _period(session: Session, argument: str) -> None:
    if argument:
        session.period = None if argument == "all" else _converted(options.TIMESPAN, argument)
    click.echo(f"period {shown_period(session)}")


@_command(
    ".format [FORM]",
    f"How rows are printed: {', '.join(options.FORMATS)}",
    lambda session: [Candidate(form, "form") for form in options.FORMATS],
)
def _format(session: Session, argument: str) -> None:
    if argument and argument not in options.FORMATS:
        raise UsageError(f"there is no form {argument!r}", f"one of {', '.join(options.FORMATS)}")
    session.form = argument or session.form
    click.echo(f"format {session.form}")


def shown_as_of(session: Session) -> str:
    return "now" if session.as_of is None else context.instant(session.as_of)


def shown_period(session: Session) -> str:
    from lakehunt.kql import times

    return "all" if session.period is None else times.format_timespan(session.period)


# Tables


def _table_names(session: Session) -> Iterable[Candidate]:
    live = session.engine.made()
    return [Candidate(name, "table") for name in sorted(live.tables.schemas)] if live else []


@_command(".tables", "List the tables that queries can read")
def _tables(session: Session, argument: str) -> None:
    from lakehunt.schemas.event_tables import BY_NAME

    tables = session.tables
    kinds = {
        **dict.fromkeys(tables.lookups, "lookup"),
        **dict.fromkeys(BY_NAME, "events"),
        **dict.fromkeys(tables.registered, "table of the configuration"),
    }
    rows = [{"table": n, "columns": len(c), "kind": kinds.get(n, "lookup")} for n, c in sorted(tables.schemas.items())]
    session.print_rows(rows, "table", "columns", "kind", what="table")


@_command(".schema TABLE", "List the columns of a table", _table_names)
def _schema(session: Session, argument: str) -> None:
    known = session.tables.schemas
    if argument not in known:
        similar = difflib.get_close_matches(argument, known, n=1)
        hint = f"did you mean {similar[0]}?" if similar else ".tables lists them"
        raise UsageError(f"there is no table {argument!r}" if argument else "name a table", hint)
    rows = [{"column": column.name, "type": column.type.name} for column in known[argument]]
    session.print_rows(rows, "column", "type", what="column")


# Hunts


def _hunt_names(session: Session) -> Iterable[Candidate]:
    return [Candidate(name, id_) for id_, name in options.hunt_ids(session.config.hunts)]


@_command(".hunts", "List the hunts")
def _hunts(session: Session, argument: str) -> None:
    rows = [{"id": id_, "hunt": name} for id_, name in options.hunt_ids(session.config.hunts)]
    session.print_rows(rows, "id", "hunt", what="hunt")


@_command(".hunt NAME", "Ask the query of a hunt, with its period; Up brings the query back for a change", _hunt_names)
def _hunt(session: Session, argument: str) -> bool:
    from lakehunt.hunting import compiled_hunt
    from lakehunt.kql.errors import lines

    if not argument:
        raise UsageError("name a hunt, or its id", ".hunts lists them")
    (hunt,) = context.loaded_hunts(session.config, [argument])[:1]
    text = hunt.query.strip()
    click.echo("\n".join(map(printable, lines(text))))
    if session.remember is not None:
        session.remember(text)
    return session.ask(text, compiled_hunt.query_period(hunt))


# The last query


@_command(".explain", "Say how the last query is run: what it reads, of which time, and its steps")
def _explain(session: Session, argument: str) -> bool:
    from lakehunt.hunting import explanation
    from lakehunt.kql.errors import QueryErrors

    text = _last(session)
    try:
        one = explanation.of_query(text, session.tables, session.moment, session.period)
    except QueryErrors as errors:
        print_errors("<query>", text, errors)
        return False
    window = one.window
    start = "the beginning" if window.since is None else context.instant(window.since)
    click.echo(f"window: from {start} to {context.instant(window.until)}")
    for table, columns in one.columns.items():
        click.echo(f"reads {render.counted(len(columns), 'column')} of {table}: {', '.join(columns)}")
    click.echo(f"as a hunt: {one.as_hunt}")
    click.echo("\n".join(["steps:", *(f"  {step}" for step in one.plan)]))
    return True


def _last(session: Session) -> str:
    if not session.asked:
        raise LakehuntError("nothing was asked yet", "ask a query first")
    return session.asked


@_command(".page", "Show all rows and columns of the last answer in the pager")
def _page(session: Session, argument: str) -> None:
    if session.answered is None:
        raise LakehuntError("nothing was answered yet", "ask a query first")
    session.page(session.answered)


@_command(".save NAME", "Write the last query as a hunt of this name, with a test of what it finds in the lake")
def _save(session: Session, argument: str) -> bool:
    from lakehunt.cli.shell import saving

    if not argument:
        raise UsageError("name the hunt, in words", ".save Downloads with certutil")
    if session.answered is None or session.answered.text != session.asked:
        raise LakehuntError("the last query was not answered", "ask a query first, then save it")
    return saving.write_hunt(session, argument, session.answered)


# Others


@_command(".help", "Say this")
def _help(session: Session, argument: str) -> None:
    width = max(len(one.usage) for one in COMMANDS.values())
    click.echo("\n".join([*HELP, "", *(f"{one.usage:{width}}  {one.what}" for one in COMMANDS.values())]))


HELP = (
    "A query ends at an empty line, or at a line that ends in ';' and is no `let` statement; Alt+Enter runs what is",
    "there. Between parentheses, and before a line that begins with '|', one empty line is part of the query.",
    "Tab completes, Up and Ctrl-R search what was typed before, Ctrl-C cancels a query, Ctrl-D leaves.",
)


@_command(".quit", "Leave")
@_command(".exit", "Leave")
def _quit(session: Session, argument: str) -> None:
    raise EndError


def completions(session: Session) -> dict[str, tuple[str, Callable[[], Iterable[Candidate]]]]:
    """For each command what it does, and the candidates for its argument."""

    def of(command: Command) -> Callable[[], Iterable[Candidate]]:
        return lambda: command.suggest(session)

    return {name: (one.what, of(one)) for name, one in COMMANDS.items()}
