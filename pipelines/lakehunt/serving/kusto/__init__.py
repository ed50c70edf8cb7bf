"""`lakehunt serve --kusto`: Kusto's REST protocol over the lake, for tools that speak Kusto. It only reads.

| module        | what it knows                                                             |
| ------------- | ------------------------------------------------------------------------- |
| text.py       | literals, and queries of which the beginning is replaced                  |
| access.py     | who may ask: tokens, certificates, names of hosts, pages in browsers      |
| requests.py   | a request's text, database and options                                    |
| parameters.py | `declare query_parameters`: values that a request has beside its text     |
| tables.py     | what can be asked: event tables, the configuration's, findings and views  |
| management.py | commands: `.show tables` and the like                                     |
| running.py    | the queries that run now: how many there may be, how one is cancelled     |
| memory.py     | that the JVM's memory is not used up                                      |
| answering.py  | a request, answered within its limits                                     |
| frames.py     | answers as JSON, in both versions of the protocol                         |
| errors.py     | errors, as Kusto reports them                                             |
| connections.py | connections that end if no request comes                                 |
| server.py     | HTTP                                                                      |

Source: learn.microsoft.com/kusto/api/rest, and the published code of its clients (docs/how-to/kusto-clients.md)."""

from __future__ import annotations

from importlib.util import find_spec

from lakehunt.core.errors import LakehuntError

NEEDED = ("starlette", "uvicorn")
"""Packages of the extra `lakehunt[kusto]`."""


def check_installed() -> None:
    """Raises LakehuntError if a package that the server needs is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise LakehuntError(
            f"lakehunt serve --kusto needs {' and '.join(missing)}, which this Python does not have",
            "pip install 'lakehunt[kusto]'",
        )
