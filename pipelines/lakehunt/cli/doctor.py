"""`lakehunt doctor`: whether Lakehunt can run here, and whether the lake is whole."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from lakehunt.cli import operate, options, render
from lakehunt.cli.render import Column
from lakehunt.core.credentials import redacted

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.operations.check import Check

SECTION = operate.SECTION


@SECTION.command("doctor")
@click.option("--spark", "with_spark", is_flag=True, help="Start Spark, too, and let it write and read a table")
@click.option(
    "--repair", is_flag=True, help="Take data files that are gone out of the tables, so that the rest can be read"
)
@options.formats(options.TEXT)
def doctor(config: Config, with_spark: bool, repair: bool, form: str) -> bool:
    """Check that Lakehunt can run here, and that all files of the lake are there and whole.

    It looks at Python, Java, Spark, jars, memory, temporary files, the lake's place and clocks, and says what to do.
    Then it compares the logs of the lake's tables with each other and with the data files, if the lake is a folder.

    It starts no Spark unless asked. The exit code is 1 if a check failed; a warning is no failure."""
    outcomes: Counter[str] = Counter()

    def counted() -> Iterator[Check]:
        for one in _checks(config, with_spark, repair):
            outcomes[one.outcome] += 1
            yield one

    _print(counted(), form)
    if form == options.TEXT:
        found = [render.counted(outcomes[what], what) for what in ("failure", "warning") if outcomes[what]]
        click.echo(f"{render.counted(outcomes.total(), 'check')}: {', '.join(found) or 'all is well'}")
    return not outcomes["failure"]


_COLUMNS = [Column("check"), Column("outcome"), Column("found"), Column("to_do", "what to do")]
_COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}


def _print(checks: Iterable[Check], form: str) -> None:
    if form != options.TEXT:
        render.records(form, [vars(one) for one in checks], _COLUMNS, what="check")
        return
    for one in checks:  # each as soon as it is known
        mark = render.styled(f"{one.outcome:8}", sys.stdout, fg=_COLOURS[one.outcome], bold=True)
        click.echo(f"{mark} {one.check}: {redacted(one.found)}")
        if one.to_do:
            click.echo(f"{'':8} to do: {redacted(one.to_do)}")


def _checks(config: Config, with_spark: bool, repair: bool) -> Iterator[Check]:
    from lakehunt.core import object_store
    from lakehunt.operations import machine, places

    by_spark = "://" in config.lake and (config.is_s3_sparks or not object_store.is_s3(config.lake))
    yield from machine.checks(config)
    yield from places.checks(config.lake, config.object_store, by_spark)
    if with_spark:
        from lakehunt.operations import trial

        yield from trial.checks(config, config.lake if by_spark else None)
    yield from places.files(config.lake, repair)
