"""Finds the network of an address: a join with ranges of addresses, by a bucket that both have.

Addresses are 32 hexadecimal digits (IPv4 ones are mapped to IPv6), so that text compares as numbers do. A range lies
within one bucket, the first digits of its addresses: those of a /16 for IPv4, those of a /16 or, for small networks of
IPv6, of a /32. Networks are disjoint, so an address is in at most one of them."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame

from lakehunt.spark.columns import F
from lakehunt.spark.expressions import column
from lakehunt.spark.functions.addresses import digits_of

MAPPED = "0" * 20 + "ffff"
"""How the digits of an IPv4 address begin."""

FOUR, WIDE, NARROW = len(MAPPED) + 4, 4, 8
"""Digits of the buckets: of IPv4, of IPv6 networks wider than a /32, and of the others."""

_ADDRESS = "$$address"


def located(frame: DataFrame, address: Column, networks: DataFrame, name: str) -> DataFrame:
    """The frame with a column `name`: the `info` of the network that contains the address, else null."""
    frame = frame.withColumn(_ADDRESS, digits_of(address))
    at = column(_ADDRESS)
    four = at.startswith(MAPPED)
    buckets = [
        F.when(four, F.substring(at, 1, FOUR)).otherwise(F.substring(at, 1, WIDE)),
        F.when(~four, F.substring(at, 1, NARROW)),
    ]
    found = []
    for number, bucket in enumerate(buckets):
        own = {part: f"$$network{number}{part}" for part in ("bucket", "first", "last", "info")}
        side = networks.select(*(F.col(part).alias(as_) for part, as_ in own.items()))
        inside = at.between(column(own["first"]), column(own["last"]))
        frame = frame.join(side, (bucket == column(own["bucket"])) & inside, "left")
        frame = frame.drop(*(as_ for part, as_ in own.items() if part != "info"))
        found.append(own["info"])
    return frame.withColumn(name, F.coalesce(*map(column, found))).drop(_ADDRESS, *found)
