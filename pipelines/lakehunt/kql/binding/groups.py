"""Binds aggregating operators: summarize, distinct, count, top-nested, make-series, pivot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lakehunt.kql import constants, shapes
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import activity, geo_lookups, plugins, several, templates
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.calls import FORMS, signature
from lakehunt.kql.binding.rows import new_columns
from lakehunt.kql.binding.scope import UNKNOWN, converted, projected, ref, split, unknown
from lakehunt.kql.binding.unpacking import bag_unpack, columns_of
from lakehunt.kql.catalog import Aggregate
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.result_names import Names, Naming
from lakehunt.kql.types import DATETIME, DYNAMIC, LONG, NUMERIC, TIMESPAN, Column, Shape, Type, array_of

Keys = Sequence[tuple[str, p.Expr]]

Arguments = Sequence[tuple[int, s.Expr]]
"""The arguments of an aggregate, each with its position in the query."""


def distinct(binder: Binder, source: p.Plan, op: s.Distinct) -> p.Plan:
    return summarized(source, keys(binder, source, op.items, Names()), [])


def count(binder: Binder, source: p.Plan, op: s.Count) -> p.Plan:
    return summarized(source, [], [p.Aggregation((op.name,), (LONG,), "count", (), op.span)])


def top_hitters(binder: Binder, source: p.Plan, op: s.TopHitters) -> p.Plan:
    """Exact, where Kusto approximates."""
    function, args = ("sum", (op.by,)) if op.by else ("count", ())
    own = (binder.naming(binder.row(source)).own_name(op.by) if op.by else op.of.name) or ""
    name = f"approximate_{function}_{own}"
    call = s.Call(op.span, function, args, op.span)
    hitters = summarize(binder, source, s.Summarize(op.span, (s.Named(op.span, (name,), call),), (op.of,)))
    if name not in hitters.names:
        return hitters
    order = p.SortKey(ref(hitters.schema[-1], op.span), True, False)
    return p.Take(hitters.schema, p.Sort(hitters.schema, hitters, (order,)), binder.row_count(op.count))


def summarized(source: p.Plan, by: Keys, aggregates: Sequence[p.Aggregation]) -> p.Plan:
    made = [Column(n, t) for a in aggregates for n, t in zip(a.names, a.types, strict=True)]
    schema = (*(Column(name, value.type) for name, value in by), *made)
    return p.Summarize(schema, source, tuple(by), tuple(aggregates))


def keys(binder: Binder, source: p.Plan, items: Sequence[s.Expr], names: Names) -> list[tuple[str, p.Expr]]:
    found = new_columns(binder, source, items, names)
    for name, key in found:
        if key.type == DYNAMIC:
            binder.fail(
                Kind.SEMANTIC,
                f"'{name}' is dynamic, and rows cannot be grouped by that",
                key.span,
                "convert it first: tostring(...)",
            )
    return found


def summarize(binder: Binder, source: p.Plan, op: s.Summarize) -> p.Plan:
    names = Names()
    by = keys(binder, source, op.keys, names)
    group = Group(binder, source, by, names)
    columns: list[tuple[str, p.Expr]] = [(name, p.ColumnRef(key.type, key.span, name)) for name, key in by]
    for item in op.aggregates:
        columns.extend(group.columns(item))
    if all(isinstance(value, p.ColumnRef) for _, value in columns) and not group.inner:
        return summarized(source, by, group.aggregations)
    return projected(summarized(source, by, group.aggregations), columns)


class Group:
    """The aggregates of one `summarize`: plain calls, or calls in scalar expressions (`sum(a) / count()`)."""

    def __init__(self, binder: Binder, source: p.Plan, by: Keys, names: Names) -> None:
        self.binder = binder
        self.source = source
        self.by = by
        self.names = names
        self.aggregations: list[p.Aggregation] = []
        self.inner = 0
        named = (a for a in binder.catalog.aggregates.values() if not a.name.startswith("percentile"))
        self.naming = Naming(self._shape_of, {a.name: a.prefix for a in named})

    def columns(self, item: s.Expr) -> list[tuple[str, p.Expr]]:
        """The columns of one item of a `summarize`."""
        given = item.names if isinstance(item, s.Named) else ()
        value = item.value if isinstance(item, s.Named) else item
        function = self._aggregate(value)
        if function is not None and isinstance(value, s.Call):
            made = self._called(function, value, given)
            self.aggregations.extend(made)
            return [(n, p.ColumnRef(t, value.span, n)) for a in made for n, t in zip(a.names, a.types, strict=True)]
        if not self._has_aggregate(value):
            if not self._is_constant(value):
                self._no_aggregate(value)
                return []
            self._count_rows()
        return [
            (self._named(one.name, value) if one.name else self.free(one.own or ""), self._inside(one.value))
            for one in several.one_by_one(self.binder, [item], self.binder.row(self.source), self.naming)
        ]

    def alone(self, item: s.Expr) -> p.Aggregation | None:
        """The aggregate of an item that must be exactly one aggregate, with its name; else reports an error."""
        name, value = split(item)
        if self._is_constant(value):
            return self._constant(name, value)
        function = self._aggregate(value)
        if function is None or not isinstance(value, s.Call):
            if self._has_aggregate(value):
                hint = "aggregate first, and compute with the result"
                self.binder.fail(
                    Kind.UNSUPPORTED, "an expression of aggregates is not supported here", value.span, hint
                )
            else:
                self._no_aggregate(value)
            return None
        made = self._called(function, value, (name,) if name else ())
        if len(made) != 1 or len(made[0].names) != 1:
            if made:
                self.binder.fail(Kind.UNSUPPORTED, f"several columns of {value.name} are not supported here", item.span)
            return None
        return made[0]

    def _aggregate(self, value: s.Expr) -> Aggregate | None:
        return self.binder.catalog.aggregates.get(value.name) if isinstance(value, s.Call) else None

    def _has_aggregate(self, value: s.Expr) -> bool:
        return any(self._aggregate(part) is not None for part in s.parts(value))

    def _is_constant(self, value: s.Expr) -> bool:
        """Whether an item reads no column and calls no aggregate: `x = 1`, or the value of a `let`."""
        return all(map(self._reads_nothing, s.parts(value)))

    def _reads_nothing(self, part: s.Expr) -> bool:
        variables = self.binder.variables
        if isinstance(part, s.Name):
            return part.name not in self.source.names and isinstance(variables.get(part.name), p.Expr)
        if isinstance(part, s.Call):
            return part.name in self.binder.catalog.scalars or part.name in FORMS or part.name in variables
        return not isinstance(part, s.Star)

    def _count_rows(self) -> None:
        """A group has a row although none of its columns is an aggregate."""
        if not self.aggregations:
            self.inner += 1
            count = s.Call(Span(0, 0), "count", (), Span(0, 0))
            self.aggregations += self._called(self.binder.catalog.aggregates["count"], count, (f"$inner{self.inner}",))

    def _constant(self, name: str | None, value: s.Expr) -> p.Aggregation:
        """A constant as an aggregate, for operators that compute nothing but aggregates."""
        self.inner += 1
        call = s.Call(value.span, "take_any", (value,), value.span)
        made = self._called(self.binder.catalog.aggregates["take_any"], call, (f"$inner{self.inner}",))
        final = self._named(name, value) if name else self.free(self.naming.own_name(value) or "")
        if not made:
            return p.Aggregation((final,), (UNKNOWN,), "take_any", (unknown(value.span),), value.span)
        return replace(made[0], names=(final,))

    def _inside(self, value: s.Expr) -> p.Expr:
        """A scalar expression over aggregates; each aggregate becomes a hidden column that the expression reads."""
        scope_names: dict[str, Type] = {}

        def hidden(call: s.Expr) -> s.Expr | None:
            function = self._aggregate(call)
            if function is None or not isinstance(call, s.Call):
                return None
            self.inner += 1
            made = self._called(function, call, (f"$inner{self.inner}",))
            for aggregation in made:
                self.aggregations.append(aggregation)
                scope_names.update(zip(aggregation.names, aggregation.types, strict=True))
            if not made or len(made[0].names) > 1:
                scope_names[f"$inner{self.inner}"] = UNKNOWN
            return s.Name(call.span, f"$inner{self.inner}")

        rewritten = s.rewritten(value, hidden)
        scope = replace(self.binder.row(self.source), columns=scope_names, ordered=False)
        return self.binder.scalar(rewritten, scope)

    def _shape_of(self, value: s.Expr) -> Shape | None:
        """What is known of a dynamic value, of a row or over aggregates, which are bound for that alone."""
        if not self._has_aggregate(value):
            return shapes.of(self.binder.scalar(value, self.binder.row(self.source)).type)
        before = len(self.aggregations)
        bound = self._inside(value)
        del self.aggregations[before:]
        return shapes.of(bound.type)

    def _called(self, function: Aggregate, call: s.Call, given: tuple[str, ...]) -> list[p.Aggregation]:
        args = self._arguments(function, call)
        bound = [self.binder.scalar(split(arg)[1], self.binder.row(self.source)) for _, arg in args]
        found = signature(self.binder, function, call, bound)
        if found is None:
            return []
        made, result = found
        result = shapes.shaped(result, function.name, made)
        names, types = _OUTPUTS.get(function.name, _one)(self, function, args, made, result)
        if len(given) > len(names):
            self.binder.fail(Kind.SEMANTIC, f"{call.name} gives only {len(names)} columns", call.span)
        finals = [self._named(given[i], call) if i < len(given) else self.free(n) for i, n in enumerate(names)]
        return [p.Aggregation(tuple(finals), tuple(types), function.name, tuple(made), call.span)]

    def _named(self, name: str, value: s.Expr) -> str:
        return self.binder.given(self.names, name, value.span)

    def free(self, name: str | None) -> str:
        return self.names.unique(name) if name else self.names.column()

    def _arguments(self, function: Aggregate, call: s.Call) -> Arguments:
        """The arguments, with `*` replaced by all columns. Beside it, no column is taken twice, and no key, except the
        one that `arg_max` maximizes."""
        if not function.columns or not any(isinstance(arg, s.Star) for arg in call.args):
            return list(enumerate(call.args))
        if function.prefix and len(call.args) > 1 and function.name not in _EXTREMES:
            hint = f"write {call.name}(*), or name the columns"
            self.binder.fail(Kind.SEMANTIC, f"`*` is the only argument of {call.name}", call.span, hint)
        taken = {key.name for _, key in self.by if isinstance(key, p.ColumnRef)}
        args: list[tuple[int, s.Expr]] = []
        for i, arg in enumerate(call.args):
            is_extreme = i == 0 and function.name in _EXTREMES
            for one in [s.Name(arg.span, n) for n in self.source.names] if isinstance(arg, s.Star) else [arg]:
                value = split(one)[1]
                if not isinstance(value, s.Name) or value.name not in taken or is_extreme:
                    args.append((i, one))
                if isinstance(value, s.Name):
                    taken.add(value.name)
        return args

    def _no_aggregate(self, value: s.Expr) -> None:
        if isinstance(value, s.Call) and value.name not in self.binder.catalog.scalars:
            self.binder.no_function(value, self.binder.catalog.aggregates)
        else:
            hint = "write it after `by`, or any(...)" if isinstance(value, s.Name) else ""
            self.binder.fail(Kind.SEMANTIC, "expected an aggregate such as count()", value.span, hint)


Outputs = tuple[list[str], list[Type]]


def _one(group: Group, function: Aggregate, args: Arguments, made: Sequence[p.Expr], result: Type) -> Outputs:
    if function.columns:
        alone = len(args) == 1
        return [_named(group, function, arg, i, alone) for i, arg in args], [m.type for m in made]
    own = group.naming.own_name(args[0][1]) if args else None
    return [f"{function.prefix}{own or ''}"], [result]


def _named(group: Group, function: Aggregate, arg: s.Expr, i: int, alone: bool) -> str:
    own = group.naming.own_name(arg)
    if function.prefix and (own or alone):
        return f"{function.prefix}{own or ''}"
    return own or f"any_arg{i}"


def _extreme(group: Group, function: Aggregate, args: Arguments, made: Sequence[p.Expr], result: Type) -> Outputs:
    """`arg_max(x, a, b)`: the columns x, a, b; what has no name of its own is `max_` and `max_x_arg1`."""
    prefix = "max_" if "max" in function.name else "min_"
    first = group.naming.own_name(args[0][1])
    names = [first or prefix]
    names += [group.naming.own_name(a) or f"{prefix}{first or ''}_arg{i}" for i, a in args[1:]]
    return names, [m.type for m in made]


def _covariance(group: Group, function: Aggregate, args: Arguments, made: Sequence[p.Expr], result: Type) -> Outputs:
    """Both values are in the name, as in the engine; Microsoft's binder has only the first."""
    return [function.prefix + "_".join(group.naming.own_name(arg) or "" for _, arg in args[:2])], [result]


