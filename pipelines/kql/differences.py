"""Where Lakehunt's answer may not be Kusto's, each once: `docs/reference/kql-support.md` is written from it.

A rule in place of Kusto's free choice is no difference in what a query means, and still here: two runs in Kusto may
differ, two runs here may not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.kql.scalar_parser import COMPARISONS


@dataclass(frozen=True)
class Difference:
    """How constructs of one `kind` ("aggregate", "function", "operator", "type" ...) differ, and why."""

    kind: str
    names: tuple[str, ...]
    how: str
    why: str


EARLIEST = "Kusto takes any; the same data must give the same rows"

NOT_KNOWN = "what Kusto gives is not known, and no answer is better than a wrong one"

UNKNOWN_ANSWERS = (
    ("strrep", "a count below 1 or above 1,024"),
    ("split", "an index below 0"),
    ("indexof", "a start before the beginning, and where matches overlap"),
    ("indexof_regex", "a match that crosses the end of what is searched"),
    ("countof", "an empty text to search for"),
    ("regex_quote", "characters that no answer of the engine shows"),
    ("format_bytes", "a fraction that ends in a zero"),
    ("url_encode url_encode_component", "one of `!'()*~`"),
    ("url_decode", "a `+`, and at what is not encoded"),
    ("parse_url", "a relative address, and at encoded characters"),
    ("parse_path", "a path of an unusual form"),
    ("parse_csv", "a quote within a field without quotes"),
    ("unicode_codepoints_to_string make_string", "a number that is no code point"),
    ("ipv4_is_in_range ipv6_is_in_range", "an address that is wider than the range"),
    ("has_ipv4 has_ipv4_prefix", "an address within a longer row of numbers and points"),
    ("parse_ipv6 parse_ipv6_mask ipv6_compare ipv6_is_match", "an IPv6 address that ends in an IPv4 one"),
)
"""Functions, and the values for which they refuse to answer."""

IGNORING_CASE = (
    *("=~", "!~", "in~", "!in~", "has_any", "has_all"),
    *sorted(name for name in COMPARISONS if name[-1].isalpha() and not name.endswith(("_cs", "regex"))),
)

DIFFERENCES = (
    Difference(
        "function",
        ("toint", "tolong"),
        "of a constant real outside of the range: the largest or smallest integer, as of such a real in a column",
        "Kusto folds such a constant to -9223372036854775808",
    ),
    Difference(
        "function",
        ("substring",),
        "a negative length takes nothing",
        "Kusto's documentation does not say; hunts cut at `indexof`, which is -1 where nothing is found",
    ),
    Difference(
        "function",
        ("hash", "hash_xxhash64"),
        "the remainder is that of the hash without a sign; the query fails at a null, and at a modulus below 1",
        "Kusto's documentation says only that the remainder lies between 0 and the modulus",
    ),
    Difference(
        "function",
        ("parse_ipv4", "ipv4_compare", "ipv4_is_match", "ipv4_is_private"),
        "text with a zero before an octet (`10.01.2.3`) is no address",
        "Kusto's documentation does not say",
    ),
    Difference(
        "function",
        ("ingestion_time",),
        "when the record landed in the lake; null in a registered table",
        "a lake has no other ingestion than its landing",
    ),
    Difference(
        "operator",
        ("evaluate",),
        "the columns that `bag_unpack` and `pivot` make of data are in sorted order, after the kept ones",
        "Kusto's documentation does not say",
    ),
    Difference(
        "aggregate",
        ("any", "take_any", "anyif", "take_anyif"),
        "the value of the earliest row that has one, by (Timestamp, ReportId, content); of several arguments, the "
        "earliest row in which the most have one",
        EARLIEST,
    ),
    Difference(
        "aggregate",
        ("arg_max", "arg_min"),
        "of rows that tie, the earliest",
        EARLIEST,
    ),
    Difference(
        "aggregate",
        ("make_set", "make_set_if", "makeset"),
        "the values are sorted; where there are more than fit (1,048,576, or 128 for `makeset`), the first of them",
        "Kusto leaves the order open",
    ),
    Difference(
        "aggregate",
        ("make_list", "make_list_if", "makelist", "make_list_with_nulls"),
        "the values are in the order of the rows, where no sort gives another",
        "Kusto leaves the order of unsorted rows open",
    ),
    Difference(
        "aggregate",
        ("dcount", "dcountif"),
        "exact; the accuracy is read and changes nothing",
        "Kusto estimates; an exact count lies within its estimate",
    ),
    Difference(
        "aggregate",
        ("percentile", "percentiles", "percentilew", "percentilesw", "percentiles_array", "percentilesw_array"),
        "exact: the smallest value that at least so many per cent are no larger than",
        "Kusto estimates where there are many values",
    ),
    Difference(
        "operator",
        ("take", "limit", "top", "top-nested", "sort", "order"),
        "of rows that tie, or have no order: the earliest event, the smallest group key, or the row written first",
        EARLIEST,
    ),
    Difference(
        "operator",
        ("join",),
        "`kind=innerunique`, the default, keeps the earliest row of each key on the left",
        EARLIEST,
    ),
    Difference(
        "operator",
        ("render",),
        "read and passed over",
        "charts are a portal's",
    ),
    Difference(
        "type",
        ("datetime",),
        "computed and compared to 100 ns; stored columns have 1 µs, the seventh digit cut off",
        "Delta's timestamps have microseconds",
    ),
    Difference(
        "type",
        ("decimal",),
        "38 digits, 18 of them behind the point",
        "Spark's decimals have a fixed point, Kusto's a floating one",
    ),
    Difference(
        "type",
        ("int", "long"),
        "division by zero is null",
        "Kusto's documentation does not say",
    ),
    Difference(
        "function",
        ("now", "ago"),
        "counted from the as-of instant of the run",
        "a run that is repeated must give the same rows",
    ),
    Difference(
        "function",
        ("ceiling",),
        "of a whole number, too, a real",
        "the engine's answer; Microsoft's binder says otherwise",
    ),
    *(
        Difference("function", tuple(names.split()), f"the query fails at {what}", NOT_KNOWN)
        for names, what in UNKNOWN_ANSWERS
    ),
    Difference(
        "comparison",
        IGNORING_CASE,
        "letters are the same whose small forms are, as Unicode has them",
        "Kusto's documentation does not say how it compares letters beyond ASCII",
    ),
    Difference(
        "comparison",
        ("matches regex",),
        "a pattern with more than 16 groups, or one that Java cannot match as Kusto's engine does, is refused",
        "Kusto's regular expressions are those of Rust, Spark's those of Java; they are translated",
    ),
)


def of(kind: str, name: str, differences: Iterable[Difference] = DIFFERENCES) -> Difference | None:
    """How this construct differs; None where it does not."""
    return next((d for d in differences if d.kind == kind and name in d.names), None)
