"""Files of MaxMind's format (.mmdb) as ranges of addresses: see lakehunt.spark.geo_ip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import maxminddb

from lakehunt.core.errors import LakehuntError
from lakehunt.spark.geo_ip import FOUR, MAPPED, NARROW, WIDE

Range = tuple[str, str, str, str]
"""Bucket, first and last address, and what is known, as JSON."""


def ranges(file: Path) -> Iterator[Range]:
    """The ranges of a file; neighbours of which the same is known are one range.

    Raises LakehuntError if it is not in MaxMind's format."""
    try:
        with maxminddb.open_database(str(file)) as reader:
            yield from _joined(part for network, record in reader for part in parts(network, _info(record)))
    except (maxminddb.InvalidDatabaseError, OSError, ValueError) as error:
        raise LakehuntError(f"it is not a file of MaxMind's format: {error}", "download it again") from error


def _info(record: Any) -> str:
    """What Kusto's function returns of a record; empty if it holds none of it."""
    record = record if isinstance(record, dict) else {}
    states = record.get("subdivisions") or [{}]
    at = record.get("location") or {}
    known = {
        "country": _name(record.get("country")),
        "state": _name(states[0]),
        "city": _name(record.get("city")),
        "latitude": at.get("latitude"),
        "longitude": at.get("longitude"),
    }
    return place(known)


def place(known: Mapping[str, Any]) -> str:
    """What is known of a network, as JSON; empty for nothing."""
    there = {name: known[name] for name in _PLACE if known.get(name) is not None}
    return _AS_JSON(there) if there else ""


_PLACE = ("country", "state", "city", "latitude", "longitude")


_AS_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _name(part: Any) -> str | None:
    return part.get("names", {}).get("en") if isinstance(part, dict) else None


def parts(network: IPv4Network | IPv6Network, info: str) -> Iterator[Range]:
    """A network as ranges that each lie within a bucket; nothing if nothing is known of it."""
    if not info:
        return
    start_at = int(network.network_address)
    end_at = start_at + (1 << network.max_prefixlen - network.prefixlen) - 1
    four = network.version == 4
    first, last = _digits(start_at, four), _digits(end_at, four)
    size = FOUR if four else WIDE if network.prefixlen < NARROW * 4 else NARROW
    start, end = first[:size], last[:size]
    rest = len(first) - size
    for bucket in range(int(start, 16), int(end, 16) + 1):
        named = f"{bucket:0{size}x}"
        yield (
            named,
            first if named == start else named + "0" * rest,
            last if named == end else named + "f" * rest,
            info,
        )


def _digits(address: int, four: bool) -> str:
    return f"{MAPPED}{address:08x}" if four else f"{address:032x}"


def _joined(parts: Iterator[Range]) -> Iterator[Range]:
    last: Range | None = None
    for part in parts:
        if last is not None and (part[0], part[3]) == (last[0], last[3]) and int(part[1], 16) == int(last[2], 16) + 1:
            last = (last[0], last[1], part[2], last[3])
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last
