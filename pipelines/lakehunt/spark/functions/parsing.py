"""Functions that parse structured text: command lines, URLs, paths, CSV, JSON by a path.

Source: learn.microsoft.com/kusto/query/scalar-functions (string functions); where it is silent, the engine's answers,
and for command lines what Windows does (CommandLineToArgvW)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import STRING_OR_DYNAMIC, TYPE, Constant, NamedType, Text
from lakehunt.kql.types import DYNAMIC, STRING, Type, array_of
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.functions.regular import converted
from lakehunt.spark.functions.strings import refuse, text_or_dynamic

_PROGRAM = r'\A(?:"[^"]*+"?|[^ \t"][^ \t]*+)?'
_PIECES = r'(?:\\\\)*+\\"|(?:\\\\)*+"+|[ \t]+|\\+|[^ \t"\\]+'


@scalar("parse_command_line", Text(), Constant(STRING), returns=array_of(STRING))
def parse_command_line(text: Column, parser: str) -> Column:
    """The arguments as Windows splits them. The first is the program: up to the second quote where it starts with one,
    else up to white space; a backslash is nothing special in it."""
    if parser != "windows":
        raise LakehuntError("parse_command_line knows command lines of windows only")
    first = F.regexp_extract(text, _PROGRAM, 0)
    program = F.when(first.startswith('"'), F.replace(first, F.lit('"'), F.lit(""))).otherwise(first)
    pieces = F.regexp_extract_all(F.substring(text, F.length(first) + 1, F.length(text)), F.lit(_PIECES), F.lit(0))
    start = F.struct(
        F.array(program).alias("done"), F.lit("").alias("open"), F.lit(False).alias("any"), F.lit(0).alias("quotes")
    )
    arguments = F.aggregate(pieces, start, _next_piece, lambda s: F.when(s["any"], _closed(s)).otherwise(s["done"]))
    return F.when(text != "", arguments)


def _closed(state: Column) -> Column:
    return F.concat(state["done"], F.array(state["open"]))


def _next_piece(state: Column, piece: Column) -> Column:
    """One more piece of a command line: white space, backslashes and quotes, or plain text.

    Before a quote two backslashes are one, and an odd one makes the quote plain. Other quotes open and close; of three
    in a row, counting the one that is open, the last is plain."""
    slashes = F.length(F.regexp_extract(piece, r"\A\\*", 0))
    quotes = F.length(piece) - slashes
    quoting = piece.endswith('"')
    escaped = quoting & (slashes % 2 == 1)
    counted = F.when(quoting & ~escaped, state["quotes"] + quotes).otherwise(state["quotes"])
    plain_quotes = F.when(escaped, F.lit(1)).otherwise(F.floor(counted / 3)).cast("int")
    quoted_text = F.concat(
        F.call_function("repeat", F.lit("\\"), F.floor(slashes / 2).cast("int")),
        F.call_function("repeat", F.lit('"'), plain_quotes),
    )
    ends = (state["quotes"] == 0) & piece.rlike(r"\A[ \t]")
    return F.struct(
        F.when(ends & state["any"], _closed(state)).otherwise(state["done"]).alias("done"),
        F.when(ends, F.lit(""))
        .otherwise(F.concat(state["open"], F.when(quoting, quoted_text).otherwise(piece)))
        .alias("open"),
        (~ends).alias("any"),
        F.when(counted % 3 == 1, F.lit(1)).otherwise(F.lit(0)).alias("quotes"),
    )


_FIELD = r',("(?:[^"]|"")*+"|[^,"\r\n]*+)'


@scalar("parse_csv", STRING_OR_DYNAMIC, returns=array_of(STRING), typed=True)
def parse_csv(types: Sequence[Type], text: Column) -> Column:
    """The fields of the first record. A field in quotes may have commas, line breaks and doubled quotes."""
    record = F.concat(F.lit(","), text_or_dynamic(text, types[0]))
    fields = F.regexp_extract_all(record, F.lit(rf"\G{_FIELD}"), F.lit(1))
    plain = F.transform(
        fields,
        lambda f: F.when(
            f.startswith('"'), F.replace(F.substring(f, F.lit(2), F.length(f) - 2), F.lit('""'), F.lit('"'))
        ).otherwise(f),
    )
    whole = record.rlike(rf"\A(?:{_FIELD})*+(?:[\r\n]|\z)")
    return refuse(~whole, "parse_csv: a quote within a field without quotes is not supported", plain)


_STEP = re.compile(r"""\.(\w+)|\[\s*(\d+)\s*\]|\[\s*(?:'([^'\\]*)'|"([^"'\\]*)")\s*\]""")


@scalar("extract_json extractjson", Constant(STRING), STRING, returns=STRING)
def extract_json(path: str, text: Column) -> Column:
    """The value at a path, as text; empty if there is none or the text is not JSON."""
    return dynamic.text(dynamic.member(_json(text), _path(path)))


@scalar("extract_json extractjson", Constant(STRING), STRING, Constant(TYPE), returns=NamedType())
def extract_json_typed(path: str, text: Column, kind: Type) -> Column:
    return converted(extract_json(path, text), kind)


