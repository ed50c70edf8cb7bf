"""Queries changed here and there, token by token: many of them are still accepted, and are what nobody thought of."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from lakehunt.kql.errors import KqlError
from lakehunt.kql.lexer import T, Token, tokens
from tests.support.kql import OPERATORS, QUERIES, SCALARS, hunts
from tests.support.paths import PROJECT

SHARED = Path(os.environ.get("LAKEHUNT_SHARED", PROJECT.parent / "shared"))

EDGES = {
    T.LONG: ("0", "-1", "1", "2147483648", "-9223372036854775808", "9223372036854775807", "long(null)"),
    T.REAL: ("0.0", "-1.5", "1e300", "real(nan)", "real(+inf)", "real(null)"),
    T.STRING: ("''", "'a'", "'é'", "'😀'", "'\\0'", "'%_\\\\'", "'[]'", "'{\"a\": 1}'", "'10.0.0.1'", "'(a)'"),
    T.TIMESPAN: ("0s", "1tick", "-1d", "999999d", "timespan(null)"),
    T.TYPED: ("datetime(null)", "datetime(0001-01-01)", "datetime(9999-12-31)", "int(null)", "decimal(1.5)", "true"),
}
"""Values at the edges of each kind of literal."""


@cache
def sources() -> tuple[str, ...]:
    """The queries that are changed: the tests' and the project's own, and the reference material if it is there."""
    own = [*QUERIES.strip().split("\n"), *hunts(PROJECT / "hunts")]
    own += [f"print {line}" for line in SCALARS.strip().split("\n")]
    own += [f"T | {line}" for line in OPERATORS.strip().split("\n")]
    cases = SHARED / "kusto-cases" / "cases.jsonl"
    if cases.is_file():
        own += [json.loads(line)["query"] for line in cases.read_text("utf-8").split("\n") if line]
    return (*own, *(query for query in hunts(SHARED / "corpus" / "queries") if isinstance(query, str)))


def mutations(seed: int, count: int, of: Sequence[str]) -> Iterator[str]:
    """Changed queries: the same for the same seed."""
    chance = random.Random(seed)
    pieces: dict[T, list[str]] = {}
    for query in chance.sample(of, min(300, len(of))):
        for text, token in _pieces(query):
            if token is not None and token.text:
                pieces.setdefault(token.kind, []).append(text)
    for _ in range(count):
        parts = _pieces(chance.choice(of))
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            _change(parts, chance, pieces)
        yield "".join(text for text, _ in parts)


def _pieces(query: str) -> list[tuple[str, Token | None]]:
    """The tokens of a query, and the texts between them."""
    try:
        found = tokens(query)
    except KqlError:
        return [(query, None)]
    parts: list[tuple[str, Token | None]] = []
    at = 0
    for token in found:
        parts += [(query[at : token.span.start], None), (query[token.span.start : token.span.end], token)]
        at = token.span.end
    return parts


def _change(parts: list[tuple[str, Token | None]], chance: random.Random, pieces: Mapping[T, list[str]]) -> None:
    places = [i for i, (_, token) in enumerate(parts) if token is not None and token.text]
    if not places:
        return
    i, j = chance.choice(places), chance.choice(places)
    text, token = parts[i]
    kind = chance.randrange(12)
    if kind == 0:
        parts[i] = ("", token)
    elif kind == 1:
        parts[i] = (f"{text} {text}", token)
    elif kind == 2:
        parts[i], parts[j] = parts[j], parts[i]
    elif kind == 3:
        parts[i] = (parts[j][0], token)
    elif kind == 4 and token is not None and token.kind in EDGES:
        parts[i] = (chance.choice(EDGES[token.kind]), token)
    elif token is not None:
        parts[i] = (chance.choice(pieces.get(token.kind, [text])), token)  # another one of its kind
