"""What answers the queries of a shell: a kept lake, which is made in the background."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from lakehunt.cli import context

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.live.lake import LiveLake


class Engine:
    """A kept lake that can be waited for: PySpark takes a second to import, during which one can type."""

    def __init__(self, config: Config) -> None:
        """Begins to start Spark. Raises LakehuntError if the lake cannot be there."""
        context.check_place(config)
        self._config = config
        self._made: Future[LiveLake] = Future()
        threading.Thread(target=self._make, name="lakehunt-shell", daemon=True).start()

    def _make(self) -> None:
        try:
            from lakehunt.live.lake import LiveLake

            live = LiveLake(self._config)
            live.begin()
        except BaseException as error:  # noqa: BLE001 (raised again by `live`)
            self._made.set_exception(error)
        else:
            self._made.set_result(live)

    @property
    def live(self) -> LiveLake:
        """The lake, once it has been made; Spark may still be starting. Raises LakehuntError if that is impossible."""
        return self._made.result()

    def made(self) -> LiveLake | None:
        """The lake, if it has been made."""
        return self._made.result() if self._made.done() and self._made.exception() is None else None

    def close(self) -> None:
        if (live := self.made()) is not None:
            live.close()
