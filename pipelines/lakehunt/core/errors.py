"""The root of every error that Lakehunt reports to a person."""

from __future__ import annotations


class LakehuntError(Exception):
    """Something that a person can put right: says what is wrong and, as `hint`, what to do.

    The command line prints it without a traceback and exits with 1.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(LakehuntError):
    """A command that was called without what it needs; the command line exits with 2."""
