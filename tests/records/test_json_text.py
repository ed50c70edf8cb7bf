"""The parser that keeps what was written, and how values are written again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.records.json_text import (
    MAX_DEPTH,
    NotJsonError,
    Number,
    Object,
    Style,
    double,
    parse,
    quoted,
    quoted_exactly,
    utf16,
    write,
)

STORED = Style(quoted, str)
EXACT = Style(quoted_exactly, str, lambda name: utf16(quoted_exactly(name)))


def test_numbers_stay_as_they_were_written() -> None:
    assert write(parse("[1.50, 1E+5 ,-0, 12345678901234567890.0]"), STORED) == "[1.50,1E+5,-0,12345678901234567890.0]"


@pytest.mark.parametrize(
    ("text", "stored", "exact"),
    [
        (r'"\ud83d\ude00"', '"😀"', '"😀"'),
        (r'"\ud83d"', '"\ufffd"', r'"\uD83D"'),
        (r'"\ude00\ud83d"', '"\ufffd\ufffd"', r'"\uDE00\uD83D"'),
        (r'"\\ud83d"', r'"\\ud83d"', r'"\\ud83d"'),
        (r'"\"\\\/\b\f\n\r\t\u001b\u007f\u0041"', '"\\"\\\\/\\b\\f\\n\\r\\t\\u001B\x7fA"', None),
    ],
)
def test_strings(text: str, stored: str, exact: str | None) -> None:
    assert write(parse(text), STORED) == stored
    assert write(parse(text), EXACT) == (exact or stored)


def test_members_keep_their_order_or_are_sorted_as_java_sorts() -> None:
    # U+FFFD sorts after the surrogates that U+1F600 is made of.
    value = parse('{"\ufffd": {"b": [], "a": {}}, "😀": null, "z": true}')
    assert write(value, STORED) == '{"\ufffd":{"b":[],"a":{}},"😀":null,"z":true}'
    assert write(value, EXACT) == '{"z":true,"😀":null,"\ufffd":{"a":{},"b":[]}}'


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "nope", "{", "[", "[1", "[1,", "[1,]", "[,1]", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1 "b":2}', "[1 2]",
        '{"a":1]', "[1}", "[}", "{]", "1 2", "{} x", "{}{}", "01", "+1", ".5", "1.", "1e", "- 1", "NaN", "Infinity",
        "tru", "True", "'a'", '"a', '"\\x"', '"\\u12g4"', '"\\u12"', '"a\tb"', '"\x00"', "\ufeff{}", "\xa0{}", "{a:1}",
        "[1]//", '{"a":1,"a":1}', '{"x":{"a":1,"b":2,"a":3}}', r'{"a":1,"\u0061":2}', r'{"\ud83d":1,"\udc00":2}',
        '{1:2}', '{"a":1,,"b":2}', "[1,,2]", "]", "}", ",", '"a":1',
    ],
)  # fmt: skip
def test_what_is_not_exactly_one_value(text: str) -> None:
    with pytest.raises(NotJsonError):
        parse(text)


def test_nesting_has_a_limit_and_exhausts_nothing() -> None:
    assert write(parse("[" * MAX_DEPTH + "]" * MAX_DEPTH), EXACT) == "[" * MAX_DEPTH + "]" * MAX_DEPTH
    for opening in ("[", '{"a":', '[{"a":'):
        with pytest.raises(NotJsonError):
            parse(opening * 1_000_000)


@pytest.mark.parametrize(("digits", "refused"), [(1000, False), (1001, True)])
@pytest.mark.parametrize("text", ["{}", "-{}", "0.{}", "1e{}"])
def test_numbers_have_a_limit(text: str, digits: int, refused: bool) -> None:
    number = text.format("1" * (digits - len(text.replace("{}", "").strip("-.e"))))
    if refused:
        with pytest.raises(NotJsonError):
            parse(number)
    else:
        assert parse(number) == Number(number)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_reads_what_json_writes(value: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert json.loads(write(parse(text), STORED)) == value


@given(st.text('{}[]",:\\u01e.-tfnrl \x00', max_size=12))
def test_takes_what_the_standard_library_takes(text: str) -> None:
    def refuse(name: str) -> None:
        raise ValueError(name)

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key occurs twice")
        return dict(pairs)

    try:
        json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except ValueError:
        with pytest.raises(NotJsonError):
            parse(text)
    else:
        parse(text)


@pytest.mark.parametrize(
    ("number", "java"),
    [
        ("1", "1.0"), ("-0.0", "-0.0"), ("100.0", "100.0"), ("0.001", "0.001"), ("1e-4", "1.0E-4"), ("12.5", "12.5"),
        ("9999999", "9999999.0"), ("1e7", "1.0E7"), ("-12345678.9", "-1.23456789E7"), ("1e400", '"Infinity"'),
        ("-1e400", '"-Infinity"'), ("0.1000000000000000055", "0.1"), ("1.5e-7", "1.5E-7"), ("0e5", "0.0"),
    ],
)  # fmt: skip
def test_doubles_as_java_writes_them(number: str, java: str) -> None:
    assert double(number) == java


def test_members_of_an_object_are_in_order() -> None:
    assert parse('{"b": 1, "a": "x"}') == Object([("b", Number("1")), ("a", "x")])
