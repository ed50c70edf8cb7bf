"""Formats a syntax tree as KQL text, one operator per line. Parsing the text gives the same tree again (see `same`).

Comments, hints and the kind of a chart are not part of the tree, so they are lost."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from lakehunt.kql import syntax as s
from lakehunt.kql import times
from lakehunt.kql.errors import Span
from lakehunt.kql.scalar_parser import PRECEDENCE
from lakehunt.kql.types import (
    BOOL,
    BY_NAME,
    DATETIME,
    DECIMAL,
    DYNAMIC,
    GUID,
    INT,
    LONG,
    REAL,
    STRING,
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MILLISECOND,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    TIMESPAN,
    Type,
)


def formatted(tree: s.Query) -> str:
    """The text of a query."""
    return ";\n".join([*map(_statement, tree.lets), _expr(tree.body, _PIPELINE)])


def same(a: object, b: object) -> bool:
    """Whether two trees are equal, ignoring positions; NaN equals NaN.

    Iterative, not recursive: a tree may be as deep as a query has terms."""
    pairs = [(a, b)]
    while pairs:
        left, right = pairs.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, Span):
            continue
        parts, others = _parts(left), _parts(right)
        if parts is None or others is None:
            if left != right and not _are_nan(left, right):
                return False
        elif len(parts) != len(others):
            return False
        else:
            pairs.extend(zip(parts, others, strict=True))
    return True


def _are_nan(*values: object) -> bool:
    return all(isinstance(value, (float, Decimal)) and math.isnan(value) for value in values)


def _parts(value: object) -> list[object] | None:
    """The components of a value; None if it is atomic."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, dict):
        return [part for key in sorted(value) for part in (key, value[key])]
    if is_dataclass(value):
        return [getattr(value, field.name) for field in fields(value)]
    return None


# Precedence of expressions that are not binary operators

_PIPELINE = 0
_EXPRESSION = PRECEDENCE["or"]
_COMPARISON = PRECEDENCE["=="]
_OPERAND = PRECEDENCE["+"]
_UNARY = PRECEDENCE["*"] + 1
_POSTFIX = _UNARY + 1

_BINDS: dict[type[s.Expr], int] = {
    **dict.fromkeys((s.Pipeline, s.Print, s.Range, s.DataTable, s.ExternalData, s.Empty), _PIPELINE),
    **dict.fromkeys((s.InList, s.Between), _COMPARISON),
    **dict.fromkeys((s.Unary, s.Literal, s.TypeLiteral), _UNARY),
}


def _binds(expr: s.Expr) -> int:
    if isinstance(expr, s.Binary):
        return PRECEDENCE[expr.op]
    if isinstance(expr, s.Literal) and expr.type == DYNAMIC:
        return _POSTFIX
    return _BINDS.get(type(expr), _POSTFIX)


def _expr(expr: s.Expr, level: int = _EXPRESSION) -> str:
    """An expression, in parentheses if it binds more loosely than `level`."""
    text = _EXPRESSIONS[type(expr)](expr)
    if _binds(expr) >= level:
        return text
    return _block("(", text, ")") if isinstance(expr, s.Pipeline) else f"({text})"


def _block(opening: str, text: str, closing: str) -> str:
    """An indented block in brackets. Indenting is safe, as no string literal contains a line break."""
    indented = "\n".join(f"    {line}" for line in text.split("\n"))
    return f"{opening}\n{indented}\n{closing}"


def _list(items: Iterable[s.Expr]) -> str:
    return ", ".join(map(_expr, items))


def _enclosed(items: Sequence[s.Expr]) -> str:
    """Arguments or list items in parentheses; a single pipeline needs no second pair."""
    if len(items) == 1 and isinstance(items[0], s.Pipeline):
        return _block("(", _expr(items[0], _PIPELINE), ")")
    return f"({_list(items)})"


# Names

