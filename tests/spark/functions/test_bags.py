"""Functions of property bags and of JSON: what Kusto answers, by its documentation or its engine."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.kql.errors import QueryErrors
from pipelines.spark.functions.bags import path_of
from tests.support.answers import rows, values

EXPRESSIONS: dict[str, object] = {
    # JSON
    """parse_json('{"a":123, "b":"{\\\\"c\\\\":456}"}')""": {"a": 123, "b": '{"c":456}'},
    "parse_json('[1, 2.50, null, true, \"x\"]')": [1, 2.5, None, True, "x"],
    "parse_json('\"hello\"')": "hello",
    "parse_json('not JSON')": "not JSON",
    "parse_json('[1,2')": "[1,2",
    "parse_json('1 2')": "1 2",
    "parse_json('1,2')": "1,2",
    "parse_json('1],[2')": "1],[2",
    "parse_json('null')": None,
    "parse_json('')": None,
    "isnull(parse_json('null'))": True,
    "gettype(parse_json('\"3\t\"'))": "string",
    "gettype(parse_json(\"{'a':1}\"))": "string",
    'tostring(parse_json(\'{"b" : 1.0, "a":[ 1e3, 12345678.5 ]}\'))': '{"b":1.0,"a":[1000.0,12345678.5]}',
    "tostring(parse_json('[0.00025,1e20,-5e-7]'))": "[0.00025,1E+20,-5E-07]",
    'tostring(parse_json(\'{"k":"caf\\u00e9 \\\\/ \\\\n"}\'))': '{"k":"café / \\n"}',
    "todynamic('[1]')": [1],
    "toobject('{\"a\":1}')": {"a": 1},
    "parsejson(dynamic([1]))": [1],
    # types
    "gettype('a')": "string",
    "gettype(111)": "long",
    "gettype(1 == 1)": "bool",
    "gettype(now())": "datetime",
    "gettype(1s)": "timespan",
    "gettype(123.45)": "real",
    "gettype(int(null))": "int",
    "gettype(guid(12e8b78d-55b4-46ae-b068-26d7a0080254))": "guid",
    "gettype(parse_json('1'))": "long",
    "gettype(parse_json('1.5'))": "double",
    "gettype(parse_json('true'))": "bool",
    "gettype(parse_json(' \"abc\" '))": "string",
    "gettype(parse_json(' {\"abc\":1} '))": "dictionary",
    "gettype(parse_json(' [1, 2, 3] '))": "array",
    "gettype(parse_json(''))": "null",
    "gettype(dynamic(null))": "null",
    "gettype(range(1, 2))": "array",
    # keys
    "bag_keys(dynamic({'a': 'b', 'c': {'d': 123}}))": ["a", "c"],
    "bag_keys(dynamic({}))": [],
    "bag_keys(dynamic([]))": None,
    "bag_keys(dynamic('a'))": None,
    "bag_keys(dynamic(null))": None,
    "bag_has_key(dynamic({'key1': 123, 'key2': 'abc'}), 'key2')": True,
    "bag_has_key(dynamic({'key1': 123, 'key3': 'abc'}), 'key2')": False,
    "bag_has_key(dynamic({'key1': null}), 'key1')": True,
    "bag_has_key(dynamic({'key1': 123, 'key2': {'prop1': 'abc'}}), '$.key2.prop1')": True,
    "bag_has_key(dynamic({'key1': 123, 'key2': {'prop1': 'abc'}}), '$.key2.prop2')": False,
    "bag_has_key(dynamic({'a b': {'c.d': 1}}), \"$['a b']['c.d']\")": True,
    "bag_has_key(dynamic([1]), 'key1')": None,
    # bags from bags
    "bag_merge(dynamic({'A1': 12, 'B1': 2}), dynamic({'A2': 81, 'A1': 1}))": {"A1": 12, "B1": 2, "A2": 81},
    "bag_merge(dynamic({'k': 1}), dynamic(null))": {"k": 1},
    "bag_merge(dynamic({'a': [1, 2]}), dynamic({'a': [4], 'b': null}), dynamic([1]))": {"a": [1, 2], "b": None},
    "bag_remove_keys(dynamic({'key1': 123, 'key2': 'abc'}), dynamic(['key2', 'key4']))": {"key1": 123},
    "bag_remove_keys(dynamic({'a': 1, 'b': {'c': 2, 'd': 3}, 'e': [1]}), dynamic(['$.b.c', 'e']))": {
        "a": 1,
        "b": {"d": 3},
    },
    "bag_remove_keys(dynamic({'a': {'b': {'c': 1}}}), dynamic(['$.a.b.c', '$.a.x', '$.y.z']))": {"a": {"b": {}}},
    "bag_remove_keys(dynamic([1]), dynamic(['a']))": None,
    "bag_set_key(dynamic({'key1': 1, 'key2': 2}), 'key3', 3)": {"key1": 1, "key2": 2, "key3": 3},
    "bag_set_key(dynamic({'key1': 1, 'key3': 'abc'}), 'key3', 3)": {"key1": 1, "key3": 3},
    "tostring(bag_set_key(dynamic({'b': {'p': 123, 'q': 'xyz'}}), '$.b.p', 'abc'))": '{"b":{"q":"xyz","p":"abc"}}',
    "bag_set_key(dynamic({'key1': 123}), '$.key2.prop1', 'abc')": {"key1": 123, "key2": {"prop1": "abc"}},
    "bag_set_key(dynamic(null), 'key1', 1)": None,
    # bags from values
    "bag_pack('Level', 'Information', 'ProcessID', 1234, 'Data', bag_pack('url', 'www.bing.com'))": {
        "Level": "Information",
        "ProcessID": 1234,
        "Data": {"url": "www.bing.com"},
    },
    "pack('n', int(null), 's', '', 'd', dynamic(null))": {"n": None, "s": "", "d": None},
    "tostring(pack_dictionary('z', 1.0, 'a\"b', 1h))": '{"z":1.0,"a\\"b":"01:00:00"}',
    "bag_zip(dynamic(['a', 'b', 'c']), dynamic([1, '2', 3.4]))": {"a": 1, "b": "2", "c": 3.4},
    "bag_zip(dynamic(['a', 'b', 'c']), dynamic([1, '2']))": {"a": 1, "b": "2", "c": None},
    "bag_zip(dynamic(['a', 'b']), dynamic([1, '2', 2.5]))": {"a": 1, "b": "2"},
    "bag_zip(dynamic(['a', 8, 'b']), dynamic([1, '2', 2.5]))": {"a": 1, "b": 2.5},
    "bag_zip(dynamic(['a', 8, 'b']), dynamic(1))": {"a": None, "b": None},
    "bag_zip(dynamic('a'), dynamic([1, '2', 2.5]))": None,
    # back to text
    "dynamic_to_json(dynamic({'Y':{}, 'X8':{'c3':1, 'd8':5.0, 'a4':6}, 'A1':12, 'A14':[15, 13, null]}))": (
        '{"A1":12,"A14":[15,13,null],"X8":{"a4":6,"c3":1,"d8":5.0},"Y":{}}'
    ),
    "dynamic_to_json(dynamic({'b': 'x, 1, \"y\"', 'a': '-2'}))": '{"a":"-2","b":"x, 1, \\"y\\""}',
    "dynamic_to_json(dynamic([1.5, 'a', true]))": '[1.5,"a",true]',
    "dynamic_to_json(2h)": "02:00:00",
    "dynamic_to_json(dynamic(null))": "",
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_bag(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


def test_keys_that_are_not_constant_are_refused(spark: Any) -> None:
    with pytest.raises(QueryErrors, match="must be a constant"):
        rows(spark, "print k = split('a', ',') | extend x = bag_remove_keys(dynamic({'a': 1}), k)")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a", ("a",)),
        ("a.b", ("a.b",)),
        ("$", None),
        ("$a", ("$a",)),
        ("$.a", ("a",)),
        ("$.a.b c", ("a", "b c")),
        ("$['a.b'].c", ("a.b", "c")),
        ('$["a"]["b"]', ("a", "b")),
        ("$.a[0]", None),
        ("$.a..b", None),
    ],
)
def test_path_of_a_key(key: str, path: tuple[str, ...] | None) -> None:
    assert path_of(key) == path
