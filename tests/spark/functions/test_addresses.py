"""IP addresses: rows from the documentation and from what the engine answered; the rest against Python's ipaddress."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.answers import rows, values

LOG = "'05:04:54 127.0.0.1 GET /favicon.ico 404'"
STUCK = "'05:04:54127.0.0.1 GET /favicon.ico 404'"
LOCAL = "dynamic(['192.168.1.1/16', '127.0.0.1/8', '10.0.0.1/8'])"

EXPRESSIONS: dict[str, Any] = {
    "parse_ipv4('192.168.1.1')": 3232235777,
    "parse_ipv4('192.168.1.1/24')": 3232235776,
    "parse_ipv4('255.255.255.255/31')": 4294967294,
    "parse_ipv4('0.0.0.0')": 0,
    "parse_ipv4('1.2.3')": None,
    "parse_ipv4('1.2.3.256')": None,
    "parse_ipv4('1.2.3.4/33')": None,
    "parse_ipv4('')": None,
    "parse_ipv4_mask('127.0.0.1', 24)": 2130706432,
    "parse_ipv4_mask('192.1.168.2/16', 31)": 3221291008,
    "parse_ipv4_mask('127.0.0.1', 33)": None,
    "ipv4_netmask_suffix('10.1.2.3')": 32,
    "ipv4_netmask_suffix('127.0.0.1/16')": 16,
    "ipv4_netmask_suffix('nope')": None,
    "ipv4_compare('127.0.0.1', '127.0.0.1')": 0,
    "ipv4_compare('192.168.1.1', '192.168.1.255')": -1,
    "ipv4_compare('192.168.1.2', '192.168.1.1')": 1,
    "ipv4_compare('192.168.1.1/24', '192.168.1.255/24')": 0,
    "ipv4_compare('192.168.1.1', '192.168.1.255', 24)": 0,
    "ipv4_compare('192.168.1.1', 'nope')": None,
    "ipv4_is_match('192.168.1.1/24', '192.168.1.255')": True,
    "ipv4_is_match('192.168.1.1', '192.168.1.0', 31)": True,
    "ipv4_is_match('192.168.1.1', '192.168.1.255')": False,
    "ipv4_is_match('', '192.168.1.255')": None,
    "ipv4_is_private('192.168.1.1/24')": True,
    "ipv4_is_private('10.1.2.3/24')": True,
    "ipv4_is_private('172.15.255.255')": False,
    "ipv4_is_private('172.16.0.0')": True,
    "ipv4_is_private('202.1.2.3')": False,
    "ipv4_is_private('127.0.0.1')": False,
    "ipv4_is_private('')": None,
    "ipv4_is_in_range('127.0.0.1', '127.0.0.1')": True,
    "ipv4_is_in_range('192.168.1.6', '192.168.1.1/24')": True,
    "ipv4_is_in_range('192.168.1.1', '192.168.2.1/24')": False,
    "ipv4_is_in_any_range('192.168.1.6', '192.168.1.1/24', '10.0.0.1/8', '127.1.0.1/16')": True,
    "ipv4_is_in_any_range('127.0.0.1', dynamic(['127.0.0.1', '192.168.1.1']))": True,
    f"ipv4_is_in_any_range('10.1.2.3', {LOCAL})": True,
    f"ipv4_is_in_any_range('123.1.11.21', {LOCAL})": False,
    f"ipv4_is_in_any_range('', {LOCAL})": None,
    "format_ipv4('192.168.1.1', 24)": "192.168.1.0",
    "format_ipv4('192.168.1.1/24', 32)": "192.168.1.0",
    "format_ipv4(3232236031)": "192.168.1.255",
    "format_ipv4('192.168.1.1/24', long(-1))": "",
    "format_ipv4('nope')": "",
    "format_ipv4_mask('192.168.1.1', 24)": "192.168.1.0/24",
    "format_ipv4_mask('192.168.1.1/24', 32)": "192.168.1.0/24",
    "format_ipv4_mask('192.168.1.1', long(-1))": "",
    "ipv4_range_to_cidr_list('1.1.128.0', '1.1.140.255')": ["1.1.128.0/21", "1.1.136.0/22", "1.1.140.0/24"],
    "ipv4_range_to_cidr_list('0.0.0.0', '255.255.255.255')": ["0.0.0.0/0"],
    f"has_ipv4({LOG}, '127.0.0.1')": True,
    f"has_ipv4({STUCK}, '127.0.0.1')": False,
    "has_ipv4('05:04:54 127.0.0.256 GET', '127.0.0.256')": False,
    "has_ipv4('from: 192.168.1.1, 10.1.1.115', '10.1.1.11')": False,
    f"has_ipv4_prefix({LOG}, '127.0.')": True,
    f"has_ipv4_prefix({LOG}, '127.0')": False,
    f"has_ipv4_prefix({LOG}, '127.0.0.1')": True,
    "has_ipv4_prefix('05:04:54 127.0.0.256 GET', '127.0.')": False,
    f"has_ipv4_prefix({STUCK}, '127.0.')": False,
    f"has_any_ipv4({LOG}, '127.0.0.1', '127.0.0.2')": True,
    f"has_any_ipv4({LOG}, dynamic(['127.0.0.2']))": False,
    f"has_any_ipv4_prefix({LOG}, '127.0.', '192.168.')": True,
    f"has_any_ipv4_prefix({LOG}, dynamic(['127.0.', '192.168.']))": True,
    f"has_any_ipv4_prefix({STUCK}, '127.0.', '192.')": False,
    "parse_ipv6('192.168.255.255')": "0000:0000:0000:0000:0000:ffff:c0a8:ffff",
    "parse_ipv6('192.168.255.255/24')": "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
    "parse_ipv6('fe80::85D:e82c:9446:7994')": "fe80:0000:0000:0000:085d:e82c:9446:7994",
    "parse_ipv6('nope')": "",
    "parse_ipv6('1::2:3:4:5:6:7:8')": "",
    "parse_ipv6('1::2::3')": "",
    "parse_ipv6_mask('192.168.255.255', 120)": "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
    "parse_ipv6_mask('192.168.255.255/24', 124)": "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
    "parse_ipv6_mask('255.255.255.255', 128)": "0000:0000:0000:0000:0000:ffff:ffff:ffff",
    "parse_ipv6_mask('fe80::85d:e82c:9446:7994/120', 124)": "fe80:0000:0000:0000:085d:e82c:9446:7900",
    "parse_ipv6_mask('::192.168.255.255/24', 128)": "0000:0000:0000:0000:0000:ffff:c0a8:ff00",
    "ipv6_compare('192.168.1.1', '::ffff:c0a8:0101')": 0,
    "ipv6_compare('fe80::85d:e82c:9446:7994', 'fe80::85d:e82c:9446:7995')": -1,
    "ipv6_compare('fe80::85d:e82c:9446:7994', 'fe80::85d:e82c:9446:7995', 127)": 0,
    "ipv6_is_match('::192.168.1.1/30', '192.168.1.255/24')": True,
    "ipv6_is_match('fe80::1', '')": None,
    "ipv6_is_in_range('a5e:f127:8a9d:146d:e102:b5d3:c755:abcd', 'a5e:f127:8a9d:146d:e102:b5d3:c755:0000/112')": True,
    "ipv6_is_in_range('a5e:f127:8a9d:146d:e102:b5d3:c755:abcd', '0:0:0:0:0:ffff:c0a8:ac/60')": False,
    "ipv6_is_in_any_range('a5e::abcd', dynamic(['a5e::/112', '::1']))": True,
    "ipv6_is_in_any_range('b5e::abcd', 'a5e::/112', '::1')": False,
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


@settings(max_examples=4, deadline=None)
@given(cases=st.lists(st.tuples(st.ip_addresses(v=6), st.integers(0, 128), st.ip_addresses(v=4), st.integers(0, 32))))
def test_networks_are_those_of_python(spark: Any, cases: list[tuple[Any, int, Any, int]]) -> None:
    table = ", ".join(f"'{six}', {bits6}, '{four}', {bits4}" for six, bits6, four, bits4 in cases)
    answers = rows(
        spark,
        f"datatable(six: string, b6: long, four: string, b4: long)[{table}]"
        " | project parse_ipv6_mask(six, b6), format_ipv4_mask(four, b4)",
    )
    expected = []
    for six, bits6, four, bits4 in cases:
        wide = ipaddress.ip_network(f"{six}/{bits6}", strict=False)
        expected.append([wide.network_address.exploded, str(ipaddress.ip_network(f"{four}/{bits4}", strict=False))])
    assert answers == expected