def _percentiles(group: Group, function: Aggregate, args: Arguments, made: Sequence[p.Expr], result: Type) -> Outputs:
    own = group.naming.own_name(args[0][1]) or ""
    weighted = "w" in function.name
    constants = [m.value for m in made[2 if weighted else 1 :] if isinstance(m, p.Const)]
    names = [f"percentile_{own}_{_digits(value)}" for value in constants]
    return names, [result] * len(names)


def _digits(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace(".", "_")


_EXTREMES = frozenset(["arg_max", "arg_min"])

_OUTPUTS = {
    **dict.fromkeys(_EXTREMES, _extreme),
    **dict.fromkeys(("covariance", "covariancep", "covarianceif", "covariancepif"), _covariance),
    **dict.fromkeys(("percentile", "percentiles", "percentilew", "percentilesw"), _percentiles),
}
"""Naming rules of aggregates whose columns are not named by prefix and argument."""


def top_nested(binder: Binder, source: p.Plan, op: s.TopNested) -> p.Plan:
    levels: list[p.Nest] = []
    names = Names()
    columns: list[Column] = []
    for level in op.levels:
        name, value = split(level.of)
        of = binder.scalar(value, binder.row(source))
        final = names.unique(name or binder.naming(binder.row(source)).own_name(value) or "Column1")
        group = Group(binder, source, [], Names())
        aggregation = group.alone(level.by)
        if level.others:
            hint = "compute the rest with a second query, and union them"
            binder.fail(Kind.UNSUPPORTED, "top-nested with others is not supported", level.others.span, hint)
        if aggregation is None:
            continue
        given = split(level.by)[0]
        aggregated = names.unique(given or f"aggregated_{final}")
        aggregation = replace(aggregation, names=(aggregated,))
        rows = binder.row_count(level.count) if level.count else None
        levels.append(p.Nest(rows, final, of, aggregation, level.descending))
        columns += [Column(final, of.type), Column(aggregated, aggregation.types[0])]
    return p.TopNested(tuple(columns), source, tuple(levels))


def make_series(binder: Binder, source: p.Plan, op: s.MakeSeries) -> p.Plan:
    names = Names()
    by = keys(binder, source, op.keys, names)
    group = Group(binder, source, by, names)
    name, value = split(op.axis)
    axis = binder.scalar(value, binder.row(source))
    given, defaults = [], []
    for item, default in op.aggregates:
        aggregation = group.alone(item)
        if aggregation is None:
            continue
        given.append(aggregation)
        defaults.append(_default(binder, aggregation.types[0], default, item))
    read = value.name if isinstance(value, s.Name) else None
    own = binder.naming(binder.row(source)).own_name(value)
    final = binder.given(names, name or read or "", value.span) if name or read else group.free(own)
    limits = [binder.scalar(e, binder.row(p.Values((), ()))) if e else None for e in (op.start, op.stop, op.step)]
    start, stop, step = (_on_axis(binder, axis.type, e, i == 2) for i, e in enumerate(limits))
    if axis.type not in (*NUMERIC, DATETIME, TIMESPAN, UNKNOWN):
        binder.fail(Kind.SEMANTIC, f"a series runs over numbers or times, not a {axis.type}", axis.span)
    made = [Column(a.names[0], array_of(a.types[0])) for a in given]
    schema = (*(Column(n, k.type) for n, k in by), *made, Column(final, array_of(axis.type)))
    assert step is not None
    return p.Series(
        schema, source, tuple(by), tuple(given), tuple(defaults), (final, axis), start, stop, step, "kind" in op.options
    )


def _default(binder: Binder, kind: Type, default: s.Expr | None, item: s.Expr) -> p.Expr:
    if default is None:
        return p.Const(kind, item.span, 0 if kind in NUMERIC or kind == TIMESPAN else None)
    value = constants.fold(binder.scalar(default, binder.row(p.Values((), ()))))
    if value.type == kind or (value.type in NUMERIC and kind in NUMERIC):
        return converted(value, kind)
    if value.type is not UNKNOWN:
        binder.fail(Kind.UNSUPPORTED, f"a default of {value.type} for a series of {kind} is not supported", value.span)
    return unknown(value.span)


def _on_axis(binder: Binder, axis: Type, value: p.Expr | None, is_step: bool) -> p.Expr | None:
    """A limit or the step of a series, converted to the type of the axis."""
    wanted = TIMESPAN if is_step and axis == DATETIME else axis
    if value is None or UNKNOWN in (axis, value.type):
        return value
    if value.type == wanted or (value.type in NUMERIC and wanted in NUMERIC):
        return converted(value, wanted)
    binder.fail(Kind.SEMANTIC, f"expected a {wanted}, found a {value.type}", value.span)
    return unknown(value.span)


def evaluate(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    plugin = PLUGINS.get(op.plugin.name)
    if plugin is None:
        what = f"the plugin '{op.plugin.name}' is not supported"
        binder.fail(Kind.UNSUPPORTED, what, op.plugin.name_span, "see docs/reference/kql-support.md for what there is")
        return source
    return plugin(binder, source, op)


def _pivot(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    args = list(op.plugin.args)
    column = binder.column_of(source, args.pop(0) if args else None, op.plugin.span)
    if column is None:
        return source
    group = Group(binder, source, [], Names())
    call = s.Call(op.span, "count", (), op.span)
    read: set[str] = set()
    if args and isinstance(args[0], s.Call):
        call = args[0]
        args = args[1:]
        read = {value.name for _, value in map(split, call.args) if isinstance(value, s.Name)}
    aggregation = group.alone(call)
    named = templates.columns(binder, source, args)
    if aggregation is None or named is None:
        return source
    types = {c.name: c.type for c in source.schema}
    by = named or [c.name for c in source.schema if c.name not in read | {column}]
    kept = [Column(n, types[n]) for n in by]
    schema = columns_of(binder, source, op, kept)
    if op.columns is None:
        schema = [*kept, *(Column(c.name, aggregation.types[0]) for c in schema)]
    values = tuple(c.name for c in schema if c.name not in by)
    return p.Pivot(tuple(schema), source, column, values, aggregation, tuple(by))


PLUGINS: dict[str, Callable[[Binder, p.Plan, s.Evaluate], p.Plan]] = {
    "active_users_count": activity.active_users_count,
    "activity_counts_metrics": activity.activity_counts_metrics,
    "activity_engagement": activity.activity_engagement,
    "activity_metrics": activity.activity_metrics,
    "bag_unpack": bag_unpack,
    "dcount_intersect": activity.dcount_intersect,
    "geo_line_lookup": geo_lookups.geo_line_lookup,
    "geo_polygon_lookup": geo_lookups.geo_polygon_lookup,
    "ipv4_lookup": plugins.ipv4_lookup,
    "ipv6_lookup": plugins.ipv6_lookup,
    "new_activity_metrics": activity.new_activity_metrics,
    "pivot": _pivot,
    "rolling_percentile": activity.rolling_percentile,
    "rows_near": plugins.rows_near,
    "schema_merge": plugins.schema_merge,
    "sliding_window_counts": activity.sliding_window_counts,
}
"""The supported plugins of `evaluate`."""
