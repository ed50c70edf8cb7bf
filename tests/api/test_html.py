"""What notebooks show of what attackers have written."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.api import html
from lakehunt.api.evidence import FindingEvidence
from lakehunt.api.result import QueryResult
from lakehunt.config import Config
from lakehunt.hunting.findings.evidence import Evidence
from lakehunt.hunting.findings.process_tree import EVIDENCE, Process, ProcessNode
from lakehunt.hunting.query.adhoc import Collected
from lakehunt.kql import times
from lakehunt.kql.types import DYNAMIC, LONG, STRING, Column
from lakehunt.live.session import KeptSession

HOSTILE = (
    "</bdi></style><script>alert(1)</script><img src=x onerror=alert(1)>"
    " $$\\href{javascript:1}{x}$$ &amp; \u202e\x1b[2J"
)

OURS = {
    *("div", "style", "table", "thead", "tbody", "tr", "th", "td", "span", "p", "b", "bdi", "i", "ul", "li", "code"),
}
"""The elements of the templates: none loads or runs anything."""


class Reader(HTMLParser):
    """The elements and the text of a fragment, every one of which must be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(fragment: str) -> Reader:
    reader = Reader()
    reader.feed(fragment)
    reader.close()
    assert reader.open == []
    assert reader.elements <= OURS
    assert reader.attributes <= {"class", "dir", "title"}
    assert "tex2jax_ignore mathjax_ignore" in fragment
    return reader


def result(*rows: tuple[Any, ...], names: tuple[str, str, str] = ("n", "text", "bag"), **more: Any) -> QueryResult:
    schema = tuple(map(Column, names, (LONG, STRING, DYNAMIC)))
    return QueryResult(
        Collected(schema, rows), times.parse_datetime("2026-03-10") or 0, 1.5, KeptSession(Config()), **more
    )


def test_a_result_has_its_types_and_says_how_many_rows_it_has() -> None:
    shown = read(result((1, "a", '{"k":null}'), (None, "", None), (3, "b", "true"), most=2)._repr_html_())
    assert "nlong" in shown.text
    assert '{"k": null}' in shown.text
    assert "null" in shown.text
    assert "the first 2 of 3 rows, 1.50 s, as of 2026-03-10 00:00:00" in shown.text
    assert "1 row, " in read(result((1, "a", None))._repr_html_()).text


@pytest.mark.parametrize("place", ["cell", "name", "dynamic", "key"])
def test_hostile_telemetry_is_text(place: str) -> None:
    rows = {
        "cell": (1, HOSTILE, None),
        "dynamic": (1, "", json.dumps(HOSTILE)),
        "key": (1, "", json.dumps({HOSTILE: 1})),
    }
    names = ("n", HOSTILE if place == "name" else "text", "bag")
    shown = read(result(rows.get(place, (1, "", None)), names=names)._repr_html_())
    assert "<script>alert(1)</script>" in shown.text
    assert "\u202e" not in shown.text
    assert "\x1b" not in shown.text
    assert "u202e" in shown.text


@given(st.text())
def test_whatever_a_cell_holds_it_is_text(text: str) -> None:
    read(html.of_result(result((1, text, None)), 50))


def test_a_long_cell_says_how_long_it_is() -> None:
    assert f"{'A' * html.MOST_LETTERS}… (5,000 characters)" in read(result((1, "A" * 5000, None))._repr_html_()).text


def test_the_tree_of_a_finding_is_text_too() -> None:
    finding = {
        "finding_id": "0123456789abcdef", "hunt_name": HOSTILE, "as_of": "2026-03-10T00:00:00.0000000Z",
        "status": "new", "severity": "High", "first_seen": "2026-03-09T00:00:00.0000000Z",
        "last_seen": "2026-03-09T00:00:00.0000000Z", "device_id": "d", "device_name": HOSTILE, "account_name": HOSTILE,
        "events": 3, "evidence": ["e"],
    }  # fmt: skip
    child = ProcessNode(
        Process(7, None, HOSTILE, HOSTILE, HOSTILE), EVIDENCE, "d", HOSTILE, 0, events=("e",), evidence=("e",)
    )
    root = ProcessNode(Process(4, None, "w3wp.exe"), "ancestor", "d", None, children=[child], more=1000)
    evidence = FindingEvidence(Evidence(finding, [], 1, [root], cut=True))
    shown = read(evidence._repr_html_())
    assert "w3wp.exe (4) told" in shown.text
    assert "and 1,000 more" in shown.text
    assert "1 of its events are no longer in the lake" in shown.text
    assert "2 more events belong to it" in shown.text
    assert shown.text.count("alert(1)</script>") == 6
    assert repr(evidence) == "<evidence of finding 0123456789abcdef: 0 events>"
