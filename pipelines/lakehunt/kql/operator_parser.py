"""Parses tabular operators: what follows a `|`."""

from __future__ import annotations

from collections.abc import Callable

from lakehunt.kql import syntax as s
from lakehunt.kql.errors import Span
from lakehunt.kql.lexer import T
from lakehunt.kql.reader import near
from lakehunt.kql.tabular_parser import TabularParser
from lakehunt.kql.types import STRING

UNSUPPORTED_OPERATORS: dict[str, str] = {
    **dict.fromkeys(("consume", "facet", "fork", "macro-expand"), "a hunt needs exactly one result"),
    **dict.fromkeys(
        ("graph-match", "graph-mark-components", "graph-merge", "graph-shortest-paths", "graph-to-table", "make-graph"),
        "graphs are not supported",
    ),
    **dict.fromkeys(("sample", "sample-distinct"), "it is random; take and distinct are not"),
    "reduce": "it needs a trained model",
}
"""Operators and sources of Kusto that Lakehunt does not support, with the reason or an alternative."""

JOIN_KINDS = (
    *("inner", "innerunique", "leftouter", "rightouter", "fullouter"),
    *("leftsemi", "rightsemi", "leftanti", "rightanti", "anti", "semi", "leftantisemi", "rightantisemi"),
)