_RESERVED = frozenset(
    [
        *BY_NAME,
        *("true", "false", "typeof", "let", "view", "set", "alias", "declare", "pattern", "restrict"),
        *(
            "print",
            "range",
            "datatable",
            "externaldata",
            "union",
            "search",
            "find",
            "consume",
            "facet",
            "fork",
            "sample",
            "reduce",
            "evaluate",
        ),
        *("and", "or", "in", "has_any", "has_all", "between", "matches", "like", "notlike"),
        *("has", "contains", "startswith", "endswith", "hasprefix", "hassuffix"),
        *("has_cs", "contains_cs", "startswith_cs", "endswith_cs", "hasprefix_cs", "hassuffix_cs"),
        *(
            "by",
            "on",
            "to",
            "from",
            "step",
            "of",
            "with",
            "others",
            "where",
            "project",
            "limit",
            "default",
            "asc",
            "desc",
            "nulls",
            "as",
            "order",
            "partition",
            "optional",
        ),
        *(
            "hint",
            "kind",
            "withsource",
            "isfuzzy",
            "datascope",
            "bagexpansion",
            "with_itemindex",
            "with_match_id",
            "output",
            "flags",
        ),
    ]
)
"""Words with another meaning in some place where a name can occur, so they are always written in brackets."""

_PLAIN = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_]*")
_PATTERN = re.compile(r"\*?(?:[A-Za-z_][A-Za-z0-9_]*(?:\*|$))*")


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in _RESERVED else f"[{_string(name)}]"


def _pattern(pattern: s.Name) -> str:
    """A name with `*` wildcards."""
    return pattern.name if "*" in pattern.name and _PATTERN.fullmatch(pattern.name) else _name(pattern.name)


# Literals


def _string(text: str) -> str:
    if "\\" in text and '"' not in text and text.isprintable():
        return f'@"{text}"'
    return '"' + "".join(_ESCAPED.get(c) or (c if c.isprintable() else _escape(c)) for c in text) + '"'


_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _literal(expr: s.Literal) -> str:
    return f"{expr.type}(null)" if expr.value is None else _LITERALS[expr.type](expr.value)


def _long(value: int) -> str:
    return str(value) if value >= 0 else f"long({value})"


def _real(value: float) -> str:
    if math.isfinite(value) and math.copysign(1, value) > 0:
        return repr(value)
    return f"real({value})"  # NaN, infinities, and negative numbers


_UNITS = {
    "d": TICKS_PER_DAY,
    "h": TICKS_PER_HOUR,
    "m": TICKS_PER_MINUTE,
    "s": TICKS_PER_SECOND,
    "ms": TICKS_PER_MILLISECOND,
    "tick": 1,
}


def _timespan(ticks: int) -> str:
    if ticks < 0:
        return f"timespan({times.format_timespan(ticks)})"
    unit, size = next((unit, size) for unit, size in _UNITS.items() if ticks % size == 0)
    return f"{ticks // size}{unit}"


def _json(value: object) -> str:
    """The data inside of `dynamic(...)`."""
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_string(key)}: {_json(part)}" for key, part in value.items()) + "}"
    return _JSON[type(value)](value)


_JSON: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: "null",
    bool: lambda value: "true" if value else "false",
    int: _long,
    float: _real,
    str: _string,
}

_LITERALS: dict[Type, Callable[[Any], str]] = {
    BOOL: _JSON[bool],
    INT: lambda value: f"int({value})",
    LONG: _long,
    REAL: _real,
    DECIMAL: lambda value: f"decimal({value})",
    DATETIME: lambda value: f"datetime({times.format_datetime(value)})",
    TIMESPAN: _timespan,
    GUID: lambda value: f"guid({value})",
    STRING: _string,
    DYNAMIC: lambda value: f"dynamic({_json(value)})",
}


# Expressions


def _binary(expr: s.Binary) -> str:
    # Iterative: a chain of thousands of `or` is one deep left branch.
    ends: list[str] = []
    left: s.Expr = expr
    least = _binds(left)
    while isinstance(left, s.Binary) and _binds(left) >= least:
        binds = _binds(left)
        ends.append(f" {left.op} {_expr(left.right, binds + 1)}")
        left, least = left.left, _OPERAND if binds == _COMPARISON else binds  # comparisons do not chain
    return _expr(left, least) + "".join(reversed(ends))


def _postfixed(expr: s.Path | s.Index) -> str:
    ends: list[str] = []
    value: s.Expr = expr
    while isinstance(value, (s.Path, s.Index)):
        ends.append(f".{_name(value.name)}" if isinstance(value, s.Path) else f"[{_expr(value.index)}]")
        value = value.value
    return _expr(value, _POSTFIX) + "".join(reversed(ends))


