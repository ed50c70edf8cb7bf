"""`lakehunt watch`: lands, asks what is due and alerts, again and again in one process."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehunt.cli import context, due, hunts, measuring, operate, options, pipeline
from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.hunting.content.hunt_file import Hunt
    from lakehunt.lake.delta_lake import Lake
    from lakehunt.landing.engines import Engine

SECTION = pipeline.SECTION

WORK = "watch"
"""The name of the lock that a watching process holds."""

METRICS_EVERY = 15.0
"""Seconds between metrics that are published: as often as Prometheus asks."""

LONGEST_PAUSE = 300.0
"""Seconds between rounds after many that failed."""


@SECTION.command("watch", is_job=True, is_measured=False)
@options.source
@click.option(
    "--every", metavar="SPAN", type=options.TIMESPAN, default="10s", show_default=True, help="Pause between rounds"
)
@click.option("--alert/--no-alert", default=True, show_default=True, help="Send alerts as `lakehunt alert` does")
def watch(config: Config, source: str | None, every: int, alert: bool) -> bool:
    """Follow a source: land what comes, ask hunts that are due, and alert, until it is interrupted.

    A hunt that single events decide is asked as soon as one has landed. SIGTERM or Ctrl-C ends it after the step that
    it is at, a second Ctrl-C at once. Exit code 0: the last round was without an error.

    SOURCE is a folder, glob or file of Streaming API blobs; default: the configuration's source."""
    from lakehunt.kql.types import TICKS_PER_SECOND
    from lakehunt.lake import write_lock

    place = options.source_of(config, source)
    context.check_place(config)
    if "://" not in config.lake:
        Path(config.lake).mkdir(parents=True, exist_ok=True)
    with write_lock.only_one(config.lake, WORK) as is_alone:
        if not is_alone:
            raise LakehuntError(
                f"another `lakehunt watch` follows a source into the lake {config.lake}", "end it first, or let it run"
            )
        with context.progress() as say, _until_signal() as stop:
            return Watch(config, place, alert, say, stop).run(every / TICKS_PER_SECOND)


