"""AdditionalFields is what parse_json makes of it, whatever text was delivered."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.hunting.query.adhoc import query
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from tests.support import events

NOW = times.parse_datetime("2026-03-02T00:00:00Z")

DELIVERED = ("not json {", "", "null", None, '{"b": 1.0, "a": [null, "x"]}', "7", '"quoted"', " [1] ", '{"a":1} x')
TYPES = ("string", "null", "null", "null", "dictionary", "long", "string", "array", "string")
TEXTS = ("not json {", "", "", "", '{"b":1.0,"a":[null,"x"]}', "7", "quoted", "[1]", '{"a":1} x')
VALUES = ("not json {", None, None, None, {"b": 1.0, "a": [None, "x"]}, 7, "quoted", [1], '{"a":1} x')


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(spark, str(tmp_path_factory.mktemp("lake")))
    events.store(made, [events.event(ReportId=i, AdditionalFields=text) for i, text in enumerate(DELIVERED)])
    return made


def test_each_text_is_a_value(lake: Lake) -> None:
    found = query(
        lake,
        "DeviceProcessEvents | sort by ReportId asc | project AdditionalFields, type = gettype(AdditionalFields), "
        "missing = isnull(AdditionalFields), text = tostring(AdditionalFields), "
        "all = pack_all().AdditionalFields, packed = pack('f', AdditionalFields).f, a = AdditionalFields.a[1]",
        NOW,
    ).rows
    for row, kind, text, value in zip(found, TYPES, TEXTS, VALUES, strict=True):
        assert row[:4] == [value, kind, value is None, text]
        assert row[4:6] == [value, value]
        assert row[6] == ("x" if isinstance(value, dict) else None)


def test_a_set_of_them_is_an_array(lake: Lake) -> None:
    found = query(
        lake,
        "DeviceProcessEvents | where gettype(AdditionalFields) !in ('long', 'array') "
        "| summarize all = make_set(AdditionalFields) | project gettype(all), array_length(all)",
        NOW,
    ).rows
    assert found == [["array", 5]]  # a dynamic null is an element, once
