"""The page of what KQL is supported, refused or different, written from the tables that the compiler itself uses."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lakehunt.kql import (
    catalog,
    deviations,
    kusto_functions,
    operator_parser,
    parser,
    scalar_parser,
    source_parser,
    times,
)
from lakehunt.kql.binding import calls, groups, sources
from lakehunt.kql.catalog import Parameter, Signature
from lakehunt.kql.kusto_functions import Family
from lakehunt.kql.types import BOOL, BY_NAME, DATETIME, DYNAMIC, GUID, LONG, NUMERIC, STRING, TIMESPAN, Type
from lakehunt.spark.functions import CATALOG

HEAD = """\
# KQL support

Generated from the compiler's own tables by `make docs`. [KQL in Lakehunt](kql.md) has the concepts.

- **supported**: works as in Kusto.
- **refused**: an error before anything runs, with line and column.
- **differs**: Kusto may give another answer, or an answer where Lakehunt refuses. The number refers to the row under
  [Differences](#differences).
"""

READING = """\
A parameter in brackets is optional; `...` repeats what precedes it. A *number* is an int, long, real or decimal, an
*integer* an int or long, a *value* any type except dynamic, and *any* every type; narrower numbers are widened. *Text*
is any type, converted to a string. *One type* means that the values are converted to one common type. A *constant* must
be known before the query runs.
"""

_LITERALS = (
    (
        "`'text'` `\"text\"`",
        r"string; escapes: `\a \b \f \n \r \t \v \\ \' \" \x41 \u0041 \U00000041 \101`",
    ),
    ("`@'text'`", "string, verbatim; a doubled quote is one"),
    ("` ```text``` ` `~~~text~~~`", "string of several lines"),
    ("`h'text'`", "string that Kusto hides in its traces; otherwise like any other"),
    ("`'a' 'b'`", "one string"),
    ("`1` `0x1F`", "long"),
    ("`1.5` `1e9`", "real; also `real(nan)` `real(+inf)` `real(-inf)`"),
    ("`true` `false`", "bool"),
    ("`7d` `1.5h`", "timespan; units: " + " ".join(f"`{unit}`" for unit in times.UNITS)),
    ("`datetime(2021-03-14T06:40:15.3Z)`", "datetime: ISO 8601, RFC 822 and 850, month first, with a zone or in UTC"),
    ("`timespan(1.02:03:04.5)`", "timespan"),
    ("`int(1)` `long(1)` `bool(1)` `decimal(1.5)` `guid(...)`", "a value of that type"),
    ("`long(null)`", "null of a type; a string cannot be null"),
    ('`dynamic([1, {"a": null}])`', "JSON, with Kusto's strings and literals"),
    ("`typeof(long)`", "a type, as an argument"),
)

FORMS = {
    "now": ("[timespan]", "datetime"),
    "ago": ("timespan", "datetime"),
    "bin_auto": ("number, timespan or datetime", "as the first"),
    "toscalar": ("table or any", "the type of its first column"),
    "column_ifexists": ("constant string, any", "the type of the column, or of the value"),
    "columnifexists": ("constant string, any", "the type of the column, or of the value"),
    "column_names_of": ("table", "dynamic"),
    "ingestion_time": ("", "datetime"),
    "geo_info_from_ip_address": ("string", "dynamic"),
    "assert": ("constant bool, constant string", "bool"),
    "new_guid": ("", "guid"),
    "rand": ("[number]", "real"),
    "pack_all": ("[constant bool]", "dynamic"),
    "bag_pack_columns": ("column ...", "dynamic"),
}
"""What the binder itself reads: its value does not come from its arguments' alone."""

_NOTES = {"externaldata": f"formats: {' '.join(sources.EXTERNAL_FORMATS)}"}

_TABLES = ("materialize", "table", "view", *sources.LOOKUPS)
"""Functions that give a table."""


def page() -> str:
    """The page reference/kql-support.md."""
    sections: list[tuple[str, Iterable[str]]] = [
        ("Statements", _statements()),
        ("Sources", _sources()),
        ("Operators", _operators()),
        ("Conditions and arithmetic", _comparisons()),
        ("Types", _types()),
        ("Literals", _rows(("form", "meaning"), _LITERALS)),
        (
            "Scalar functions",
            itertools.chain([READING], _functions(CATALOG.scalars, kusto_functions.FUNCTIONS, "function")),
        ),
        ("Window functions", _functions(CATALOG.windows, (), "function")),
        ("Aggregate functions", _functions(CATALOG.aggregates, kusto_functions.AGGREGATES, "aggregate")),
        ("Plugins", _plugins()),
        ("Refused functions", _refused()),
        ("Differences", _differences()),
    ]
    return "\n".join([HEAD, *(f"## {title}\n\n{_lines(lines)}" for title, lines in sections)])


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |".replace("  |", " |")


def _code(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def _state(kind: str, name: str) -> str:
    """Whether a construct that there is gives Kusto's answer, and if not, the number of the difference."""
    found = deviations.of(kind, name)
    return f"differs ({deviations.DEVIATIONS.index(found) + 1})" if found else "supported"


# The language


def _statements() -> Iterator[str]:
    rows = [("`let`", "supported", "scalars, tables and functions")]
    rows += [(f"`{name}`", "refused", hint) for name, hint in parser.STATEMENTS.items()]
    return _rows(("statement", "status", "note"), rows)


def _sources() -> Iterator[str]:
    names = [*source_parser.SOURCES, *sorted(parser.STARTS_WITHOUT_A_SOURCE)]
    rows = [("a table", "supported", "`DeviceProcessEvents`, and registered tables")]
    rows += [(f"`{name}`", _state("source", name), _NOTES.get(name, "")) for name in names]
    rows += [(f"`{name}()`", _state("source", name), "") for name in _TABLES]
    rows.append(("a function defined by `let`", "supported", ""))
    return _rows(("source", "status", "note"), rows)


def _operators() -> Iterator[str]:
    rows = [(f"`{name}`", _state("operator", name), "") for name in sorted(operator_parser.OPERATORS)]
    rows += [(f"`{name}`", "refused", why) for name, why in sorted(operator_parser.UNSUPPORTED_OPERATORS.items())]
    yield from _rows(("operator", "status", "note"), rows)
    yield ""
    kinds = _code(operator_parser.JOIN_KINDS)
    yield f"Kinds of `join`: {kinds}. Hints (`hint.strategy`, ...) are accepted and have no effect."


def _comparisons() -> Iterator[str]:
    rows = [(f"`{name}`", _state("comparison", name)) for name in sorted(scalar_parser.PRECEDENCE)]
    rows += [(f"`{name}`", "refused") for name in sorted(scalar_parser.UNSUPPORTED_COMPARISONS)]
    return _rows(("operator", "status"), rows)


def _types() -> Iterator[str]:
    synonyms: dict[str, list[str]] = {}
    for name, kind in BY_NAME.items():
        synonyms.setdefault(kind.name, []).append(name)
    return _rows(("type", "status"), [(_code(names), _state("type", kind)) for kind, names in synonyms.items()])


# Functions


def _functions(functions: dict[str, Any], families: Sequence[Family], kind: str) -> Iterator[str]:
    """A table for each family, and one for names that Kusto knows but does not show."""
    public = {
        name: f for name, f in functions.items() if "." not in name
    }  # `series_stats.min` is a column, no function
    rows = {name: _function(kind, name, f.signatures) for name, f in public.items()}
    if functions is CATALOG.scalars:
        rows |= {name: _form(name) for name in [*calls.FORMS, *FORMS] if name in FORMS}
        rows |= {name: _several(name, columns) for name, columns in CATALOG.several.items()}
    for i, (title, names) in enumerate(_grouped(sorted(rows), families)):
        if title:
            yield f"{chr(10) * bool(i)}### {title}\n"
        yield from _rows(("function", "takes", "gives", "status"), [rows[name] for name in names])


def _grouped(names: Sequence[str], families: Sequence[Family]) -> Iterator[tuple[str, list[str]]]:
    left = list(names)
    for family in families:
        found = [name for name in left if name in family.names]
        left = [name for name in left if name not in found]
        if found:
            yield _title(family.title), found
    if left:
        yield "Older names, and others" if families else "", left


def _title(text: str) -> str:
    return text[0].upper() + text[1:]


Row = tuple[str, str, str, str]


def _form(name: str) -> Row:
    return (f"`{name}`", *FORMS[name], _state("function", name))


def _several(name: str, columns: Sequence[str]) -> Row:
    signatures = CATALOG.scalars[f"{name}.{columns[0]}"].signatures
    return (f"`{name}`", takes(signatures), f"columns {_code(columns)}", _state("function", name))


def _function(kind: str, name: str, signatures: Sequence[Signature]) -> Row:
    return (f"`{name}`", takes(signatures), gives(signatures), _state(kind, name))


def takes(signatures: Sequence[Signature]) -> str:
    """The parameters of a function; forms of one shape are written as one."""
    shapes: dict[tuple[int, ...], list[Signature]] = {}
    for s in signatures:
        shapes.setdefault((len(s.parameters), s.optional, len(s.rest), len(s.last)), []).append(s)
    return "; or ".join(_shape(forms) for forms in shapes.values())


def _shape(forms: Sequence[Signature]) -> str:
    one = forms[0]
    plain = _merged([f.parameters for f in forms])
    fixed = len(plain) - one.optional
    parts = [text if i < fixed else f"[{text}]" for i, text in enumerate(plain)]
    rest = _merged([f.rest for f in forms])
    if rest and rest == plain[-len(rest) :] and not one.optional:
        del parts[-len(rest) :]  # `text, text ...` is `text ...`
    if rest:
        parts.append(f"{rest[0]} ..." if len(rest) == 1 else f"({', '.join(rest)}) ...")
    return ", ".join([*parts, *_merged([f.last for f in forms])]) or "nothing"


def _merged(forms: Sequence[Sequence[Parameter]]) -> list[str]:
    """What each parameter takes in any of the forms."""
    return [_taken(list(parameters)) for parameters in zip(*forms, strict=True)]


def _taken(parameters: Sequence[Parameter]) -> str:
    constants = [p.of for p in parameters if isinstance(p, catalog.Constant)]
    if constants:
        return f"constant {_taken(constants)}"
    types = {t for p in parameters for t in _types_of(p)}
    labels = [_label(p) for p in parameters if not _types_of(p)]
    return " or ".join(dict.fromkeys([*([_named(types)] if types else []), *labels]))


def _types_of(parameter: Parameter) -> tuple[Type, ...]:
    if isinstance(parameter, Type):
        return (parameter,)
    return parameter.types if isinstance(parameter, catalog.OneOf) else ()


def _label(parameter: Parameter) -> str:
    if isinstance(parameter, catalog.Any) and not parameter.dynamic:
        return "value"
    if isinstance(parameter, catalog.Same) and parameter.types:
        return f"one type of {_named(parameter.types)}"
    return _LABELS[type(parameter)]


_LABELS: dict[type, str] = {
    catalog.Any: "any",
    catalog.Same: "one type",
    catalog.Text: "text",
    catalog.Pattern: "regular expression",
}

_ALL = frozenset((*NUMERIC, BOOL, DATETIME, TIMESPAN, GUID, STRING, DYNAMIC))
_GROUPS = (
    (_ALL, "any"),
    (_ALL - {DYNAMIC}, "value"),
    (frozenset(NUMERIC), "number"),
    (frozenset(NUMERIC[:2]), "integer"),
)


def _named(types: Iterable[Type]) -> str:
    """Types by their names, those that are a group of their own by the group's."""
    left, names = set(types), []
    for group, name in _GROUPS:
        if group <= left:
            left -= group
            names.append(name)
    return " or ".join([*names, *sorted(t.name for t in left)])


def gives(signatures: Sequence[Signature]) -> str:
    """The type of a function's result."""
    found = [_result(s) for s in signatures]
    if len(found) > 1 and all(
        r == _taken([s.parameters[0]]) for r, s in zip(found, signatures, strict=True) if s.parameters
    ):
        return _AS_FIRST
    if _AS_FIRST in found:
        return " or ".join(dict.fromkeys(found))
    types = {BY_NAME[r] for r in found if r in BY_NAME}
    return " or ".join(dict.fromkeys([*([_named(types)] if types else []), *(r for r in found if r not in BY_NAME)]))


_AS_FIRST = "as the first"


def _result(signature: Signature) -> str:
    returns = signature.returns
    if isinstance(returns, Type):
        return returns.name
    if isinstance(returns, catalog.Same):
        return "that type"
    if isinstance(returns, catalog.NamedType):
        return "the type named"
    if isinstance(returns, catalog.ByConstant):
        return _named({*returns.types.values(), returns.otherwise})
    return _computed(signature)


def _computed(signature: Signature) -> str:
    """The result of a signature that computes it, found by asking."""
    wanted = signature.wanted(len(signature.parameters) + len(signature.last)) or []
    results = []
    for first in _samples(wanted[0]):
        bound = signature.bind([first, *(_samples(w)[0] for w in wanted[1:])])
        if bound is not None:
            results.append((first, bound[1]))
    if all(first == result for first, result in results) and len(results) > 1:
        return _AS_FIRST
    return _named({result for _, result in results})


def _samples(parameter: Parameter) -> list[Type]:
    if isinstance(parameter, catalog.Constant):
        return _samples(parameter.of)
    if isinstance(parameter, catalog.Pattern):
        return [STRING]
    if isinstance(parameter, catalog.Same) and parameter.types:
        return list(parameter.types)
    return list(_types_of(parameter)) or [LONG, STRING, DATETIME]


# What is not there


def _plugins() -> Iterator[str]:
    rows = [(f"`{name}`", _state("plugin", name), "") for name in sorted(groups.PLUGINS)]
    for family in kusto_functions.PLUGINS:
        rows += [(f"`{name}`", "refused", family.refused) for name in family.names if name not in groups.PLUGINS]
    return _rows(("plugin", "status", "note"), rows)


def _refused() -> Iterator[str]:
    yield "Functions of Kusto that Lakehunt does not support. Any other name is not a KQL function.\n"
    there = {*CATALOG.names(), *CATALOG.several, *FORMS, *_TABLES}
    rows: list[Sequence[str]] = []
    for families in (kusto_functions.FUNCTIONS, kusto_functions.AGGREGATES):
        for family in families:
            missing = [name for name in family.names if name not in there]
            if missing:
                rows.append((family.title, _code(missing), family.refused))
    yield from _rows(("family", "refused", "reason"), rows)


def _differences() -> Iterator[str]:
    numbered = enumerate(deviations.DEVIATIONS, 1)
    return _rows(
        ("", "applies to", "difference", "reason"), [(str(i), _code(d.names), d.how, d.why) for i, d in numbered]
    )
