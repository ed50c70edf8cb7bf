"""Hunts of hundreds of conditions, as generated detections have them: from hits, in full, and by Python itself."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import writer
from lakehunt.lake.delta_lake import Lake
from tests.support.events import event, store
from tests.support.hunts import AS_OF, ticks

E = "DeviceProcessEvents"
TEXTS = {"FileName": "f", "FolderPath": "p", "ProcessCommandLine": "c"}
"""Columns with the letter that their words begin with."""

WORDS = 900


@dataclass(frozen=True)
class Word:
    """`column contains word`"""

    column: str
    text: str

    def kql(self) -> str:
        return f'{self.column} contains "{self.text}"'

    def holds(self, row: dict[str, Any]) -> bool:
        return self.text.lower() in row[self.column].lower()


@dataclass(frozen=True)
class Not:
    of: Condition

    def kql(self) -> str:
        return f"not({self.of.kql()})"

    def holds(self, row: dict[str, Any]) -> bool:
        return not self.of.holds(row)


@dataclass(frozen=True)
class Chain:
    """`a or b or c`"""

    op: str
    terms: tuple[Condition, ...]

    def kql(self) -> str:
        return f" {self.op} ".join(term.kql() if isinstance(term, Word) else f"({term.kql()})" for term in self.terms)

    def holds(self, row: dict[str, Any]) -> bool:
        return (any if self.op == "or" else all)(term.holds(row) for term in self.terms)


Condition = Word | Not | Chain


def word(rng: random.Random) -> Word:
    column = rng.choice(list(TEXTS))
    return Word(column, rng.choice([str.lower, str.upper])(f"{TEXTS[column]}{rng.randrange(WORDS)}x"))


def chain(rng: random.Random, op: str, length: int, term: Any = word) -> Chain:
    return Chain(op, tuple(term(rng) for _ in range(length)))


def absent(rng: random.Random) -> Not:
    return Not(word(rng))


def pair(rng: random.Random) -> Chain:
    return Chain("and", (word(rng), Not(chain(rng, "or", 2))))


def nested(rng: random.Random, levels: int) -> Condition:
    """Parentheses within parentheses, at either end of a chain, mostly of the other operator."""
    made: Condition = word(rng)
    for level in range(levels):
        terms = [made, word(rng)] if level % 2 else [made, absent(rng)]
        rng.shuffle(terms)
        made = Chain("or" if level % 2 or rng.random() < 0.1 else "and", tuple(terms))
        if rng.random() < 0.1:
            made = Not(made)
    return made


def conditions(rng: random.Random) -> list[Condition]:
    return [
        chain(rng, "or", 600),
        chain(rng, "and", 200, absent),
        chain(rng, "or", 100, pair),
        Not(chain(rng, "or", 200)),
        Chain("and", (chain(rng, "or", 200), Not(chain(rng, "or", 100)))),
        nested(rng, 100),
    ]


def row(rng: random.Random, number: int) -> dict[str, Any]:
    texts = {
        column: "-".join(f"{letter}{rng.randrange(WORDS)}{rng.choice('xX')}" for _ in range(rng.randint(0, 3)))
        for column, letter in TEXTS.items()
    }
    return event(ReportId=number, **texts)


def found(lake: Lake, hunt: Hunt) -> set[int]:
    name = writer.name_of(hunt)
    return {one["ReportId"] for one in lake.read(name).collect()} if lake.exists(name) else set()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 12))])
def test_hundreds_of_conditions(lake: Lake, seed: int) -> None:
    """A hunt that is nested too deeply fails alone."""
    rng = random.Random(seed)
    rows = [row(rng, number) for number in range(60)]
    store(lake, rows[:30])
    store(lake, rows[30:])
    made = conditions(rng)
    hunts = [
        Hunt(f"{i:08x}-0000-4000-8000-000000000000", f"hunt {i}", f"{E} | where {one.kql()} | project ReportId")
        for i, one in enumerate(made)
    ]
    deep = Hunt("ffffffff-0000-4000-8000-000000000000", "deep", f"{E} | where {'not(' * 600}true{')' * 600}")
    expected = [{one["ReportId"] for one in rows if condition.holds(one)} for condition in made]
    assert all(0 < len(one) < len(rows) for one in expected[:-1])
    for full in (False, True):
        runs = engine.run_hunts(lake, [deep, *hunts], ticks(AS_OF), lambda step: None, full=full)
        assert "more than 500 nested" in (runs[0].error or "")
        assert [run.error for run in runs[1:]] == [None] * len(hunts)
        assert [found(lake, hunt) for hunt in hunts] == expected
