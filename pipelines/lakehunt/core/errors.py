"""Base classes of the errors that Lakehunt reports to users."""

from __future__ import annotations

from lakehunt.core.credentials import redacted


class LakehuntError(Exception):
    """An error that the user can fix: a message and, as `hint`, what to do.

    The command line prints it without a traceback and exits with 1. Credentials are redacted.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = redacted(message)
        self.hint = redacted(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """What IPython and notebooks show: no traceback either."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(LakehuntError):
    """Invalid usage of a command; the command line exits with 2."""
