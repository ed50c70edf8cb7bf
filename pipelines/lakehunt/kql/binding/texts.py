"""Binds operators that parse text: parse, parse-where, parse-kv.

Source: learn.microsoft.com/kusto/query/parse-operator, .../parse-kv-operator; where they are silent, the engine's
answers: a column before a text of the pattern takes as little as it can, in a regular expression as much as it can."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lakehunt.kql import plan as p
from lakehunt.kql import regexes
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.calls import check_pattern
from lakehunt.kql.binding.scope import converted, projected, ref
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.regexes import MAX_COLUMNS
from lakehunt.kql.types import BOOL, DECIMAL, DYNAMIC, INT, LONG, REAL, STRING, array_of

PARSED = "parsed by"
"""The function of a text and a regular expression: its groups as an array of strings, null where it does not fit."""

GROUP = "group of"
"""The function of such an array and a number: that group."""

PAIRS = "pairs of"
"""The function of a text, delimiters, quotes and keys: the keys' values as an array of strings, null where one is not
found."""

PAIRS_MATCHED = "pairs matched by"
"""The function of a text, a regular expression with two groups, a key and its value, and keys: as PAIRS."""


def parse_text(binder: Binder, source: p.Plan, op: s.Parse) -> p.Plan:
    value = converted(binder.scalar(op.value, binder.row(source)), STRING)
    kind = getattr(op.options.get("kind"), "name", "simple")
    captured = [part for part in op.pattern if isinstance(part, s.Captured)]
    binder.distinct_names((column.name for column in captured), op.span)
    pattern = _pattern(binder, op.pattern, kind, str(getattr(op.options.get("flags"), "name", "")), op.span)
    groups = p.Call(array_of(STRING), op.span, PARSED, (value, p.Const(STRING, op.span, pattern)))
    values: list[p.Expr] = []
    for i, column in enumerate(captured):
        _check_type(binder, column)
        text = p.Call(STRING, column.span, GROUP, (groups, p.Const(LONG, column.span, i)))
        values.append(converted(text, column.type))
    needed: list[p.Expr] = [groups]
    if kind != "relaxed":
        needed += (made for made in values if made.type != STRING)
    fits = p.chained("and", [p.Call(BOOL, op.span, "isnotnull", (made,)) for made in needed], op.span)
    if kind != "relaxed":
        values = [p.Call(v.type, op.span, "iff", (fits, v, p.Const(v.type, op.span, None))) for v in values]
    if op.where:
        source = p.Filter(source.schema, source, fits)
    columns = {c.name: ref(c, op.span) for c in source.schema}
    columns |= {c.name: v for c, v in zip(captured, values, strict=True)}
    return projected(source, list(columns.items()))


def _check_type(binder: Binder, column: s.Captured) -> None:
    if column.type == DYNAMIC:
        hint = "parse it as a string, then use parse_json(...)"
        binder.fail(Kind.UNSUPPORTED, "a parsed column of the type dynamic is not supported", column.span, hint)


def _pattern(
    binder: Binder, parts: Sequence[s.Literal | s.Captured | s.Star], kind: str, flags: str, span: Span
) -> str:
    """The pattern as one regular expression for the whole text."""
    regex = kind == "regex"
    made: list[str] = []
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        skips = not last and isinstance(parts[i + 1], s.Star)
        if isinstance(part, s.Literal):
            text = str(part.value)
            if regex:
                check_pattern(binder, text, part.span)
            made.append(_without_groups(text) if regex else _quoted(text))
        elif isinstance(part, s.Star):
            made.append(".*" if last else ".*?")
        else:
            made.append(_captures(binder, part, regex, last, skips))
    if set(flags) - set("imsU"):
        binder.fail(Kind.SEMANTIC, f"the flags of a regular expression are i, m, s and U, not '{flags}'", span)
    pattern = f"(?s{''.join(f for f in flags if f in 'imU')}:^{''.join(made)})"
    check_pattern(binder, pattern, span, MAX_COLUMNS)
    return pattern


def _captures(binder: Binder, column: s.Captured, regex: bool, last: bool, skips: bool) -> str:
    """What a column takes: a number its digits, where the pattern is a regular expression or `*` follows; else text."""
    if regex or skips:
        digits = _DIGITS.get(column.type)
        if digits is not None:
            return digits
        if skips:
            what = f"`*` after a column of {column.type} is not supported"
            binder.fail(Kind.UNSUPPORTED, what, column.span, "put a text between them")
    return "(.*)" if regex or last else "(.*?)"


_DIGITS = {
    **dict.fromkeys((INT, LONG), r"([-+]?\d+)"),
    **dict.fromkeys((REAL, DECIMAL), r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"),
}


def _without_groups(pattern: str) -> str:
    """The pattern with its groups made non-capturing: only columns capture."""
    made, i = "", 0
    in_class = False
    while i < len(pattern):
        c = pattern[i]
        if c == "\\":
            made += pattern[i : i + 2]
            i += 2
            continue
        in_class = (in_class or c == "[") and c != "]"
        opening = None if in_class else _CAPTURING.match(pattern, i)
        made += "(?:" if opening else c
        i = opening.end() if opening else i + 1
    return f"(?:{made})"


_CAPTURING = re.compile(r"\((?!\?)|\(\?P?<[^>]*>")


def _quoted(text: str) -> str:
    return "".join(c if c.isalnum() else f"\\x{{{ord(c):x}}}" for c in text)


_KV_DEFAULTS = {"pair_delimiter": "", "kv_delimiter": "", "quote": "", "escape": "", "greedy": ""}


def parse_kv(binder: Binder, source: p.Plan, op: s.ParseKv) -> p.Plan:
    value = converted(binder.scalar(op.value, binder.row(source)), STRING)
    keys = [column.name for column in op.columns]
    binder.distinct_names(keys, op.span)
    regex = op.options.get("regex")
    if isinstance(regex, s.Literal):
        check_pattern(binder, str(regex.value), regex.span)
        if not regexes.problem(str(regex.value)) and regexes.translated(str(regex.value)).groups != 2:
            binder.fail(Kind.SEMANTIC, "the regular expression needs two groups, a key and its value", regex.span)
        function, options = PAIRS_MATCHED, [str(regex.value)]
    else:
        function, options = PAIRS, _kv_options(binder, op, keys)
    args = [p.Const(STRING, op.span, text) for text in (*options, *keys)]
    found = p.Call(array_of(STRING), op.span, function, (value, *args))
    columns = {c.name: ref(c, op.span) for c in source.schema}
    for i, column in enumerate(op.columns):
        _check_type(binder, column)
        text = p.Call(STRING, column.span, GROUP, (found, p.Const(LONG, column.span, i)))
        columns[column.name] = converted(text, column.type)
    return projected(source, list(columns.items()))


def _kv_options(binder: Binder, op: s.ParseKv, keys: Sequence[str]) -> list[str]:
    """The delimiters, empty where any character but letters and digits is one; the quotes, opening and closing; the
    escape; `greedy` or nothing."""
    given = _KV_DEFAULTS | {name: str(getattr(option, "value", "")) for name, option in op.options.items()}
    given["greedy"] = "greedy" if given["greedy"] == "True" else ""
    if given["pair_delimiter"]:
        given["kv_delimiter"] = given["kv_delimiter"] or "="
    elif given["kv_delimiter"]:
        hint = "name what separates pairs: with (pair_delimiter=' ')"
        binder.fail(Kind.UNSUPPORTED, "parse-kv without a pair_delimiter is not supported", op.span, hint)
    if not given["pair_delimiter"] and not all(key.isalnum() for key in keys):
        what = "parse-kv without delimiters reads keys of letters and digits only"
        binder.fail(Kind.UNSUPPORTED, what, op.span, "name the delimiters")
    quote = given["quote"]
    if len(quote) > 2 or len(given["escape"]) > 1:
        binder.fail(Kind.SEMANTIC, "a quote is one or two characters, an escape is one", op.span)
    given["quote"] = quote * 2 if len(quote) == 1 else quote
    return [given[name] for name in _KV_DEFAULTS]