def _json(text: Column) -> Column:
    return F.when(F.try_parse_json(text).isNotNull(), text)


def _path(path: str | None) -> str:
    """`$.a['b c'][0]` as Spark takes it, without the root."""
    steps, at = [], 1
    while path and path[0] == "$" and (found := _STEP.match(path, at)):
        name = next((g for g in (found.group(1), found.group(3), found.group(4)) if g is not None), None)
        steps.append(f"[{int(found.group(2))}]" if name is None else f"['{name}']")
        at = found.end()
    if not path or path[0] != "$" or at < len(path) or not steps:
        raise LakehuntError(f"extract_json does not know the path {path}; write one as $.name[0]['other name']")
    return "".join(steps)


def _bag(**texts: Column) -> Column:
    """A bag of texts by name; an underscore in a name is a space."""
    pairs = [(F.lit(name.replace("_", " ")), text) for name, text in texts.items()]
    return dynamic.bag_of(pairs)


def _text(value: Column) -> Column:
    return dynamic.encoded(value, STRING)


_QUERY = r"\A(?:[^=&?%+#]+=[^=&?%+#]*(?:&[^=&?%+#]+=[^=&?%+#]*)*+)?\z"  # possessive: Java needs no stack for it
"""The query of a URL in which every parameter has a value, and nothing needs decoding."""

_NOT_DECODED = "a query with an encoded character, or a parameter without a value, is not supported"


def _parameters(query: Column) -> Column:
    pairs = F.filter(F.split(query, "&"), lambda pair: pair != "")
    names = F.transform(pairs, lambda pair: F.regexp_extract(pair, r"\A([^=]*)=", 1))
    values = F.transform(pairs, lambda pair: _text(F.regexp_extract(pair, r"\A[^=]*=(.*)", 1)))
    unsure = ~query.rlike(_QUERY) | (F.size(F.array_distinct(names)) < F.size(names))
    return refuse(unsure, _NOT_DECODED, dynamic.bag(names, values))


@scalar("parse_urlquery parseurlquery", STRING, returns=DYNAMIC)
def parse_urlquery(query: Column) -> Column:
    return _bag(Query_Parameters=_parameters(query))


_URL = (
    r"\A([A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:([^:@/?#]*)(?::([^@/?#]*))?@)?"
    r"([^:@/?#\[\]]*)(?::([0-9]*))?"
    r"(/[^?#%]*)?(?:\?([^#]*))?(?:#([^%]*))?\z"
)


@scalar("parse_url parseurl", STRING, returns=DYNAMIC)
def parse_url(url: Column) -> Column:
    """The parts of an absolute URL as they are written."""
    part = [_text(F.regexp_extract(url, _URL, i)) for i in range(1, 9)]
    parameters = _parameters(F.regexp_extract(url, _URL, 7))
    made = _bag(
        Scheme=part[0],
        Host=part[3],
        Port=part[4],
        Path=part[5],
        Username=part[1],
        Password=part[2],
        Query_Parameters=parameters,
        Fragment=part[7],
    )
    return refuse(~url.rlike(_URL), "parse_url knows absolute URLs with nothing encoded only", made)


@scalar("parse_path", STRING, returns=DYNAMIC)
def parse_path(path: Column) -> Column:
    """The parts of a Windows or Unix path, with slashes of either kind."""
    scheme = F.regexp_extract(path, r"\A([A-Za-z][A-Za-z0-9+.-]+)://", 1)
    rest = F.regexp_replace(path, r"\A[A-Za-z][A-Za-z0-9+.-]+://", "")
    root = F.regexp_extract(rest, r"\A[A-Za-z]:[\\/]", 0)
    last = F.regexp_extract(rest, r"[^\\/]*\z", 0)
    directory = F.regexp_replace(F.substring(rest, F.lit(1), F.length(rest) - F.length(last)), r"[\\/]\z", "")
    file = F.regexp_extract(last, r"\A[^:]*", 0)
    made = _bag(
        Scheme=_text(scheme),
        RootPath=_text(root),
        DirectoryPath=_text(directory),
        DirectoryName=_text(F.regexp_extract(directory, r"[^\\/]*\z", 0)),
        Filename=_text(file),
        Extension=_text(F.regexp_extract(file, r"\.([^.]*)\z", 1)),
        AlternateDataStreamName=_text(F.regexp_extract(last, r":(.*)\z", 1)),
    )
    return refuse(~rest.rlike(_KNOWN_PATH), "parse_path: what Kusto makes of this path is not known", made)


_KNOWN_PATH = (
    r"\A(?!\\\\[?.]\\)"  # a device path
    r"(?:[A-Za-z]:[\\/](?=.*[\\/])|\\\\(?=.*\\.*\\)|/(?=.*/))?"  # a root and a directory in it
    r"[^\\/:]*(?:[\\/][^\\/:]+)*+(?<![\\/.])(?:[\\/]?|:[^:\\/]*)\z"
)
"""Paths whose parts the documentation shows: a directory below the root, and no empty names."""