class OperatorParser(TabularParser):
    """Parses an operator, by its name."""

    def _operator(self) -> s.Operator:
        name = self.hyphenated()
        start = self.token.span
        if name in OPERATORS:
            self.at += 1 + 2 * name.count("-")
            return OPERATORS[name](self, start)
        if name in UNSUPPORTED_OPERATORS:
            self.unsupported(f"the operator '{name}'", hint=UNSUPPORTED_OPERATORS[name])
        self.fail(
            f"expected an operator such as where or summarize, found {self.shown()}",
            hint=near(name, [*OPERATORS, *UNSUPPORTED_OPERATORS]),
        )

    def _where(self, start: Span) -> s.Operator:
        predicate = self.expression()
        return s.Where(start.to(predicate.span), predicate)

    def _extend(self, start: Span) -> s.Operator:
        items = self.items()
        return s.Extend(start.to(items[-1].span), items)

    def _project(self, start: Span) -> s.Operator:
        if self.token.text in ("|", ")", ";", ""):
            return s.Project(start, ())
        items = self.items()
        return s.Project(start.to(items[-1].span), items)

    def _project_rename(self, start: Span) -> s.Operator:
        items = self.items()
        return s.ProjectRename(start.to(items[-1].span), items)

    def _project_away(self, start: Span) -> s.Operator:
        patterns = self.list(self._pattern)
        return s.ProjectAway(start.to(patterns[-1].span), patterns)

    def _project_keep(self, start: Span) -> s.Operator:
        patterns = self.list(self._pattern)
        return s.ProjectKeep(start.to(patterns[-1].span), patterns)

    def _project_by_names(self, start: Span) -> s.Operator:
        items = self.list(self.expression)
        return s.ProjectByNames(start.to(items[-1].span), items)

    def _project_reorder(self, start: Span) -> s.Operator:
        patterns = self.list(self._ordered_pattern)
        return s.ProjectReorder(start.to(patterns[-1][0].span), patterns)

    def _ordered_pattern(self) -> tuple[s.Name, str]:
        pattern = self._pattern()
        order = self.hyphenated()
        if order in ("asc", "desc", "granny-asc", "granny-desc"):
            self.at += 1 + 2 * order.count("-")
            return pattern, order
        return pattern, ""

    def _pattern(self) -> s.Name:
        """A column name with `*` wildcards; its tokens are adjacent."""
        bracketed = self.bracketed_name()
        if bracketed:
            return s.Name(bracketed.span, bracketed.text)
        start = self.token
        text, span = "", start.span
        while (self.token.kind is T.NAME or self.sees("*")) and (not text or self.token.span.start == span.end):
            text += self.token.text
            span = span.to(self.next().span)
        if not text:
            self.fail(f"expected a column's name, found {self.shown()}")
        return s.Name(span, text)

    def _distinct(self, start: Span) -> s.Operator:
        self._options({})
        items = self.items()
        return s.Distinct(start.to(items[-1].span), items)

    def _count(self, start: Span) -> s.Operator:
        if not self.takes("as"):
            return s.Count(start, "Count")
        name = self.name("a column's name")
        return s.Count(start.to(name.span), name.text)

    def _top_hitters(self, start: Span) -> s.Operator:
        count = self.expression()
        self.expect("of")
        of = self.name("a column's name")
        by = self.item() if self.takes("by") else None
        span = start.to(by.span if by else of.span)
        return s.TopHitters(span, count, s.Name(of.span, of.text), by)

    def _take(self, start: Span) -> s.Operator:
        count = self.expression()
        return s.Take(start.to(count.span), count)

    def _top(self, start: Span) -> s.Operator:
        count = self.expression()
        self.expect("by")
        key = self._sort_key()
        return s.Top(start.to(key.span), count, key)

    def _top_nested(self, start: Span) -> s.Operator:
        levels = [self._nest()]
        while self.takes(","):
            if self.hyphenated() == "top-nested":
                self.at += 3
            levels.append(self._nest())
        return s.TopNested(start.to(levels[-1].span), tuple(levels))

    def _nest(self) -> s.Nest:
        start = self.token.span
        count = None if self.sees("of") else self.expression()
        self.expect("of")
        of = self.item()
        others = None
        if self.takes("with"):
            self.expect("others")
            self.expect("=")
            others = self.expression()
        self.expect("by")
        by = self.item()
        descending = self.token.text != "asc"
        if self.token.text in ("asc", "desc"):
            self.next()
        return s.Nest(start.to(by.span), count, of, others, by, descending)

    def _sort(self, start: Span) -> s.Operator:
        self._options({})
        self.expect("by")
        keys = self.list(self._sort_key)
        return s.Sort(start.to(keys[-1].span), keys)

    def _sort_key(self) -> s.SortKey:
        value = self.item()
        span = value.span
        descending = True
        if self.token.text in ("asc", "desc"):
            descending = self.token.text == "desc"
            span = span.to(self.next().span)
        nulls_first = not descending
        if self.takes("nulls"):
            if self.token.text not in ("first", "last"):
                self.fail(f"expected `first` or `last`, found {self.shown()}")
            nulls_first = self.token.text == "first"
            span = span.to(self.next().span)
        return s.SortKey(span, value, descending, nulls_first)

    def _summarize(self, start: Span) -> s.Operator:
        self._options({})
        aggregates = () if self.sees("by") else self.items()
        keys: tuple[s.Expr, ...] = ()
        if self.takes("by"):
            keys = self.items()
        last = (*aggregates, *keys)[-1]
        return s.Summarize(start.to(last.span), aggregates, keys)

    def _serialize(self, start: Span) -> s.Operator:
        self._options({})
        items = () if self.token.text in ("|", ")", "}", ";", "") else self.items()
        return s.Serialize(start.to(items[-1].span) if items else start, items)

    def _as(self, start: Span) -> s.Operator:
        self._options({})
        name = self.name("a name")
        return s.As(start.to(name.span), name.text)

    def _getschema(self, start: Span) -> s.Operator:
        return s.GetSchema(start)

    def _render(self, start: Span) -> s.Operator:
        """`render timechart with (title="x")`: the chart and its properties are ignored."""
        depth = 0
        while not self.at_end() and not (depth == 0 and self.token.text in ("|", ")", ";", "}")):
            depth += (self.token.text == "(") - (self.token.text == ")")
            start = start.to(self.next().span)
        return s.Render(start)

    # Several tables

    def _join(self, start: Span, lookup: bool = False) -> s.Operator:
        options = self._options({"kind": ("leftouter", "inner") if lookup else JOIN_KINDS})
        right = self._joined_table()
        self.expect("on")
        on = self.list(self.expression)
        return s.Join(start.to(on[-1].span), right, on, options, lookup)

    def _lookup(self, start: Span) -> s.Operator:
        return self._join(start, lookup=True)

    def _joined_table(self) -> s.Expr:
        """A name, a call, or a pipeline in parentheses."""
        if self.sees("("):
            self.next()
            inner = self.deeper(self.pipeline)
            self.expect(")")
            return inner
        return self.operand()

    def _union(self, start: Span) -> s.Operator:
        options = self._options({"kind": ("inner", "outer"), "withsource": None, "isfuzzy": _BOOLEANS})
        tables = self.list(self._united_table)
        return s.Union(start.to(tables[-1].span), tables, options)

    def _united_table(self) -> s.Expr:
        touching = self.peek().text == "*" and self.peek().span.start == self.token.span.end
        if (self.token.kind is T.NAME and touching) or self.sees("*"):
            pattern = self._pattern()
            return s.Name(pattern.span, pattern.name)
        return self._joined_table()

    def _search(self, start: Span) -> s.Operator:
        options = self._options({"kind": ("case_sensitive", "case_insensitive", "default")})
        tables = self._in_tables()
        self.searching = True
        predicate = s.Star(self.next().span) if self.sees("*") and not self._star_is_searched() else self.expression()
        self.searching = False
        return s.Search(start.to(predicate.span), predicate, tables, options)

    def _in_tables(self) -> tuple[s.Expr, ...]:
        if not (self.sees("in") and self.peek().text == "("):
            return ()
        self.at += 2
        tables = self.list(self._united_table, until=")")
        self.next()
        return tables

    def _find(self, start: Span) -> s.Operator:
        options = self._options({"withsource": None, "datascope": None})
        tables = self._in_tables()
        self.takes("where")
        self.searching = True
        predicate = self.expression()
        self.searching = False
        columns: tuple[s.Name | s.Captured | s.Star, ...] = ()
        if self.hyphenated() == "project-smart":
            self.at += 3
        elif self.takes("project"):
            columns = self.list(self._found_column)
        return s.Find(start.to(predicate.span), predicate, tables, columns, options)

    def _found_column(self) -> s.Name | s.Captured | s.Star:
        """`name`, `name: type`, or `pack_all()`, whose older spelling is `pack(*)`."""
        if self.token.text in ("pack_all", "pack") and self.peek().text == "(":
            start = self.next().span
            self.next()
            self.takes("*")
            return s.Star(start.to(self.expect(")").span))
        name = self.name("a column's name")
        if self.takes(":"):
            return s.Captured(name.span, name.text, self.type_name())
        return s.Name(name.span, name.text)

    # Dynamic values

    def _mv_expand(self, start: Span) -> s.Operator:
        options = self._options(_EXPAND_OPTIONS)
        items = self.list(self._expanded)
        limit = self.expression() if self.takes("limit") else None
        return s.MvExpand(start.to(items[-1].span), items, limit, options)

    def _mv_apply(self, start: Span) -> s.Operator:
        options = self._options(_EXPAND_OPTIONS)
        items = self.list(self._expanded)
        limit = self.expression() if self.takes("limit") else None
        self.expect("on")
        body = self._body()
        return s.MvApply(start.to(body.span), items, limit, body, options)

    def _expanded(self) -> s.Expanded:
        item = self.item()
        kind = None
        span = item.span
        if self.takes("to"):
            self.expect("typeof")
            self.expect("(")
            kind = self.type_name()
            span = span.to(self.expect(")").span)
        if isinstance(item, s.Named):
            return s.Expanded(span, item.names[0], item.value, kind)
        return s.Expanded(span, None, item, kind)

    def _body(self) -> s.Expr:
        """`(where ... | summarize ...)`: operators on the rows of the enclosing operator."""
        start = self.expect("(").span
        operators = [self.deeper(self._operator)]
        while self.takes("|"):
            operators.append(self.deeper(self._operator))
        end = self.expect(")").span
        return s.Pipeline(start.to(end), s.Empty(start), tuple(operators))

    # Text

    def _parse(self, start: Span, where: bool = False) -> s.Operator:
        options = self._options({"kind": ("simple", "regex", "relaxed"), "flags": None})
        value = self.expression()
        self.expect("with")
        pattern: list[s.Literal | s.Captured | s.Star] = []
        while self.token.kind in (T.STRING, T.NAME) or self.sees("*") or self.sees("["):
            pattern.append(self._pattern_part())
        if not pattern:
            self.fail(f"expected a text, a column's name or `*`, found {self.shown()}")
        return s.Parse(start.to(pattern[-1].span), value, tuple(pattern), options, where)

    def _parse_where(self, start: Span) -> s.Operator:
        return self._parse(start, where=True)

    def _pattern_part(self) -> s.Literal | s.Captured | s.Star:
        if self.sees("*"):
            return s.Star(self.next().span)
        if self.token.kind is T.STRING:
            token = self.next()
            return s.Literal(token.span, STRING, token.value)
        return self._captured(STRING)

    def _parse_kv(self, start: Span) -> s.Operator:
        value = self.expression()
        self.expect("as")
        self.expect("(")
        columns = self.list(self._captured, until=")")
        end = self.next().span
        options: s.Options = {}
        if self.takes("with"):
            self.expect("(")
            for name, option in self.list(self._kv_option, until=")"):
                options[name] = option
            end = self.next().span
        return s.ParseKv(start.to(end), value, columns, options)

    def _kv_option(self) -> tuple[str, s.Name | s.Literal]:
        name = self.name("an option")
        known = ("pair_delimiter", "kv_delimiter", "quote", "escape", "greedy", "regex")
        if name.text not in known:
            self.fail_at(name.span, f"there is no option '{name.text}'", near(name.text, known))
        self.expect("=")
        return name.text, self._name_or_literal()

    # Series

    def _make_series(self, start: Span) -> s.Operator:
        options = self._options({"kind": ("nonempty",)})
        aggregates = self.list(self._series)
        self.expect("on")
        axis = self.item()
        if isinstance(axis, s.InList):
            self.unsupported(
                "make-series in range()", axis.op_span, "write from ... to ... step ...; its last bin is open"
            )
        first = last = None
        if self.takes("from"):
            first = self.operand()
        if self.takes("to"):
            last = self.operand()
        self.expect("step")
        step = self.operand()
        keys = self.items() if self.takes("by") else ()
        return s.MakeSeries(start.to(step.span), aggregates, axis, first, last, step, keys, options)

    def _series(self) -> tuple[s.Expr, s.Expr | None]:
        aggregate = self.item()
        default = None
        if self.takes("default"):
            self.expect("=")
            default = self.operand()
        return aggregate, default

    # Rows in order

    def _partition(self, start: Span) -> s.Operator:
        self._options({})
        self.expect("by")
        key = self.name("a column's name")
        if self.sees("{"):
            hint = "write operators on each part in parentheses; join to read another table"
            self.unsupported("partition with a subquery in braces, which has a source of its own,", hint=hint)
        body = self._body()
        return s.Partition(start.to(body.span), s.Name(key.span, key.text), body)

    def _scan(self, start: Span) -> s.Operator:
        options = self._options({"with_match_id": None})
        declared: tuple[tuple[s.Captured, s.Expr | None], ...] = ()
        if self.sees("order") or self.sees("partition"):
            self.unsupported(f"scan with {self.token.text} by", hint="sort before it")
        if self.takes("declare"):
            self.expect("(")
            declared = self.list(self._declared, until=")")
            self.next()
        self.expect("with")
        self.expect("(")
        steps: list[s.Step] = []
        while not self.sees(")"):
            steps.append(self._step())
        end = self.next().span
        return s.Scan(start.to(end), declared, tuple(steps), options)

    def _declared(self) -> tuple[s.Captured, s.Expr | None]:
        column = self._captured()
        return column, self.expression() if self.takes("=") else None

    def _step(self) -> s.Step:
        start = self.expect("step").span
        name = self.name("the step's name")
        if self.sees("optional"):
            self.unsupported("an optional step of scan")
        options = self._options({"output": ("all", "last", "none")})
        self.expect(":")
        condition = self.expression()
        assignments = self.items() if self.takes("=>") else ()
        end = self.expect(";").span
        return s.Step(start.to(end), name.text, condition, assignments, options)

    # Plugins and functions

    def _evaluate(self, start: Span) -> s.Operator:
        self._options({})
        call = self.call(self.name("a plugin's name"))
        columns = None
        end = call.span
        if self.takes(":"):
            self.expect("(")
            columns = self.list(self._column_or_star, until=")")
            end = self.next().span
        return s.Evaluate(start.to(end), call, columns)

    def _invoke(self, start: Span) -> s.Operator:
        call = self.call(self.name("a function's name"))
        return s.Invoke(start.to(call.span), call)


