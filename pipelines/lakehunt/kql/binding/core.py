"""What all of the binder shares: variables, errors, and scalar expressions.

It goes on after an error, so that one reading reports all of a query's errors; an expression that failed has the type
UNKNOWN, which fits everywhere and so causes no second error."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lakehunt.kql import constants, kusto_functions, operators, regexes
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.catalog import (
    TYPE,
    Aggregate,
    ByConstant,
    Catalog,
    Constant,
    Parameter,
    Pattern,
    Scalar,
    Signature,
    WindowFunction,
)
from lakehunt.kql.errors import Kind, KqlError, Span
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, NUMERIC, REAL, STRING, TIMESPAN, Column, Schema, Type

UNKNOWN = Type("unknown")

MAX_ROWS_OF_A_QUERY = 10_000
"""Rows of a datatable; more belong into a table."""

EXTERNAL_FORMATS = ("csv", "tsv", "psv", "scsv", "txt", "json", "multijson")
"""Formats of files that `externaldata` can read."""

MAX_CALLS = 32
"""Functions of a query that call one another."""


@dataclass(frozen=True)
class Scope:
    """What an expression can see.

    `columns` are those of its row (None outside of a row); `outer` those of the row around the body of `mv-apply`, and
    the name of that body. `ordered` says whether rows have an order that window functions can follow, `stored` whether
    they are those of a stored table."""

    columns: Mapping[str, Type] | None = None
    outer: tuple[tuple[str, Mapping[str, Type]], ...] = ()
    ordered: bool = False
    stored: bool = False

    @property
    def names(self) -> list[str]:
        return [*(self.columns or {}), *(name for _, columns in self.outer for name in columns)]


@dataclass(frozen=True)
class Function:
    """A function defined by `let`, with the variables that it saw there."""

    definition: s.LetFunction
    variables: Mapping[str, Variable]


Variable = p.Plan | p.Expr | Function

SchemaOf = Callable[[p.Plan, s.Evaluate], Schema | None]
"""Finds out what columns a plugin makes of the data; None where no data are at hand."""


class Binder:
    """Binds one query: `errors` holds what was wrong."""

    def __init__(
        self,
        tables: Mapping[str, Schema],
        catalog: Catalog,
        operators: Mapping[type[s.Operator], Callable[..., p.Plan]],
        schema_of: SchemaOf = lambda plan, evaluate: None,
    ) -> None:
        self.tables = tables
        self.catalog = catalog
        self.operators = operators
        self.schema_of = schema_of
        self.variables: dict[str, Variable] = {}
        self.outer: tuple[tuple[str, Mapping[str, Type]], ...] = ()
        self.errors: list[KqlError] = []
        self.named: dict[int, str] = {}  # what `as` called a plan, by its id
        self.calls = 0
        self.bodies = 0
        self.unseen: frozenset[str] = frozenset()  # variables of a row around the table that is bound

    # Statements

    def query(self, tree: s.Query) -> p.Plan:
        self.lets(tree)
        return self.table(tree.body)

    def lets(self, tree: s.Query) -> None:
        for let in tree.lets:
            if isinstance(let, s.LetFunction):
                self.variables[let.name] = Function(let, dict(self.variables))
            else:
                self.variables[let.name] = self.value(let.value)

    def value(self, expr: s.Expr) -> p.Plan | p.Expr:
        """A table or a scalar, whichever the expression is."""
        return self.table(expr) if self.is_tabular(expr) else self.scalar(expr, Scope())

    def is_tabular(self, expr: s.Expr) -> bool:
        if isinstance(expr, s.Name):
            variable = self.variables.get(expr.name)
            if isinstance(variable, Function):
                return self._gives_table(variable)
            return isinstance(variable, p.Plan) or (variable is None and expr.name in self.tables)
        if isinstance(expr, s.Call):
            variable = self.variables.get(expr.name)
            if isinstance(variable, Function):
                return self._gives_table(variable)
            return expr.name in ("materialize", "table", "view")
        return isinstance(expr, (s.Pipeline, s.Print, s.DataTable, s.Range, s.ExternalData))

    def _gives_table(self, function: Function) -> bool:
        """Whether a function's body is a table; its tabular parameters are."""
        with self._inside(function.variables):
            for parameter in function.definition.parameters:
                if parameter.type is None:
                    self.variables[parameter.name] = p.Values((), ())
                else:
                    self.variables[parameter.name] = p.Const(parameter.type, parameter.span, None)
            for let in function.definition.body.lets:
                if isinstance(let, s.LetFunction):
                    self.variables[let.name] = Function(let, dict(self.variables))
                else:
                    tabular = self.is_tabular(let.value)
                    self.variables[let.name] = p.Values((), ()) if tabular else unknown(let.span)
            return self.is_tabular(function.definition.body.body)

    @contextmanager
    def _inside(self, variables: Mapping[str, Variable]) -> Iterator[None]:
        outside, self.variables = self.variables, dict(variables)
        try:
            yield
        finally:
            self.variables = outside

    def call_function(self, function: Function, call: s.Call | s.Name, first: p.Plan | None, scope: Scope) -> Variable:
        """The body of a function, its parameters bound to the arguments (and to `first`, where it is invoked)."""
        definition = function.definition
        arguments = self._arguments(definition, call, first, scope)
        self.calls += 1
        if self.calls > MAX_CALLS:
            self.fail(Kind.UNSUPPORTED, f"more than {MAX_CALLS} functions that call one another", call.span)
            return unknown(call.span)
        with self._inside({**function.variables, **arguments}):
            self.lets(definition.body)
            body = definition.body.body
            result = self.table(body) if self.is_tabular(body) else self.scalar(body, Scope())
        self.calls -= 1
        return result

    def _arguments(
        self, definition: s.LetFunction, call: s.Call | s.Name, first: p.Plan | None, scope: Scope
    ) -> dict[str, Variable]:
        given: list[s.Expr] = list(call.args) if isinstance(call, s.Call) else []
        named = {g.names[0]: g.value for g in given if isinstance(g, s.Named)}
        plain = [g for g in given if not isinstance(g, s.Named)]
        bound: dict[str, Variable] = {}
        parameters = list(definition.parameters)
        if first is not None and parameters:
            bound[parameters.pop(0).name] = first
        for parameter in parameters:
            value = named.pop(parameter.name, None) or (plain.pop(0) if plain else parameter.default)
            if value is None:
                self.fail(Kind.SEMANTIC, f"{definition.name} needs a value for '{parameter.name}'", call.span)
                bound[parameter.name] = unknown(call.span) if parameter.type else p.Values((), ())
            else:
                bound[parameter.name] = self._argument(parameter, value, scope)
        for extra in [*plain, *named.values()]:
            self.fail(Kind.SEMANTIC, f"{definition.name} has no parameter for this", extra.span)
        return bound

    def _argument(self, parameter: s.Parameter, value: s.Expr, scope: Scope) -> Variable:
        if parameter.type is None:
            table = self.table(value)
            for column in parameter.columns:
                if table.schema and column.name not in table.names:
                    self.no_column(column.name, value.span, table.names)
            return table
        bound = self.scalar(value, scope)
        if bound.type in (UNKNOWN, parameter.type):
            return bound
        if (bound.type in NUMERIC and parameter.type in NUMERIC) or DYNAMIC in (bound.type, parameter.type):
            return converted(bound, parameter.type)
        self.fail(Kind.SEMANTIC, f"'{parameter.name}' is a {parameter.type}, this is a {bound.type}", value.span)
        return unknown(value.span)

    # Tabular expressions

    def table(self, expr: s.Expr) -> p.Plan:
        """A table by itself: it sees nothing of a row around it, be it that of a body or of a function's call."""
        outer, unseen, self.outer = self.outer, self.unseen, ()
        of_row = [name for name, variable in self.variables.items() if _reads_row(variable)]
        self.unseen = unseen.union(of_row)
        with self._inside({n: v for n, v in self.variables.items() if n not in of_row}):
            plan = self._table(expr)
        self.outer, self.unseen = outer, unseen
        return plan

    def _table(self, expr: s.Expr) -> p.Plan:
        if isinstance(expr, s.Pipeline):
            plan = p.Values((), ()) if isinstance(expr.source, s.Empty) else self.table(expr.source)
            return self.steps(plan, expr.operators)
        reader = _TABLES.get(type(expr))
        if reader is None:
            self.fail(Kind.SEMANTIC, "a query must return a table", expr.span, "put print before a scalar expression")
            return p.Values((), ())
        return reader(self, expr)

    def steps(self, plan: p.Plan, operators: Sequence[s.Operator]) -> p.Plan:
        """The operators of a pipeline over a plan. What `as` names is known to the steps after it."""
        outside = dict(self.variables)
        for operator in operators:
            plan = self.operators[type(operator)](self, plan, operator)
        for name in [n for n in self.variables if n not in outside]:
            del self.variables[name]
        return plan

    def _named_table(self, expr: s.Name) -> p.Plan:
        variable = self.variables.get(expr.name)
        if isinstance(variable, p.Plan):
            return variable
        if isinstance(variable, Function):
            return self._table_of(self.call_function(variable, expr, None, Scope()), expr)
        if expr.name in self.tables:
            return p.Scan(self.tables[expr.name], expr.name, expr.span)
        if variable is not None:
            self.fail(Kind.SEMANTIC, f"'{expr.name}' is a scalar, not a table", expr.span)
        else:
            known = [*self.tables, *(n for n, v in self.variables.items() if isinstance(v, p.Plan))]
            hint = (
                nearest(expr.name, known) or f"register it under `tables` in lakehunt.yaml; known: {', '.join(known)}"
            )
            self.fail(Kind.SEMANTIC, f"there is no table '{expr.name}'", expr.span, hint, expr.name)
        return p.Values((), ())

    def _table_of(self, found: Variable, expr: s.Expr) -> p.Plan:
        if isinstance(found, p.Plan):
            return found
        if not (isinstance(found, p.Expr) and found.type is UNKNOWN):
            self.fail(Kind.SEMANTIC, "this function gives a scalar, not a table", expr.span)
        return p.Values((), ())

    def _called_table(self, expr: s.Call) -> p.Plan:
        variable = self.variables.get(expr.name)
        if isinstance(variable, Function):
            return self._table_of(self.call_function(variable, expr, None, Scope()), expr)
        if expr.name in ("materialize", "view") and len(expr.args) == 1:
            return self.table(expr.args[0])
        if expr.name == "table" and expr.args and isinstance(expr.args[0], s.Literal):
            return self._named_table(s.Name(expr.args[0].span, str(expr.args[0].value)))
        what = f"the tabular function '{expr.name}' is not supported"
        self.fail(Kind.UNSUPPORTED, what, expr.name_span, "see docs/reference/kql-support.md for what there is")
        return p.Values((), ())

    def _print(self, expr: s.Print) -> p.Plan:
        names = Names(n for n, _ in map(split, expr.items) if n)
        columns: list[tuple[str, p.Expr]] = []
        for i, item in enumerate(expr.items):
            name, value = split(item)
            columns.append((name or names.unique(f"print_{i}"), self.scalar(value, Scope())))
        return projected(p.Values((), ((),)), columns)

    def _datatable(self, expr: s.DataTable) -> p.Plan:
        width = len(expr.columns)
        if len(expr.values) > width * MAX_ROWS_OF_A_QUERY:
            self.fail(Kind.UNSUPPORTED, f"a datatable of more than {MAX_ROWS_OF_A_QUERY} rows", expr.span)
            return p.Values((), ())
        cells = [self._cell(v, expr.columns[i % width][1]) for i, v in enumerate(expr.values)]
        rows = tuple(tuple(cells[i : i + width]) for i in range(0, len(cells), width))
        return p.Values(tuple(Column(name, kind) for name, kind in expr.columns), rows)

    def _cell(self, value: s.Expr, kind: Type) -> object:
        bound = constants.fold(self.scalar(value, Scope()))
        if bound.type is UNKNOWN:
            return None
        if not isinstance(bound, p.Const):
            self.fail(Kind.SEMANTIC, "a datatable's values are constants", value.span)
            return None
        if bound.value is None:
            return "" if kind == STRING else None
        if bound.type != kind and not (bound.type in NUMERIC and kind in NUMERIC) and kind != DYNAMIC:
            self.fail(Kind.SEMANTIC, f"expected a {kind}, found a {bound.type}", value.span)
            return None
        return constants.as_number(bound.value, kind) if kind in NUMERIC else bound.value

    def _externaldata(self, expr: s.ExternalData) -> p.Plan:
        options = {name.lower(): value.lower() for name, value in expr.options}
        address = expr.addresses[0].partition("?")[0].partition(";")[0] if expr.addresses else ""
        kind = options.get("format") or address.rpartition(".")[2].lower()
        if kind not in EXTERNAL_FORMATS:
            hint = f"write with (format=...): {', '.join(EXTERNAL_FORMATS)}"
            self.fail(Kind.UNSUPPORTED, f"externaldata of the format '{kind}' is not supported", expr.span, hint)
        columns = tuple(Column(name, kind) for name, kind in expr.columns)
        return p.External(columns, expr.addresses, kind, options.get("ignorefirstrecord") == "true", expr.span)

    def _range(self, expr: s.Range) -> p.Plan:
        start, stop, step = (self.scalar(e, Scope()) for e in (expr.start, expr.stop, expr.step))
        if UNKNOWN in (start.type, stop.type, step.type):
            return p.Range((Column(expr.name, UNKNOWN),), start, stop, step)
        kind = start.type
        if kind in NUMERIC and stop.type in NUMERIC and step.type in NUMERIC:
            kind = max((start.type, stop.type, step.type), key=NUMERIC.index)
            kind = LONG if kind == INT else kind
            start, stop, step = (converted(e, kind) for e in (start, stop, step))
        elif not (start.type == stop.type and kind in (DATETIME, TIMESPAN) and step.type == TIMESPAN):
            what = f"a range from {start.type} to {stop.type} by {step.type}"
            self.fail(Kind.SEMANTIC, f"there is no {what}", expr.span)
        return p.Range((Column(expr.name, kind),), start, stop, step)

    # Scalar expressions

    def scalar(self, expr: s.Expr, scope: Scope) -> p.Expr:
        return _EXPRESSIONS[type(expr)](self, expr, scope)

    def row(self, source: p.Plan) -> Scope:
        """What an expression over a row of the source can see."""
        return Scope({c.name: c.type for c in source.schema}, self.outer, is_ordered(source), is_stored(source))

    def predicate(self, expr: s.Expr, source: p.Plan) -> p.Expr:
        bound = self.scalar(expr, self.row(source))
        if bound.type not in (BOOL, UNKNOWN):
            self.fail(Kind.SEMANTIC, f"expected a condition, found a {bound.type}", expr.span)
        return bound

    def constant(self, expr: s.Expr, types: Sequence[Type], what: str) -> object:
        """The value of a constant of one of these types; None, and an error, where it is none."""
        bound = constants.fold(self.scalar(expr, Scope()))
        if isinstance(bound, p.Const) and bound.type in types:
            return bound.value
        if bound.type is not UNKNOWN:
            self.fail(Kind.SEMANTIC, f"expected {what}", expr.span)
        return None

    def row_count(self, expr: s.Expr) -> int:
        count = self.constant(expr, NUMERIC, "a number of rows")
        if isinstance(count, int) and count < 0:
            self.fail(Kind.SEMANTIC, "expected a number of rows", expr.span)
        return count if isinstance(count, int) else 0

    def _literal(self, expr: s.Literal, scope: Scope) -> p.Expr:
        return p.Const(expr.type, expr.span, expr.value)

    def _type_literal(self, expr: s.TypeLiteral, scope: Scope) -> p.Expr:
        return p.Const(TYPE, expr.span, expr.type)

    def _name(self, expr: s.Name, scope: Scope) -> p.Expr:
        if scope.columns is not None and expr.name in scope.columns:
            return p.ColumnRef(scope.columns[expr.name], expr.span, expr.name)
        for level, columns in reversed(scope.outer):
            if expr.name in columns:
                return p.OuterRef(columns[expr.name], expr.span, expr.name, level)
        variable = self.variables.get(expr.name)
        if isinstance(variable, Function) and not self._gives_table(variable):
            variable = self.call_function(variable, expr, None, scope)
        if isinstance(variable, p.Expr):
            return variable
        if variable is not None or expr.name in self.tables:
            return self.unknown(Kind.SEMANTIC, f"'{expr.name}' is a table, not a value", expr.span, "use toscalar(...)")
        if expr.name in self.unseen:
            what = f"'{expr.name}' is of a row, and this table is read once for all rows"
            return self.unknown(Kind.SEMANTIC, what, expr.span, "join the tables")
        self.no_column(expr.name, expr.span, [*scope.names, *self.variables])
        return unknown(expr.span)

    def _call(self, expr: s.Call, scope: Scope) -> p.Expr:
        variable = self.variables.get(expr.name)
        if isinstance(variable, Function):
            found = self.call_function(variable, expr, None, scope)
            if isinstance(found, p.Expr):
                return found
            return self.unknown(
                Kind.SEMANTIC, f"'{expr.name}' gives a table, not a value", expr.span, "use toscalar(...)"
            )
        if expr.name in FORMS:
            return FORMS[expr.name](self, expr, scope)
        args = [self.scalar(arg, scope) for arg in self._without_star(expr, scope)]
        if expr.name in self.catalog.windows:
            return self._window(expr, args, scope)
        function = self.catalog.scalars.get(_PACKS.get(expr.name, expr.name))
        if function is None:
            self.no_function(expr, [*self.catalog.scalars, *self.catalog.windows, *self._functions()])
            return unknown(expr.span)
        bound = self.signature(function, expr, args)
        return unknown(expr.span) if bound is None else p.Call(bound[1], expr.span, function.name, tuple(bound[0]))

    def _functions(self) -> list[str]:
        return [name for name, v in self.variables.items() if isinstance(v, Function)]

    def _without_star(self, expr: s.Call, scope: Scope) -> tuple[s.Expr, ...]:
        """`pack_all()` and `pack_array(*)` take the row's columns."""
        if expr.name in _PACKS and not (expr.name == "pack_all" and expr.args):
            names = (
                expr.args if expr.name == "bag_pack_columns" else [s.Name(expr.span, n) for n in scope.columns or {}]
            )
            return tuple(e for n in names for e in (s.Literal(n.span, STRING, getattr(n, "name", "")), n))
        if len(expr.args) == 1 and isinstance(expr.args[0], s.Star) and expr.name == "pack_array":
            return tuple(s.Name(expr.span, name) for name in scope.columns or {})
        return expr.args

    def _window(self, expr: s.Call, args: list[p.Expr], scope: Scope) -> p.Expr:
        if not scope.ordered:
            what = f"'{expr.name}' needs rows in order"
            return self.unknown(Kind.SEMANTIC, what, expr.name_span, "put sort or serialize before it")
        bound = self.signature(self.catalog.windows[expr.name], expr, args)
        return unknown(expr.span) if bound is None else p.WindowCall(bound[1], expr.span, expr.name, tuple(bound[0]))

    def _now(self, expr: s.Call, scope: Scope) -> p.Expr:
        now = p.Now(DATETIME, expr.span)
        return self._shifted("+", now, expr, scope) if expr.args else now

    def _ago(self, expr: s.Call, scope: Scope) -> p.Expr:
        return self._shifted("-", p.Now(DATETIME, expr.span), expr, scope)

    def _shifted(self, op: str, now: p.Expr, expr: s.Call, scope: Scope) -> p.Expr:
        args = [self.scalar(arg, scope) for arg in expr.args]
        if len(args) != 1 or args[0].type not in (TIMESPAN, UNKNOWN):
            return self.unknown(Kind.SEMANTIC, f"{expr.name} takes one timespan", expr.span, f"write {expr.name}(7d)")
        return p.Call(DATETIME, expr.span, op, (now, args[0]))

    def _toscalar(self, expr: s.Call, scope: Scope) -> p.Expr:
        if len(expr.args) != 1:
            return self.unknown(Kind.SEMANTIC, "toscalar takes one argument", expr.span)
        if not self.is_tabular(expr.args[0]):
            return self.scalar(expr.args[0], Scope())
        plan = self.table(expr.args[0])
        if not plan.schema:
            return unknown(expr.span)
        first = plan.schema[0]
        return p.ScalarQuery(first.type, expr.span, projected(plan, [(first.name, ref(first, expr.span))]))

    def _ingestion_time(self, expr: s.Call, scope: Scope) -> p.Expr:
        if not scope.stored:
            hint = "ask for it in the first steps over a table, before rows are grouped or joined"
            return self.unknown(Kind.UNSUPPORTED, "ingestion_time() of such rows is not supported", expr.span, hint)
        return p.Ingested(DATETIME, expr.span)

    def _column_if_exists(self, expr: s.Call, scope: Scope) -> p.Expr:
        if len(expr.args) != 2:
            return self.unknown(Kind.SEMANTIC, f"{expr.name} takes a column's name and a value", expr.span)
        name = self.constant(expr.args[0], [STRING], "a column's name in quotes")
        if isinstance(name, str) and name in (scope.columns or {}):
            return self._name(s.Name(expr.args[0].span, name), scope)
        return self.scalar(expr.args[1], scope)

    def signature(
        self, function: Scalar | WindowFunction | Aggregate, call: s.Call, args: list[p.Expr]
    ) -> tuple[list[p.Expr], Type] | None:
        """The arguments, converted, and the result's type, by the first signature that fits."""
        if any(arg.type is UNKNOWN for arg in args):
            return None
        for signature in function.signatures:
            bound = signature.bind([arg.type for arg in args])
            if bound is not None:
                made = [converted(arg, to) for arg, to in zip(args, bound[0], strict=True)]
                made = self._constants(call, signature, made)
                named = made[-1] if bound[1] == TYPE else None
                if isinstance(named, p.Const) and isinstance(named.value, Type):
                    return made, named.value
                return made, self._by_constant(signature, made) or bound[1]
        given = ", ".join(str(arg.type) for arg in args)
        if any(signature.wanted(len(args)) is not None for signature in function.signatures):
            hint = "convert the argument, for example with tostring(...)"
            self.fail(Kind.UNSUPPORTED, f"{call.name}({given}) is not supported", call.span, hint)
        else:
            self.fail(Kind.SEMANTIC, f"{call.name} does not take {len(args)} arguments", call.span)
        return None

    @staticmethod
    def _by_constant(signature: Signature, args: Sequence[p.Expr]) -> Type | None:
        first = args[0] if args else None
        if isinstance(signature.returns, ByConstant) and isinstance(first, p.Const):
            return signature.returns.types.get(str(first.value).lower())
        return None

    def _constants(self, call: s.Call, signature: Signature, args: Sequence[p.Expr]) -> list[p.Expr]:
        """The arguments, those folded that must be constants; an error where one is none, or no pattern."""
        checked: list[p.Expr] = []
        for wanted, given in zip(signature.wanted(len(args)) or [], args, strict=True):
            arg = constants.fold(given) if isinstance(wanted, (Constant, Pattern)) else given
            if isinstance(wanted, Constant) and not isinstance(arg, p.Const):
                self.fail(Kind.SEMANTIC, f"this argument of {call.name} must be a constant", arg.span)
            elif _is_pattern(wanted) and isinstance(arg, p.Const):
                self.pattern(str(arg.value or ""), arg.span)
            checked.append(arg)
        return checked

    def pattern(self, text: str, span: Span) -> None:
        problem = regexes.problem(text)
        if problem:
            self.fail(Kind.UNSUPPORTED, problem, span)

    def _unary(self, expr: s.Unary, scope: Scope) -> p.Expr:
        operand = self.scalar(expr.operand, scope)
        if operand.type is UNKNOWN:
            return operand
        result = operators.unary(operand.type)
        if result is None:
            return self.unknown(Kind.SEMANTIC, f"'{expr.op}' is not defined for a {operand.type}", expr.span)
        made = converted(operand, result)
        return made if expr.op == "+" else constants.fold(p.Call(result, expr.span, "negate", (made,)))

    def _binary(self, expr: s.Binary, scope: Scope) -> p.Expr:
        # A chain of hundreds of `or` is one deep left branch, so it is walked, not recursed into.
        chain: list[s.Binary] = []
        leftmost: s.Expr = expr
        while isinstance(leftmost, s.Binary):
            chain.append(leftmost)
            leftmost = leftmost.left
        if isinstance(leftmost, s.Star):
            return self._any_column(chain, leftmost, scope)
        left = self.scalar(leftmost, scope)
        for link in reversed(chain):
            left = self.operation(link.op, left, self.scalar(link.right, scope), link.span, link.op_span)
        return left

    def _any_column(self, chain: list[s.Binary], star: s.Star, scope: Scope) -> p.Expr:
        """`* has "x"`: some column has it; only columns that the operator is defined for are asked."""
        found: p.Expr | None = None
        link = chain[-1]
        value = self.scalar(link.right, scope)
        columns = scope.columns or {}
        if link.op.startswith("!"):
            columns = {n: t for n, t in columns.items() if t == STRING}
            if len(columns) > 1:
                hint = "say it of each column"
                return self.unknown(Kind.UNSUPPORTED, f"'* {link.op}' of several columns", link.span, hint)
        for name, kind in columns.items():
            column = p.ColumnRef(kind, star.span, name)
            operand = column if link.op in _ON_VALUES else converted(column, STRING)
            typing = operators.BINARY[link.op](operand.type, value.type) if value.type is not UNKNOWN else None
            if typing is not None:
                asked = self.operation(link.op, operand, value, link.span, link.op_span)
                found = asked if found is None else p.Call(BOOL, link.span, "or", (found, asked))
        left = found or p.Const(BOOL, link.span, False)
        for after in reversed(chain[:-1]):
            left = self.operation(after.op, left, self.scalar(after.right, scope), after.span, after.op_span)
        return left

    def operation(self, op: str, left: p.Expr, right: p.Expr, span: Span, op_span: Span) -> p.Expr:
        if UNKNOWN in (left.type, right.type):
            return unknown(span)
        if op == "matches regex":
            right = constants.fold(right)
            if isinstance(right, p.Const) and right.type == STRING:
                self.pattern(str(right.value or ""), right.span)
        typing = operators.BINARY[op](left.type, right.type)
        if typing is None:
            return self._undefined(op, left.type, right.type, op_span)
        return p.Call(typing[2], span, op, (converted(left, typing[0]), converted(right, typing[1])))

    def _undefined(self, op: str, left: Type, right: Type, span: Span) -> p.Expr:
        later = DYNAMIC in (left, right) or (op in ("==", "!=") and STRING in (left, right))
        return self.unknown(
            Kind.UNSUPPORTED if later else Kind.SEMANTIC,
            f"'{op}' is not {'supported' if later else 'defined'} for {left} and {right}",
            span,
            "convert one side, for example with tostring(...)" if later else "",
        )

    def _in(self, expr: s.InList, scope: Scope) -> p.Expr:
        if isinstance(expr.operand, s.Star):
            return self.unknown(Kind.UNSUPPORTED, f"'{expr.op}' of any column is not supported", expr.span)
        operand = self.scalar(expr.operand, scope)
        comparison = operators.MEMBERSHIP[expr.op]
        checks: list[p.Expr] = []
        for item in expr.items:
            checks.extend(self._checks(comparison, expr, operand, item, scope))
        if operand.type is UNKNOWN or any(c.type is UNKNOWN for c in checks):
            return unknown(expr.span)
        if not checks:
            return p.Const(BOOL, expr.span, expr.op.startswith("!") or expr.op == "has_all")
        return p.Call(BOOL, expr.span, expr.op, tuple(checks))

    def _checks(self, op: str, expr: s.InList, operand: p.Expr, item: s.Expr, scope: Scope) -> list[p.Expr]:
        """The comparisons that one item of a list stands for: with itself, or with each element that it has."""
        if self.is_tabular(item):
            plan = self.table(item)
            if not plan.schema:
                return [unknown(item.span)]
            first = plan.schema[0]
            listed: p.Expr = p.ListQuery(first.type, item.span, projected(plan, [(first.name, ref(first, item.span))]))
            return [self._one_of(op, expr, operand, listed, first.type)]
        value = self.scalar(item, scope)
        if value.type != DYNAMIC:
            return [self.operation(op, operand, value, value.span, expr.op_span)]
        if isinstance(value, p.Const) and isinstance(value.value, list):
            return [
                self.operation(op, operand, element(e, value.span), value.span, expr.op_span)
                for e in value.value
                if e is not None
            ]
        return [self._one_of(op, expr, operand, value, DYNAMIC)]

    def _one_of(self, op: str, expr: s.InList, operand: p.Expr, listed: p.Expr, kind: Type) -> p.Expr:
        """`op` with any (for has_all, every) element of a list that is known only when the query runs."""
        if UNKNOWN in (operand.type, kind):
            return unknown(expr.span)
        if kind != DYNAMIC and operators.BINARY[op](operand.type, kind) is None:
            return self._undefined(op, operand.type, kind, expr.op_span)
        name = p.EVERY if expr.op == "has_all" else p.ANY
        return p.Call(BOOL, expr.span, f"{name} {op}", (operand, listed))

    def _between(self, expr: s.Between, scope: Scope) -> p.Expr:
        operand, low, high = (self.scalar(e, scope) for e in (expr.operand, expr.low, expr.high))
        if operand.type == DATETIME and low.type == DATETIME and high.type == TIMESPAN:
            high = p.Call(DATETIME, high.span, "+", (low, high))
        lower = self.operation(">=", operand, low, expr.span, expr.low.span)
        upper = self.operation("<=", operand, high, expr.span, expr.high.span)
        if UNKNOWN in (lower.type, upper.type):
            return unknown(expr.span)
        inside = p.Call(BOOL, expr.span, "and", (lower, upper))
        return inside if expr.op == "between" else p.Call(BOOL, expr.span, "not", (inside,))

    def _path(self, expr: s.Path, scope: Scope) -> p.Expr:
        return self._step(expr, p.Const(STRING, expr.span, expr.name), scope)

    def _index(self, expr: s.Index, scope: Scope) -> p.Expr:
        index = constants.fold(self.scalar(expr.index, scope))
        if index.type not in (STRING, INT, LONG, DYNAMIC, UNKNOWN):
            self.fail(Kind.SEMANTIC, f"an index is a number or a name, this is a {index.type}", expr.index.span)
        return self._step(expr, index, scope)

    def _step(self, expr: s.Path | s.Index, step: p.Expr, scope: Scope) -> p.Expr:
        value = self.scalar(expr.value, scope)
        if UNKNOWN in (value.type, step.type):
            return unknown(expr.span)
        if value.type != DYNAMIC:
            return self.unknown(Kind.SEMANTIC, f"a {value.type} has no parts", expr.span, "parse_json(...) reads text")
        if isinstance(value, p.Call) and value.function == p.PATH:
            return p.Call(DYNAMIC, expr.span, p.PATH, (*value.args, step))
        return p.Call(DYNAMIC, expr.span, p.PATH, (value, step))

    def _misplaced(self, expr: s.Expr, scope: Scope) -> p.Expr:
        return self.unknown(Kind.SEMANTIC, f"a {_DESCRIBED.get(type(expr), 'table')} cannot stand here", expr.span)

    # Names and errors

    def no_column(self, name: str, span: Span, known: Iterable[str]) -> None:
        self.fail(Kind.SEMANTIC, f"there is no column '{name}'", span, nearest(name, known))

    def no_function(self, call: s.Call, names: Iterable[str]) -> None:
        """The error for a function that is not there: in this place, here at all, or in Kusto."""
        near = nearest(call.name, [n for n in names if "." not in n])
        if call.name in self.catalog.names():
            self.fail(Kind.SEMANTIC, f"the function '{call.name}' cannot stand here", call.name_span, near)
        elif reason := kusto_functions.reason(call.name):
            what = f"the function '{call.name}' is not supported"
            hint = f"{reason}; see docs/reference/kql-support.md for what there is"
            self.fail(Kind.UNSUPPORTED, what, call.name_span, hint)
        else:
            hint = near or "see docs/reference/kql-support.md for those that there are"
            self.fail(Kind.SEMANTIC, f"there is no function '{call.name}'", call.name_span, hint)

    def unknown(self, kind: Kind, message: str, span: Span, hint: str = "") -> p.Expr:
        self.fail(kind, message, span, hint)
        return unknown(span)

    def fail(self, kind: Kind, message: str, span: Span, hint: str = "", table: str = "") -> None:
        if not any(e.span == span and e.message == message for e in self.errors):
            self.errors.append(KqlError(kind, message, span, hint, table))