def _call(expr: s.Call) -> str:
    args = _enclosed(expr.args)
    if expr.name in BY_NAME and not any(c in args[1:-1] for c in "()'\""):
        args = f"({', '.join([_in_parentheses(expr.args[0]), *map(_expr, expr.args[1:])])})"  # `long(5)` is a literal
    return f"{expr.name}{args}"


def _in_parentheses(item: s.Expr) -> str:
    if isinstance(item, s.Named):
        return f"{_names(item.names)} = ({_expr(item.value)})"
    return f"({_expr(item)})"


def _names(names: Sequence[str]) -> str:
    return _name(names[0]) if len(names) == 1 else f"({', '.join(map(_name, names))})"


def _named(expr: s.Named) -> str:
    return f"{_names(expr.names)} = {_expr(expr.value)}"


def _term(expr: s.TermSearch) -> str:
    return f"{expr.column}:{_string(expr.text)}" if expr.column is not None else _string(expr.text)


def _pipeline(expr: s.Pipeline) -> str:
    if isinstance(expr.source, s.Empty):
        return _steps(expr.operators)
    source = _block("(", _pipeline(expr.source), ")") if isinstance(expr.source, s.Pipeline) else None
    return f"{source or _expr(expr.source, _PIPELINE)}\n| {_steps(expr.operators)}"


def _steps(operators: Sequence[s.Operator]) -> str:
    return "\n| ".join(_OPERATORS[type(operator)](operator) for operator in operators)


def _datatable(expr: s.DataTable) -> str:
    width = len(expr.columns)
    rows = [_list(expr.values[i : i + width]) for i in range(0, len(expr.values), width)]
    head = f"datatable ({_typed(expr.columns)}) ["
    return _block(head, ",\n".join(rows), "]") if rows else f"{head}]"


def _typed(columns: Iterable[tuple[str, Type]]) -> str:
    return ", ".join(f"{_name(name)}: {kind}" for name, kind in columns)


def _externaldata(expr: s.ExternalData) -> str:
    options = ", ".join(f"{_name(name)}={_string(value)}" for name, value in expr.options)
    addresses = ", ".join(map(_string, expr.addresses))
    return f"externaldata ({_typed(expr.columns)}) [{addresses}]{f' with ({options})' if options else ''}"


def _range(expr: s.Range) -> str:
    start, stop, step = (_expr(e, _OPERAND) for e in (expr.start, expr.stop, expr.step))
    return f"range {_name(expr.name)} from {start} to {stop} step {step}"


_EXPRESSIONS: dict[type[s.Expr], Callable[[Any], str]] = {
    s.Name: lambda e: _name(e.name),
    s.Literal: _literal,
    s.Star: lambda e: "*",
    s.TypeLiteral: lambda e: f"typeof({e.type})",
    s.Call: _call,
    s.Unary: lambda e: f"{e.op}{_expr(e.operand, _UNARY)}",
    s.Binary: _binary,
    s.InList: lambda e: f"{_expr(e.operand, _OPERAND)} {e.op} {_enclosed(e.items)}",
    s.Between: lambda e: f"{_expr(e.operand, _OPERAND)} {e.op} ({_expr(e.low)} .. {_expr(e.high)})",
    s.Path: _postfixed,
    s.Index: _postfixed,
    s.Named: _named,
    s.TermSearch: _term,
    s.DataTable: _datatable,
    s.ExternalData: _externaldata,
    s.Print: lambda e: f"print {_list(e.items)}",
    s.Range: _range,
    s.Pipeline: _pipeline,
    s.Empty: lambda e: "",
}


# Operators


def _options(options: s.Options) -> str:
    """Options, each followed by a space."""
    return "".join(f"{name}={_option(value)} " for name, value in options.items())


def _option(value: s.Name | s.Literal) -> str:
    return value.name if isinstance(value, s.Name) else _literal(value)


def _by(keys: Sequence[s.Expr]) -> str:
    return f" by {_list(keys)}" if keys else ""


def _summarize(op: s.Summarize) -> str:
    aggregates = f" {_list(op.aggregates)}" if op.aggregates else ""
    return f"summarize{aggregates}{_by(op.keys)}"


