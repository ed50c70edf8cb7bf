"""Options that several commands share, each defined once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from lakehunt.cli import context
from lakehunt.core import object_store
from lakehunt.core.errors import UsageError

if TYPE_CHECKING:
    from lakehunt.config import Config

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "vertical", "json", "jsonl", "csv", "csv-exact")
TREE, TEXT = "tree", "text"
ALL_FORMATS = (*FORMATS, TREE, TEXT)

COUNT = click.IntRange(min=1)
PORT = click.IntRange(1, 2**16 - 1)
FILE = click.Path(path_type=Path)


class _Instant(click.ParamType[int]):
    """Ticks of an instant that Spark can hold."""

    name = "T"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from lakehunt.kql import times
        from lakehunt.kql.types import TICKS_PER_MICROSECOND

        ticks = times.parse_datetime(str(value))
        if ticks is None:
            self.fail(f"{value!r} is not a valid time; write 2026-03-10 or 2026-03-10T06:40:15.338Z (UTC)", param, ctx)
        if ticks % TICKS_PER_MICROSECOND:
            self.fail(f"{value!r} is finer than a microsecond, which a table cannot hold", param, ctx)
        return ticks


class _Timespan(click.ParamType[int]):
    """Ticks of a length of time."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from lakehunt.kql import times

        ticks = times.parse_timespan(str(value))
        if ticks is None or ticks <= 0:
            self.fail(f"{value!r} is not a valid timespan; write 7d or 12h", param, ctx)
        return ticks


class _Choice(click.Choice[str]):
    """One of several words; former spellings are still accepted, but not shown in help."""

    def __init__(self, former: dict[str, str]) -> None:
        super().__init__(list(former.values()))
        self.former = former

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(self.former.get(value, value), param, ctx)


INSTANT, TIMESPAN = _Instant(), _Timespan()
CURRENT, AS_RUN = "current", "as-run"


def as_of(what: str, default: str = "now") -> Callable[[F], F]:
    """--as-of, with its default in words; "now" is filled in, any other default is the command's own (None)."""

    def filled(ctx: click.Context, param: click.Parameter, value: int | None) -> int | None:
        return context.now() if value is None and default == "now" else value

    return click.option("--as-of", type=INSTANT, callback=filled, help=f"{what}; default: {default}")


SEE_EVENTS = "See events up to this instant, and use it as now()"


def period(since: str, until: str) -> Callable[[F], F]:
    """--from and --to, for `as_ofs`."""

    def decorate(function: F) -> F:
        function = click.option("--to", "until", type=INSTANT, help=f"{until}; default: now")(function)
        return click.option("--from", "since", type=INSTANT, help=since)(function)

    return decorate


def as_ofs(as_of: int | None, since: int | None, until: int | None) -> tuple[int, int] | None:
    """The first and the last requested as-of, in ticks; None if none was given."""
    if as_of is not None and (since is not None or until is not None):
        raise UsageError("give either --as-of or --from and --to")
    if until is not None and since is None:
        raise UsageError("--to needs --from", "give the first as-of of the range, or only --as-of")
    if since is None:
        return None if as_of is None else (as_of, as_of)
    last = context.now() if until is None else until
    if last < since:
        raise UsageError("--to is before --from")
    return since, last


def formats(extra: str = "", default: str = "table") -> Callable[[F], F]:
    """--format; `extra` is a format that only this command has."""
    choices = [extra, *FORMATS] if extra else list(FORMATS)
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=extra or default,
        show_default=True,
        help="How to print the rows",
    )


def json_for_scripts(function: F) -> F:
    """--json: an alias of --format jsonl, for scripts."""

    @click.option("--json", "json_", is_flag=True, hidden=True)
    @wraps(function)
    def command(*args: Any, json_: bool, form: str, **rest: Any) -> Any:
        return function(*args, form="jsonl" if json_ else form, **rest)

    return command  # type: ignore[return-value]


def source(function: F) -> F:
    """SOURCE, as `source_of` resolves it."""
    return click.argument("source", metavar="[SOURCE]", required=False)(function)


def source_of(config: Config, source: str | None) -> str:
    """The given source, or else the configured one."""
    chosen = object_store.one_spelling(source) if source else config.source
    if not chosen:
        raise UsageError("no SOURCE to land", "name one, or write it as `source` in the configuration")
    return chosen


def hunts(function: F) -> F:
    """[HUNT]... and its alias --hunt, as one list `names`; empty: all hunts."""

    @click.argument("named", metavar="[HUNT]...", nargs=-1, shell_complete=_hunts)
    @click.option(
        "--hunt", metavar="HUNT", multiple=True, shell_complete=_hunts, help="The same as HUNT; may be repeated"
    )
    @wraps(function)
    def command(*args: Any, named: tuple[str, ...], hunt: tuple[str, ...], **rest: Any) -> Any:
        return function(*args, names=[*named, *hunt], **rest)

    return command  # type: ignore[return-value]


def hidden_flag(name: str, into: str) -> Callable[[F], F]:
    """The former name of a flag."""

    def decorate(function: F) -> F:
        @click.option(name, "former", is_flag=True, hidden=True)
        @wraps(function)
        def command(*args: Any, former: bool, **rest: Any) -> Any:
            return function(*args, **{**rest, into: rest[into] or former})

        return command  # type: ignore[return-value]

    return decorate


def exclusions(function: F) -> F:
    """--exclusions current|as-run."""
    return click.option(
        "--exclusions",
        type=_Choice({"now": CURRENT, "then": AS_RUN}),
        default=CURRENT,
        show_default=True,
        help="current: as they are now; as-run: those that the first run of the as-of used",
    )(function)


def _hunts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from lakehunt import config as configuration

    folder = configuration.load(ctx.params.get("config")).hunts
    known = hunt_ids(folder)
    return [CompletionItem(id_, help=name) for id_, name in known if id_.startswith(incomplete.lower())]


def hunt_ids(folder: Path) -> Iterator[tuple[str, str]]:
    """Ids and names in a folder of hunts, for completion; found without a YAML parser, which would be too slow."""
    for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        fields = dict(re.findall(r"^(id|name):[ \t]*(.+?)[ \t]*$", file.read_text("utf-8", "replace"), re.MULTILINE))
        if "id" in fields:
            yield fields["id"].strip("'\"").lower(), fields.get("name", "").strip("'\"")
