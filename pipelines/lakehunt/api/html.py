"""Results and trees of processes as HTML, for notebooks.

What they show was written by attackers. All of it goes through the templates' escaping, hidden characters through
`printable.pieces`; nothing is a link, and notebooks are told not to look for formulas in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehunt.hunting.findings.evidence import Evidence
from lakehunt.hunting.findings.process_tree import walk
from lakehunt.kql.types import DYNAMIC, NUMERIC
from lakehunt.live.result import Result
from lakehunt.reporting import page

if TYPE_CHECKING:
    from jinja2 import Template

MOST_LETTERS = 1000
"""Maximum letters of a cell that are shown; those that are left out are counted."""

_HERE = Path(__file__).parent


def of_result(result: Result, most: int) -> str:
    """The first rows as a table, with the types of the columns, the number of rows, and the time that they took."""
    rows = [
        [_cell(value, of.type == DYNAMIC) for value, of in zip(row, result.schema, strict=True)]
        for row in result.rows[:most]
    ]
    numeric = [of.type in NUMERIC for of in result.schema]
    return _template("result.html.j2").render(
        result=result, rows=rows, count=len(result), numeric=numeric, style=_style(), letters=MOST_LETTERS
    )


def of_evidence(evidence: Evidence) -> str:
    """The processes around a finding's events, as in the report."""
    told = any(not node.events for node in walk(evidence.trees))
    return _template("evidence.html.j2").render(evidence=evidence, told=told, style=_style())


def _cell(value: Any, is_dynamic: bool) -> str | None:
    """A value as text; None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return page.json_text(value) if is_dynamic and not isinstance(value, str) else str(value)


def _style() -> str:
    return (_HERE / "notebook.css").read_text(encoding="utf-8")


def _template(name: str) -> Template:
    return page.templates(_HERE).get_template(name)
