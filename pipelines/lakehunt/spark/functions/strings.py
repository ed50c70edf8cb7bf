"""String functions. Source: learn.microsoft.com/kusto/query/scalar-functions (string functions); where it is silent,
the engine's answers. Characters are Unicode code points throughout.

Where Kusto's result is not known, the query fails with a message instead of guessing."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import INTEGER, STRING_OR_DYNAMIC, Constant, OneOf, Text
from lakehunt.kql.types import BOOL, DYNAMIC, INT, LONG, REAL, STRING, Type, array_of
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.functions.text import SEARCHES, Needle, folded

MAX_REPEATED = 1024


def refuse(condition: Column, message: str, value: Column) -> Column:
    """The value; fails the query if the condition is true for a row, as Kusto's result is not known."""
    return F.when(condition, F.raise_error(F.lit(message))).otherwise(value)


def text_or_dynamic(value: Column, kind: Type) -> Column:
    """The text of a string or dynamic value."""
    return dynamic.text(value) if kind == DYNAMIC else value


def quoted(text: Column) -> Column:
    """The text as a Java regular expression that matches only itself."""
    return F.regexp_replace(text, r"([^\p{L}\p{N}])", r"\\$1")


def _is_ascii(text: Column) -> Column:
    return F.octet_length(text) == F.length(text)


_GROWING = {
    c: title if len(title := c.title()) == 1 else c for c in map(chr, range(0x80, 0x10000)) if len(c.upper()) > 1
}
"""The letters whose upper case is several characters in Java, and the one character it is in Kusto: ß stays ß."""

_STAND_INS = "".join(chr(0xF0000 + i) for i in range(len(_GROWING)))


@scalar("tolower", Text(), returns=STRING)
def tolower(text: Column) -> Column:
    """Letter by letter: Java would make a sigma at the end of a word another letter."""
    return F.when(_is_ascii(text), F.lower(text)).otherwise(F.lower(F.translate(text, "Σ", "σ")))


@scalar("toupper", Text(), returns=STRING)
def toupper(text: Column) -> Column:
    kept = F.translate(text, "".join(_GROWING), _STAND_INS)
    return F.when(_is_ascii(text), F.upper(text)).otherwise(
        F.translate(F.upper(kept), _STAND_INS, "".join(_GROWING.values()))
    )


@scalar("strlen", STRING_OR_DYNAMIC, returns=LONG, typed=True)
def strlen(types: Sequence[Type], text: Column) -> Column:
    return F.length(text_or_dynamic(text, types[0])).cast("bigint")


@scalar("string_size", STRING_OR_DYNAMIC, returns=LONG, typed=True)
def string_size(types: Sequence[Type], text: Column) -> Column:
    """In bytes of UTF-8."""
    return F.octet_length(text_or_dynamic(text, types[0])).cast("bigint")


@scalar("strcat", Text(), returns=STRING, rest=(Text(),))
def strcat(*texts: Column) -> Column:
    return F.concat(*texts)


@scalar("strcat_delim", Text(), Text(), Text(), returns=STRING, rest=(Text(),))
def strcat_delim(delimiter: Column, *texts: Column) -> Column:
    return F.call_function("concat_ws", delimiter, *texts)


@scalar("strcmp", Text(), Text(), returns=LONG)
def strcmp(left: Column, right: Column) -> Column:
    """-1, 0 or 1; texts are in the order of their code points."""
    return F.when(left < right, F.lit(-1)).when(left > right, F.lit(1)).otherwise(F.lit(0)).cast("bigint")


@scalar("strrep", Text(), LONG, Text(), returns=STRING, optional=1)
def strrep(text: Column, times: Column, delimiter: Column | None = None) -> Column:
    before_last = text if delimiter is None else F.concat(text, delimiter)
    repeated = F.concat(F.call_function("repeat", before_last, (times - 1).cast("int")), text)
    outside = times.isNull() | (times < 1) | (times > MAX_REPEATED)
    return refuse(outside, f"strrep repeats a text 1 to {MAX_REPEATED} times", repeated)


