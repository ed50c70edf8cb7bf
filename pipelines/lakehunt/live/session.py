"""A Spark session that is kept between questions.

A process has one Spark context, so what is kept is the process's: sessions of several lakes share its JVM. It starts
when it is first needed, in a thread of its own, and ends when none of them has used it for a while; it is started again
when it is needed and has ended, for whatever reason. It can be reached by this process only: through a port of the
loopback interface, with a secret.

A session that exists already, as on a managed platform, is never ended. Questions are asked in a session beside it."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import error_text, session

IDLE = 1800.0
"""Seconds without use after which Spark's JVM ends, unless something else is said."""


@dataclass(frozen=True)
class _Wanted:
    """What a JVM is started with: what of a configuration concerns Spark. Implements `SparkSettings`."""

    spark: dict[str, str]
    delta_jars: Path | None
    object_store: ObjectStore
    needs_s3: bool

    @classmethod
    def of(cls, config: Config) -> _Wanted:
        return cls(dict(config.spark), config.delta_jars, config.object_store, config.needs_s3)


class KeptSession:
    """A use of this process's kept Spark session. Safe to use from several threads.

    `idle` is how many seconds the JVM may be unused before it ends (`math.inf`: it stays until `close`); with several
    uses, the longest counts."""

    def __init__(self, config: Config, idle: float | None = None) -> None:
        self._config = config
        self._wanted = _Wanted.of(config)
        self._idle = IDLE if idle is None else idle
        self._beside: tuple[object, SparkSession] | None = None

    def begin(self) -> None:
        """Lets Spark start, if it does not run. Does not wait for it: what fails is said when the lake is opened."""
        _JVM.begin(self, self._wanted, self._idle)

    def close(self) -> None:
        """Ends this use. With the last one, the JVM ends, if this process has started it."""
        _JVM.leave(self)

    @contextmanager
    def spark(self) -> Iterator[SparkSession]:
        """The session, which does not end meanwhile.

        Raises LakehuntError if it cannot start, if it ends or fails meanwhile, and if a JVM with other settings is in
        use in this process."""
        running = _JVM.enter(self, self._wanted, self._idle)
        try:
            yield running if running is not None else self._session_beside()
        except (LakehuntError, PySparkException, Py4JError, OSError) as error:
            if running is not None and not session.answers(running):
                hint = "ask again: it is started anew. It may have run out of memory: see spark.driver.memory in "
                raise LakehuntError("Spark has ended meanwhile", f"{hint}docs/reference/configuration.md") from error
            if isinstance(error, (PySparkException, Py4JError, ConnectionError)):
                raise error_text.failure(error) from error
            raise
        finally:
            if running is not None:
                _JVM.exit()

    def lasting(self) -> SparkSession:
        """A session that does not end while it, or a frame that was made in it, is in use."""
        running = _JVM.enter(self, self._wanted, self._idle)
        if running is None:
            return self._session_beside()
        made = SparkSession(running.sparkContext, running._jsparkSession)
        weakref.finalize(made, _JVM.exit)
        return made

    def _session_beside(self) -> SparkSession:
        """Our session beside the one that exists."""
        running = session.existing()
        assert running is not None
        if self._beside is None or self._beside[0] is not running.sparkContext:
            self._beside = (running.sparkContext, session.beside(running, self._wanted))
        return self._beside[1]

    @contextmanager
    def lake(self) -> Iterator[Lake]:
        """The lake, opened anew, in the session. Raises LakehuntError as `spark` does."""
        with self.spark() as running:
            yield Lake(running, self._config.lake, self._config.object_store)


class _Jvm:
    """The JVM of this process that kept sessions share.

    All fields are guarded by `_changed`, which is notified when a start has ended or the last user has left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: weakref.WeakKeyDictionary[KeptSession, float] = weakref.WeakKeyDictionary()
        self._running: SparkSession | None = None
        self._wanted: _Wanted | None = None
        self._is_starting = False
        self._failure: BaseException | None = None
        self._users = 0
        self._used = 0.0
        self._timer: threading.Timer | None = None

    def begin(self, kept: KeptSession, wanted: _Wanted, idle: float) -> None:
        with self._changed, suppress(LakehuntError):  # raised by `enter`
            self._kept[kept] = idle
            if not self._is_starting and not self._is_beside() and not self._is_usable(wanted):
                self._start(wanted)

    def enter(self, kept: KeptSession, wanted: _Wanted, idle: float) -> SparkSession | None:
        """The running session, which does not end until `exit`; None if another one exists, which others end."""
        with self._changed:
            self._kept[kept] = idle
            while True:
                while self._is_starting:
                    self._changed.wait()
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                if self._is_beside():
                    return None
                if self._is_usable(wanted):
                    break
                self._start(wanted)
            self._users += 1
            return self._running

    def exit(self) -> None:
        with self._changed:
            self._users -= 1
            self._used = time.monotonic()
            if not self._users:
                self._end_when_idle()

    def leave(self, kept: KeptSession) -> None:
        with self._changed:
            self._kept.pop(kept, None)
            if not self._kept and not self._users:
                while self._is_starting:
                    self._changed.wait()
                self._failure = None
                self._end()

    def _is_beside(self) -> bool:
        """Whether a session exists that was not started here."""
        if self._running is not None and not session.answers(self._running):
            self._end()
        found = session.context()
        return found is not None and (self._running is None or found is not self._running.sparkContext)

    def _is_usable(self, wanted: _Wanted) -> bool:
        """Whether the session runs, as it was wanted. One with other settings is ended, unless it is in use."""
        if self._running is None:
            return False
        if wanted == self._wanted:
            return True
        if self._users:
            raise LakehuntError(
                "Spark runs in this process with other settings, and is in use",
                "wait until what runs has ended, or use the same `spark`, `delta_jars` and `object_store`",
            )
        self._end()
        return False

    def _start(self, wanted: _Wanted) -> None:
        """In a thread: an interrupt only ends the waiting, and PySpark handles signals of none but the main thread."""
        self._is_starting, self._wanted, self._failure = True, wanted, None
        threading.Thread(target=self._start_now, args=(wanted,), name="lakehunt-start", daemon=True).start()

    def _start_now(self, wanted: _Wanted) -> None:
        running, failure = None, None
        try:
            running = session.start(wanted)
        except BaseException as error:  # noqa: BLE001 (raised again by `enter`)
            failure = error
        with self._changed:
            self._running, self._failure, self._is_starting = running, failure, False
            self._used = time.monotonic()
            self._end_when_idle()
            self._changed.notify_all()

    def _end_when_idle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = self._used + max(self._kept.values(), default=0.0) - time.monotonic()
        if self._running is not None and left < threading.TIMEOUT_MAX:
            self._timer = threading.Timer(max(left, 0.0), self._end_if_idle)
            self._timer.daemon = True
            self._timer.start()

    def _end_if_idle(self) -> None:
        with self._changed:
            if self._users or self._is_starting:
                return
            if self._used + max(self._kept.values(), default=0.0) > time.monotonic():
                self._end_when_idle()
            else:
                self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._running is not None:
            session.end(self._running)
        self._running = self._wanted = self._timer = None


_JVM = _Jvm()
