"""Ranges of a GeoIP file, against MaxMind's own reader."""

from __future__ import annotations

import ipaddress
import random
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query import geo_networks
from lakehunt.spark.geo_ip import FOUR, MAPPED, NARROW, WIDE

COUNTRIES = ("Ireland", "Österreich", 'a "b"\t\n')


def address_of(chance: random.Random, four: bool) -> Any:
    return ipaddress.IPv4Address(chance.getrandbits(32)) if four else ipaddress.IPv6Address(chance.getrandbits(128))


def digits(address: Any) -> str:
    return f"{MAPPED}{int(address):08x}" if address.version == 4 else f"{int(address):032x}"


@pytest.mark.parametrize("seed", range(3))
def test_each_address_is_in_the_range_of_its_network_and_in_no_other(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    writer, near = MMDBWriter(6, "Test", ipv4_compatible=True), []
    for _ in range(60):
        four = chance.random() < 0.6
        # From 2000::/3 on: below are addresses of IPv4
        base = address_of(chance, four) if four else ipaddress.IPv6Address(0x2 << 124 | chance.getrandbits(124))
        prefix = chance.randint(6, 32) if four else chance.choice([*range(14, 40), 64, 128])
        network = ipaddress.ip_network(f"{base}/{prefix}", strict=False)
        writer.insert_network(IPSet([str(network)]), {"country": {"names": {"en": chance.choice(COUNTRIES)}}})
        near += [network[0], network[-1], network[chance.randrange(min(network.num_addresses, 2**60))]]
    file = tmp_path / "geo.mmdb"
    writer.to_db_file(str(file))
    ranges = list(geo_networks.ranges(file))
    with maxminddb.open_database(str(file)) as reader:
        for address in [*near, *(address_of(chance, True) for _ in range(100))]:
            at, record = digits(address), reader.get(address)
            buckets = {at[:FOUR]} if address.version == 4 else {at[:WIDE], at[:NARROW]}
            found = [info for bucket, first, last, info in ranges if bucket in buckets and first <= at <= last]
            country = record["country"]["names"]["en"] if isinstance(record, dict) else None  # type: ignore[index, call-overload]
            wanted = [] if country is None else [geo_networks._AS_JSON({"country": country})]
            assert found == wanted
    assert all(first.startswith(bucket) and last.startswith(bucket) for bucket, first, last, _ in ranges)


def test_neighbours_of_which_the_same_is_known_are_one_range(tmp_path: Path) -> None:
    writer = MMDBWriter(4, "Test")
    for network, country in (
        ("10.0.0.0/25", "A"),
        ("10.0.0.128/26", "A"),
        ("10.0.0.192/26", "B"),
        ("10.0.2.0/24", "B"),
    ):
        writer.insert_network(IPSet([network]), {"country": {"names": {"en": country}}})
    writer.to_db_file(str(tmp_path / "geo.mmdb"))
    found = [(first[-8:], last[-8:], info) for _, first, last, info in geo_networks.ranges(tmp_path / "geo.mmdb")]
    assert found == [
        ("0a000000", "0a0000bf", '{"country":"A"}'),
        ("0a0000c0", "0a0000ff", '{"country":"B"}'),
        ("0a000200", "0a0002ff", '{"country":"B"}'),
    ]


@pytest.mark.parametrize("content", [b"", b"no database", b"\xab\xcd\xefMaxMind.com"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "geo.mmdb").write_bytes(content)
    with pytest.raises(LakehuntError, match="not a file of MaxMind's format"):
        list(geo_networks.ranges(tmp_path / "geo.mmdb"))
