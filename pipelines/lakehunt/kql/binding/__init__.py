"""The binder: converts a syntax tree to a typed plan. It resolves names, checks and converts types, and names results.
One module for each family of operators (rows, groups, tables, bodies, texts), for sources and for scalar expressions
(scalars, calls), each with a table from syntax node to binding function; `functions` binds `let`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import bodies, functions, groups, rows, scalars, searches, sources, tables, texts
from lakehunt.kql.binding.binder import Binder, Rules, SchemaOf
from lakehunt.kql.catalog import Catalog
from lakehunt.kql.errors import Kind, QueryErrors, Span
from lakehunt.kql.parser import parse, parse_condition
from lakehunt.kql.types import Schema

__all__ = ["OPERATORS", "SchemaOf", "bind", "bind_condition"]

OPERATORS: dict[type[s.Operator], Callable[..., p.Plan]] = {
    s.Where: rows.where,
    s.Extend: rows.extend,
    s.Project: rows.project,
    s.ProjectAway: rows.project_away,
    s.ProjectByNames: rows.project_by_names,
    s.ProjectKeep: rows.project_keep,
    s.ProjectRename: rows.project_rename,
    s.ProjectReorder: rows.project_reorder,
    s.Sort: rows.sort,
    s.Take: rows.take,
    s.Top: rows.top,
    s.As: rows.as_,
    s.Render: rows.render,
    s.GetSchema: rows.getschema,
    s.Serialize: rows.serialize,
    s.Invoke: rows.invoke,
    s.Distinct: groups.distinct,
    s.Summarize: groups.summarize,
    s.Count: groups.count,
    s.TopHitters: groups.top_hitters,
    s.TopNested: groups.top_nested,
    s.MakeSeries: groups.make_series,
    s.Evaluate: groups.evaluate,
    s.Join: tables.join,
    s.Union: tables.union,
    s.Search: searches.search,
    s.Find: searches.find,
    s.MvExpand: bodies.mv_expand,
    s.MvApply: bodies.mv_apply,
    s.Partition: bodies.partition,
    s.Scan: bodies.scan,
    s.Parse: texts.parse_text,
    s.ParseKv: texts.parse_kv,
}


RULES = Rules(OPERATORS, sources.SOURCES, scalars.SCALARS)


def bind(
    query: str,
    tables: Mapping[str, Schema],
    catalog: Catalog,
    schema_of: SchemaOf | None = None,
    period: int | None = None,
) -> p.Plan:
    """The typed plan of a query over `tables`, for a backend with the functions of `catalog`.

    `schema_of` determines the result columns of `evaluate bag_unpack` from the data; without it a query must declare
    them. `period` (ticks) is the length of the time range that `{{StartTimeISO}}` and `{{EndTimeISO}}` stand for; None
    refuses them. Raises QueryErrors with all errors, each with its position."""
    tree = parse(query)
    binder = Binder(tables, catalog, RULES, schema_of or (lambda plan, evaluate: None), period)
    functions.lets(binder, tree)
    result = binder.table(tree.body)
    if not binder.errors:
        _check_names(binder, result)
    if binder.errors:
        raise QueryErrors(query, binder.errors)
    return result


def bind_condition(condition: str, table: str, schema: Schema, catalog: Catalog) -> p.Expr:
    """The typed expression of a condition on the rows of one stored table. Raises QueryErrors."""
    tree = parse_condition(condition)
    binder = Binder({table: schema}, catalog, RULES, lambda plan, evaluate: None)
    bound = binder.predicate(tree, p.Scan(schema, table, tree.span))
    if binder.errors:
        raise QueryErrors(condition, binder.errors)
    return bound


def _check_names(binder: Binder, plan: p.Plan) -> None:
    """Refuses columns with the reserved prefix of a backend's columns, and two columns with one name."""
    checked: set[int] = set()
    for step in p.distinct(plan):
        if id(step.schema) in checked:  # a filter has the schema of its source
            continue
        checked.add(id(step.schema))
        binder.distinct_names(step.names, getattr(step, "span", Span(0, 1)))
        for name in step.names:
            if name.startswith(p.HIDDEN):
                what = f"a column's name cannot start with '{p.HIDDEN}'"
                binder.fail(Kind.UNSUPPORTED, what, getattr(step, "span", Span(0, 1)), f"give '{name}' another name")