@contextmanager
def _until_signal() -> Iterator[threading.Event]:
    """Set by SIGTERM or Ctrl-C. A second Ctrl-C interrupts."""
    stop = threading.Event()

    def ended(number: int, _: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ended) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Watch:
    """Rounds over one lake in a kept Spark session."""

    def __init__(self, config: Config, source: str, alert: bool, say: Progress, stop: threading.Event) -> None:
        from lakehunt.hunting.at_once import AtOnce
        from lakehunt.live.session import KeptSession

        self.config, self.source, self.alert, self.say, self.stop = config, source, alert, say, stop
        self.session = KeptSession(config)
        self.tables = context.tables(config)
        self.folder = _HuntsFolder(config)
        self.at_once = AtOnce(self.tables, config.limits)
        self.unreadable: tuple[tuple[str, str], ...] = ()
        self.refused_at: float | None = None
        self.is_unread = False
        self.published = -math.inf

    def run(self, pause: float) -> bool:
        """Rounds until it is to stop; returns whether the last one succeeded. After one that was given up the pause is
        longer, each time twice as long."""
        self.session.begin()
        failures = 0
        try:
            while True:
                began = time.monotonic()
                fine = self._round_survived()
                self._publish_metrics(bool(fine), time.monotonic() - began)
                failures = failures + 1 if fine is None else 0
                wait = min(pause * 2 ** min(failures, 20), max(pause, LONGEST_PAUSE))
                if failures and not self.stop.is_set():
                    self.say(f"the round was given up; the next one begins in {wait:.0f} s")
                if self.stop.wait(wait):
                    self.say("ended")
                    return bool(fine)
        finally:
            self.session.close()

    def _publish_metrics(self, fine: bool, seconds: float) -> None:
        """Publishes metrics of a round, of rounds that follow quickly only some."""
        if not self.config.metrics.are_on or time.monotonic() - self.published < METRICS_EVERY:
            return
        self.published = time.monotonic()
        if context.without_spark(self.config) is None:
            with suppress(LakehuntError), self.session.lake() as lake:
                measuring.collect(self.config, lake)
        measuring.publish(self.config, "watch", fine, seconds)

    def _round_survived(self) -> bool | None:
        """A round; None if an error has ended it. What it leaves undone, the next one does."""
        try:
            return self.round()
        except Exception as error:  # noqa: BLE001 (whatever a round does, the next one is tried)
            from lakehunt.runtime.error_text import describe

            click.echo(f"lakehunt: {error if isinstance(error, LakehuntError) else describe(error)}", err=True)
            return None

    def round(self) -> bool:
        """Lands, asks at once what single events decide, then what is due."""
        chosen, fine = self.folder.hunts()
        landed, is_new = self._land()
        fine = landed and fine
        self.is_unread = self.is_unread or is_new
        if self.is_unread and not self.stop.is_set():
            fine = self._ask_at_once(chosen) and fine
            self.is_unread = False
        if not self.stop.is_set():
            fine = self._ask_due(chosen) and fine
        return fine

    def _land(self) -> tuple[bool, bool]:
        """Whether all has landed, and whether there are new events. What has been said of refused batches and of files
        that cannot be read is not said again in every round."""
        waiting = None
        with self._landing() as landing:
            if self.refused_at is None or time.monotonic() - self.refused_at > LONGEST_PAUSE:
                waiting = landing.promote()
                self.refused_at = time.monotonic()
            ingested, promoted = landing.land(self.source, datetime.now(UTC))
        both = pipeline.both(waiting, promoted)
        fine = not ingested.unreadable
        batches = () if both is None else both.batches
        if batches or ingested.delivered or ingested.unreadable != self.unreadable:
            fine = pipeline.print_landed(ingested, both)
        self.unreadable = ingested.unreadable
        return fine, any(batch.events for batch in batches)

    @contextmanager
    def _landing(self) -> Iterator[Engine]:
        from lakehunt.landing.local import engine as local
        from lakehunt.landing.spark.engine import SparkEngine

        config = self.config
        settings = pipeline.settings(config)
        if local.is_possible(config.landing, self.source, config.lake, pipeline.s3(config)):
            with context.written(config):
                yield local.LocalEngine(*settings, _silent, config.object_store)
        else:
            with context.written(config), self.session.lake() as lake:
                yield SparkEngine(lake, *settings[1:], _silent)

    def _ask_at_once(self, chosen: Sequence[Hunt]) -> bool:
        with self._opened() as lake:
            runs = self.at_once.ask(lake, chosen, self.say)
            fine = hunts.print_runs(runs)
            if runs and self.alert and self.config.alerts.channels:
                fine = operate.send_alerts(lake, self.config, runs[0].as_of, None, self.say) and fine
        return fine

    def _ask_due(self, chosen: Sequence[Hunt]) -> bool:
        now = context.now()
        return due.asked_due(
            self.config, chosen, now, self.alert, self.say, self._opened, self.session.begin, self.tables, quiet=True
        )

    def _opened(self) -> AbstractContextManager[Lake]:
        return _both(lambda: context.written(self.config), self.session.lake)


@contextmanager
def _both(
    written: Callable[[], AbstractContextManager[None]], lake: Callable[[], AbstractContextManager[Lake]]
) -> Iterator[Lake]:
    with written(), lake() as opened:
        yield opened


def _silent(step: str) -> None:
    """Landing tells of each of its steps, in every round."""


class _HuntsFolder:
    """The hunts of the folder, which are read again when a file of it has changed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._state: object = None
        self._found: tuple[list[Hunt], bool] = ([], True)

    def hunts(self) -> tuple[list[Hunt], bool]:
        folder = context.hunts_folder(self._config)
        state = [
            (file, one.st_mtime_ns, one.st_size) for file in sorted(folder.rglob("*.y*ml")) if (one := file.stat())
        ]
        if state != self._state:
            self._found = context.readable_hunts(self._config, ())
            self._state = state
        return self._found