_BOOLEANS = ("True", "False", "TRUE", "FALSE")  # true is the value True

_EXPAND_OPTIONS: dict[str, tuple[str, ...] | None] = {
    "kind": ("bag", "array"),
    "bagexpansion": ("bag", "array"),
    "with_itemindex": None,
}

OPERATORS: dict[str, Callable[[OperatorParser, Span], s.Operator]] = {
    "where": OperatorParser._where,
    "filter": OperatorParser._where,
    "extend": OperatorParser._extend,
    "project": OperatorParser._project,
    "project-away": OperatorParser._project_away,
    "project-by-names": OperatorParser._project_by_names,
    "project-keep": OperatorParser._project_keep,
    "project-rename": OperatorParser._project_rename,
    "project-reorder": OperatorParser._project_reorder,
    "summarize": OperatorParser._summarize,
    "sort": OperatorParser._sort,
    "order": OperatorParser._sort,
    "take": OperatorParser._take,
    "limit": OperatorParser._take,
    "top": OperatorParser._top,
    "top-hitters": OperatorParser._top_hitters,
    "top-nested": OperatorParser._top_nested,
    "distinct": OperatorParser._distinct,
    "count": OperatorParser._count,
    "serialize": OperatorParser._serialize,
    "as": OperatorParser._as,
    "getschema": OperatorParser._getschema,
    "render": OperatorParser._render,
    "join": OperatorParser._join,
    "lookup": OperatorParser._lookup,
    "union": OperatorParser._union,
    "search": OperatorParser._search,
    "find": OperatorParser._find,
    "mv-expand": OperatorParser._mv_expand,
    "mvexpand": OperatorParser._mv_expand,
    "mv-apply": OperatorParser._mv_apply,
    "mvapply": OperatorParser._mv_apply,
    "parse": OperatorParser._parse,
    "parse-where": OperatorParser._parse_where,
    "parse-kv": OperatorParser._parse_kv,
    "make-series": OperatorParser._make_series,
    "partition": OperatorParser._partition,
    "scan": OperatorParser._scan,
    "evaluate": OperatorParser._evaluate,
    "invoke": OperatorParser._invoke,
}
