"""IP addresses. Source: learn.microsoft.com/kusto/query/scalar-functions (IPv4 and IPv6 functions); where it is silent,
the engine's answers.

An address may have a prefix, `10.1.2.3/8`, which counts the bits that matter; of two prefixes the shorter holds. An
IPv4 address is a BIGINT here, an IPv6 one its 32 hexadecimal digits, whose order as text is that of the addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column

from lakehunt.kql.catalog import STRING_OR_DYNAMIC, OneOf
from lakehunt.kql.types import BOOL, DYNAMIC, INT, LONG, STRING, Type, array_of
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.functions.strings import refuse, text_or_dynamic
from lakehunt.spark.values import named

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_IPV4 = rf"\A{_ADDRESS}(?:/(?:3[0-2]|[12]?[0-9]))?\z"
_GROUP = "[0-9A-Fa-f]{1,4}"
_GROUPS = f"{_GROUP}(?::{_GROUP}){{0,7}}"
_WHOLE_IPV6 = rf"\A(?:{_GROUP}:){{7}}{_GROUP}\z"
_SHORT_IPV6 = rf"\A(?:{_GROUPS})?::(?:{_GROUPS})?\z"


@dataclass(frozen=True)
class _Address:
    """An address and its prefix; null where the text is not an address."""

    value: Column
    prefix: Column


def _null(condition: Column, value: Column) -> Column:
    return F.when(condition, value)


def _ipv4(text: Column) -> _Address:
    valid = text.rlike(_IPV4)
    octets = F.split(F.regexp_replace(text, "/.*", ""), r"\.")
    number = reduce(
        lambda high, i: high * 256 + F.get(octets, F.lit(i)).cast("bigint"), range(4), F.lit(0).cast("bigint")
    )
    return _Address(F.when(valid, number), _prefix(text, valid, 32))


def _prefix(text: Column, valid: Column, most: int) -> Column:
    written = F.regexp_extract(text, "/([0-9]+)$", 1)
    return _null(valid, F.when(written == "", F.lit(most)).otherwise(written.cast("int")).cast("bigint"))


def _masked(value: Column, prefix: Column) -> Column:
    return value - F.pmod(value, F.call_function("shiftleft", F.lit(1).cast("bigint"), (32 - prefix).cast("int")))


def _within(prefix: Column | None, most: int) -> Column:
    """The prefix that a call gives; null where it is none, `most` where it gives none."""
    if prefix is None:
        return F.lit(most).cast("bigint")
    return _null(prefix.between(0, most), prefix)


def _shorter(*prefixes: Column) -> Column:
    """The shortest prefix; null where one is null."""
    known = reduce(lambda a, b: a & b, (p.isNotNull() for p in prefixes))
    return _null(known, F.least(*prefixes)) if len(prefixes) > 1 else prefixes[0]


@scalar("parse_ipv4", STRING, returns=LONG)
def parse_ipv4(text: Column) -> Column:
    address = _ipv4(text)
    return _masked(address.value, address.prefix)


@scalar("parse_ipv4_mask", STRING, LONG, returns=LONG)
def parse_ipv4_mask(text: Column, prefix: Column) -> Column:
    address = _ipv4(text)
    return _masked(address.value, _shorter(address.prefix, _within(prefix, 32)))


@scalar("ipv4_netmask_suffix", STRING, returns=LONG)
def ipv4_netmask_suffix(text: Column) -> Column:
    return _ipv4(text).prefix


@scalar("ipv4_compare", STRING, STRING, LONG, returns=LONG, optional=1)
def ipv4_compare(first: Column, second: Column, prefix: Column | None = None) -> Column:
    """-1, 0 or 1; null where one is not an address."""
    one, two = _ipv4(first), _ipv4(second)
    shared = _shorter(one.prefix, two.prefix, _within(prefix, 32))
    return _order(_masked(one.value, shared), _masked(two.value, shared))


def _order(left: Column, right: Column) -> Column:
    return F.when(left < right, F.lit(-1)).when(left > right, F.lit(1)).when(left == right, F.lit(0)).cast("bigint")


@scalar("ipv4_is_match", STRING, STRING, LONG, returns=BOOL, optional=1)
def ipv4_is_match(first: Column, second: Column, prefix: Column | None = None) -> Column:
    return ipv4_compare(first, second, prefix) == 0


_PRIVATE = ((0x0A000000, 8), (0xAC100000, 12), (0xC0A80000, 16))


@scalar("ipv4_is_private", STRING, returns=BOOL)
def ipv4_is_private(text: Column) -> Column:
    value = parse_ipv4(text)
    return reduce(lambda a, b: a | b, (value.between(low, low + (1 << 32 - bits) - 1) for low, bits in _PRIVATE))


@scalar("ipv4_is_in_range", STRING, STRING, returns=BOOL)
def ipv4_is_in_range(text: Column, network: Column) -> Column:
    one, two = _ipv4(text), _ipv4(network)
    found = _masked(one.value, two.prefix) == _masked(two.value, two.prefix)
    return refuse(one.prefix < two.prefix, "ipv4_is_in_range of an address wider than the range is not known", found)


@scalar("ipv4_is_in_any_range", STRING_OR_DYNAMIC, DYNAMIC, returns=BOOL, typed=True)
def ipv4_is_in_any_of(types: Sequence[Type], text: Column, networks: Column) -> Column:
    ip = text_or_dynamic(text, types[0])
    return _any(F.transform(_texts(networks), lambda network: ipv4_is_in_range(ip, network)))


@scalar("ipv4_is_in_any_range", STRING_OR_DYNAMIC, STRING, returns=BOOL, rest=(STRING,), typed=True)
def ipv4_is_in_any_range(types: Sequence[Type], text: Column, *networks: Column) -> Column:
    ip = text_or_dynamic(text, types[0])
    return _any(F.array(*(ipv4_is_in_range(ip, network) for network in networks)))


def _texts(values: Column) -> Column:
    return F.transform(dynamic.elements(values), dynamic.text)


def _any(found: Column) -> Column:
    """Whether one is true; null where none is and one is null."""
    return F.exists(found, lambda one: one)


@scalar("format_ipv4", OneOf((STRING, INT, LONG)), LONG, returns=STRING, optional=1, typed=True)
def format_ipv4(types: Sequence[Type], value: Column, prefix: Column | None = None) -> Column:
    address = _of_any(types[0], value)
    masked = _masked(address.value, _shorter(address.prefix, _within(prefix, 32)))
    return F.coalesce(_written(masked), F.lit(""))


@scalar("format_ipv4_mask", OneOf((STRING, INT, LONG)), LONG, returns=STRING, typed=True)
def format_ipv4_mask(types: Sequence[Type], value: Column, prefix: Column) -> Column:
    """With the prefix behind it."""
    address = _of_any(types[0], value)
    shared = _shorter(address.prefix, _within(prefix, 32))
    written = F.concat(_written(_masked(address.value, shared)), F.lit("/"), shared.cast("string"))
    return F.coalesce(written, F.lit(""))


def _of_any(kind: Type, value: Column) -> _Address:
    """An address written as text or given as a number."""
    if kind == STRING:
        return _ipv4(value)
    number = value.cast("bigint")
    return _Address(_null(number.between(0, 0xFFFFFFFF), number), F.lit(32).cast("bigint"))


def _written(number: Column) -> Column:
    octets = [F.call_function("shiftright", number, F.lit(by)).bitwiseAND(F.lit(255)).cast("string") for by in _SHIFTS]
    return _null(number.isNotNull(), F.concat_ws(".", *octets))


_SHIFTS = (24, 16, 8, 0)


@scalar("ipv4_range_to_cidr_list", STRING, STRING, returns=array_of(STRING))
def ipv4_range_to_cidr_list(start: Column, end: Column) -> Column:
    """The fewest networks that hold all addresses from the first to the last."""
    low, high = parse_ipv4(start), parse_ipv4(end)
    first = F.struct(low.alias("next"), F.array().cast("array<string>").alias("found"))

    def step(state: Column, _: Column) -> Column:
        at = state["next"]
        aligned = F.when(at == 0, F.lit(32.0)).otherwise(F.log2(at.bitwiseAND(-at)))
        bits = F.least(F.floor(aligned), F.floor(F.log2(high - at + 1)))
        network = F.concat(_written(at), F.lit("/"), (32 - bits).cast("string"))
        size = F.call_function("shiftleft", F.lit(1).cast("bigint"), bits.cast("int"))
        more = F.struct((at + size).alias("next"), F.concat(state["found"], F.array(network)).alias("found"))
        return F.when(at <= high, more).otherwise(state)

    made = F.aggregate(F.sequence(F.lit(1), F.lit(64)), first, step, lambda state: state["found"])
    return refuse(low > high, "ipv4_range_to_cidr_list needs a start before its end", _null(high.isNotNull(), made))


_LETTER = r"[\p{L}\p{N}]"
_IN_TEXT = rf"(?<!{_LETTER}){_ADDRESS}(?!{_LETTER})"
_IN_NUMBERS = r"(?:[0-9]+\.){4}[0-9]"


def _addresses_in(text: Column, part: Column) -> Column:
    """The addresses in a text that no letter or digit touches."""
    unsure = text.contains(part) & text.rlike(_IN_NUMBERS)
    found = F.regexp_extract_all(text, F.lit(_IN_TEXT), F.lit(0))
    return refuse(unsure, "an address within a longer row of numbers and dots is not supported", found)


def _has_ipv4(text: Column, address: Column) -> Column:
    return F.array_contains(_addresses_in(text, address), address)


def _has_ipv4_prefix(text: Column, prefix: Column) -> Column:
    """A prefix is a whole address or ends in a dot."""
    valid = prefix.rlike(rf"\A(?:{_ADDRESS}|(?:{_OCTET}\.){{1,3}})\z")
    return valid & F.exists(_addresses_in(text, prefix), lambda found: found.startswith(prefix))


@scalar("has_ipv4", STRING_OR_DYNAMIC, STRING, returns=BOOL, typed=True)
def has_ipv4(types: Sequence[Type], text: Column, address: Column) -> Column:
    return _has_ipv4(text_or_dynamic(text, types[0]), address)


@scalar("has_ipv4_prefix", STRING_OR_DYNAMIC, STRING, returns=BOOL, typed=True)
def has_ipv4_prefix(types: Sequence[Type], text: Column, prefix: Column) -> Column:
    return _has_ipv4_prefix(text_or_dynamic(text, types[0]), prefix)


@scalar("has_any_ipv4", STRING_OR_DYNAMIC, DYNAMIC, returns=BOOL, typed=True)
def has_any_ipv4_of(types: Sequence[Type], text: Column, addresses: Column) -> Column:
    source = text_or_dynamic(text, types[0])
    return F.exists(_texts(addresses), lambda address: _has_ipv4(source, address))


@scalar("has_any_ipv4", STRING_OR_DYNAMIC, STRING, returns=BOOL, rest=(STRING,), typed=True)
def has_any_ipv4(types: Sequence[Type], text: Column, *addresses: Column) -> Column:
    source = text_or_dynamic(text, types[0])
    return reduce(lambda a, b: a | b, (_has_ipv4(source, address) for address in addresses))


@scalar("has_any_ipv4_prefix", STRING_OR_DYNAMIC, DYNAMIC, returns=BOOL, typed=True)
def has_any_ipv4_prefix_of(types: Sequence[Type], text: Column, prefixes: Column) -> Column:
    source = text_or_dynamic(text, types[0])
    return F.exists(_texts(prefixes), lambda prefix: _has_ipv4_prefix(source, prefix))


@scalar("has_any_ipv4_prefix", STRING_OR_DYNAMIC, STRING, returns=BOOL, rest=(STRING,), typed=True)
def has_any_ipv4_prefix(types: Sequence[Type], text: Column, *prefixes: Column) -> Column:
    source = text_or_dynamic(text, types[0])
    return reduce(lambda a, b: a | b, (_has_ipv4_prefix(source, prefix) for prefix in prefixes))


_MAPPED = "00000000000000000000ffff"
"""What comes before an IPv4 address in an IPv6 one."""


def digits_of(text: Column) -> Column:
    """The 32 digits of an IPv6 address, or of the mapped one of an IPv4 address; null where it is neither."""
    return _ipv6(F.when(~text.contains("/"), F.trim(text))).value


def _read6(texts: Sequence[Column], use: Callable[..., Column]) -> Column:
    """`use` of the addresses in texts, each read once."""
    found = [_ipv6(text) for text in texts]
    parts = F.struct(*(F.struct(a.value.alias("v"), a.prefix.alias("p")).alias(f"_{i}") for i, a in enumerate(found)))
    return named(parts, lambda p: use(*(_Address(p[f"_{i}"]["v"], p[f"_{i}"]["p"]) for i in range(len(found)))))


def _ipv6(text: Column) -> _Address:
    """An IPv4 address is the mapped one, also behind `::` if it has a prefix, which then counts its own 32 bits.
    Without a prefix, an IPv4 address at the end of an IPv6 one is its last two groups."""
    bare = F.regexp_replace(text, r"\A::(?=[0-9.]+/)", "")
    four = _ipv4(bare)
    mixed = bare.rlike(rf"\A[0-9A-Fa-f:]*:{_ADDRESS}/")
    six = named(F.regexp_replace(text, "/.*", ""), lambda written: named(_with_groups_only(written), _digits))
    proper = text.rlike(r"\A[^/]+(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?\z")
    value = F.when(four.value.isNotNull(), F.concat(F.lit(_MAPPED), F.lpad(F.lower(F.hex(four.value)), 8, "0"))).when(
        proper, six
    )
    prefix = F.coalesce(four.prefix + 96, _prefix(text, proper & six.isNotNull(), 128))
    message = "the prefix of an IPv6 address that ends in an IPv4 one is not supported"
    return _Address(refuse(mixed, message, value), prefix)


def _digits(written: Column) -> Column:
    """The 32 digits of an address of groups; null where it is not one."""
    groups = F.transform(F.split(_filled(written), ":"), lambda g: F.lpad(F.lower(g), 4, "0"))
    short_enough = written.rlike(_SHORT_IPV6) & (F.regexp_count(written, F.lit(_GROUP)) < 8)
    return F.when(written.rlike(_WHOLE_IPV6) | short_enough, F.array_join(groups, ""))


def _with_groups_only(written: Column) -> Column:
    """The address with an IPv4 one at its end as two groups."""

    def changed(last: Column) -> Column:
        digits = F.lpad(F.hex(_ipv4(last).value), 8, "0")
        groups = F.regexp_replace(digits, "(....)$", ":$1")
        return F.concat(F.substr(written, F.lit(1), F.length(written) - F.length(last)), groups)

    mixed = written.rlike(rf":{_ADDRESS}\z")
    return F.when(mixed, named(F.regexp_extract(written, rf":({_ADDRESS})\z", 1), changed)).otherwise(written)


def _filled(written: Column) -> Column:
    """The address with zeros for its `::`."""
    have = F.regexp_count(written, F.lit(_GROUP))
    zeros = F.array_join(F.array_repeat(F.lit("0"), F.greatest(8 - have, F.lit(0)).cast("int")), ":")
    ends = F.concat(
        F.when(written.startswith("::"), "").otherwise(":"), zeros, F.when(written.endswith("::"), "").otherwise(":")
    )
    return F.when(written.contains("::"), F.replace(written, F.lit("::"), ends)).otherwise(written)


def _masked6(value: Column, prefix: Column) -> Column:
    """The digits that the prefix keeps, the bits it keeps of the next, and zeros."""
    whole = F.floor(prefix / 4).cast("int")
    bits = F.pmod(prefix, F.lit(4)).cast("int")
    digit = F.conv(F.substring(value, whole + 1, F.lit(1)), 16, 10).cast("int")
    size = F.call_function("shiftleft", F.lit(1), 4 - bits)
    partial = F.when(bits > 0, F.lower(F.hex((digit - F.pmod(digit, size)).cast("bigint")))).otherwise(F.lit(""))
    return _null(prefix.isNotNull(), F.rpad(F.concat(F.substring(value, F.lit(1), whole), partial), 32, "0"))


def _written6(value: Column) -> Column:
    return F.coalesce(F.regexp_replace(value, "(....)(?!$)", "$1:"), F.lit(""))


@scalar("parse_ipv6", STRING, returns=STRING)
def parse_ipv6(text: Column) -> Column:
    """Eight groups of four digits; empty where it is not an address."""
    return _read6([text], lambda address: _written6(_masked6(address.value, address.prefix)))


@scalar("parse_ipv6_mask", STRING, LONG, returns=STRING)
def parse_ipv6_mask(text: Column, prefix: Column) -> Column:

    def masked(address: _Address) -> Column:
        return _written6(_masked6(address.value, _shorter(address.prefix, _within(prefix, 128))))

    return _read6([text], masked)


@scalar("ipv6_compare", STRING, STRING, LONG, returns=LONG, optional=1)
def ipv6_compare(first: Column, second: Column, prefix: Column | None = None) -> Column:
    def compared(one: _Address, two: _Address) -> Column:
        shared = _shorter(one.prefix, two.prefix, _within(prefix, 128))
        return _order(_masked6(one.value, shared), _masked6(two.value, shared))

    return _read6([first, second], compared)


@scalar("ipv6_is_match", STRING, STRING, LONG, returns=BOOL, optional=1)
def ipv6_is_match(first: Column, second: Column, prefix: Column | None = None) -> Column:
    return ipv6_compare(first, second, prefix) == 0


@scalar("ipv6_is_in_range", STRING, STRING, returns=BOOL)
def ipv6_is_in_range(text: Column, network: Column) -> Column:
    def inside(one: _Address, two: _Address) -> Column:
        found = _masked6(one.value, two.prefix) == _masked6(two.value, two.prefix)
        return refuse(
            one.prefix < two.prefix, "ipv6_is_in_range of an address wider than the range is not known", found
        )

    return _read6([text, network], inside)


@scalar("ipv6_is_in_any_range", STRING_OR_DYNAMIC, DYNAMIC, returns=BOOL, typed=True)
def ipv6_is_in_any_of(types: Sequence[Type], text: Column, networks: Column) -> Column:
    ip = text_or_dynamic(text, types[0])
    return _any(F.transform(_texts(networks), lambda network: ipv6_is_in_range(ip, network)))


@scalar("ipv6_is_in_any_range", STRING_OR_DYNAMIC, STRING, returns=BOOL, rest=(STRING,), typed=True)
def ipv6_is_in_any_range(types: Sequence[Type], text: Column, *networks: Column) -> Column:
    ip = text_or_dynamic(text, types[0])
    return _any(F.array(*(ipv6_is_in_range(ip, network) for network in networks)))
