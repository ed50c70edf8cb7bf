"""Names of the functions that look something up, and of the tables behind them, which no query can write."""

from __future__ import annotations

WATCHLIST, WATCHLIST_NAMES = "_GetWatchlist", "_GetWatchlistAlias"
FILE_PROFILE = "FileProfile"
GEO_IP = "geo_info_from_ip_address"

PROFILES, NETWORKS = f"{FILE_PROFILE}()", f"{GEO_IP}()"

FILE_ID = "FileId"
"""The column of PROFILES with the SHA1, SHA256 or MD5 that a row is found by, in lower case."""


def is_function(table: str) -> bool:
    """Whether a table is behind a function: no query can name it, and `union *` and `search` do not read it."""
    return table.endswith(")")


def watchlist_table(name: str) -> str:
    return f"{WATCHLIST}('{name}')"


def watchlist_name(table: str) -> str | None:
    """The watchlist of a table; None for another table."""
    start, end = f"{WATCHLIST}('", "')"
    return table[len(start) : -len(end)] if table.startswith(start) and table.endswith(end) else None
