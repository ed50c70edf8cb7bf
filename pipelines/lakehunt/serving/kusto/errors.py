"""Errors as Kusto's REST protocol reports them: an HTTP status and a OneApiError.

Source: learn.microsoft.com/kusto/api/rest/response-http and response-v2, concepts/querylimits, concepts/errorsnative,
management/request-rate-limit-policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.errors import Kind, KqlError, QueryErrors

JsonObject = dict[str, Any]

TOO_LARGE, TOO_LARGE_TEXT = -2133196797, "Query result set too large (E_QUERY_RESULT_SET_TOO_LARGE)."
"""The code 0x80DA0003 as the signed number that it is in tables."""

_INVALID = "Request is invalid and cannot be executed."
_DATA, _NODE = "Kusto.Data.Exceptions.", "Kusto.DataNode.Exceptions."


@dataclass(frozen=True)
class Inner:
    """The first cause of an error: its code (`SEM0100`, or empty), .NET type and text."""

    code: str
    type: str
    message: str


class KustoError(Exception):
    """An error with the HTTP status of its answer. `description` is what a user reads; if the error is not `permanent`,
    the same request may succeed later."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        kind: str,
        description: str,
        permanent: bool = True,
        inner: Inner | None = None,
        place: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.message = message
        self.type = kind
        self.description = description
        self.permanent = permanent
        self.inner = inner
        self.place = place

    def as_json(self, context: JsonObject) -> JsonObject:
        """The OneApiError, without the object around it. `context` identifies the request."""
        found = self._of(self.code, self.message, self.type, self.description, context)
        if self.place is not None:
            found["@line"], found["@pos"] = self.place
        if self.inner is not None:
            inner = self.inner
            found["innererror"] = self._of(inner.code or self.code, inner.message, inner.type, inner.message, context)
            if inner.code:
                found["innererror"]["@errorCode"] = inner.code
                found["innererror"]["@errorMessage"] = inner.message
        return found

    def _of(self, code: str, message: str, kind: str, description: str, context: JsonObject) -> JsonObject:
        return {
            "code": code,
            "message": message,
            "@type": kind,
            "@message": description,
            "@context": context,
            "@permanent": self.permanent,
        }


def bad_request(what: str) -> KustoError:
    """A request that is none."""
    said = f"Request is invalid and cannot be processed: {what}"
    return KustoError(400, "BadRequest", _INVALID, f"{_DATA}KustoBadRequestException", said)


def unauthorized() -> KustoError:
    said = "Request is not authenticated: it needs the header Authorization: Bearer, with the token of this server"
    return KustoError(401, "Unauthorized", "Principal is not authorized.", f"{_DATA}KustoUnauthorizedException", said)


def forbidden(why: str) -> KustoError:
    return KustoError(403, "Forbidden", "Forbidden", f"{_DATA}KustoRequestDeniedException", why)


def not_found(what: str) -> KustoError:
    said = f"Request is invalid and cannot be processed: {what}"
    return KustoError(404, "NotFound", "Resource not found.", f"{_DATA}KustoServiceNotFoundException", said)


def too_long(most: int) -> KustoError:
    said = f"Request body has more than {most:,} bytes, limits.kusto_request_bytes in the server's configuration"
    return KustoError(413, "RequestEntityTooLarge", _INVALID, f"{_DATA}KustoBadRequestException", said)


def no_database(name: str, known: str) -> KustoError:
    said = f"Database '{name}' could not be found: this server has the database '{known}'"
    kind = f"{_DATA}KustoBadRequestException"
    inner = Inner("", f"{_DATA}DatabaseNotFoundException", said)
    return KustoError(400, "BadRequest_EntityNotFound", _INVALID, kind, _semantic(said), inner=inner)


def no_table(name: str) -> KustoError:
    """A name in a command."""
    said = f"Request is invalid and cannot be processed: Entity '{name}' of kind 'Table' was not found."
    return KustoError(400, "BadRequest_EntityNotFound", _INVALID, f"{_DATA}EntityNotFoundException", said)


def not_a_command(text: str) -> KustoError:
    """A command that this server does not have, which includes all that would change something."""
    shown = " ".join(text.split())[:80]
    said = f"Request is invalid and cannot be processed: the command '{shown}' is not supported: this server only reads"
    return KustoError(400, "BadRequest_CommandNotSupported", _INVALID, f"{_DATA}KustoBadRequestException", said)


