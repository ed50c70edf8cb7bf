"""Syntax tree -> typed tree: resolves names, checks and converts types, names results.

It goes on after an error, so that one reading reports all of a query's errors; an expression that failed has the type
UNKNOWN, which fits everywhere and so causes no second error."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.kql import operators
from pipelines.kql import plan as p
from pipelines.kql import syntax as s
from pipelines.kql.catalog import Aggregate, Catalog, Scalar
from pipelines.kql.errors import Kind, KqlError, QueryErrors, Span
from pipelines.kql.naming import Names, own_name
from pipelines.kql.parser import parse
from pipelines.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, LONG, NUMERIC, STRING, TIMESPAN, Column, Schema, Type

UNKNOWN = Type("unknown")

MAX_ROWS_OF_A_QUERY = 10_000
"""Rows of a datatable; more belong into a table."""


def bind(query: str, tables: Mapping[str, Schema], catalog: Catalog) -> p.Plan:
    """The typed tree of a query over `tables`, for a backend with the functions of `catalog`.

    Raises QueryErrors with all errors found, each with its place."""
    tree = parse(query)
    binder = Binder(tables, catalog)
    result = binder.query(tree)
    if binder.errors:
        raise QueryErrors(query, binder.errors)
    return result


@dataclass(frozen=True)
class Scope:
    """What an expression can see: the columns of its row (None outside of a row)."""

    columns: Mapping[str, Type] | None = None


class Binder:
    def __init__(self, tables: Mapping[str, Schema], catalog: Catalog) -> None:
        self.tables = tables
        self.catalog = catalog
        self.variables: dict[str, p.Plan | p.Expr] = {}
        self.errors: list[KqlError] = []

    def query(self, tree: s.Query) -> p.Plan:
        for let in tree.lets:
            self.variables[let.name] = self._let_value(let.value)
        return self.table(tree.body)

    def _let_value(self, value: s.Expr) -> p.Plan | p.Expr:
        if self._is_tabular(value):
            return self.table(value)
        return self.scalar(value, Scope())

    def _is_tabular(self, value: s.Expr) -> bool:
        if isinstance(value, s.Name):
            return value.name in self.tables or isinstance(self.variables.get(value.name), p.Plan)
        return isinstance(value, (s.Pipeline, s.Print, s.DataTable))

    # Tabular expressions

    def table(self, expr: s.Expr) -> p.Plan:
        if isinstance(expr, s.Pipeline):
            plan = self.table(expr.source)
            for operator in expr.operators:
                plan = _OPERATORS[type(operator)](self, plan, operator)
            return plan
        if isinstance(expr, s.Name):
            return self._named_table(expr)
        if isinstance(expr, s.Print):
            return self._print(expr)
        if isinstance(expr, s.DataTable):
            return self._datatable(expr)
        if isinstance(expr, s.Call):
            self._fail(
                Kind.UNSUPPORTED,
                f"the tabular function '{expr.name}' is not supported",
                expr.name_span,
                "see docs/kql.md for what is",
            )
        else:
            self._fail(Kind.SEMANTIC, "a query must return a table", expr.span, "put print before a scalar expression")
        return p.Rows((), ())

    def _named_table(self, expr: s.Name) -> p.Plan:
        variable = self.variables.get(expr.name)
        if isinstance(variable, p.Plan):
            return variable
        if expr.name in self.tables:
            return p.Scan(self.tables[expr.name], expr.name, expr.span)
        if variable is not None:
            self._fail(Kind.SEMANTIC, f"'{expr.name}' is a scalar, not a table", expr.span)
        else:
            known = [*self.tables, *(n for n, v in self.variables.items() if isinstance(v, p.Plan))]
            near = _nearest(expr.name, known)
            self._fail(
                Kind.SEMANTIC, f"there is no table '{expr.name}'", expr.span, near or f"tables: {', '.join(known)}"
            )
        return p.Rows((), ())

    def _print(self, expr: s.Print) -> p.Plan:
        names = Names()
        columns: list[tuple[str, p.Expr]] = []
        for i, item in enumerate(expr.items):
            name, value = self._split(item)
            columns.append((names.unique(name or f"print_{i}"), self.scalar(value, Scope())))
        return _project(p.Rows((), ((),)), columns)

    def _datatable(self, expr: s.DataTable) -> p.Plan:
        width = len(expr.columns)
        if any(kind == DECIMAL for _, kind in expr.columns):
            self._fail(Kind.UNSUPPORTED, "decimal values are not supported", expr.span, "use a real")
        if len(expr.values) > width * MAX_ROWS_OF_A_QUERY:
            self._fail(Kind.UNSUPPORTED, f"a datatable of more than {MAX_ROWS_OF_A_QUERY} rows", expr.span)
            return p.Rows((), ())
        cells = [self._cell(v, expr.columns[i % width][1]) for i, v in enumerate(expr.values)]
        rows = tuple(tuple(cells[i : i + width]) for i in range(0, len(cells), width))
        return p.Rows(tuple(Column(name, kind) for name, kind in expr.columns), rows)

    def _cell(self, value: s.Expr, kind: Type) -> object:
        bound = self.scalar(value, Scope())
        if isinstance(bound, p.Apply) and bound.function == "negate" and isinstance(bound.args[0], p.Const):
            operand = bound.args[0]
            bound = p.Const(bound.type, bound.span, -operand.value)  # type: ignore[operator]
        if bound.type is UNKNOWN:
            return None
        if not isinstance(bound, p.Const):
            self._fail(Kind.SEMANTIC, "a datatable's values are constants", value.span)
            return None
        if bound.value is None:
            return "" if kind == STRING else None
        if bound.type != kind and not (bound.type in NUMERIC and kind in NUMERIC) and kind != DYNAMIC:
            self._fail(Kind.SEMANTIC, f"expected a {kind}, found a {bound.type}", value.span)
            return None
        return float(str(bound.value)) if kind.name == "real" else bound.value

    # Operators

    def _where(self, source: p.Plan, op: s.Where) -> p.Plan:
        return p.Filter(source.schema, source, self._predicate(op.predicate, source))

    def _extend(self, source: p.Plan, op: s.Extend) -> p.Plan:
        scope = _row(source)
        columns = {c.name: self._ref(c, op.span) for c in source.schema}
        names = Names(columns)
        for name, value in self._named_items(op.items):
            self._check_new(name, [n for n, _ in self._named_items(op.items)], value)
            final = name or (own_name(value) if isinstance(value, s.Name) else None)
            if final is None:
                own = own_name(value)
                final = names.unique(own) if own else names.column()
            columns[final] = self.scalar(value, scope)
        return _project(source, list(columns.items()))

    def _project_op(self, source: p.Plan, op: s.Project) -> p.Plan:
        return _project(source, self._new_columns(source, op.items))

    def _new_columns(self, source: p.Plan, items: Sequence[s.Expr]) -> list[tuple[str, p.Expr]]:
        """The columns that a list of items makes, as `project`, `distinct` and the keys of `summarize` have it."""
        scope = _row(source)
        given = list(self._named_items(items))
        names = Names(n for n, _ in given if n)
        columns: list[tuple[str, p.Expr]] = []
        for name, value in given:
            if isinstance(value, s.Star):
                columns.extend((c.name, self._ref(c, value.span)) for c in source.schema if c.name not in names.taken)
                continue
            if isinstance(value, s.Name) and not name:
                self._check_new(value.name, [n for n, _ in columns], value, once=True)
            self._check_new(name, [n for n, _ in given], value)
            own = own_name(value)
            final = name or (value.name if isinstance(value, s.Name) else names.unique(own) if own else names.column())
            names.taken.add(final)
            columns.append((final, self.scalar(value, scope)))
        return columns

    def _check_new(self, name: str | None, names: Sequence[str | None], value: s.Expr, once: bool = False) -> None:
        if name and names.count(name) > (0 if once else 1):
            self._fail(Kind.SEMANTIC, f"a column '{name}' is there already", value.span, "give it another name")

    def _project_away(self, source: p.Plan, op: s.ProjectAway) -> p.Plan:
        gone = self._matching(source, op.patterns)
        return _project(source, [(c.name, self._ref(c, op.span)) for c in source.schema if c.name not in gone])

    def _project_keep(self, source: p.Plan, op: s.ProjectKeep) -> p.Plan:
        kept = self._matching(source, op.patterns)
        return _project(source, [(c.name, self._ref(c, op.span)) for c in source.schema if c.name in kept])

    def _matching(self, source: p.Plan, patterns: Iterable[s.Name]) -> set[str]:
        found: set[str] = set()
        for pattern in patterns:
            escaped = pattern.name.replace("[", "[[]").replace("?", "[?]")
            matched = {n for n in source.names if fnmatch.fnmatchcase(n, escaped)}
            if not matched and "*" not in pattern.name:
                self._no_column(pattern.name, pattern.span, source.names)
            found |= matched
        return found

    def _project_rename(self, source: p.Plan, op: s.ProjectRename) -> p.Plan:
        renamed: dict[str, str] = {}
        for name, value in self._named_items(op.items):
            if name is None or not isinstance(value, s.Name):
                self._fail(Kind.SEMANTIC, "project-rename takes `new = old`", value.span)
            elif value.name not in source.names:
                self._no_column(value.name, value.span, source.names)
            elif name in source.names or name in renamed.values():
                self._fail(Kind.SEMANTIC, f"a column '{name}' is there already", value.span)
            else:
                renamed[value.name] = name
        return _project(source, [(renamed.get(c.name, c.name), self._ref(c, op.span)) for c in source.schema])

    def _distinct(self, source: p.Plan, op: s.Distinct) -> p.Plan:
        return _summarize(source, self._keys(source, op.items), [])

    def _keys(self, source: p.Plan, items: Sequence[s.Expr]) -> list[tuple[str, p.Expr]]:
        keys = self._new_columns(source, items)
        for name, key in keys:
            if key.type == DYNAMIC:
                self._fail(
                    Kind.SEMANTIC,
                    f"'{name}' is dynamic, and rows cannot be grouped by that",
                    key.span,
                    "convert it first: tostring(...)",
                )
        return keys

    def _summarize_op(self, source: p.Plan, op: s.Summarize) -> p.Plan:
        keys = self._keys(source, op.keys)
        given = list(self._named_items(op.aggregates))
        names = Names([n for n, _ in keys])
        for name, value in given:
            if name and name in names.taken:
                self._check_new(name, [name], value, once=True)
            elif name:
                names.taken.add(name)
        aggregates = [a for name, value in given for a in self._aggregate(name, value, source, names, keys)]
        return _summarize(source, keys, aggregates)

    def _aggregate(
        self, name: str | None, value: s.Expr, source: p.Plan, names: Names, keys: Sequence[tuple[str, p.Expr]]
    ) -> list[p.Aggregation]:
        if not isinstance(value, s.Call) or value.name not in self.catalog.aggregates:
            self._no_aggregate(value)
            return []
        function = self.catalog.aggregates[value.name]
        if function.columns:
            return [self._columns_aggregate(function, name, value, source, names, keys)]
        args = [self.scalar(arg, _row(source)) for arg in value.args]
        bound = self._signature(function, value, args)
        if bound is None:
            return []
        converted, result = bound
        for arg in converted[len(converted) - function.constants :] if len(converted) > 1 else []:
            if not isinstance(arg, p.Const) and arg.type is not UNKNOWN:
                self._fail(Kind.SEMANTIC, f"this argument of {value.name} must be a constant", arg.span)
        final = name or names.unique(function.prefix + ((own_name(value.args[0]) or "") if value.args else ""))
        return [p.Aggregation((final,), (result,), function.name, tuple(converted), value.span)]

    def _columns_aggregate(
        self,
        function: Aggregate,
        name: str | None,
        value: s.Call,
        source: p.Plan,
        names: Names,
        keys: Sequence[tuple[str, p.Expr]],
    ) -> p.Aggregation:
        """`any(A, B)`, `any(*)`: a column of each argument, all from one row."""
        args: list[s.Expr] = []
        grouped = {key.name for _, key in keys if isinstance(key, p.Ref)}
        for arg in value.args:
            if isinstance(arg, s.Star):
                args.extend(s.Name(arg.span, n) for n in source.names if n not in grouped)
            else:
                args.append(arg)
        if not args:
            self._fail(Kind.SEMANTIC, f"{value.name} needs an argument", value.span)
        bound = [self.scalar(arg, _row(source)) for arg in args]
        if name and len(args) > 1:
            self._fail(Kind.UNSUPPORTED, "one name for several columns", value.span, f"name each: ({name}, ...) = ...")
        finals = [name or names.unique(function.prefix + (own_name(arg) or "")) for arg in args]
        return p.Aggregation(tuple(finals), tuple(b.type for b in bound), function.name, tuple(bound), value.span)

    def _no_aggregate(self, value: s.Expr) -> None:
        if isinstance(value, s.Call) and value.name in self.catalog.scalars:
            self._fail(
                Kind.UNSUPPORTED, "arithmetic on aggregates is not supported", value.span, "extend it afterwards"
            )
        elif isinstance(value, s.Call):
            self._no_function(value, self.catalog.aggregates)
        else:
            self._fail(
                Kind.UNSUPPORTED,
                "only a call of an aggregate function is supported here",
                value.span,
                "extend a calculation afterwards, put a grouping column behind `by`",
            )

    def _sort(self, source: p.Plan, op: s.Sort) -> p.Plan:
        return p.Sort(source.schema, source, tuple(self._sort_key(key, source) for key in op.keys))

    def _sort_key(self, key: s.SortKey, source: p.Plan) -> p.SortKey:
        value = self.scalar(key.value, _row(source))
        if value.type == DYNAMIC:
            self._fail(Kind.UNSUPPORTED, "sorting by a dynamic value is not supported", key.span, "tostring(...) it")
        return p.SortKey(value, key.descending, key.nulls_first)

    def _take(self, source: p.Plan, op: s.Take) -> p.Plan:
        return p.Take(source.schema, source, self._row_count(op.count))

    def _top(self, source: p.Plan, op: s.Top) -> p.Plan:
        count = self._row_count(op.count)
        ordered = p.Sort(source.schema, source, (self._sort_key(op.key, source),))
        return p.Take(source.schema, ordered, count)

    def _row_count(self, expr: s.Expr) -> int:
        count = self.scalar(expr, Scope())
        if isinstance(count, p.Const) and isinstance(count.value, int) and count.type in NUMERIC and count.value >= 0:
            return count.value
        if count.type is not UNKNOWN:
            self._fail(Kind.SEMANTIC, "expected a number of rows", expr.span)
        return 0

    def _count(self, source: p.Plan, op: s.Count) -> p.Plan:
        return _summarize(source, [], [p.Aggregation(("Count",), (LONG,), "count", (), op.span)])

    # Scalar expressions

    def scalar(self, expr: s.Expr, scope: Scope) -> p.Expr:
        return _EXPRESSIONS[type(expr)](self, expr, scope)

    def _predicate(self, expr: s.Expr, source: p.Plan) -> p.Expr:
        bound = self.scalar(expr, _row(source))
        if bound.type not in (BOOL, UNKNOWN):
            self._fail(Kind.SEMANTIC, f"expected a condition, found a {bound.type}", expr.span)
        return bound

    def _literal(self, expr: s.Literal, scope: Scope) -> p.Expr:
        if expr.type == DECIMAL:
            return self._unknown(Kind.UNSUPPORTED, "decimal values are not supported", expr.span, "use a real")
        return p.Const(expr.type, expr.span, expr.value)

    def _name(self, expr: s.Name, scope: Scope) -> p.Expr:
        if scope.columns is not None and expr.name in scope.columns:
            return p.Ref(scope.columns[expr.name], expr.span, expr.name)
        variable = self.variables.get(expr.name)
        if isinstance(variable, p.Expr):
            return variable
        if isinstance(variable, p.Plan) or expr.name in self.tables:
            return self._unknown(Kind.UNSUPPORTED, f"the table '{expr.name}' as a value is not supported", expr.span)
        self._no_column(expr.name, expr.span, [*(scope.columns or {}), *self.variables])
        return _unknown(expr.span)

    def _call(self, expr: s.Call, scope: Scope) -> p.Expr:
        args = [self.scalar(arg, scope) for arg in expr.args]
        if expr.name in _TIME_FUNCTIONS:
            return _TIME_FUNCTIONS[expr.name](self, expr, args)
        function = self.catalog.scalars.get(expr.name)
        if function is None:
            self._no_function(expr, self.catalog.scalars)
            return _unknown(expr.span)
        bound = self._signature(function, expr, args)
        if bound is None:
            return _unknown(expr.span)
        return p.Apply(bound[1], expr.span, function.name, tuple(bound[0]))

    def _now(self, expr: s.Call, args: list[p.Expr]) -> p.Expr:
        now = p.Now(DATETIME, expr.span)
        if not args:
            return now
        return self._shifted("+", now, expr, args)

    def _ago(self, expr: s.Call, args: list[p.Expr]) -> p.Expr:
        return self._shifted("-", p.Now(DATETIME, expr.span), expr, args)

    def _shifted(self, op: str, now: p.Expr, expr: s.Call, args: list[p.Expr]) -> p.Expr:
        if len(args) != 1 or args[0].type not in (TIMESPAN, UNKNOWN):
            return self._unknown(Kind.SEMANTIC, f"{expr.name} takes one timespan", expr.span, f"write {expr.name}(7d)")
        return p.Apply(DATETIME, expr.span, op, (now, args[0]))

    def _signature(
        self, function: Scalar | Aggregate, call: s.Call, args: list[p.Expr]
    ) -> tuple[list[p.Expr], Type] | None:
        """The arguments, converted, and the result's type, by the first signature that fits."""
        if any(arg.type is UNKNOWN for arg in args):
            return None
        for signature in function.signatures:
            bound = signature.bind([arg.type for arg in args])
            if bound is not None:
                return [_converted(arg, to) for arg, to in zip(args, bound[0], strict=True)], bound[1]
        given = ", ".join(str(arg.type) for arg in args)
        if any(signature.accepts(len(args)) for signature in function.signatures):
            self._fail(
                Kind.UNSUPPORTED,
                f"{call.name}({given}) is not supported",
                call.span,
                "convert the argument, for example with tostring(...)",
            )
        else:
            self._fail(Kind.SEMANTIC, f"{call.name} does not take {len(args)} arguments", call.span)
        return None

    def _unary(self, expr: s.Unary, scope: Scope) -> p.Expr:
        operand = self.scalar(expr.operand, scope)
        if operand.type is UNKNOWN:
            return operand
        result = operators.unary(operand.type)
        if result is None:
            return self._unknown(Kind.SEMANTIC, f"'{expr.op}' is not defined for a {operand.type}", expr.span)
        converted = _converted(operand, result)
        if expr.op == "+":
            return converted
        if isinstance(converted, p.Const) and isinstance(converted.value, (int, float)):
            return p.Const(result, expr.span, -converted.value)
        return p.Apply(result, expr.span, "negate", (converted,))

    def _binary(self, expr: s.Binary, scope: Scope) -> p.Expr:
        # A chain of hundreds of `or` is one deep left branch, so it is walked, not recursed into.
        chain: list[s.Binary] = []
        leftmost: s.Expr = expr
        while isinstance(leftmost, s.Binary):
            chain.append(leftmost)
            leftmost = leftmost.left
        left = self.scalar(leftmost, scope)
        for link in reversed(chain):
            left = self._operation(link.op, left, self.scalar(link.right, scope), link.span, link.op_span)
        return left

    def _operation(self, op: str, left: p.Expr, right: p.Expr, span: Span, op_span: Span) -> p.Expr:
        if UNKNOWN in (left.type, right.type):
            return _unknown(span)
        typing = operators.BINARY[op](left.type, right.type)
        if typing is None:
            return self._undefined(op, left.type, right.type, op_span)
        return p.Apply(typing[2], span, op, (_converted(left, typing[0]), _converted(right, typing[1])))

    def _undefined(self, op: str, left: Type, right: Type, span: Span) -> p.Expr:
        """Kusto compares a dynamic with anything, and a string with a number, by rules that are not built yet."""
        later = DYNAMIC in (left, right) or (op in ("==", "!=") and STRING in (left, right))
        return self._unknown(
            Kind.UNSUPPORTED if later else Kind.SEMANTIC,
            f"'{op}' is not {'supported' if later else 'defined'} for {left} and {right}",
            span,
            "convert one side, for example with tostring(...)" if later else "",
        )

    def _in(self, expr: s.InList, scope: Scope) -> p.Expr:
        operand = self.scalar(expr.operand, scope)
        items = [self._list_item(item, scope) for item in expr.items]
        values = [value for item in items for value in item]
        comparison = operators.MEMBERSHIP[expr.op]
        checked = [self._operation(comparison, operand, value, value.span, expr.op_span) for value in values]
        if operand.type is UNKNOWN or any(c.type is UNKNOWN for c in checked):
            return _unknown(expr.span)
        if not checked:
            return p.Const(BOOL, expr.span, expr.op.startswith("!") or expr.op == "has_all")
        comparisons = tuple(c for c in checked if isinstance(c, p.Apply))
        return p.Apply(BOOL, expr.span, expr.op, comparisons)

    def _list_item(self, item: s.Expr, scope: Scope) -> list[p.Expr]:
        """The values that one item stands for: itself, or each element of a constant array."""
        if self._is_tabular(item):
            return [self._unknown(Kind.UNSUPPORTED, "a table as the list is not supported", item.span)]
        value = self.scalar(item, scope)
        if value.type != DYNAMIC:
            return [value]
        if not isinstance(value, p.Const) or not isinstance(value.value, list):
            return [self._unknown(Kind.UNSUPPORTED, "only a constant array can be the list", item.span)]
        return [_element(element, value.span) for element in value.value]

    def _between(self, expr: s.Between, scope: Scope) -> p.Expr:
        operand, low, high = (self.scalar(e, scope) for e in (expr.operand, expr.low, expr.high))
        if operand.type == DATETIME and low.type == DATETIME and high.type == TIMESPAN:
            high = p.Apply(DATETIME, high.span, "+", (low, high))
        lower = self._operation(">=", operand, low, expr.span, expr.low.span)
        upper = self._operation("<=", operand, high, expr.span, expr.high.span)
        if UNKNOWN in (lower.type, upper.type):
            return _unknown(expr.span)
        inside = p.Apply(BOOL, expr.span, "and", (lower, upper))
        return inside if expr.op == "between" else p.Apply(BOOL, expr.span, "not", (inside,))

    def _path(self, expr: s.Path | s.Index, scope: Scope) -> p.Expr:
        value = self.scalar(expr.value, scope)
        if value.type not in (DYNAMIC, UNKNOWN):
            return self._unknown(Kind.SEMANTIC, f"a {value.type} has no parts", expr.span)
        return self._unknown(Kind.UNSUPPORTED, "a path into a dynamic value is not supported", expr.span)

    def _misplaced(self, expr: s.Expr, scope: Scope) -> p.Expr:
        return self._unknown(Kind.SEMANTIC, f"a {_DESCRIBED.get(type(expr), 'table')} cannot stand here", expr.span)

    # Names and errors

    def _named_items(self, items: Iterable[s.Expr]) -> Iterable[tuple[str | None, s.Expr]]:
        return (self._split(item) for item in items)

    @staticmethod
    def _split(item: s.Expr) -> tuple[str | None, s.Expr]:
        return (item.names[0], item.value) if isinstance(item, s.Named) else (None, item)

    @staticmethod
    def _ref(column: Column, span: Span) -> p.Expr:
        return p.Ref(column.type, span, column.name)

    def _no_column(self, name: str, span: Span, known: Iterable[str]) -> None:
        self._fail(Kind.SEMANTIC, f"there is no column '{name}'", span, _nearest(name, known))

    def _no_function(self, call: s.Call, known: Iterable[str]) -> None:
        other = call.name in self.catalog.names()
        self._fail(
            Kind.SEMANTIC if other else Kind.UNSUPPORTED,
            f"the function '{call.name}' {'cannot stand here' if other else 'is not supported'}",
            call.name_span,
            _nearest(call.name, known) or "see docs/kql.md for what is",
        )

    def _unknown(self, kind: Kind, message: str, span: Span, hint: str = "") -> p.Expr:
        self._fail(kind, message, span, hint)
        return _unknown(span)

    def _fail(self, kind: Kind, message: str, span: Span, hint: str = "") -> None:
        if not any(e.span == span and e.message == message for e in self.errors):
            self.errors.append(KqlError(kind, message, span, hint))


