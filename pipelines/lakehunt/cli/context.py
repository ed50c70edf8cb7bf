"""Shared by all commands: the lake, the hunts, progress, and suggestions for the next command."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lakehunt.core import json_log
from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.hunting.content.hunt_file import Hunt
    from lakehunt.hunting.query.table_catalog import TableCatalog
    from lakehunt.lake.delta_lake import Lake
    from lakehunt.lake.small_tables import LocalTables

PROGRAM = "lakehunt"


@contextmanager
def lake(config: Config, learning: bool = False, writing: bool = False) -> Iterator[Lake]:
    """The lake, in this process's Spark session; for `learning` see `session.start`. A lake for `writing` is checked
    for damage first, and its tables are not moved meanwhile.

    Raises LakehuntError for errors of Spark."""
    begin(config, learning)

    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    from lakehunt.lake.delta_lake import Lake
    from lakehunt.runtime import error_text, session

    with written(config) if writing else nullcontext():
        spark = session.start(config, learning)
        own = session.is_own(spark)
        if own:
            session.cancel_on_interrupt(spark)
        try:
            yield Lake(spark, config.lake, config.object_store)
        except (PySparkException, Py4JError, ConnectionError) as error:
            raise error_text.failure(error) from error
        finally:
            if writing or learning:
                for done in _Ending.calls:
                    done(Lake(spark, config.lake, config.object_store))
            if own:
                with suppress(Py4JError, OSError):  # if its JVM has ended
                    spark.stop()


class _Ending:
    """What is called before a session ends."""

    calls: tuple[Callable[[Lake], None], ...] = ()


@contextmanager
def before_spark_ends(call: Callable[[Lake], None]) -> Iterator[None]:
    """Calls this at the end of each use of a lake that a command writes to by Spark."""
    _Ending.calls = (*_Ending.calls, call)
    try:
        yield
    finally:
        _Ending.calls = _Ending.calls[:-1]


def begin(config: Config, learning: bool = False, brief: bool = False) -> None:
    """Lets Spark's JVM start while a command prepares what it runs. If it cannot, that is said when the lake is opened.
    `learning` and `brief` as in `settings.of_own_jvm`.

    Raises LakehuntError if the lake cannot be there."""
    from lakehunt.runtime import launch

    check_place(config)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        with suppress(LakehuntError):
            launch.begin(config, learning, brief)


@contextmanager
def small_tables(config: Config) -> Iterator[Lake | LocalTables]:
    """What reads the lake's small tables: delta-rs where it reaches them, else Spark, which has to start."""
    check_place(config)
    if (tables := without_spark(config)) is not None:
        yield tables
    else:
        with lake(config) as opened:
            yield opened


def without_spark(config: Config) -> LocalTables | None:
    """The lake's tables by delta-rs; None where only Spark may reach or write them."""
    from lakehunt.lake import small_tables

    if config.is_s3_sparks or not small_tables.reachable(config.lake):
        return None
    return small_tables.LocalTables(config.lake, config.object_store)


FEW = 256 << 20
"""Bytes of events up to which a query is answered sooner without Java's second compiler. With 2.4 GB that holds for a
count, but no longer for a search of texts."""


def is_brief(config: Config) -> bool:
    """Whether any one query of these tables is over before Java's second compiler has paid."""
    if "://" in config.lake or config.tables:
        return False
    sizes = (file.stat().st_size for file in Path(config.lake, "events").rglob("*.parquet"))
    return all(total <= FEW for total in accumulate(sizes))


@contextmanager
def written(config: Config) -> Iterator[None]:
    """While a command writes to the lake, which is checked for damage first: its tables are not moved meanwhile."""
    from lakehunt.lake import damage, write_lock

    check_place(config)
    for notice in damage.check_before_run(config.lake):
        click.echo(f"lakehunt: {notice}", err=True)
    with write_lock.shared(config.lake):
        yield


def check_place(config: Config) -> None:
    """Raises LakehuntError if the lake cannot be there: because a file is in its place or above it, or because its
    bucket in S3 cannot be read; and if a later version has written it."""
    from lakehunt.core import object_store
    from lakehunt.lake import format as lake_format

    root = config.lake
    if object_store.is_s3(root) and not config.is_s3_sparks:
        object_store.check(root, "the lake", config.object_store)
    if "://" in root:
        return
    there = next((path for path in (Path(root), *Path(root).absolute().parents) if path.exists()), Path("/"))
    if not there.is_dir():
        raise LakehuntError(f"the lake {root} cannot be a folder: {there} is a file", "name another one with --lake")
    lake_format.check(root, config.object_store)


