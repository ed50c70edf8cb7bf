"""Encodings and hashes against Python's. Single values: tests/cases/functions/."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import rows
from tests.support.properties import in_few_queries, many


@pytest.mark.parametrize("expression", ["url_decode(s)", "url_encode(s)"])
def test_fails_where_the_answer_is_not_known(spark: Any, expression: str) -> None:
    with pytest.raises(Exception, match="is not known"):
        rows(spark, f"datatable(s: string)['a+b!'] | project {expression}")


@in_few_queries
@given(texts=many(st.text("aZ0 é/\u20ac😀=", max_size=40)))
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