def throttled(most: int) -> KustoError:
    said = (
        "The query was aborted due to throttling. Retrying after some backoff might help. "
        f"Capacity: {most}, Origin: 'RequestRateLimitPolicy/WorkloadGroup/default'. (E_QUERY_THROTTLED)"
    )
    return KustoError(429, "TooManyRequests", "Too many requests", f"{_NODE}QueryThrottledException", said, False)


def timed_out(seconds: float) -> KustoError:
    said = f"Query execution has exceeded the allowed time of {seconds:g} s (0x80DA0006): Query is expired."
    return KustoError(504, "Timeout", "Request has timed out.", f"{_NODE}QueryTimeoutException", said, False)


def cancelled(reason: str) -> KustoError:
    said = f"Query execution has been cancelled (E_QUERY_CANCELLED, 0x80DA0006): {reason}"
    return KustoError(400, "Cancelled", "Request was cancelled.", f"{_DATA}KustoServiceCancelledException", said, False)


def too_large(limit: str) -> KustoError:
    """A result with more than `limit`, such as `500 records`: the rows up to it are sent with the error."""
    why = (
        f"The results of this query exceed the set limit of {limit}, so not all records were returned "
        "(E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). See https://aka.ms/kustoquerylimits for more information and "
        "possible solutions."
    )
    said = f"Query execution has exceeded the allowed limits (80DA0003): {why}."
    kind = f"{_DATA}KustoServicePartialQueryFailureLimitsExceededException"
    return KustoError(200, "LimitsExceeded", _INVALID, kind, said, False)


def too_large_for_spark() -> KustoError:
    """A result of which nothing can be sent."""
    error = too_large("memory, spark.driver.maxResultSize in the server's configuration")
    return KustoError(400, error.code, error.message, error.type, error.description, error.permanent)


def out_of_memory() -> KustoError:
    said = (
        "Query execution lacks memory resources to complete (80DA0007): Low memory condition (E_LOW_MEMORY_CONDITION): "
        "ask for less, or raise spark.driver.memory in the server's configuration"
    )
    kind = f"{_DATA}KustoServicePartialQueryFailureLowMemoryConditionException"
    return KustoError(400, "LimitsExceeded", _INVALID, kind, said, False)


def stopping() -> KustoError:
    said = "The server is being stopped"
    kind = f"{_DATA}KustoServicePartialQueryFailureException"
    return KustoError(503, "ServiceUnavailable", "Service is unavailable.", kind, said, False)


def failed(what: str) -> KustoError:
    """Something at which the query itself is not at fault, or of which that is not known."""
    return KustoError(520, "General_InternalServerError", "Unknown error", f"{_DATA}KustoServiceException", what, False)


def of_lakehunt(error: LakehuntError) -> KustoError:
    """An error of Lakehunt that is not about the text of the query."""
    return failed(_joined(error.message, error.hint))


def of_query(errors: QueryErrors) -> KustoError:
    """What is wrong with a query. The first error decides the code; all are described, each with its place."""
    first = errors.errors[0]
    said = "; ".join(_described(errors, errors.errors))
    kind, code, head = _KINDS[first.kind]
    code = _code(first) or code
    whole = f"{head}{code}: {said}" if code else f"{head}{said}"
    return KustoError(
        400,
        "General_BadRequest",
        _INVALID,
        f"{_DATA}{'SyntaxException' if first.kind is Kind.SYNTAX else 'KustoBadRequestException'}",
        f"Request is invalid and cannot be processed: {whole}",
        inner=Inner(code, f"{_DATA}{kind}", whole),
        place=errors.place(first),
    )


_KINDS = {
    Kind.SYNTAX: ("SyntaxException", "SYN0002", "Syntax error: "),
    Kind.SEMANTIC: ("SemanticException", "", "Semantic error: "),
    Kind.UNSUPPORTED: ("KustoBadRequestException", "", "Not supported: "),
}


def _code(error: KqlError) -> str:
    """Kusto's code of an error, where it is known which one it is: a name that is not one, or no function."""
    if error.kind is not Kind.SEMANTIC:
        return ""
    return "SEM0260" if error.function else "SEM0100" if error.table or error.column else ""


def _described(errors: QueryErrors, found: Sequence[KqlError]) -> list[str]:
    places = (errors.place(error) for error in found)
    return [
        _joined(f"{error.message} [line:position={line}:{column}]", error.hint)
        for error, (line, column) in zip(found, places, strict=True)
    ]


def _joined(message: str, hint: str) -> str:
    return f"{message} ({hint})" if hint else message


def _semantic(said: str) -> str:
    return f"Request is invalid and cannot be processed: Semantic error: {said}"
