"""Base classes of the errors that Lakehunt reports to users."""

from __future__ import annotations


class LakehuntError(Exception):
    """An error that the user can fix: a message and, as `hint`, what to do.

    The command line prints it without a traceback and exits with 1.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(LakehuntError):
    """Invalid usage of a command; the command line exits with 2."""
