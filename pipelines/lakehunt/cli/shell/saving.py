"""Writes a query that was answered as a hunt, with a test."""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lakehunt.cli import context
from lakehunt.hunting.content import hunt_file, scaffold
from lakehunt.hunting.testing import cases, runner, sampled
from lakehunt.importing.hunt_writer import GeneratedHunt, text_of
from lakehunt.kql import times
from lakehunt.runtime import bounded

if TYPE_CHECKING:
    from lakehunt.cli.shell.session import Answered, Session
    from lakehunt.hunting.testing.sampled import Sample
    from lakehunt.lake.delta_lake import Lake

DESCRIPTION = "Write here what is looked for, why it matters, and what usually turns out to be harmless."


def write_hunt(session: Session, name: str, answered: Answered) -> bool:
    """Writes the hunt, and its test if the query found anything; returns whether the hunt passes it.

    Raises LakehuntError if they cannot be written, KeyboardInterrupt if it is cancelled."""
    hunt, tests = scaffold.files(name, context.own_hunts_folder(session.config))
    identifier = str(uuid.uuid4())

    def sampled_and_tested() -> tuple[str, ...] | None:
        found = sampled.sample(lake, answered.text, answered.as_of, answered.period, session.tables)
        scaffold.write(hunt, _text(name, identifier, answered))
        return _write_tests(session, lake, hunt, tests, identifier, found, answered.as_of) if found else None

    with session.engine.live.session.lake() as lake:
        failures = bounded.within(lake.spark, session.config.limits.seconds, "seconds", sampled_and_tested)
    click.echo(str(hunt))
    if failures is None:
        why = "the query found no events that one could be made of"
        click.echo(f"it has no test, because {why}: write {tests.name} (docs/how-to/hunt-tests.md)", err=True)
    else:
        click.echo(str(tests))
    for difference in failures or ():
        click.echo(f"its test fails: {difference}", err=True)
    click.echo(f"next: {context.PROGRAM} check {shlex.quote(str(hunt))}", err=True)
    return not failures


def _text(name: str, identifier: str, answered: Answered) -> str:
    period = "" if answered.period is None else times.format_timespan(answered.period)
    made = GeneratedHunt(
        seed="",
        source=Path("lakehunt shell"),
        name=name,
        query=answered.text + "\n",
        description=DESCRIPTION,
        id=identifier,
        period=period,
        comment="# Saved by `lakehunt shell`.",
    )
    return text_of(made)


def _write_tests(
    session: Session, lake: Lake, hunt: Path, tests: Path, identifier: str, found: Sample, as_of: int
) -> tuple[str, ...]:
    """Writes the test, as of an instant at which the hunt passes it if there is one. Returns how it fails."""
    differences: tuple[str, ...] = ()
    for at in sampled.as_ofs(found, as_of):
        scaffold.write(tests, sampled.text_of(found, hunt.name, identifier, at))
        read = hunt_file.load(hunt)
        results = [runner.run(lake, read, case, session.tables) for case in cases.load(read, session.tables)]
        differences = tuple(each for one in results for each in one.differences)
        if not differences:
            break
    return differences