@scalar("reverse", Text(), returns=STRING)
def reverse(text: Column) -> Column:
    return F.reverse(text)


@scalar("substring", Text(), INTEGER, returns=STRING)
def substring_to_end(text: Column, start: Column) -> Column:
    """A negative start counts from the end; one before the beginning gives nothing."""
    return _from(text, start, F.length(text))


@scalar("substring", Text(), INTEGER, INTEGER, returns=STRING)
def substring(text: Column, start: Column, length: Column) -> Column:
    """A negative length takes nothing: hunts cut at `indexof(...)`, which is -1 where nothing is found."""
    return _from(text, start, length)


def _from(text: Column, start: Column, length: Column) -> Column:
    size = F.length(text)
    first = F.when(start < 0, start + size).otherwise(start)
    within = (first >= 0) & (first < size) & (length > 0)
    cut = F.substring(text, (first + 1).cast("int"), F.least(length, size).cast("int"))
    return F.when(within, cut).otherwise(F.lit(""))


@scalar("split", Text(), STRING, returns=array_of(STRING))
def split(text: Column, delimiter: Column) -> Column:
    parts = F.call_function("split", text, quoted(delimiter), F.lit(-1))
    return refuse(delimiter == "", "split needs a delimiter that is not empty", parts)


@scalar("split", Text(), STRING, INTEGER, returns=array_of(STRING))
def split_part(text: Column, delimiter: Column, index: Column) -> Column:
    """An array of the one part; null where there is none of that index."""
    parts = split(text, delimiter)
    part = F.when(F.size(parts) > index, F.array(F.get(parts, index.cast("int"))))
    return refuse(index.isNull() | (index < 0), "split needs an index from 0", part)


@scalar("indexof", Text(), Text(), returns=LONG)
def indexof(text: Column, match: Column) -> Column:
    return indexof_between(text, match, F.lit(0))


@scalar("indexof", Text(), Text(), INTEGER, INTEGER, Constant(INTEGER), returns=LONG, optional=2)
def indexof_between(
    text: Column, match: Column, start: Column, length: Column | None = None, occurrence: int | None = 1
) -> Column:
    """The start counts from the end where it is negative. A match must begin within `length` characters of it (the
    engine does not ask that it end there); -1 means any number. Nothing to look for is null."""
    if occurrence is None or occurrence == 0:
        raise LakehuntError("indexof needs an occurrence from 1")
    length = F.lit(-1) if length is None else length
    size = F.length(text)
    first = F.when(start < 0, start + size).otherwise(start)
    place = _occurrence(text, match, first, occurrence, F.lit(1))
    if occurrence > 1:
        apart = _occurrence(text, match, first, occurrence, F.length(match))
        place = refuse(place != apart, "indexof: matches that overlap cannot be counted here", place)
    found = F.when((place > 0) & ((length == -1) | (place <= first + length)), place - 1).otherwise(F.lit(-1))
    known = refuse(start + size < 0, "indexof cannot start before the beginning", found.cast("bigint"))
    valid = (match != "") & (length >= -1) & F.lit(occurrence > 0) & start.isNotNull()
    return F.when(valid, known)


def _occurrence(text: Column, match: Column, first: Column, occurrence: int, step: Column) -> Column:
    """The place (from 1) of the n-th match; 0 where there are fewer."""
    place = F.call_function("locate", match, text, (first + 1).cast("int"))
    for _ in range(occurrence - 1):
        place = F.when(place > 0, F.call_function("locate", match, text, (place + step).cast("int"))).otherwise(0)
    return place


@scalar("replace_string", STRING, STRING, STRING, returns=STRING)
def replace_string(text: Column, lookup: Column, rewrite: Column) -> Column:
    """Nothing to look for changes nothing."""
    return F.replace(text, lookup, rewrite)