def _direction(descending: bool) -> str:
    return " desc" if descending else " asc"


def _sort_key(key: s.SortKey) -> str:
    nulls = "" if key.nulls_first is not key.descending else f" nulls {'first' if key.nulls_first else 'last'}"
    return f"{_expr(key.value)}{_direction(key.descending)}{nulls}"


def _nest(level: s.Nest) -> str:
    count = f"{_expr(level.count)} " if level.count else ""
    others = f" with others = {_expr(level.others)}" if level.others else ""
    return f"top-nested {count}of {_expr(level.of)}{others} by {_expr(level.by)}{_direction(level.descending)}"


def _table(table: s.Expr) -> str:
    """A table of a join or union: a name or a call as is, anything else in parentheses."""
    if isinstance(table, s.Name):
        return _pattern(table)
    return _expr(table, _POSTFIX if isinstance(table, s.Call) else _POSTFIX + 1)


def _join(op: s.Join) -> str:
    return f"{'lookup' if op.lookup else 'join'} {_options(op.options)}{_table(op.right)} on {_list(op.on)}"


def _union(op: s.Union) -> str:
    return f"union {_options(op.options)}{', '.join(map(_table, op.tables))}"


def _in_tables(tables: Sequence[s.Expr]) -> str:
    return f"in ({', '.join(map(_table, tables))}) " if tables else ""


def _search(op: s.Search) -> str:
    return f"search {_options(op.options)}{_in_tables(op.tables)}{_expr(op.predicate)}"


def _find(op: s.Find) -> str:
    project = f" project {', '.join(map(_found_column, op.columns))}" if op.columns else ""
    return f"find {_options(op.options)}{_in_tables(op.tables)}where {_expr(op.predicate)}{project}"


def _found_column(column: s.Name | s.Captured | s.Star) -> str:
    if isinstance(column, s.Star):
        return "pack_all()"
    return _captured(column) if isinstance(column, s.Captured) else _name(column.name)


def _expanded(item: s.Expanded) -> str:
    name = f"{_name(item.name)} = " if item.name is not None else ""
    return f"{name}{_expr(item.value)}" + (f" to typeof({item.type})" if item.type else "")


def _items_to_expand(op: s.MvExpand | s.MvApply) -> str:
    limit = f" limit {_expr(op.limit)}" if op.limit else ""
    return f"{_options(op.options)}{', '.join(map(_expanded, op.items))}{limit}"


def _mv_apply(op: s.MvApply) -> str:
    return f"mv-apply {_items_to_expand(op)} on {_block('(', _expr(op.body, _PIPELINE), ')')}"


def _captured(column: s.Captured | s.Star) -> str:
    return "*" if isinstance(column, s.Star) else f"{_name(column.name)}: {column.type}"


def _columns(columns: Sequence[s.Captured | s.Star]) -> str:
    return f"({', '.join(map(_captured, columns))})"


def _parse(op: s.Parse) -> str:
    parts = [_literal(part) if isinstance(part, s.Literal) else _captured(part) for part in op.pattern]
    return f"{'parse-where' if op.where else 'parse'} {_options(op.options)}{_expr(op.value)} with {' '.join(parts)}"


def _parse_kv(op: s.ParseKv) -> str:
    given = ", ".join(f"{name}={_option(value)}" for name, value in op.options.items())
    return f"parse-kv {_expr(op.value)} as {_columns(op.columns)}" + (f" with ({given})" if given else "")


def _series(aggregate: tuple[s.Expr, s.Expr | None]) -> str:
    item, default = aggregate
    return _expr(item) + (f" default={_expr(default, _OPERAND)}" if default else "")


def _make_series(op: s.MakeSeries) -> str:
    limits = "".join(f" {word} {_expr(e, _OPERAND)}" for word, e in (("from", op.start), ("to", op.stop)) if e)
    axis = f"{_expr(op.axis)}{limits} step {_expr(op.step, _OPERAND)}"
    return f"make-series {_options(op.options)}{', '.join(map(_series, op.aggregates))} on {axis}{_by(op.keys)}"


