"""Binds the plugins of `evaluate` that follow users over time: each is the query of its template.

Source: learn.microsoft.com/kusto/query (the page of each plugin); the order of columns is that of Microsoft's binder.
The first window begins at the start of the analysis, or of its week, month or year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakehunt.kql import constants
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.functions import is_tabular
from lakehunt.kql.binding.scope import Scope, Variable
from lakehunt.kql.binding.templates import bound, columns, quoted, takes, values
from lakehunt.kql.errors import Kind
from lakehunt.kql.types import INT, LONG, STRING

_WHOLE = (INT, LONG)

CALENDAR = ("week", "month", "year")
"""Windows of the calendar, by name."""


@dataclass(frozen=True)
class Analysis:
    """What all of these plugins are given: the columns of users, times and dimensions (quoted), and values by the names
    that a template reads them with. `calendar` is the name of the window, if it is one of the calendar."""

    user: str
    time: str
    dimensions: tuple[str, ...]
    values: dict[str, Variable]
    calendar: str

    @property
    def by(self) -> str:
        """The dimensions, after other columns."""
        return "".join(f", {name}" for name in self.dimensions)

    def window(self, time: str) -> str:
        """The start of the window that a time lies in."""
        return f"startof{self.calendar}({time})" if self.calendar else f"bin_at({time}, __window, __start)"

    def later(self, window: str, count: str) -> str:
        """The start of the window that is so many windows later."""
        return f"startof{self.calendar}({window}, {count})" if self.calendar else f"{window} + {count} * __window"

    @property
    def count(self) -> str:
        """The number of windows after the first."""
        if self.calendar:
            return f"datetime_diff('{self.calendar}', __end, __start)"
        return "tolong((__end - __start) / __window)"


def _analysis(
    binder: Binder,
    source: p.Plan,
    op: s.Evaluate,
    names: Sequence[str],
    others: Sequence[s.Expr] | None = None,
    counts_windows: bool = False,
) -> Analysis | None:
    """Reads `id, time, values ..., dimensions ...`; `names` are those of the values, of which `window` may be a window
    of the calendar, unless the plugin `counts_windows` of a longer one. `others` are the dimensions, if not all further
    arguments. None after an error."""
    args = op.plugin.args
    if not takes(binder, op, 2 + len(names)):
        return None
    found = columns(binder, source, [*args[:2], *(args[2 + len(names) :] if others is None else others)])
    if found is None:
        return None
    given: dict[str, Variable] = {}
    calendar = ""
    for name, arg in zip(names, args[2:], strict=False):
        value = constants.fold(binder.scalar(arg, Scope()))
        if name == "window" and value.type == STRING:
            calendar = str(value.value).lower() if isinstance(value, p.Const) else ""
            if calendar not in CALENDAR:
                what = "a window is a timespan, a number, or one of 'week', 'month' and 'year'"
                binder.fail(Kind.SEMANTIC, what, arg.span)
                return None
            if counts_windows:
                what = f"{op.plugin.name} with windows of a {calendar} is not supported"
                binder.fail(Kind.UNSUPPORTED, what, op.plugin.span, "give the window as a timespan")
                return None
        given[f"__{name}"] = value
    user, time, *dimensions = map(quoted, found)
    return Analysis(user, time, tuple(dimensions), given, calendar)


def active_users_count(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`active_users_count(id, time, start, end, lookback, period, periods, bin, dimensions ...)`: users who appeared in
    so many periods of the lookback that ends when they appear."""
    given = _analysis(binder, source, op, ["start", "end", "lookback", "period", "periods", "window"])
    if given is None:
        return source
    user, time, by = given.user, given.time, given.by
    text = f"""
        let __A = __T | where {time} between (__start .. __end) | project __at = {time}, __id = {user}{by} | distinct *;
        let __P = __T | where {time} > __start - __lookback and {time} <= __end
            | project __before = {time}, __id = {user}{by} | distinct *;
        __A | join kind=inner __P on __id{by} | where __before > __at - __lookback and __before <= __at
        | summarize __n = dcount(bin_at(__before, __period, __start)) by __at, __id{by} | where __n >= __periods
        | summarize dcount = dcount(__id) by {time} = {given.window("__at")}{by}"""
    return bound(binder, op, text, source, given.values)


