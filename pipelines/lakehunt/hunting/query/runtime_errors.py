"""Errors at run time: a function met a value that it does not support, because Kusto's result is not known."""

from __future__ import annotations

from pyspark.errors import PySparkException

from lakehunt.kql import plan as p
from lakehunt.kql.errors import Kind, KqlError, Span


def locate(plan: p.Plan, error: Exception) -> KqlError | None:
    """The error of a function of the plan, at its position in the query; None for other errors."""
    if not isinstance(error, PySparkException) or error.getCondition() != "USER_RAISED_EXCEPTION":
        return None
    message = str((error.getMessageParameters() or {}).get("errorMessage", error))
    calls = [part for part in p.expressions(plan) if isinstance(part, p.Call)]
    named = [call for call in calls if call.function in message]
    span = (named or calls)[0].span if named or calls else Span(0, 1)
    return KqlError(Kind.UNSUPPORTED, message, span, "leave such rows out, or write it another way")