def _is_pattern(parameter: Parameter) -> bool:
    return isinstance(parameter, Pattern) or (isinstance(parameter, Constant) and isinstance(parameter.of, Pattern))


def _reads_row(variable: Variable) -> bool:
    """Whether a variable's value is another one in every row: an argument that a function was called with."""
    if not isinstance(variable, p.Expr):
        return False
    return any(isinstance(part, (p.ColumnRef, p.OuterRef, p.WindowCall, p.Ingested)) for part in p.parts(variable))


def unknown(span: Span) -> p.Expr:
    return p.Const(UNKNOWN, span, None)


def split(item: s.Expr) -> tuple[str | None, s.Expr]:
    """The name that an item is given, if it is, and its expression."""
    return (item.names[0], item.value) if isinstance(item, s.Named) else (None, item)


def element(value: object, span: Span) -> p.Expr:
    """An element of a constant array, as a value of its own type."""
    for python, kind in ((bool, BOOL), (int, LONG), (float, REAL), (str, STRING)):
        if isinstance(value, python):
            return p.Const(kind, span, value)
    return p.Const(DYNAMIC, span, value)


def converted(expr: p.Expr, to: Type) -> p.Expr:
    if expr.type == to or UNKNOWN in (expr.type, to):
        return expr
    if isinstance(expr, p.Const) and to in NUMERIC and isinstance(expr.value, (int, float)):
        return replace(expr, type=to, value=constants.as_number(expr.value, to))
    return p.Call(to, expr.span, p.AS_DYNAMIC if to == DYNAMIC else f"to{to}", (expr,))


