"""The binder: holds variables and errors, and dispatches each part of a query to its binding rule.

It continues after an error, so that all errors of a query are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lakehunt.kql import constants, kusto_functions, shapes
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import bounds
from lakehunt.kql.binding.bounds import Sizes
from lakehunt.kql.binding.scope import UNKNOWN, Function, Scope, Variable, is_ordered, is_stored, nearest, unknown
from lakehunt.kql.catalog import Catalog
from lakehunt.kql.errors import Kind, KqlError, Span
from lakehunt.kql.lookup_names import is_function
from lakehunt.kql.result_names import Names, Naming
from lakehunt.kql.types import BOOL, NUMERIC, Schema, Type

MAX_ERRORS = 100
"""Of a query; further ones are not reported."""

SchemaOf = Callable[[p.Plan, s.Evaluate], Schema | None]
"""Determines the result columns of a plugin from the data; None if there is no data."""


NAMING = (s.Project, s.Summarize, s.Distinct, s.Count, s.GetSchema)
"""Operators that name all columns of their result, whatever they read."""

DERIVING = (s.Summarize, s.Evaluate, s.Invoke)
"""Operators whose functions decide which columns their result has: if one has an error, nobody knows."""


@dataclass(frozen=True)
class Rules:
    """The binding functions of each kind of operator, source and scalar expression."""

    operators: Mapping[type[s.Operator], Callable[..., p.Plan]]
    sources: Mapping[type[s.Expr], Callable[..., p.Plan]]
    scalars: Mapping[type[s.Expr], Callable[..., p.Expr]]


class Binder:
    """Binds one query; errors are collected in `errors`."""

    def __init__(
        self,
        tables: Mapping[str, Schema],
        catalog: Catalog,
        rules: Rules,
        schema_of: SchemaOf = lambda plan, evaluate: None,
        period: int | None = None,
    ) -> None:
        self.tables = {name: schema for name, schema in tables.items() if not is_function(name)}
        self.lookups = {name: schema for name, schema in tables.items() if is_function(name)}
        self.catalog = catalog
        self.rules = rules
        self.schema_of = schema_of
        self.period = period
        self.variables: dict[str, Variable] = {}
        self.outer: tuple[tuple[str, Mapping[str, Type]], ...] = ()
        self.errors: list[KqlError] = []
        self._reported: set[tuple[Span, str]] = set()
        # Names given by `as`, by the id of the plan, and with the plan, so that no other one gets that id.
        self.named: dict[int, tuple[p.Plan, str]] = {}
        self.calls = 0
        self.bound_bodies = 0
        self.called: dict[object, tuple[object, Variable]] = {}  # results of functions, with what their keys refer to
        self.tried: dict[int, Function] = {}  # functions whose bodies were bound over the columns that they declare
        self.read: set[str] = set()  # names of scalar variables that were read
        self.sizes = Sizes()
        self._row_readers: dict[int, tuple[Variable, bool]] = {}
        self.bodies = 0
        self.unseen: frozenset[str] = frozenset()  # variables of an outer row, invisible to the table being bound

    @contextmanager
    def inside(self, variables: Mapping[str, Variable]) -> Iterator[None]:
        outside, self.variables = self.variables, dict(variables)
        try:
            yield
        finally:
            self.variables = outside

    def table(self, expr: s.Expr) -> p.Plan:
        """Binds a table expression, which cannot see an outer row, neither of a body nor of a function call."""
        outer, unseen, self.outer = self.outer, self.unseen, ()
        of_row = [name for name, variable in self.variables.items() if self._reads_row(variable)]
        self.unseen = unseen.union(of_row)
        with self.inside({n: v for n, v in self.variables.items() if n not in of_row}):
            plan = self._table(expr)
        self.outer, self.unseen = outer, unseen
        return plan

    def _table(self, expr: s.Expr) -> p.Plan:
        if isinstance(expr, s.Pipeline):
            plan = p.Values((), ()) if isinstance(expr.source, s.Empty) else self.table(expr.source)
            return self.steps(plan, expr.operators)
        reader = self.rules.sources.get(type(expr))
        return reader(self, expr) if reader else self.not_a_table(expr)

    def not_a_table(self, expr: s.Expr) -> p.Plan:
        self.fail(Kind.SEMANTIC, "a query must return a table", expr.span, "put print before a scalar expression")
        return p.Values((), ())

    def steps(self, plan: p.Plan, operators: Sequence[s.Operator]) -> p.Plan:
        """Binds the operators of a pipeline. Names given by `as` are visible to the operators after it."""
        outside = dict(self.variables)
        for operator in operators:
            is_lost, before = self.is_lost(plan) and type(operator) not in NAMING, len(self.errors)
            plan = self.bounded(self.rules.operators[type(operator)](self, plan, operator), operator.span)
            is_lost |= isinstance(operator, DERIVING) and len(self.errors) > before
            plan = p.Values((), ()) if is_lost else plan
        for name in [n for n in self.variables if n not in outside]:
            del self.variables[name]
        return plan

    def is_lost(self, table: p.Plan) -> bool:
        """Whether an error is why the table has no columns. What reads them is then no further error."""
        return not table.schema and bool(self.errors)

    def bounded(self, plan: p.Plan, span: Span) -> p.Plan:
        """The plan; an empty one, and an error, if it is too large with all names in place."""
        if self.sizes.depth(plan) > bounds.MAX_DEPTH:
            self.fail(Kind.UNSUPPORTED, f"more than {bounds.MAX_DEPTH} operators one after another", span)
        elif self.sizes.steps(plan) > bounds.MAX_STEPS:
            what = f"with all names put in place, this is more than {bounds.MAX_STEPS} operators"
            self.fail(Kind.UNSUPPORTED, what, span, "use each name fewer times")
        else:
            return plan
        return p.Values((), ())

    def settled(self, value: p.Expr, span: Span) -> p.Expr:
        """The value of a name or of a function's call: computed if it is a long constant expression."""
        if self.sizes.parts(value) > bounds.FOLDED_FROM:
            value = constants.fold(value)
        if self.sizes.parts(value) <= bounds.MAX_PARTS:
            return value
        what = f"with all names put in place, this expression has more than {bounds.MAX_PARTS} parts"
        return self.unknown(Kind.UNSUPPORTED, what, span, "use each name fewer times")

    def scalar(self, expr: s.Expr, scope: Scope) -> p.Expr:
        return self.rules.scalars[type(expr)](self, expr, scope)

    def _reads_row(self, variable: Variable) -> bool:
        """Whether a variable depends on the row, as an argument of a function call may."""
        if not isinstance(variable, p.Expr):
            return False
        known = self._row_readers.get(id(variable))
        if known is None:
            kinds = (p.ColumnRef, p.OuterRef, p.WindowCall, p.Ingested)
            known = (variable, any(isinstance(part, kinds) for part in p.parts(variable)))
            self._row_readers[id(variable)] = known
        return known[1]

    def row(self, source: p.Plan) -> Scope:
        """The scope of an expression over a row of the source."""
        return Scope({c.name: c.type for c in source.schema}, self.outer, is_ordered(source), is_stored(source))

    def naming(self, scope: Scope) -> Naming:
        return Naming(lambda expr: shapes.of(self.scalar(expr, scope).type))

    def predicate(self, expr: s.Expr, source: p.Plan) -> p.Expr:
        return self.condition(expr, self.row(source))

    def condition(self, expr: s.Expr, scope: Scope) -> p.Expr:
        bound = self.scalar(expr, scope)
        if bound.type not in (BOOL, UNKNOWN):
            self.fail(Kind.SEMANTIC, f"expected a condition, found a {bound.type}", expr.span)
        return bound

    def constant(self, expr: s.Expr, types: Sequence[Type], what: str) -> object:
        """The value of a constant of one of these types; reports an error and returns None otherwise."""
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

    def given(self, names: Names, name: str, span: Span) -> str:
        """The final name of a column that the query names `name`; reports an error if another one has it."""
        final = names.given(name)
        if final is None:
            self.taken(name, span)
        return final or name

    def taken(self, name: str, span: Span) -> None:
        self.fail(Kind.SEMANTIC, f"a column '{name}' is there already", span, "give it another name")

    def distinct_names(self, names: Iterable[str], span: Span) -> None:
        """Reports each name that occurs twice."""
        known: set[str] = set()
        for name in names:
            if name in known:
                self.taken(name, span)
            known.add(name)

    def no_column(self, name: str, span: Span, known: Collection[str]) -> None:
        """Reports a column that is not one of those of a table, unless that table is lost."""
        if not known and self.errors:
            return
        hint = "" if self.is_enough else nearest(name, known)
        self.fail(Kind.SEMANTIC, f"there is no column '{name}'", span, hint, column=name)

    def column_of(self, source: p.Plan, argument: s.Expr | None, span: Span) -> str | None:
        """The name of the column that an argument is; reports an error and returns None if it is not one."""
        if not isinstance(argument, s.Name):
            self.fail(Kind.SEMANTIC, "expected a column's name", argument.span if argument else span)
        elif argument.name not in source.names:
            self.no_column(argument.name, argument.span, source.names)
        else:
            return argument.name
        return None

    def no_function(self, call: s.Call, names: Iterable[str]) -> None:
        """The error for a function that is not allowed here, not supported, or unknown to Kusto."""
        near = nearest(call.name, [n for n in names if "." not in n])
        if call.name in self.catalog.names():
            self.fail(Kind.SEMANTIC, f"the function '{call.name}' cannot be used here", call.name_span, near)
        elif reason := kusto_functions.reason(call.name):
            what = f"the function '{call.name}' is not supported"
            hint = f"{reason}; see docs/reference/kql-support.md for what there is"
            self.fail(Kind.UNSUPPORTED, what, call.name_span, hint)
        else:
            hint = near or "see docs/reference/kql-support.md for what there is"
            self.fail(Kind.SEMANTIC, f"there is no function '{call.name}'", call.name_span, hint)

    @property
    def is_enough(self) -> bool:
        """Whether as many errors are reported as anybody reads."""
        return len(self.errors) >= MAX_ERRORS

    def unknown(self, kind: Kind, message: str, span: Span, hint: str = "") -> p.Expr:
        self.fail(kind, message, span, hint)
        return unknown(span)

    def fail(
        self,
        kind: Kind,
        message: str,
        span: Span,
        hint: str = "",
        table: str = "",
        function: str = "",
        column: str = "",
    ) -> None:
        if (span, message) not in self._reported and not self.is_enough:
            self._reported.add((span, message))
            self.errors.append(KqlError(kind, message, span, hint, table, function, column))

    @contextmanager
    def forgiving(self, is_fuzzy: bool) -> Iterator[list[KqlError]]:
        """Takes back the errors of what is bound inside, and yields them, if all say that a table or a function is
        missing."""
        before, missing = len(self.errors), list[KqlError]()
        yield missing
        found = self.errors[before:]
        if is_fuzzy and found and all(error.table or error.function for error in found):
            missing.extend(found)
            self._take_back(before)

    @contextmanager
    def trial(self) -> Iterator[list[KqlError]]:
        """Takes back the errors of what is bound inside, and yields them. Columns that depend on data end it."""
        before, found = len(self.errors), list[KqlError]()
        schema_of, self.schema_of = self.schema_of, _depends_on_data
        place = self.outer, self.unseen, self.calls
        try:
            yield found
        except DependsOnDataError:
            self._take_back(before)
        finally:
            self.schema_of = schema_of
            self.outer, self.unseen, self.calls = place
            found.extend(self.errors[before:])
            self._take_back(before)

    def _take_back(self, before: int) -> None:
        self._reported.difference_update((error.span, error.message) for error in self.errors[before:])
        del self.errors[before:]


class DependsOnDataError(Exception):
    """In a trial: which columns there are depends on data."""


def _depends_on_data(plan: p.Plan, evaluate: s.Evaluate) -> Schema | None:
    raise DependsOnDataError
