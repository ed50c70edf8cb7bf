"""Dynamic values in Spark: JSON text, null for the null value.

Text and not VARIANT, because property bags keep the order of their keys in Kusto, and a VARIANT sorts them. Generated
text is compact, as in Kusto, so equal values have equal texts.

Three techniques are used throughout:

- `get_json_object(text, '$.a')` returns a string without its quotes, so that "5" and 5 look the same; with a wildcard
over an array, `get_json_object('[' || text || ']', '$[*].a')`, it returns JSON. - `from_json(text, 'array<string>')`
loses the quotes as well, so every string is prefixed with a letter before (`_marked`). - a value that is used several
times is computed once, as the element of a one-element array in a lambda (`named`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column

from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, REAL, STRING, TIMESPAN, Type
from lakehunt.spark.columns import F
from lakehunt.spark.surrogates import well_formed
from lakehunt.spark.values import named, text_of_datetime, text_of_decimal, text_of_timespan

NULL = "null"

STRICT = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
"""Options for strict JSON."""


def kind(value: Column) -> Column:
    """The type as returned by `gettype`: null, bool, long, double, string, array or dictionary."""
    return named(value, _kind)


def _kind(value: Column) -> Column:
    first = F.substring(value, 1, 1)
    return (
        F.when(value.isNull() | (first == "n"), F.lit("null"))
        .when(first == "{", F.lit("dictionary"))
        .when(first == "[", F.lit("array"))
        .when(first == '"', F.lit("string"))
        .when(first.isin("t", "f"), F.lit("bool"))
        .when(value.rlike(r"[.eE]"), F.lit("double"))
        .otherwise(F.lit("long"))
    )


def is_array(value: Column) -> Column:
    return F.coalesce(F.startswith(value, F.lit("[")), F.lit(False))


def is_bag(value: Column) -> Column:
    return F.coalesce(F.startswith(value, F.lit("{")), F.lit(False))


def is_string(value: Column) -> Column:
    return F.coalesce(F.startswith(value, F.lit('"')), F.lit(False))


def number(value: Column) -> Column:
    """A number as a DOUBLE; null for other values."""
    return F.when(value.rlike(r"^-?\d"), value.cast("double"))


def given(json: Column) -> Column:
    """The dynamic value of a JSON text: the text `null`, as in an array, is the null value."""
    return F.nullif(json, F.lit(NULL))


def parsed(text: Column) -> Column:
    """Parses JSON text; an empty text is null, and text that is not JSON becomes a string."""
    return named(text, lambda written: named(well_formed(written), lambda json: _parsed(written, json)))


def _parsed(text: Column, json: Column) -> Column:
    """Spark's parser stops after the first value. To detect trailing text, the text is also parsed inside an array and
    inside an object: text that closes one is invalid in the other."""
    in_array = F.from_json(_boxed(json), "array<string>", STRICT)
    in_object = F.from_json(F.concat(F.lit('{"v":'), json, F.lit("}")), "map<string,string>", STRICT)
    one = (F.size(in_array) == 1) & (F.size(in_object) == 1)
    return (
        F.when(one, given(normal(F.get_json_object(_boxed(json), "$[*]"))))
        .when(F.trim(text) == "", F.lit(None))
        .otherwise(encoded(text, STRING))
    )


def normal(json: Column) -> Column:
    """JSON written by Spark, with characters and numbers in Kusto's format. Spark writes a character above U+FFFF as
    two escapes, a real with Java's exponent, and an integer out of the range of long, which becomes a real."""
    odd = json.rlike(r"\dE-?\d|\d{19}|\\uD")
    return F.when(odd, named(json, _mended)).otherwise(json)


def _mended(json: Column) -> Column:
    return _renumbered(F.when(F.contains(json, F.lit(r"\uD")), _with_characters(json)).otherwise(json))


def _with_characters(json: Column) -> Column:
    """JSON whose escapes of surrogates are the characters that they mean.

    The JSON becomes the text of a JSON string in which they are the only escapes, and that string is read."""
    text = F.regexp_replace(_hidden(json), r'"|\\(?!u[dD][89a-fA-F])', r"\\$0")
    boxed = F.concat(F.lit('["'), text, F.lit('"]'))
    return _shown(F.get(F.from_json(boxed, "array<string>", {"allowUnquotedControlChars": "true"}), F.lit(0)))


def _renumbered(json: Column) -> Column:
    beyond = r"^-?\d{19,}$"

    def written(token: Column) -> Column:
        real = token.rlike(r"^-?\d[\d.]*E") | (token.rlike(beyond) & token.cast("bigint").isNull())
        return F.when(real, text_of_json_real(token.cast("double"))).otherwise(token)

    return _shown(F.array_join(F.transform(_tokens(json), written), ""))


