"""What a text needs to match a regular expression: a match without it would be missed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql.regexes import problem, translated

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


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    {
        r"(?=a)": "look-around",
        r"(?<!a)b": "look-around",
        r"(a)\1": "back-references",
        r"(?P<n>a)\k<n>": "no back-references",
        r"a(": "does not close",
        r"a)": "not opened",
        r"[a": "does not close",
        r"*a": "repeats nothing",
        r"a{": "repeats with",
        r"a{3,2}": "cannot repeat",
        r"\Z": "no escape",
        r"\p{Nope}": "not known",
        r"[z-a]": "range from z down to a",
        r"[\w-a]": "range in a class",
        r"(?q)a": "no flag",
        r"a{25000}b": "25,001 steps, of at most 25,000; repeat less often",
        r"a{0,12501}": "25,002 steps",
        r"(?:a{9999})+a{9999}b{6000}": "too large",
        "a{9999}" * 100_000: "too large",
        "a{" + "9" * 5_000 + "}": "write a smaller number",
        r"(?<n>a)(?<n>b)": "two groups with the name 'n'",
        r"((a{1000}){1000})": "too large",
        r"(?:(?:(?:a{100}){100}){100}){100}": "too large",
        "(?:" * 251 + ")" * 251: "at most 250 groups",
        "(" * 5_000: "at most 16 groups",
        "(?:" * 5_000: "at most 250 groups",
        "[" * 5_000: "at most 50 classes",
        "a|" * 12_000: "too large",
        "a\ud800": "half of a surrogate pair",
        "(a)" * 17: "at most 16 groups",
        "a\\": "escapes nothing",
    }.items(),
)
def test_refuses(pattern: str, wanted: str) -> None:
    assert wanted in (str(problem(pattern)))


def test_a_refusal_has_its_place() -> None:
    found = problem(r"abc(?=d)")
    assert found is not None
    assert found.at == 3


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:" * 250 + "a" + ")" * 250,
        "a" * 5_000,
        "(?:ab|cd){1,500}",
        "a" + "+" * 50,
        r"a{5000}",
        "(?:a{1000}){19}",
        "a{0,10000}",
        "(?:a{9999})+b{9999}",
    ],
)
def test_what_is_within_the_bounds_compiles(pattern: str) -> None:
    assert problem(pattern) is None