def _unknown(span: Span) -> p.Expr:
    return p.Const(UNKNOWN, span, None)


def _element(value: object, span: Span) -> p.Expr:
    """An element of a constant array, as a value of its own type."""
    for python, kind in ((bool, BOOL), (int, LONG), (float, Type("real")), (str, STRING)):
        if isinstance(value, python):
            return p.Const(kind, span, value)
    return p.Const(DYNAMIC, span, value)


def _converted(expr: p.Expr, to: Type) -> p.Expr:
    if expr.type == to:
        return expr
    return p.Apply(to, expr.span, f"to{to}", (expr,))


def _row(source: p.Plan) -> Scope:
    return Scope({c.name: c.type for c in source.schema})


def _project(source: p.Plan, columns: Sequence[tuple[str, p.Expr]]) -> p.Plan:
    schema = tuple(Column(name, value.type) for name, value in columns)
    return p.Project(schema, source, tuple(value for _, value in columns))


def _summarize(source: p.Plan, keys: Sequence[tuple[str, p.Expr]], aggregates: Sequence[p.Aggregation]) -> p.Plan:
    made = [Column(n, t) for a in aggregates for n, t in zip(a.names, a.types, strict=True)]
    schema = (*(Column(name, value.type) for name, value in keys), *made)
    return p.Summarize(schema, source, tuple(keys), tuple(aggregates))


