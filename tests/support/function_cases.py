"""Expressions with their values in YAML files, evaluated in a few large queries.

A file of tests/cases/functions/ is:

    tolerance: 1.0e-12          # optional: relative, for numbers; without it they must be equal, 1 is not 1.0
    source: |                   # optional: a table; the expressions are then aggregates over its rows ...
      datatable(k: string, n: long)['a', 1, 'b', 2]
    by: k                       # optional: ... one value for each group, in the order of this column
    cases:
      - expression: strlen('hello')
        value: 5                # as JSON: times, timespans, NaN and Infinity are text
      - expression: make_set(n)
        value: [[1], [2]]
        unordered: true         # optional: the order of the elements means nothing
        why: https://...        # optional: where the value is from
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from tests.support import answers

SMALLEST = 1e-12
"""Reals that differ by less are equal where there is a tolerance: what should be zero has no digits to compare."""

FAILURES = (LakehuntError, PySparkException, Py4JError)
"""What a query may raise."""

FILE_KEYS = {"tolerance", "source", "by", "cases"}
CASE_KEYS = {"expression", "value", "unordered", "why"}


@dataclass(frozen=True)
class Case:
    """An expression, its value, and the place in its file."""

    expression: str
    value: Any
    unordered: bool
    place: str


@dataclass(frozen=True)
class CaseFile:
    """The cases of a file, and what they share."""

    cases: Sequence[Case]
    tolerance: float
    source: str | None
    by: str | None

    @property
    def beginning(self) -> str:
        return "print" if self.source is None else f"{self.source.strip()} | summarize"

    @property
    def ending(self) -> str:
        return "" if self.by is None else f" by {self.by} | sort by {self.by} asc"


def load(path: Path) -> CaseFile:
    """Raises LakehuntError, with file and line, for a file that is not as described above."""
    content: Any = strict_yaml.load_file(path)
    _only(content, FILE_KEYS)
    cases = content.get("cases")
    if not isinstance(cases, strict_yaml.Sequence) or not cases:
        raise LakehuntError(f"{path}: needs `cases`, a list of expressions with their values")
    read = [_case(path, cases.line(place), case) for place, case in enumerate(cases)]
    return CaseFile(read, content.get("tolerance", 0.0), content.get("source"), content.get("by"))


def _case(path: Path, line: int, content: Any) -> Case:
    if not isinstance(content, strict_yaml.Mapping) or not {"expression", "value"} <= set(content):
        raise LakehuntError(f"{path}:{line}: a case needs `expression` and `value`")
    _only(content, CASE_KEYS)
    return Case(content.text("expression"), content["value"], bool(content.get("unordered")), f"{path}:{line}")


def _only(content: strict_yaml.Mapping, known: set[str]) -> None:
    for key in content:
        if key not in known:
            raise content.error(key, f"unknown key '{key}'", f"known are {', '.join(sorted(known))}")


def problems(spark: Any, file: CaseFile) -> list[str]:
    """A line for each case whose expression has another value, or none."""
    found: list[str] = []
    for start in range(0, len(file.cases), answers.AT_ONCE):
        some = file.cases[start : start + answers.AT_ONCE]
        try:
            values = _values(spark, file, some)
        except FAILURES:  # one of them: asked alone, each says what is wrong
            found += [line for case in some if (line := _problem_alone(spark, file, case))]
        else:
            found += [line for case, value in zip(some, values, strict=True) if (line := _problem(file, case, value))]
    return found


def _values(spark: Any, file: CaseFile, cases: Sequence[Case]) -> list[Any]:
    made = ", ".join(f"x{number} = {case.expression}" for number, case in enumerate(cases))
    rows = answers.rows(spark, f"{file.beginning} {made}{file.ending}")
    if file.by is None:
        (row,) = rows
        return row
    return [[row[number] for row in rows] for number in range(1, len(cases) + 1)]


def _problem_alone(spark: Any, file: CaseFile, case: Case) -> str | None:
    try:
        (value,) = _values(spark, file, [case])
    except FAILURES as error:
        return f"{case.place}: {case.expression} fails: {error}"
    return _problem(file, case, value)


def _problem(file: CaseFile, case: Case, value: Any) -> str | None:
    found, expected = value, case.value
    if case.unordered:
        found, expected = (_sorted(one, grouped=file.by is not None) for one in (found, expected))
    if same(found, expected, file.tolerance):
        return None
    return f"{case.place}: {case.expression} gives {json.dumps(value)}, not {json.dumps(case.value)}"


def _sorted(value: list[Any], grouped: bool) -> list[Any]:
    return [_sorted(group, grouped=False) for group in value] if grouped else sorted(value, key=repr)


def same(found: Any, expected: Any, tolerance: float = 0.0) -> bool:
    """Whether two values are equal, types and all: 1, 1.0 and true are three values. With a tolerance numbers may
    differ by so much, and be whole or real."""
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(same(one, other, tolerance) for one, other in zip(found, expected, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(same(found[key], expected[key], tolerance) for key in expected)
        )
    if tolerance and _is_number(found) and _is_number(expected):
        return math.isclose(found, expected, rel_tol=tolerance, abs_tol=SMALLEST)
    if type(found) is not type(expected):
        return False
    return bool(found == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