def _step(step: s.Step) -> str:
    options = _options(step.options).rstrip(" ")
    then = f" => {_list(step.assignments)}" if step.assignments else ""
    return f"step {_name(step.name)}{' ' + options if options else ''}: {_expr(step.condition)}{then};"


def _declared(column: tuple[s.Captured, s.Expr | None]) -> str:
    return _captured(column[0]) + (f" = {_expr(column[1])}" if column[1] else "")


def _scan(op: s.Scan) -> str:
    declared = f"declare ({', '.join(map(_declared, op.declared))}) " if op.declared else ""
    head = f"scan {_options(op.options)}{declared}with ("
    return _block(head, "\n".join(map(_step, op.steps)), ")") if op.steps else f"{head})"


def _evaluate(op: s.Evaluate) -> str:
    return f"evaluate {_call(op.plugin)}" + (f" : {_columns(op.columns)}" if op.columns is not None else "")


_OPERATORS: dict[type[s.Operator], Callable[[Any], str]] = {
    s.Where: lambda op: f"where {_expr(op.predicate)}",
    s.Extend: lambda op: f"extend {_list(op.items)}",
    s.Project: lambda op: f"project {_list(op.items)}".rstrip(" "),
    s.ProjectAway: lambda op: f"project-away {', '.join(map(_pattern, op.patterns))}",
    s.ProjectByNames: lambda op: f"project-by-names {', '.join(map(_expr, op.items))}",
    s.ProjectKeep: lambda op: f"project-keep {', '.join(map(_pattern, op.patterns))}",
    s.ProjectRename: lambda op: f"project-rename {_list(op.items)}",
    s.ProjectReorder: lambda op: (
        f"project-reorder {', '.join(f'{_pattern(n)} {o}'.rstrip(' ') for n, o in op.patterns)}"
    ),
    s.Summarize: _summarize,
    s.Sort: lambda op: f"sort by {', '.join(map(_sort_key, op.keys))}",
    s.Take: lambda op: f"take {_expr(op.count)}",
    s.Top: lambda op: f"top {_expr(op.count)} by {_sort_key(op.key)}",
    s.TopNested: lambda op: ", ".join(map(_nest, op.levels)),
    s.Distinct: lambda op: f"distinct {_list(op.items)}",
    s.Count: lambda op: "count" if op.name == "Count" else f"count as {_name(op.name)}",
    s.TopHitters: lambda op: (
        f"top-hitters {_expr(op.count)} of {_expr(op.of)}" + (f" by {_expr(op.by)}" if op.by else "")
    ),
    s.Serialize: lambda op: f"serialize {_list(op.items)}".rstrip(" "),
    s.As: lambda op: f"as {_name(op.name)}",
    s.GetSchema: lambda op: "getschema",
    s.Render: lambda op: "render table",
    s.Join: _join,
    s.Union: _union,
    s.Search: _search,
    s.Find: _find,
    s.MvExpand: lambda op: f"mv-expand {_items_to_expand(op)}",
    s.MvApply: _mv_apply,
    s.Parse: _parse,
    s.ParseKv: _parse_kv,
    s.MakeSeries: _make_series,
    s.Partition: lambda op: f"partition by {_name(op.key.name)} {_block('(', _expr(op.body, _PIPELINE), ')')}",
    s.Scan: _scan,
    s.Evaluate: _evaluate,
    s.Invoke: lambda op: f"invoke {_call(op.call)}",
}


# Statements


def _statement(statement: s.Statement) -> str:
    if isinstance(statement, s.SetOption):
        return f"set {statement.name} = {_expr(statement.value)}"
    if isinstance(statement, s.Let):
        return f"let {_name(statement.name)} = {_expr(statement.value, _PIPELINE)}"
    parameters = ", ".join(map(_parameter, statement.parameters))
    head = f"let {_name(statement.name)} = {'view ' if statement.view else ''}({parameters}) {{"
    return _block(head, formatted(statement.body), "}")


def _parameter(parameter: s.Parameter) -> str:
    if parameter.type is None:
        return f"{_name(parameter.name)}: ({', '.join(map(_captured, parameter.columns)) or '*'})"
    default = f" = {_expr(parameter.default)}" if parameter.default else ""
    return f"{_name(parameter.name)}: {parameter.type}{default}"