@scalar("replace_strings", STRING, Constant(DYNAMIC), Constant(DYNAMIC), returns=STRING)
def replace_strings(text: Column, lookups: object, rewrites: object) -> Column:
    """Lookups are applied in order; text replaced by one (through a placeholder) is not matched by later ones. A lookup
    that is not a string is ignored; matches whose rewrite is not a string are consumed but not changed."""
    if not isinstance(lookups, list) or not isinstance(rewrites, list) or len(lookups) != len(rewrites):
        raise LakehuntError("replace_strings needs two arrays of one length")
    pairs = [(old, new) for old, new in zip(lookups, rewrites, strict=True) if isinstance(old, str) and old]
    stand_ins = [F.lit(chr(0x10F000 + i)) for i in range(len(pairs))]
    for (old, _), stand_in in zip(pairs, stand_ins, strict=True):
        text = F.replace(text, F.lit(old), stand_in)
    for (old, new), stand_in in zip(pairs, stand_ins, strict=True):
        text = F.replace(text, stand_in, F.lit(new if isinstance(new, str) else old))
    return text


@scalar("translate", STRING, STRING, STRING, returns=STRING)
def translate(search: Column, replacement: Column, text: Column) -> Column:
    """If there are fewer replacements, the last one is used for the rest; without any, characters are removed."""
    missing = F.greatest(F.length(search) - F.length(replacement), F.lit(0))
    last = F.substring(replacement, -1, 1)
    return F.call_function("translate", text, search, F.concat(replacement, F.call_function("repeat", last, missing)))


@scalar("has_any_index", STRING_OR_DYNAMIC, DYNAMIC, returns=LONG, typed=True)
def has_any_index(types: Sequence[Type], text: Column, values: Column) -> Column:
    """The index of the first value that the text has as a term; -1 where it has none."""
    within = folded(text_or_dynamic(text, types[0]))
    found = F.transform(
        dynamic.elements(values), lambda v: SEARCHES["has"](within, Needle(dynamic.text(v), None, any_case=True))
    )
    return F.array_position(found, True) - 1


@scalar("isascii", Text(), returns=BOOL)
def isascii(text: Column) -> Column:
    return _is_ascii(text)


@scalar("isutf8", Text(), returns=BOOL)
def isutf8(text: Column) -> Column:
    """Every text is."""
    return F.lit(True)


@scalar("tohex", INTEGER, INTEGER, returns=STRING, optional=1, typed=True)
def tohex(types: Sequence[Type], value: Column, length: Column | None = None) -> Column:
    """Of an int the two's complement of 32 bits, of a long that of 64; padded with zeros to the length."""
    bits = value.bitwiseAND(F.lit(0xFFFFFFFF)) if types[0] == INT else value
    digits = F.lower(F.hex(bits.cast("bigint")))
    padded = digits if length is None else F.lpad(digits, F.greatest(length, F.length(digits)).cast("int"), F.lit("0"))
    return F.coalesce(padded, digits, F.lit(""))


_UNITS = ("Bytes", "KB", "MB", "GB", "TB", "PB", "EB")


@scalar(
    "format_bytes",
    OneOf((INT, LONG, REAL)),
    Constant(INTEGER),
    Constant(STRING),
    returns=STRING,
    optional=2,
)
def format_bytes(size: Column, precision: int | None = 0, unit: str | None = None) -> Column:
    """Rounded to `precision` digits of a unit, by default the largest one that the size reaches."""
    if precision is None or not 0 <= precision <= 15 or (unit and unit not in _UNITS):
        raise LakehuntError("format_bytes takes 0 to 15 digits and a unit", f"one of {', '.join(_UNITS)}")
    value = size.cast("double")
    reached = F.coalesce(F.floor(F.log2(F.abs(value)) / 10), F.lit(0))
    power = F.lit(_UNITS.index(unit)) if unit else F.greatest(F.lit(0), F.least(reached, F.lit(6)))
    written = F.format_string(f"%.{precision}f", value / F.pow(F.lit(1024.0), power))
    if precision:
        known = "format_bytes: whether Kusto writes a zero at the end of a fraction is not known"
        written = refuse(written.endswith("0"), known, written)
    name = F.element_at(F.array(*map(F.lit, _UNITS)), (power + 1).cast("int"))
    return F.when(value.isNotNull(), F.concat(written, F.lit(" "), name)).otherwise(F.lit(""))
