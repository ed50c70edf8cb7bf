"""What a text needs to match a regular expression: a match without it would be missed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql.regexes import translated

NEEDS = {
    r"(?i)\bPassword\b": ("password", "ſ"),
    "Whoami": ("whoami",),
    "(?i)kelvin": ("kelvin",),  # its sign is k in small letters
    r"foo|bar\.exe": ("foo", "bar.exe"),
    r"(?i)(net|sc)\s+(start|stop)": ("start", "stop", "ſ"),
    r"lsa{2,}ss\.dmp": ("ss.dmp", "ſ"),
    "colou?r": ("colo",),
    "(abc)+d?": ("abc",),
    "(abc)*": (),
    "abc|[0-9]+": (),
    "ab": (),
    "é.ab": (),
    r"a\x62c": ("abc",),
    "abc|def|ghi|jkl|mno|pqr|tuv|wxy|zab": (),
}


@pytest.mark.parametrize(("pattern", "needs"), NEEDS.items())
def test_needs(pattern: str, needs: tuple[str, ...]) -> None:
    assert translated(pattern).needs == needs


atoms = st.sampled_from(["a", "b", "C", ".", "[ab]", "(ab|c)", "(?:abc)", "(b+a|ca)", "(?i:cab)", r"\.", r"\b"])
repeated = st.tuples(atoms, st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,3}"])).map(
    lambda pair: pair[0] if pair[0] == r"\b" else "".join(pair)
)
branches = st.lists(repeated, min_size=1, max_size=6).map("".join)


@given(st.lists(branches, min_size=1, max_size=3).map("|".join), st.text("abcABC.", max_size=12))
def test_a_text_that_matches_holds_what_it_needs(pattern: str, text: str) -> None:
    """By Python's own matcher, which reads these patterns as Kusto does."""
    needs = translated(pattern).needs
    if needs and re.search(pattern, text):
        assert any(need in text.lower() for need in needs)
