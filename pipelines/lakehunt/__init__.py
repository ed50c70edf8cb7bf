"""Lakehunt: Microsoft Sentinel and Defender hunts on a Delta lake, with Kusto's semantics.

    import lakehunt

    with lakehunt.open("/data/lake") as lake:
        lake.query("DeviceProcessEvents | summarize count() by FileName", as_of="2026-03-10").show()

What is exported is imported when it is first used: the command line does not wait for Spark."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehunt.api.evidence import FindingEvidence
    from lakehunt.api.lake import OpenLake, check, open  # noqa: A004 (lakehunt.open is its name)
    from lakehunt.api.magics import load_ipython_extension, unload_ipython_extension
    from lakehunt.api.result import QueryResult
    from lakehunt.core.errors import LakehuntError, UsageError
    from lakehunt.kql.errors import KqlError, QueryErrors
    from lakehunt.runtime.limits import LimitError, Limits

__version__ = "0.1.0"

__all__ = [
    "FindingEvidence",
    "KqlError",
    "LakehuntError",
    "LimitError",
    "Limits",
    "OpenLake",
    "QueryErrors",
    "QueryResult",
    "UsageError",
    "check",
    "load_ipython_extension",
    "open",
    "unload_ipython_extension",
]

_PLACES = {
    "FindingEvidence": "lakehunt.api.evidence",
    "KqlError": "lakehunt.kql.errors",
    "LakehuntError": "lakehunt.core.errors",
    "LimitError": "lakehunt.runtime.limits",
    "Limits": "lakehunt.runtime.limits",
    "OpenLake": "lakehunt.api.lake",
    "QueryErrors": "lakehunt.kql.errors",
    "QueryResult": "lakehunt.api.result",
    "UsageError": "lakehunt.core.errors",
    "check": "lakehunt.api.lake",
    "load_ipython_extension": "lakehunt.api.magics",
    "open": "lakehunt.api.lake",
    "unload_ipython_extension": "lakehunt.api.magics",
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
