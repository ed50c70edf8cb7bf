"""Collects metrics and publishes them: as a file for a collector, and by StatsD.

What must outlast a command is in a file of state beside that of the metrics: how often commands of this machine ran,
and what was counted in logs whose rows expire. Without that file these are counted again from what the logs still have.
Commands that end at the same time take turns, so that no counter falls."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lakehunt.core import atomic_write
from lakehunt.operations.metrics import catalog, statsd, text
from lakehunt.operations.metrics.catalog import CommandState
from lakehunt.operations.metrics.ledgers import Ledgers, LogPart
from lakehunt.operations.metrics.metric import Family, Sample
from lakehunt.operations.metrics.settings import MetricsSettings
from lakehunt.runtime import jvm_cache

OPEN, LONGEST = timedelta(days=2), timedelta(days=3)
"""The end of logs that is counted anew each time: a run that began before that has written its last row. It is cut to
two days when it has three."""


@dataclass(frozen=True)
class State:
    """What was collected last; `counted` are the families of LOGS up to the time `cut`."""

    cut: datetime | None = None
    counted: tuple[Family, ...] = ()
    collected: tuple[Family, ...] = ()
    commands: dict[str, CommandState] = field(default_factory=dict)

    def families(self) -> list[Family]:
        """All metrics."""
        return [*self.collected, *catalog.COMMANDS.families(self.commands)]

    def refreshed(self, ledgers: Ledgers) -> State:
        """The state with what the lake says now."""
        cut, counted = self.cut, self.counted
        if cut is None or ledgers.now - cut > LONGEST:
            until = (ledgers.now - OPEN).replace(microsecond=0)
            counted = tuple(added(counted, catalog.LOGS.families(LogPart(ledgers, cut, until))))
            cut = until
        logs = added(counted, catalog.LOGS.families(LogPart(ledgers, cut, None)))
        return replace(self, cut=cut, counted=counted, collected=(*catalog.LAKE.families(ledgers), *logs))

    def after_command(self, name: str, succeeded: bool, seconds: float, now: datetime) -> State:
        """The state after a command of this machine."""
        done = catalog.after(self.commands.get(name), succeeded, seconds, now)
        return replace(self, commands={**self.commands, name: done})


def added(some: Iterable[Family], others: Iterable[Family]) -> Iterator[Family]:
    """The sums of samples with the same labels. A metric that is not among the others is one of an earlier version."""
    known = {one.name: one for one in some}
    for family in others:
        values = {_key(one): one for one in known[family.name].samples} if family.name in known else {}
        for one in family.samples:
            before = values.get(_key(one))
            values[_key(one)] = replace(one, value=one.value + (before.value if before else 0))
        yield replace(family, samples=tuple(values.values()))


def _key(sample: Sample) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(sample.labels.items()))


def refresh(settings: MetricsSettings, root: str, ledgers: Ledgers) -> None:
    """Collects what the lake says. Raises OSError, or whatever a table that cannot be read raises."""
    with _locked(settings, root) as file:
        _save(file, _load(file).refreshed(ledgers))


def publish(settings: MetricsSettings, root: str, command: str, succeeded: bool, seconds: float, now: datetime) -> None:
    """Publishes what was collected last, and that a command of this machine has ended. Raises OSError."""
    with _locked(settings, root) as file:
        state = _load(file).after_command(command, succeeded, seconds, now)
        _save(file, state)
        families = state.families()
        if settings.file is not None:
            form = text.prometheus if settings.file.suffix == ".prom" else text.openmetrics
            atomic_write.write(settings.file, form(families, settings.labels).encode())
    if settings.statsd is not None:
        statsd.send(settings.statsd, families, settings.labels)


def current(settings: MetricsSettings, root: str, ledgers: Ledgers) -> Sequence[Family]:
    """All metrics as they are now; nothing is written."""
    state = State()
    if settings.are_on:
        with suppress(OSError):
            state = _load(_state_file(settings, root))
    return state.refreshed(ledgers).families()


# The file of state


def _state_file(settings: MetricsSettings, root: str) -> Path:
    if settings.file is not None:
        return settings.file.with_name(f".{settings.file.name}.state")
    return jvm_cache.cache_folder() / "metrics" / f"{hashlib.sha256(root.encode()).hexdigest()[:16]}.state"


@contextmanager
def _locked(settings: MetricsSettings, root: str) -> Iterator[Path]:
    file = _state_file(settings, root)
    if settings.file is None:
        file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield file


def _load(file: Path) -> State:
    """The state; a new one if there is none that this version can read."""
    try:
        stored = json.loads(file.read_bytes())
        return State(
            stored["cut"] and datetime.fromisoformat(stored["cut"]),
            tuple(map(_family, stored["counted"])),
            tuple(map(_family, stored["collected"])),
            {name: CommandState(**one) for name, one in stored["commands"].items()},
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return State()


def _family(stored: dict[str, Any]) -> Family:
    return Family(**{**stored, "samples": tuple(Sample(**one) for one in stored["samples"])})


def _save(file: Path, state: State) -> None:
    stored = asdict(state) | {"cut": state.cut and state.cut.isoformat()}
    atomic_write.write(file, json.dumps(stored).encode())