def _nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant; letters in another case count as near."""
    folded = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(folded), 1, 0.7)
    return f"did you mean '{folded[near[0]]}'?" if near else ""


_DESCRIBED: dict[type, str] = {s.Star: "`*`", s.Named: "named expression"}

_OPERATORS: dict[type[s.Operator], Callable[..., p.Plan]] = {
    s.Where: Binder._where,
    s.Extend: Binder._extend,
    s.Project: Binder._project_op,
    s.ProjectAway: Binder._project_away,
    s.ProjectKeep: Binder._project_keep,
    s.ProjectRename: Binder._project_rename,
    s.Distinct: Binder._distinct,
    s.Summarize: Binder._summarize_op,
    s.Sort: Binder._sort,
    s.Take: Binder._take,
    s.Top: Binder._top,
    s.Count: Binder._count,
}

_EXPRESSIONS: dict[type[s.Expr], Callable[..., p.Expr]] = {
    s.Literal: Binder._literal,
    s.Name: Binder._name,
    s.Call: Binder._call,
    s.Unary: Binder._unary,
    s.Binary: Binder._binary,
    s.InList: Binder._in,
    s.Between: Binder._between,
    s.Path: Binder._path,
    s.Index: Binder._path,
    s.Star: Binder._misplaced,
    s.Named: Binder._misplaced,
    s.Pipeline: Binder._misplaced,
    s.Print: Binder._misplaced,
    s.DataTable: Binder._misplaced,
}

_TIME_FUNCTIONS: dict[str, Callable[[Binder, s.Call, list[p.Expr]], p.Expr]] = {
    "now": Binder._now,
    "ago": Binder._ago,
}