def text_of_json_real(value: Column) -> Column:
    """A finite real in JSON: the shortest digits, at least one after the point; with an exponent from 1E+15 and below
    1E-05."""

    def written(java: Column) -> Column:
        size = F.abs(java.cast("double"))
        plain = F.regexp_replace(java.cast("decimal(38,22)").cast("string"), r"(\.\d+?)0*$", "$1")
        signed = F.regexp_replace(F.regexp_replace(java, r"(?:\.0)?E(-?)(\d+)$", "E$1+$2"), r"E-\+", "E-")
        power = F.regexp_replace(signed, r"E([+-])(\d)$", "E$10$2")
        return (
            F.when(~F.contains(java, F.lit("E")), java)
            .when((size >= 1e15) | ((size < 1e-5) & (size > 0)), power)
            .otherwise(plain)
        )

    return named(value.cast("string"), written)


def _tokens(json: Column) -> Column:
    """Tokens of compact JSON (strings, other values, punctuation) as ARRAY<STRING>; escapes are hidden."""
    return F.regexp_extract_all(_hidden(json), F.lit(r'"[^"]*+"|[^",:\[\]{}]++|[,:\[\]{}]'), F.lit(0))


def _hidden(json: Column) -> Column:
    """JSON with escaped backslashes and quotes replaced by control characters, which JSON cannot contain, so that a
    string extends from quote to quote."""
    return _replaced(json, ("\\\\", "\x01"), ('\\"', "\x02"))


def _shown(json: Column) -> Column:
    return _replaced(json, ("\x02", '\\"'), ("\x01", "\\\\"))


def _replaced(text: Column, *pairs: tuple[str, str]) -> Column:
    for old, new in pairs:
        text = F.replace(text, F.lit(old), F.lit(new))
    return text


def _marked(json: Column) -> Column:
    """JSON with every string prefixed with `s`."""
    return _shown(F.regexp_replace(_hidden(json), '"([^"]*+)"', '"s$1"'))


def _unmarked(json: Column) -> Column:
    return _shown(F.regexp_replace(_hidden(json), '"s([^"]*+)"', '"$1"'))


def member(value: Column, path: str) -> Column:
    """The value at a path (`.a`, `['b c']`, `[0]`, concatenated), or null."""
    return normal(F.get_json_object(_boxed(value), f"$[*]{path}"))


def property_of(value: Column, name: Column) -> Column:
    """The value of a property."""
    return named(F.struct(value.alias("value"), name.alias("name")), lambda p: _property_of(p["value"], p["name"]))


def _property_of(value: Column, name: Column) -> Column:
    unusual = name.rlike(r"^$|['*?\\]")  # not supported in Spark's JSON paths
    found = F.filter(properties(value), lambda p: p["n"] == name)
    plain = normal(_at(value, F.concat(F.lit("$[*]['"), name, F.lit("']"))))
    return F.when(is_bag(value), F.when(unusual, given(F.get(found, F.lit(0))["t"])).otherwise(plain))


def item(value: Column, index: Column) -> Column:
    """The element at an index from 0; a negative one counts from the end."""
    return named(F.struct(value.alias("value"), index.alias("index")), lambda p: _item(p["value"], p["index"]))


def _item(value: Column, index: Column) -> Column:
    size = F.json_array_length(value)
    at = F.when(index < 0, size + index).otherwise(index).cast("bigint")
    path = F.concat(F.lit("$[*]["), at.cast("string"), F.lit("]"))
    return F.when(is_array(value) & (at >= 0), normal(_at(value, path)))


def elements(value: Column) -> Column:
    """The elements of an array as ARRAY<STRING> of JSON texts (a null element is the text `null`); null for other
    values."""

    def read(json: Column) -> Column:
        return F.when(is_array(json), F.transform(F.from_json(_marked(json), "array<string>"), _json_of_marked))

    return named(value, read)


def properties(value: Column) -> Column:
    """The properties of a bag, in order, as ARRAY<STRUCT<n, t>> of name and JSON text; null for other values. The first
    of several equal names wins."""

    def read(json: Column) -> Column:
        return F.when(is_bag(json), named(F.map_entries(F.from_json(_marked(json), "map<string,string>")), distinct))

    def distinct(pairs: Column) -> Column:
        names = pairs["key"]
        kept = F.filter(pairs, lambda p, i: F.array_position(names, p["key"]) == i + 1)
        once = F.when(F.size(F.array_distinct(names)) == F.size(names), pairs).otherwise(kept)
        return F.transform(once, lambda p: F.struct(_rest(p["key"]).alias("n"), _json_of_marked(p["value"]).alias("t")))

    return named(value, read)


def entries(value: Column) -> Column:
    """The properties of a bag as MAP<STRING, STRING> of name and JSON text, in order; null for any other value."""
    return F.map_from_entries(properties(value))


def _json_of_marked(text: Column) -> Column:
    """The JSON of a value of marked JSON that from_json gave as text (a string without its quotes)."""
    first = F.substring(text, 1, 1)
    return normal(
        F.when(text.isNull(), F.lit(NULL))
        .when(first == "s", _quoted(_rest(text)))
        .when(first.isin("[", "{"), _unmarked(text))
        .otherwise(text)
    )


