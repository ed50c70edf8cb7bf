"""Encodings and hashes: rows from the documentation and from what the engine answered."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.answers import rows, values

EXPRESSIONS: dict[str, Any] = {
    "base64_encode_tostring('Kusto')": "S3VzdG8=",
    "base64_encodestring('')": "",
    "base64_decode_tostring('S3VzdG8=')": "Kusto",
    "base64_decodestring('w6k=')": "é",
    "base64_decode_tostring('U3RyaW5n0KHR0tGA0L7Rh9C60LA=')": "",
    "base64_decode_tostring('not base64!')": "",
    "base64_decode_tostring('S3VzdG8')": "",
    "base64_decode_tostring('')": "",
    "strlen(base64_decode_tostring('aQBlAHgA'))": 6,
    "base64_decode_toarray('S3VzdG8=')": [75, 117, 115, 116, 111],
    "base64_encode_fromarray(dynamic([75, 117, 115, 116, 111]))": "S3VzdG8=",
    "base64_encode_fromarray(dynamic([1, 256]))": "",
    "base64_encode_fromarray(dynamic(null))": "",
    "base64_decode_toguid('8jMxriJurkmwahbmqbIS6w==')": "ae3133f2-6e22-49ae-b06a-16e6a9b212eb",
    "base64_decode_toguid('abcd1231')": None,
    "base64_encode_fromguid(guid(ae3133f2-6e22-49ae-b06a-16e6a9b212eb))": "8jMxriJurkmwahbmqbIS6w==",
    "hash_md5('World')": "f5a7924e621e84c9280a9a27e1bcb7f6",
    "hash_md5(datetime(2020-01-01))": "786c530672d1f8db31fee25ea8a9390b",
    "hash_sha1('World')": "70c07ec18ef89c5309bbb0937f3a6342411e1fdd",
    "hash_sha1(datetime(2020-01-01))": "e903e533f4d636b4fc0dcf3cf81e7b7f330de776",
    "hash_sha256('World')": "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524",
    "hash('Hello')": 753694413698530628,
    "hash('World')": 1846988464401551951,
    "hash('World', 100)": 51,
    "hash_xxhash64('World')": 1846988464401551951,
    "hash_xxhash64(datetime(2015-01-01))": 1380966698541616202,
    "url_encode('https://www.bing.com/hello world')": "https%3a%2f%2fwww.bing.com%2fhello+world",
    "url_encode_component('https://www.bing.com/hello world/')": "https%3a%2f%2fwww.bing.com%2fhello%20world%2f",
    "url_encode('é')": "%c3%a9",
    "url_encode('')": "",
    "url_decode('https%3a%2f%2fwww.bing.com%2f')": "https://www.bing.com/",
    "url_decode('%C3%A9 a')": "é a",
    "unicode_codepoints_from_string('קו K😀')": [1511, 1493, 32, 75, 128512],
    "unicode_codepoints_from_string('')": [],
    "unicode_codepoints_to_string(75, 117, 115, 116, 111)": "Kusto",
    "unicode_codepoints_to_string(dynamic([75, 128512]), 33)": "K😀!",
    "make_string(75)": "K",
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


@pytest.mark.parametrize("expression", ["url_decode(s)", "url_encode(s)"])
def test_fails_where_the_answer_is_not_known(spark: Any, expression: str) -> None:
    with pytest.raises(Exception, match="is not known"):
        rows(spark, f"datatable(s: string)['a+b!'] | project {expression}")


@settings(max_examples=4, deadline=None)
@given(texts=st.lists(st.text("aZ0 é/\u20ac😀=", max_size=40), min_size=1, max_size=20))
def test_encodings_are_those_of_python(spark: Any, texts: list[str]) -> None:
    table = ", ".join(f"'{text}'" for text in texts)
    made = "a = base64_encode_tostring(s), b = base64_decode_tostring(base64_encode_tostring(s)), c = hash_sha256(s)"
    answers = rows(spark, f"datatable(s: string)[{table}] | project {made}")
    raw = [text.encode() for text in texts]
    assert answers == [[base64.b64encode(r).decode(), r.decode(), hashlib.sha256(r).hexdigest()] for r in raw]


def _xxh64(data: bytes) -> int:
    """xxHash64 with the seed 0, once more in plain Python, from its specification."""
    one, two, three = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
    four, five, mask = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5, (1 << 64) - 1

    def rotated(x: int, by: int) -> int:
        return ((x << by) | (x >> (64 - by))) & mask

    def mixed(into: int, lane: int) -> int:
        return rotated((into + lane * two) & mask, 31) * one & mask

    at = 0
    if len(data) >= 32:
        lanes = [(one + two) & mask, two, 0, -one & mask]
        while at + 32 <= len(data):
            lanes = [mixed(v, int.from_bytes(data[at + 8 * i : at + 8 * i + 8], "little")) for i, v in enumerate(lanes)]
            at += 32
        made = sum(rotated(v, by) for v, by in zip(lanes, (1, 7, 12, 18), strict=True)) & mask
        for v in lanes:
            made = ((made ^ mixed(0, v)) * one + four) & mask
    else:
        made = five
    made = (made + len(data)) & mask
    while at + 8 <= len(data):
        made = (rotated(made ^ mixed(0, int.from_bytes(data[at : at + 8], "little")), 27) * one + four) & mask
        at += 8
    if at + 4 <= len(data):
        made = (rotated(made ^ (int.from_bytes(data[at : at + 4], "little") * one & mask), 23) * two + three) & mask
        at += 4
    for byte in data[at:]:
        made = rotated(made ^ (byte * five & mask), 11) * one & mask
    made = (made ^ (made >> 33)) * two & mask
    made = (made ^ (made >> 29)) * three & mask
    return made ^ (made >> 32)


def test_hashes_and_remainders_agree_with_plain_python(spark: Any) -> None:
    texts = ["", "a", "World", "0123456789", "é" * 20, "x" * 100, *(f"device-{i}" for i in range(40))]
    table = f"datatable(s: string)[{', '.join(repr(t) for t in texts)}]"
    found = rows(spark, f"{table} | project hash(s), hash(s, 20), hash(s, 7), hash(s, 1024)")
    wanted = []
    for text in texts:
        made = _xxh64(text.encode())
        wanted.append([made - (1 << 64) if made >> 63 else made, made % 20, made % 7, made % 1024])
    assert found == wanted
    assert any(row[0] < 0 for row in found)
