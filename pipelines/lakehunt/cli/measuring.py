"""The metrics that are published after each job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lakehunt.cli import context
from lakehunt.core.errors import LakehuntError

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.lake.delta_lake import Lake
    from lakehunt.lake.small_tables import LocalTables
    from lakehunt.operations.metrics.ledgers import Ledgers


@dataclass
class Outcome:
    """Whether a job has succeeded so far."""

    succeeded: bool = False


@contextmanager
def measured(config: Config, job: str) -> Iterator[Outcome]:
    """Publishes metrics after a job, however it ends. That never makes the job fail: what prevents it is said."""
    outcome, began = Outcome(), time.perf_counter()
    try:
        with context.before_spark_ends(lambda lake: _collect_by_spark(config, lake)):
            yield outcome
    finally:
        publish(config, job, outcome.succeeded, time.perf_counter() - began)


def _collect_by_spark(config: Config, lake: Lake) -> None:
    """Collects while there is a session, where only Spark reaches the lake."""
    if context.without_spark(config) is None:
        collect(config, lake)


def publish(config: Config, job: str, succeeded: bool, seconds: float) -> None:
    """Publishes what the lake says, and how a job went. A lake that only Spark reaches is not read: see `collect`."""
    from lakehunt.operations.metrics import publishing

    with _said(), suppress(LakehuntError):
        if (tables := context.without_spark(config)) is not None:
            collect(config, tables)
    with _said():
        publishing.publish(config.metrics, config.lake, job, succeeded, seconds, datetime.now(UTC))


def collect(config: Config, lake: Lake | LocalTables) -> None:
    """Collects what the lake says, for `publish`."""
    from lakehunt.operations.metrics import publishing

    with _said():
        publishing.refresh(config.metrics, config.lake, ledgers(config, lake))


def ledgers(config: Config, lake: Lake | LocalTables) -> Ledgers:
    """What metrics are read from, now."""
    from lakehunt.operations.metrics.ledgers import Ledgers

    return Ledgers(lake, context.loaded_hunts(config, ()), config.hunting, datetime.now(UTC))


@contextmanager
def _said() -> Iterator[None]:
    """Says why there are no metrics, and goes on."""
    try:
        yield
    except OSError as error:
        click.echo(f"no metrics: {error.strerror or error} ({error.filename})", err=True)
    except Exception as error:  # noqa: BLE001 (whatever a damaged lake raises, the job has done its work)
        from lakehunt.runtime.error_text import in_one_line

        click.echo(f"no metrics of the lake: {in_one_line(error)}", err=True)