def sliding_window_counts(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`sliding_window_counts(id, time, start, end, lookback, bin, dimensions ...)`."""
    given = _analysis(binder, source, op, ["start", "end", "lookback", "window"], counts_windows=True)
    if given is None:
        return source
    time, by = given.time, given.by
    text = f"""
        let __n = max_of(tolong(__lookback / __window), 1);
        __T | where {time} <= __end | project __in = {given.window(time)}, __id = {given.user}{by}
        | where __in > __start - __n * __window
        | mv-expand __k = range(0, __n - 1) to typeof(long) | extend {time} = {given.later("__in", "__k")}
        | where {time} between (__start .. __end)
        | summarize Count = count(), Dcount = dcount(__id) by {time}{by}"""
    return bound(binder, op, text, source, given.values)


def activity_engagement(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`activity_engagement(id, time, start, end, inner window, outer window, dimensions ...)`."""
    given = _analysis(binder, source, op, ["start", "end", "window", "outer"], counts_windows=True)
    if given is None:
        return source
    time, by = given.time, given.by
    text = f"""
        let __n = max_of(tolong(__outer / __window), 1);
        let __B = __T | where {time} between (__start .. __end)
            | project {time} = {given.window(time)}, __id = {given.user}{by} | distinct *;
        let __O = __B | mv-expand __k = range(0, __n - 1) to typeof(long)
            | extend {time} = {given.later(time, "__k")}
            | summarize dcount_activities_outer = dcount(__id) by {time}{by};
        __B | summarize dcount_activities_inner = dcount(__id) by {time}{by} | lookup kind=inner __O on {time}{by}
        | extend activity_ratio = todouble(dcount_activities_inner) / dcount_activities_outer"""
    return bound(binder, op, text, source, given.values)


def activity_metrics(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`activity_metrics(id, time, start, end, window, dimensions ...)`: each window compared to the one before it."""
    given = _analysis(binder, source, op, ["start", "end", "window"])
    if given is None:
        return source
    time, by = given.time, given.by
    text = f"""
        let __B = __T | where {time} between (__start .. __end)
            | project {time} = {given.window(time)}, __id = {given.user}{by} | where isnotnull(__id) | distinct *;
        let __N = __B | extend {time} = {given.later(time, "1")};
        let __R = __B | join kind=inner __N on {time}, __id{by} | summarize __r = count() by {time}{by};
        let __P = __N | summarize __p = count() by {time}{by};
        __B | summarize dcount_values = count() by {time}{by}
        | lookup kind=leftouter __R on {time}{by} | lookup kind=leftouter __P on {time}{by}
        | extend __r = coalesce(__r, 0), __p = coalesce(__p, 0) | extend dcount_newvalues = dcount_values - __r,
            retention_rate = todouble(__r) / __p, churn_rate = todouble(__p - __r) / __p
        | project-away __r, __p"""
    return bound(binder, op, text, source, given.values)


def new_activity_metrics(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`new_activity_metrics(id, time, start, end, window, cohort, dimensions ..., users before)`: what became of the
    users who were first seen in a window, the cohort."""
    args = list(op.plugin.args)
    known = args.pop() if len(args) > 5 and is_tabular(binder, args[-1]) else None
    cohort = args.pop(5) if len(args) > 5 and not _is_column(source, args[5]) else None
    given = _analysis(binder, source, op, ["start", "end", "window"], args[5:])
    if given is None:
        return source
    user, time, by, read = given.user, given.time, given.by, dict(given.values)
    named = getattr(op.plugin.args[1], "name", "")
    since, to = quoted(f"from_{named}"), quoted(f"to_{named}")
    unknown = ""
    if known is not None:
        before = binder.table(known)
        if columns(binder, before, op.plugin.args[:1]) is None:
            return source
        read["__K"], unknown = before, f"| join kind=leftanti (__K | distinct {user}) on $left.__id == $right.{user}"
    if cohort is not None:
        read["__cohort"] = binder.scalar(cohort, Scope())
    chosen = f"| where {since} == {given.window('__cohort')}" if cohort is not None else ""
    order = "".join(f", {name}" for name in (since, to, *given.dimensions))[2:]
    text = f"""
        let __B = __T | where {time} between (__start .. __end)
            | project {to} = {given.window(time)}, __id = {user}{by} | where isnotnull(__id) | distinct * {unknown};
        let __F = __B | summarize __first = min({to}) by __id{by};
        let __C = __F | summarize __size = count() by {since} = __first{by} {chosen};
        let __W = range __k from 0 to {given.count} step 1
            | project {to} = {given.later(given.window("__start"), "__k")}, __one = 1;
        let __N = __B | lookup kind=inner __F on __id{by} | summarize __n = count() by {to}, __first{by};
        __C | extend __one = 1 | lookup kind=inner __W on __one | where {to} >= {since}
        | join kind=leftouter __N on {to}{by}
        | summarize dcount_new_values = sumif(__n, __first > {since} or (__first == {since} and {to} == {since})),
            dcount_retained_values = sumif(__n, __first == {since}) by {since}, {to}{by}, __size
        | extend dcount_churn_values = __size - dcount_retained_values
        | project {order}, dcount_new_values, dcount_retained_values, dcount_churn_values,
            retention_rate = todouble(dcount_retained_values) / __size,
            churn_rate = todouble(dcount_churn_values) / __size"""
    return bound(binder, op, text, source, read)


def _is_column(source: p.Plan, arg: s.Expr) -> bool:
    return isinstance(arg, s.Name) and arg.name in source.names


def activity_counts_metrics(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`activity_counts_metrics(id, time, start, end, window, dimensions ...)`: windows compared to all before."""
    given = _analysis(binder, source, op, ["start", "end", "window"])
    if given is None:
        return source
    time, by = given.time, given.by
    changed = " or ".join(f"prev({name}) != {name}" for name in given.dimensions) or "false"
    text = f"""
        let __B = __T | where {time} between (__start .. __end)
            | project {time} = {given.window(time)}, __id = {given.user}{by};
        let __F = __B | summarize {time} = min({time}) by __id{by} | summarize new_dcount = count() by {time}{by};
        __B | summarize ['count'] = count(), dcount = dcount(__id) by {time}{by}
        | lookup kind=leftouter __F on {time}{by} | extend new_dcount = coalesce(new_dcount, 0)
        | sort by {"".join(f"{name} asc, " for name in given.dimensions)}{time} asc
        | extend aggregated_dcount = row_cumsum(new_dcount, {changed})"""
    return bound(binder, op, text, source, given.values)


def rolling_percentile(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`rolling_percentile(value, percentile, index, size of a bin, bins per window, dimensions ...)`."""
    args = op.plugin.args
    if not takes(binder, op, 5):
        return source
    names = columns(binder, source, [args[0], args[2], *args[5:]])
    percentile, bins = (binder.constant(args[i], _WHOLE, "a number") for i in (1, 4))
    if names is None or percentile is None or bins is None:
        return source
    value, index, *dimensions = map(quoted, names)
    by = "".join(f", {name}" for name in dimensions)
    named = quoted(f"rolling_{bins}_percentile_{names[0]}_{percentile}")
    text = f"""
        let __B = __T | project {index} = bin({index}, __a), {value}{by};
        __B | mv-expand __k = range(0, {bins} - 1) to typeof(long) | extend {index} = {index} + __k * __a
        | join kind=inner (__B | distinct {index}{by}) on {index}{by}
        | summarize {named} = percentile({value}, {percentile}) by {index}{by}"""
    return bound(binder, op, text, source, values(binder, [args[3]]))


def dcount_intersect(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`dcount_intersect(hll, hll, ...)`: `s0` counts the first set, `s1` the first two, ..."""
    names = columns(binder, source, op.plugin.args) if takes(binder, op, 2) else None
    if names is None:
        return source
    sets = list(map(quoted, names))
    shared = ["set_intersect(" + ", ".join(sets[: i + 1]) + ")" if i else sets[0] for i in range(len(sets))]
    made = ", ".join(f"s{i} = dcount_hll({one})" for i, one in enumerate(shared))
    return bound(binder, op, f"__T | extend {made}", source, {})