@contextmanager
def progress(total: bool = False) -> Iterator[Progress]:
    """Shows the current step on standard error, with a spinner on a terminal; with `total` also the total time at the
    end.

    Enter it before the lake is opened, so that the time includes the start of Spark."""
    started = time.perf_counter()

    def clock() -> str:
        return f"{time.perf_counter() - started:6.1f} s"

    if json_log.is_on():
        yield lambda step: json_log.LOG.info("%s", redacted(step))
        return
    if sys.stderr.isatty():
        with _spinner(clock) as say:
            yield say
    else:
        yield lambda step: click.echo(f"{clock()}  {redacted(step)}", err=True)
    if total:
        click.echo(f"{clock()}  in total", err=True)


@contextmanager
def _spinner(clock: Callable[[], str]) -> Iterator[Progress]:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    console = Console(stderr=True, highlight=False, markup=False)  # which honours NO_COLOR
    spinner = Spinner("dots", "starting")
    # What is printed on the terminal meanwhile has to go around the spinner; what goes to a file or a pipe, there.
    with Live(spinner, console=console, transient=True, redirect_stdout=sys.stdout.isatty()):

        def say(step: str) -> None:
            shown = redacted(step)
            console.print(f"{clock()}  {shown}", style="dim")
            spinner.update(text=shown)

        yield say


def tables(config: Config) -> TableCatalog:
    """The tables that queries can use; needs no Spark session."""
    from lakehunt.hunting.query.table_catalog import TableCatalog

    return TableCatalog(config.tables, config.external, config.lookups)


def hunts_folder(config: Config) -> Path:
    """The folder of hunts. Raises LakehuntError if it does not exist."""
    if not config.hunts.is_dir():
        raise LakehuntError(f"no folder of hunts at {config.hunts}", "name it as `hunts` in the configuration")
    return config.hunts


def own_hunts_folder(config: Config) -> Path:
    """The folder of hunts, for writing. Raises LakehuntError if the hunts are those of the package."""
    from lakehunt import project

    if config.hunts == project.HUNTS:
        raise LakehuntError(
            "there is no folder of hunts of your own here",
            "make a project with `lakehunt init DIR`, or name --into DIR",
        )
    return hunts_folder(config)


def loaded_hunts(config: Config, names: Sequence[str]) -> list[Hunt]:
    """The hunts of the folder with these ids or names, or all; invalid files are skipped."""
    from lakehunt.hunting import compiled_hunt
    from lakehunt.hunting.content import hunt_file

    hunts, _ = hunt_file.load_folder(config.hunts)
    return compiled_hunt.select_hunts(hunts, names)


def checked_hunts(config: Config, catalog: TableCatalog) -> tuple[list[Hunt], bool]:
    """All valid hunts, and whether there were no errors, which are printed before anything runs. The catalog keeps what
    it compiled, for a run on it."""
    from lakehunt.cli import diagnostics
    from lakehunt.hunting import compile_check

    checked = compile_check.check_files([hunts_folder(config)], catalog)
    diagnostics.problems(checked)
    return [one.hunt for one in checked if one.hunt], all(one.ok for one in checked)


def readable_hunts(config: Config, names: Sequence[str]) -> tuple[list[Hunt], bool]:
    """The hunts of the folder with these ids or names, or all, and whether all files can be read; errors are printed.
    Queries are not compiled."""
    from lakehunt.cli import diagnostics
    from lakehunt.hunting import compiled_hunt
    from lakehunt.hunting.content import hunt_file

    hunts, errors = hunt_file.load_folder(hunts_folder(config))
    for error in errors:
        diagnostics.report(error)
    return compiled_hunt.select_hunts(hunts, names), not errors


def now() -> int:
    """The current time in ticks."""
    from lakehunt.kql import times

    return times.from_datetime(datetime.now(UTC))


def instant(ticks: int) -> str:
    """An instant in the form that is printed and that `--as-of` accepts; a zero fraction or time of day is omitted."""
    from lakehunt.kql import times

    text = times.format_datetime(ticks).removesuffix("Z")
    whole = text.rstrip("0").rstrip(".")
    return whole.removesuffix("T00:00:00") if whole.endswith("T00:00:00") else f"{whole}Z"


def next_steps(*commands: str) -> None:
    """Prints suggested next commands on standard error, for the same lake and configuration; a log has none."""
    if json_log.is_on():
        return
    given = click.get_current_context().params
    same = [f"--{name} {shlex.quote(given[name])}" for name in ("config", "lake") if given.get(name)]
    for number, command in enumerate(commands):
        line = " ".join([PROGRAM, command, *same])
        click.echo(f"{'next:' if not number else '     '} {redacted(line)}", err=True)