def ref(column: Column, span: Span) -> p.Expr:
    return p.ColumnRef(column.type, span, column.name)


def projected(source: p.Plan, columns: Sequence[tuple[str, p.Expr]]) -> p.Plan:
    schema = tuple(Column(name, value.type) for name, value in columns)
    return p.Project(schema, source, tuple(value for _, value in columns))


def is_ordered(plan: p.Plan) -> bool:
    """Whether the rows of a plan have an order by themselves: of a sort, and kept by what handles a row at a time."""
    while isinstance(plan, (p.Filter, p.Project, p.Take, p.Expand)):
        plan = plan.source
    return isinstance(plan, (p.Sort, p.Serialize, p.Range, p.ScanRows))


def is_stored(plan: p.Plan) -> bool:
    """Whether each row of a plan is one row of a stored table."""
    while isinstance(plan, (p.Filter, p.Project, p.Take, p.Sort, p.Serialize)):
        plan = plan.source
    return isinstance(plan, p.Scan)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant; letters in another case count as near."""
    folded = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(folded), 1, 0.7)
    return f"did you mean '{folded[near[0]]}'?" if near else ""


_DESCRIBED: dict[type, str] = {s.Star: "`*`", s.Named: "named expression", s.TermSearch: "search term"}

_TABLES: dict[type[s.Expr], Callable[..., p.Plan]] = {
    s.Name: Binder._named_table,
    s.Call: Binder._called_table,
    s.Print: Binder._print,
    s.DataTable: Binder._datatable,
    s.Range: Binder._range,
    s.ExternalData: Binder._externaldata,
}

_EXPRESSIONS: dict[type[s.Expr], Callable[..., p.Expr]] = {
    s.Literal: Binder._literal,
    s.TypeLiteral: Binder._type_literal,
    s.Name: Binder._name,
    s.Call: Binder._call,
    s.Unary: Binder._unary,
    s.Binary: Binder._binary,
    s.InList: Binder._in,
    s.Between: Binder._between,
    s.Path: Binder._path,
    s.Index: Binder._index,
    **dict.fromkeys(
        (s.Star, s.Named, s.TermSearch, s.Pipeline, s.Print, s.DataTable, s.Range, s.ExternalData, s.Empty),
        Binder._misplaced,
    ),
}

_PACKS = {"pack_all": "bag_pack", "bag_pack_columns": "bag_pack"}
"""Functions of columns, by what packs the columns' names and values."""

_ON_VALUES = frozenset(["==", "!=", "<", "<=", ">", ">="])
"""Comparisons that a column takes part in as what it is; any other is with its text."""

FORMS: dict[str, Callable[[Binder, s.Call, Scope], p.Expr]] = {
    "now": Binder._now,
    "ago": Binder._ago,
    "toscalar": Binder._toscalar,
    "column_ifexists": Binder._column_if_exists,
    "columnifexists": Binder._column_if_exists,
    "ingestion_time": Binder._ingestion_time,
}
"""What looks like a function and is not one: its value does not come from its arguments' alone."""
