"""IP addresses against Python's ipaddress. Single values: tests/cases/functions/."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import rows
from tests.support.properties import in_few_queries, many


@in_few_queries
@given(cases=many(st.tuples(st.ip_addresses(v=6), st.integers(0, 128), st.ip_addresses(v=4), st.integers(0, 32))))
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
