"""String functions: rows from the documentation and from what the engine answered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.kql.errors import QueryErrors
from tests.support.answers import rows, values

EXPRESSIONS: dict[str, Any] = {
    "strlen('hello')": 5,
    "strlen('')": 0,
    "strlen('a😀b')": 3,
    "strlen(dynamic('abc'))": 3,
    "strlen(dynamic([1,2]))": 5,
    "string_size('Ångström')": 10,
    "string_size('hello')": 5,
    "toupper('café')": "CAFÉ",
    "toupper('straße')": "STRAßE",
    "tolower('ÅNGSTRÖM')": "ångström",
    "tolower('ΑΣ')": "ας".replace("ς", "σ"),
    "tolower(true)": "true",
    "toupper('привет')": "ПРИВЕТ",
    "strcat('a', '-', 1, '-', true)": "a-1-True",
    "strcat('a', tostring(int(null)), 'b')": "ab",
    "strcat('x')": "x",
    "strcat_delim('-', 1, '2', 'A', 1s)": "1-2-A-00:00:01",
    "strcat_delim('|', 'a', '', 'b')": "a||b",
    "strcmp('ABC', 'ABC')": 0,
    "strcmp('abc', 'ABC')": 1,
    "strcmp('ABC', 'abc')": -1,
    "strcmp('abcde', 'abc')": 1,
    "strrep('ABC', 2)": "ABCABC",
    "strrep(123, 3, '.')": "123.123.123",
    "strrep(3s, 2, ' ')": "00:00:03 00:00:03",
    "strrep('z', 1, '.')": "z",
    "reverse('ABC')": "CBA",
    "reverse(12345)": "54321",
    "reverse('𝓗ello')": "olle𝓗",
    "substring('123456', 1)": "23456",
    "substring('123456', 2, 2)": "34",
    "substring('ABCD', 0, 2)": "AB",
    "substring('123456', -2, 2)": "56",
    "substring('hello', -100, 3)": "",
    "substring('hello', 0, indexof('hello', 'x'))": "",
    "substring('x', -2, 5)": "",
    "substring('xy', -2)": "xy",
    "substring('abcdef', 3)": "def",
    "substring('abcdefghij', 5, 100)": "fghij",
    "substring('hello', 2, 0)": "",
    "substring('hello', 5)": "",
    "substring('😀😀', 0, 1)": "😀",
    "split('aa_bb', '_')": ["aa", "bb"],
    "split('aaa_bbb_ccc', '_', 1)": ["bbb"],
    "split('', '_')": [""],
    "split('a__b', '_')": ["a", "", "b"],
    "split('aabbcc', 'bb')": ["aa", "cc"],
    "split('a.b.', '.')": ["a", "b", ""],
    "split(@'a\\b', @'\\')": ["a", "b"],
    "split('noequals', '=', 1)": None,
    "split('trailing=', '=', 1)": [""],
    "split('a😀b', '😀')": ["a", "b"],
    "split(1.5, '.')": ["1", "5"],
    "indexof('abcdefg', 'cde')": 2,
    "indexof('abcdefg', 'cde', 1, 4)": 2,
    "indexof('abcdefg', 'cde', 1, 2)": 2,
    "indexof('abcdefg', 'cde', 3, 4)": -1,
    "indexof('abcdefg', 'cde', -5)": 2,
    "indexof(1234567, 5, 1, 4)": 4,
    "indexof('abcdefg', 'cde', 2, -1)": 2,
    "indexof('abcdefgabcdefg', 'cde', 1, 10, 2)": 9,
    "indexof('abcdefgabcdefg', 'cde', 1, -1, 3)": -1,
    "indexof('abc', '')": None,
    "indexof('', '')": None,
    "indexof('abc', 'a', 0, -2)": None,
    'indexof("\'start", "\'", 2)': -1,
    "indexof('CAFÉ', 'é')": -1,
    "replace_string('abcabc', 'a', 'XY')": "XYbcXYbc",
    "replace_string('abcabc', 'abc', '')": "",
    "replace_string('aaa', '', 'X')": "aaa",
    "replace_string('', 'a', 'b')": "",
    "replace_string('a$1', '$1', '.')": "a.",
    "replace_strings('A magic trick can turn a cat into a dog', dynamic(['cat', 'dog']), dynamic(['dog', 'pigeon']))": (
        "A magic trick can turn a dog into a pigeon"
    ),
    "replace_strings('A magic trick can turn a cat into a dog', dynamic(['turn', ' into a dog']),"
    " dynamic(['disappear', '']))": "A magic trick can disappear a cat",
    "replace_strings('This is', dynamic(['This', 'is']), dynamic(['This', 'was']))": "This was",
    "replace_strings('This is', dynamic(['is', 'This']), dynamic(['was', 'This']))": "Thwas was",
    "replace_strings('This is', dynamic(['This', 'is']), dynamic([12345, 'was']))": "This was",
    "translate('abc', 'x', 'abc')": "xxx",
    "translate('abc', '', 'ab')": "",
    "translate('krasp', 'otsku', 'spark')": "kusto",
    "has_any_index('this is an example', dynamic(['this', 'example']))": 0,
    "has_any_index('this is an example', dynamic(['not', 'EXAMPLE']))": 1,
    "has_any_index('this is an example', dynamic(['not', 'found', 'exam']))": -1,
    "has_any_index('Example number 2', dynamic([1, 2, 3]))": 1,
    "has_any_index('this is an example', dynamic([]))": -1,
    "isascii('some string')": True,
    "isascii('é')": False,
    "isutf8('é')": True,
    "tohex(256)": "100",
    "tohex(-256)": "ffffffffffffff00",
    "tohex(toint(-256), 8)": "ffffff00",
    "tohex(256, 8)": "00000100",
    "tohex(256, 2)": "100",
    "tohex(long(null))": "",
    "format_bytes(564)": "564 Bytes",
    "format_bytes(10332, 1)": "10.1 KB",
    "format_bytes(20010332)": "19 MB",
    "format_bytes(20010332, 2)": "19.08 MB",
    "format_bytes(20010332, 0, 'KB')": "19541 KB",
    "format_bytes(0)": "0 Bytes",
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


@pytest.mark.parametrize(
    "expression",
    [
        "strlen(1)",
        "strcat_delim('a')",
        "split('a', 1)",
        "tohex(1.5)",
        "substring('abc', 1.5)",
        "replace_string(1, '', '')",
    ],
)
def test_refuses_what_kusto_refuses(spark: Any, expression: str) -> None:
    with pytest.raises(QueryErrors):
        rows(spark, f"print {expression}")


@pytest.mark.parametrize("expression", ["split('abc', '')", "strrep('a', 0)"])
def test_fails_where_the_answer_is_not_known(spark: Any, expression: str) -> None:
    with pytest.raises(Exception, match=r"needs|repeats"):
        rows(spark, f"datatable(s: string)['abc'] | extend x = {expression.replace(chr(39) + 'abc' + chr(39), 's')}")


TEXTS = st.lists(st.text(alphabet="ab,é😀 ", max_size=8), min_size=1, max_size=30)


@settings(max_examples=4, deadline=None)
@given(texts=TEXTS, start=st.integers(-9, 9), length=st.integers(0, 9))
def test_texts_are_cut_as_in_python(spark: Any, texts: list[str], start: int, length: int) -> None:
    table = ", ".join(f"'{text}'" for text in texts)
    made = f"a = substring(s, {start}, {length}), b = split(s, 'a'), c = reverse(s)"
    answers = rows(spark, f"datatable(s: string)[{table}] | project {made}")

    def cut(text: str) -> str:
        first = start + len(text) if start < 0 else start
        return text[first : first + length] if first >= 0 else ""

    assert answers == [[cut(text), text.split("a"), text[::-1]] for text in texts]
