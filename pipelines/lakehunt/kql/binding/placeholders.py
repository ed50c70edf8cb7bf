"""Sentinel's placeholders for the time range that a hunting query is run for: `todatetime('{{StartTimeISO}}')`.

Sentinel replaces them by text. Here they are `now()` and `now()` minus the hunt's period, so the conditions that use
them follow the as-of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from lakehunt.kql import plan as p
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import converted
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.types import DATETIME, STRING, TIMESPAN

START, END = "{{StartTimeISO}}", "{{EndTimeISO}}"

_RANGE = re.compile(f"({re.escape(START)}|{re.escape(END)})")
_OF_ENTITY = re.compile(r"\{\{\s*[A-Z][A-Za-z]*_[A-Z]\w*\s*\}\}")
"""A placeholder of Sentinel's queries about an entity: `{{Account_Name}}`. Other words in braces are text, such as
`{{config}}`, which a hunt for template injection looks for."""

_ANY = re.compile(r"\s*\{\{\s*[A-Za-z_][\w.]*\s*\}\}\s*")


def text(binder: Binder, literal: p.Const) -> p.Expr:
    """A string literal with the placeholders in it filled in. A literal that is another placeholder of Sentinel is an
    error."""
    written = str(literal.value)
    if _RANGE.search(written):
        return _filled(binder, written, literal.span)
    if _ANY.fullmatch(written) and (_near(written) or _OF_ENTITY.fullmatch(written.strip())):
        return _unfilled(binder, literal)
    return literal


def _near(written: str) -> list[str]:
    return difflib.get_close_matches(written.strip(), [START, END], n=1, cutoff=0.8)


def _unfilled(binder: Binder, literal: p.Const) -> p.Expr:
    written = str(literal.value).strip()
    near = _near(written)
    hint = f"did you mean '{near[0]}'?" if near else f"write its value; only {START} and {END} are filled in"
    return binder.unknown(Kind.SEMANTIC, f"nothing fills in the placeholder {written}", literal.span, hint)


def _filled(binder: Binder, written: str, span: Span) -> p.Expr:
    if binder.period is None:
        what = "a placeholder for the time range cannot be used here"
        return binder.unknown(Kind.SEMANTIC, what, span, "write a datetime")
    parts = tuple(_parts(written, binder.period, span))
    return parts[0] if len(parts) == 1 else p.Call(STRING, span, "strcat", parts)


def _parts(written: str, period: int, span: Span) -> Iterator[p.Expr]:
    end = p.Now(DATETIME, span)
    start = p.Call(DATETIME, span, "-", (end, p.Const(TIMESPAN, span, period)))
    for part in filter(None, _RANGE.split(written)):
        instant = {START: start, END: end}.get(part)
        yield converted(instant, STRING) if instant else p.Const(STRING, span, part)


def instant(binder: Binder, call: p.Call) -> p.Expr:
    """The datetime itself for `todatetime(tostring(datetime))`, so that the time window sees it; else the call. A
    placeholder cannot be a time."""
    inner = call.args[0] if call.function == "todatetime" else None
    if isinstance(inner, p.Call) and inner.function == "tostring" and inner.args[0].type == DATETIME:
        return inner.args[0]
    if isinstance(inner, p.Const) and isinstance(inner.value, str) and _ANY.fullmatch(inner.value):
        return _unfilled(binder, inner)
    return call
