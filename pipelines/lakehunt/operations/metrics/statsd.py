"""Metrics by StatsD, over UDP, with tags as DogStatsD has them.

Totals are sent as gauges: a datagram that is lost then loses nothing."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping

from lakehunt.operations.metrics.metric import PREFIX, Family
from lakehunt.operations.metrics.text import number, series

LARGEST = 1_400
"""Bytes of a datagram: less than what Ethernet carries in one piece."""

_SPECIAL = re.compile(r"[|,:#@\s]+")


def lines(families: Iterable[Family], labels: Mapping[str, str]) -> Iterator[str]:
    """The lines of all samples."""
    for family in families:
        name = f"{PREFIX.rstrip('_')}.{series(family).removeprefix(PREFIX)}"
        for one in family.samples:
            tags = ",".join(f"{key}:{_SPECIAL.sub('_', value)}" for key, value in {**labels, **one.labels}.items())
            yield f"{name}:{number(one.value)}|g{f'|#{tags}' if tags else ''}"


def datagrams(written: Iterable[str]) -> Iterator[bytes]:
    """Lines in as few datagrams as they fit into."""
    waiting = b""
    for line in written:
        one = line.encode()
        if waiting and len(waiting) + 1 + len(one) > LARGEST:
            yield waiting
            waiting = b""
        waiting = waiting + b"\n" + one if waiting else one
    if waiting:
        yield waiting


def send(address: tuple[str, int], families: Iterable[Family], labels: Mapping[str, str]) -> None:
    """Sends the metrics; nobody says whether they arrive. Raises OSError for a host that is not known."""
    family, kind, protocol, _, target = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as out:
        for one in datagrams(lines(families, labels)):
            out.sendto(one, target)
