"""Functions of regular expressions; `lakehunt.kql.regexes` compiles their patterns, `LinearRegex.java` matches them.

Source: learn.microsoft.com/kusto/query/scalar-functions (string functions); where it is silent, the engine's
answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pyspark import SparkContext
from pyspark.sql import Column, SparkSession
from pyspark.sql.utils import get_active_spark_context

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import INTEGER, TYPE, Constant, NamedType, Pattern, Text
from lakehunt.kql.regexes import MAX_COLUMNS, MAX_GROUPS, Regex, RegexError, translated
from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, REAL, STRING, TIMESPAN, Type
from lakehunt.runtime import janino
from lakehunt.spark.columns import F, called
from lakehunt.spark.functions.registry import form, scalar
from lakehunt.spark.functions.strings import quoted, refuse

_CLASSES = ("RegexCharacters", "CharacterSets", "RegexProgram", "RegexMatcher", "LinearRegex")

REGEX = Constant(Pattern())
"""A regular expression that must be a constant; the function is given its text."""

_CONVERSIONS = {
    BOOL: "tobool",
    INT: "toint",
    LONG: "tolong",
    REAL: "toreal",
    DECIMAL: "todecimal",
    DATETIME: "todatetime",
    TIMESPAN: "totimespan",
    GUID: "toguid",
    DYNAMIC: "todynamic",
}


def regex(pattern: str | None, groups: int = MAX_GROUPS) -> Regex:
    """A compiled constant pattern; a null text is the empty one."""
    try:
        return translated(pattern or "", groups)
    except RegexError as error:
        raise LakehuntError(str(error)) from error


def _matched(method: str, known: Regex, text: Column, *more: object) -> Column:
    """What a method of `LinearRegex.java` gives for a text. Its texts are bytes, in both directions."""
    function = _function(get_active_spark_context(), method, known.pattern, known.program, *more)
    return called(function, text.cast("binary"))


@lru_cache(maxsize=1024)
def _function(context: SparkContext, method: str, pattern: str, program: str, *more: object) -> Any:
    """One object for each function: to Spark, expressions are equal if their functions are the same object."""
    name = " ".join([f"regex_{method}", repr(pattern), *map(repr, more)])
    return getattr(_engine(context), method)(name, program, *more)


@lru_cache(maxsize=1)
def _engine(context: SparkContext) -> Any:
    return janino.compile_together(SparkSession.active(), _CLASSES)["LinearRegex"].newInstance()


def converted(text: Column, kind: Type) -> Column:
    """Text as a value of a type, null where it is none."""
    if kind == STRING:
        return text
    value: Column = form("scalar", _CONVERSIONS[kind], [STRING]).call([STRING], [text], [None])
    return value


def matches(text: Column, pattern: Column, constant: str | None) -> Column:
    """`text matches regex pattern`; `constant` is the pattern, None where it is not the same in every row."""
    if constant is None:
        raise LakehuntError("the pattern of 'matches regex' must be a constant")
    return _matched("matches", regex(constant), text)


def first_groups(text: Column, pattern: str) -> Column:
    """ARRAY<STRING>: the groups of the first match, null where there is none."""
    return _matched("groups", regex(pattern, MAX_COLUMNS), text).cast("array<string>")


@scalar("extract", REGEX, Constant(INTEGER), STRING, returns=STRING)
def extract(pattern: str, group: int, text: Column) -> Column:
    """The text of a group in the first match; empty where there is none, or where the group takes no part in it."""
    known = regex(pattern)
    return _matched("extract", known, text, _group(known, group)).cast("string")


@scalar("extract", REGEX, Constant(INTEGER), STRING, Constant(TYPE), returns=NamedType())
def extract_typed(pattern: str, group: int, text: Column, kind: Type) -> Column:
    return converted(extract(pattern, group, text), kind)


@scalar("extract_all extractall", REGEX, STRING, returns=DYNAMIC)
def extract_all(pattern: str, text: Column) -> Column:
    """All matches: an array of texts for one group, of arrays of them for several; null where there is no match."""
    return _all(regex(pattern), range(1, regex(pattern).groups + 1), text)


@scalar("extract_all extractall", REGEX, Constant(DYNAMIC), STRING, returns=DYNAMIC)
def extract_some(pattern: str, groups: object, text: Column) -> Column:
    """Only the groups of these numbers or names."""
    known = regex(pattern)
    if not isinstance(groups, list):
        raise LakehuntError("extract_all takes its groups as an array")
    numbers = [known.names.index(g) + 1 if g in known.names else g for g in groups]
    if not all(isinstance(n, int) for n in numbers):
        raise LakehuntError("extract_all asks for a group that the regular expression does not have")
    return _all(known, [_group(known, n) for n in numbers if isinstance(n, int)], text)


def _group(known: Regex, number: int | None) -> int:
    if number is None or not 0 <= number <= known.groups:
        raise LakehuntError(f"the regular expression has {known.groups} groups, not one of number {number}")
    return number


def _all(known: Regex, groups: Sequence[int], text: Column) -> Column:
    if not groups:
        raise LakehuntError("extract_all needs a regular expression with a group")
    found = all_groups(known, groups, text)
    return F.when(F.size(found) > 0, F.to_json(found if len(groups) > 1 else F.flatten(found)))


def all_groups(known: Regex, groups: Sequence[int], text: Column) -> Column:
    """ARRAY<ARRAY<STRING>>: for each match the groups of these numbers."""
    return _matched("all", known, text, " ".join(map(str, groups))).cast("array<array<string>>")


@scalar("replace_regex", STRING, REGEX, Constant(STRING), returns=STRING)
def replace_regex(text: Column, pattern: str, rewrite: str) -> Column:
    r"""All matches; `\1` in the rewrite is the first group, `\0` the match."""
    known = regex(pattern)
    return _replaced(known, text, _checked_rewrite(known, rewrite or ""))


@scalar("replace", REGEX, Constant(STRING), STRING, returns=STRING)
def replace(pattern: str, rewrite: str, text: Column) -> Column:
    return replace_regex(text, pattern, rewrite)


def _replaced(known: Regex, text: Column, rewrite: str) -> Column:
    return _matched("replace", known, text, rewrite).cast("string")


def _checked_rewrite(known: Regex, rewrite: str) -> str:
    for escaped in re.findall(r"\\(.?)", rewrite, re.DOTALL):
        if escaped in set("0123456789"):
            _group(known, int(escaped))
        elif escaped != "\\":
            raise LakehuntError(f"the rewriting has '\\{escaped}'; write '\\\\\\\\' for a backslash")
    return rewrite


@scalar("trim", REGEX, STRING, returns=STRING)
def trim(pattern: str, text: Column) -> Column:
    """Removes one match at the start and one at the end."""
    return trim_end(pattern, trim_start(pattern, text))


@scalar("trim_start", REGEX, STRING, returns=STRING)
def trim_start(pattern: str, text: Column) -> Column:
    return _replaced(regex(pattern).at_start, text, "")


@scalar("trim_end", REGEX, STRING, returns=STRING)
def trim_end(pattern: str, text: Column) -> Column:
    return _replaced(regex(pattern).at_end, text, "")


@scalar("countof", STRING, STRING, returns=LONG)
def countof(text: Column, search: Column) -> Column:
    """Matches of plain text may overlap."""
    found = F.regexp_count(text, F.concat(F.lit("(?="), quoted(search), F.lit(")"))).cast("bigint")
    return refuse(search == "", "countof needs a text to search for", found)


@scalar("countof", STRING, Constant(STRING), Constant(STRING), returns=LONG)
def countof_kind(text: Column, search: str, kind: str) -> Column:
    """Matches of a regular expression do not overlap."""
    if kind == "normal":
        return countof(text, F.lit(search or ""))
    if kind != "regex":
        raise LakehuntError("the kind of countof is normal or regex")
    return _matched("count", regex(search), text)


@scalar("indexof_regex", Text(), REGEX, INTEGER, INTEGER, Constant(INTEGER), returns=LONG, optional=3)
def indexof_regex(
    text: Column, pattern: str, start: Column | None = None, length: Column | None = None, occurrence: int | None = 1
) -> Column:
    """The place of the n-th match from `start`, matches not overlapping; -1 where there is none."""
    known = regex(pattern)
    if known.empty or occurrence is None or occurrence == 0:
        raise LakehuntError("indexof_regex needs a pattern that does not match nothing, and an occurrence from 1")
    start = F.lit(0) if start is None else start
    length = F.lit(-1) if length is None else length
    searched = F.substring(text, (start + 1).cast("int"), F.length(text))
    span = _matched("span", known, searched, max(occurrence, 1))
    place, end = F.get(span, F.lit(0)), F.get(span, F.lit(1))
    within = (length == -1) | (place < length)
    within = refuse(
        (length != -1) & (place < length) & (end > length), "indexof_regex: a match crosses the end", within
    )
    found = F.when(span.isNotNull() & within, start + place).otherwise(F.lit(-1)).cast("bigint")
    return F.when((start >= 0) & (length >= -1) & F.lit(occurrence > 0), found)


_QUOTED = r"([\\.+*?()|\[\]{}^$#&~-])"


@scalar("regex_quote", Text(), returns=STRING)
def regex_quote(text: Column) -> Column:
    """Escapes every special character of regular expressions."""
    unknown = text.rlike(r"[ !\"%',/:;<=>@`\x00-\x1f\x7f]")
    return refuse(
        unknown, "regex_quote: whether Kusto escapes this is not known", F.regexp_replace(text, _QUOTED, r"\\$1")
    )