def _rest(text: Column) -> Column:
    return F.substring(text, 2, 2_147_483_647)


def array(texts: Column) -> Column:
    """The array of an ARRAY<STRING> of JSON texts; a null among them is a null element."""
    return F.concat(F.lit("["), F.array_join(texts, ",", NULL), F.lit("]"))


def array_of(*texts: Column) -> Column:
    """The array of some JSON texts."""
    return array(F.array(*texts)) if texts else F.lit("[]")


def bag(names: Column, texts: Column) -> Column:
    """The bag of an ARRAY<STRING> of names and one of JSON texts; the first of several equal names wins."""
    return bag_of_properties(F.zip_with(names, texts, lambda n, t: F.struct(n.alias("n"), t.alias("t"))))


def bag_of_properties(pairs: Column) -> Column:
    """The bag of an ARRAY<STRUCT<n, t>> of names and JSON texts; the first of several equal names wins."""

    def written(found: Column) -> Column:
        names = found["n"]
        kept = F.filter(found, lambda p, i: F.array_position(names, p["n"]) == i + 1)
        once = F.when(F.size(F.array_distinct(names)) == F.size(names), found).otherwise(kept)
        each = F.transform(once, lambda p: F.concat(_quoted(p["n"]), F.lit(":"), F.coalesce(p["t"], F.lit(NULL))))
        return F.concat(F.lit("{"), F.array_join(each, ","), F.lit("}"))

    return named(pairs, written)


def bag_of(pairs: Sequence[tuple[Column, Column]]) -> Column:
    """The bag of some names and JSON texts."""
    if not pairs:
        return F.lit("{}")
    return bag(F.array(*(name for name, _ in pairs)), F.array(*(text for _, text in pairs)))


def encoded(value: Column, kind: Type) -> Column:
    """A value of any type converted to dynamic: JSON text, null for null. Datetimes, timespans, guids and decimals
    become strings, as do reals that JSON cannot represent."""
    return _ENCODINGS[kind](value) if kind.element is None else from_elements(value, kind.element)


def from_elements(value: Column, element: Type) -> Column:
    """The dynamic array of an ARRAY of values of one type."""
    if element in (INT, LONG, BOOL, STRING):
        return F.to_json(value)
    return F.when(value.isNotNull(), array(F.transform(value, lambda e: encoded(e, element))))


def _quoted(text: Column) -> Column:
    def cut(in_array: Column) -> Column:
        return F.substring(in_array, F.lit(2), F.length(in_array) - 2)

    return F.when(text.isNotNull(), named(F.to_json(F.array(text)), cut))


def _at(value: Column, path: Column) -> Column:
    """The JSON at a path into the boxed value. (The Python function takes only constant paths.)"""
    return F.call_function("get_json_object", _boxed(value), path)


def _boxed(value: Column) -> Column:
    return F.concat(F.lit("["), value, F.lit("]"))


def text(value: Column) -> Column:
    """As `tostring`: a string without its quotes, null as the empty string, anything else as JSON."""

    def plain(json: Column) -> Column:
        return F.when(is_string(json), F.get_json_object(_boxed(json), "$[0]")).otherwise(json)

    return F.coalesce(named(value, plain), F.lit(""))


def sorted_keys(json: Column) -> Column:
    """A value with the keys of all bags sorted, by converting it to a VARIANT. A VARIANT changes numbers (1.0 to 1), so
    they are stored as strings, with a prefix that distinguishes them."""

    def marked(token: Column) -> Column:
        string = F.concat(F.lit('"s'), _rest(token))
        number = F.concat(F.lit('"n'), token, F.lit('"'))
        return F.when(is_string(token), string).when(token.rlike(r"^-?\d"), number).otherwise(token)

    variant = F.to_json(F.try_parse_json(_shown(F.array_join(F.transform(_tokens(json), marked), ""))))
    back = F.regexp_replace(F.regexp_replace(_hidden(variant), '"n([^"]*+)"', "$1"), '"s([^"]*+)"', '"$1"')
    return _shown(back)


_ENCODINGS: dict[Type, Callable[[Column], Column]] = {
    BOOL: lambda v: v.cast("string"),
    INT: lambda v: v.cast("string"),
    LONG: lambda v: v.cast("string"),
    REAL: lambda v: (
        F.when(F.isnan(v), F.lit('"NaN"'))
        .when(F.abs(v) == float("inf"), F.when(v > 0, '"Infinity"').otherwise('"-Infinity"'))
        .otherwise(text_of_json_real(v))
    ),
    DECIMAL: lambda v: _quoted(text_of_decimal(v)),
    DATETIME: lambda v: _quoted(text_of_datetime(v)),
    TIMESPAN: lambda v: _quoted(text_of_timespan(v)),
    GUID: _quoted,
    STRING: _quoted,
    DYNAMIC: lambda v: v,
}
