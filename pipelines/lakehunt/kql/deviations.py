"""Known deviations from Kusto, each listed once; `docs/reference/kql-support.md` is generated from them.

Deterministic choices where Kusto is nondeterministic are listed, too, although they do not change a query's meaning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lakehunt.kql.scalar_parser import COMPARISONS


@dataclass(frozen=True)
class Deviation:
    """How constructs of one `kind` ("aggregate", "function", "operator", "type" ...) differ, and why."""

    kind: str
    names: tuple[str, ...]
    how: str
    why: str


EARLIEST = "Kusto may take any; here the same data always give the same rows"

NOT_KNOWN = "Kusto's answer is not known, and a refusal is better than a wrong answer"

NUMBER_SEARCHED = "Microsoft's binder refuses such a number, too; what its engine compares it with is not documented"

UNKNOWN_ANSWERS = (
    ("toint", "a constant real out of range"),
    ("gamma loggamma", "a number that is not positive"),
    ("beta_cdf beta_pdf beta_inv", "parameters and probabilities out of range, save those whose answer is known"),
    ("strrep", "a count below 1 or above 1,024"),
    ("split", "an index below 0"),
    ("indexof", "a start before the beginning, and for overlapping matches"),
    ("indexof_regex", "a match that crosses the end of what is searched"),
    ("countof", "an empty text to search for"),
    ("regex_quote", "characters whose quoting is not known"),
    ("format_bytes", "a fraction that ends in a zero"),
    ("url_encode url_encode_component", "one of `!'()*~`"),
    ("url_decode", "a `+`, and for characters that should be encoded"),
    ("parse_url", "a relative address, and for encoded characters"),
    ("parse_path", "a path of an unusual form"),
    ("parse_csv", "a quote within an unquoted field"),
    ("unicode_codepoints_to_string make_string", "a number that is not a code point"),
    ("ipv4_is_in_range ipv6_is_in_range", "an address that is wider than the range"),
    ("has_ipv4 has_ipv4_prefix", "an address within a longer row of numbers and points"),
    (
        "parse_ipv6 parse_ipv6_mask ipv6_compare ipv6_is_match",
        "an IPv6 address that ends in an IPv4 one and has a prefix",
    ),
)
"""Functions, and the values for which they raise an error instead of returning a result."""

IGNORING_CASE = (
    *("=~", "!~", "in~", "!in~", "has_any", "has_all"),
    *sorted(name for name in COMPARISONS if name[-1].isalpha() and not name.endswith(("_cs", "regex"))),
)

DEVIATIONS = (
    Deviation(
        "function",
        ("geo_h3cell_neighbors", "geo_s2cell_neighbors"),
        "the neighbours are always in the same order",
        "not documented by Kusto: it is that of one known answer, and other cells may have theirs in another order",
    ),
    Deviation(
        "function",
        (
            "geo_intersection_2lines",
            "geo_intersection_2polygons",
            "geo_intersection_line_with_polygon",
            "geo_line_buffer",
            "geo_polygon_buffer",
            "geo_union_lines_array",
            "geo_union_polygons_array",
        ),
        "coordinates may differ in their last digits, and where several shapes meet, the first vertex of a ring",
        "Kusto uses a part of S2 whose Java library is not released; this is the same geometry, written anew",
    ),
    Deviation(
        "function",
        ("substring",),
        "a negative length gives the empty string",
        "not documented by Kusto; hunts cut at `indexof`, which is -1 if nothing is found",
    ),
    Deviation(
        "function",
        ("hash", "hash_xxhash64"),
        "the remainder is computed from the unsigned hash; the query fails for null and for a modulus below 1",
        "Kusto documents only that the remainder is between 0 and the modulus",
    ),
    Deviation(
        "function",
        ("parse_ipv4", "ipv4_compare", "ipv4_is_match", "ipv4_is_private"),
        "text with a leading zero in an octet (`10.01.2.3`) is not a valid address",
        "not documented by Kusto",
    ),
    Deviation(
        "function",
        ("ingestion_time",),
        "the time at which the record was landed in the lake; null in a registered table",
        "landing is the only ingestion of a lake",
    ),
    Deviation(
        "operator",
        ("evaluate",),
        "columns that `bag_unpack` and `pivot` derive from data are sorted, after the existing columns",
        "not documented by Kusto",
    ),
    Deviation(
        "aggregate",
        ("any", "take_any", "anyif", "take_anyif"),
        "the value of the earliest row that has one, by (Timestamp, ReportId, content); with several arguments, the "
        "earliest row with the most non-null values",
        EARLIEST,
    ),
    Deviation(
        "aggregate",
        ("arg_max", "arg_min"),
        "the earliest of the rows that tie",
        EARLIEST,
    ),
    Deviation(
        "aggregate",
        ("make_set", "make_set_if", "makeset"),
        "values are sorted; if there are more than fit (1,048,576, or 128 for `makeset`), the first ones are kept",
        "Kusto does not define the order",
    ),
    Deviation(
        "aggregate",
        ("make_list", "make_list_if", "makelist", "make_list_with_nulls"),
        "values are in the order of events unless the rows are sorted",
        "Kusto does not define the order of unsorted rows",
    ),
    Deviation(
        "aggregate",
        ("dcount", "dcountif"),
        "exact; the accuracy argument has no effect",
        "Kusto estimates; an exact count is within its documented error",
    ),
    Deviation(
        "aggregate",
        ("percentile", "percentiles", "percentilew", "percentilesw", "percentiles_array", "percentilesw_array"),
        "exact: the smallest value that is at least as large as the given percentage of values",
        "Kusto estimates for many values",
    ),
    Deviation(
        "aggregate",
        ("hll", "hll_if", "hll_merge", "tdigest", "tdigest_merge", "merge_tdigest"),
        "holds all values, so that what is read from it is exact; its form is another one than Kusto's",
        "the format of Kusto's sketches is not published, and may change",
    ),
    Deviation(
        "plugin",
        ("dcount_intersect", "rolling_percentile", "activity_counts_metrics"),
        "exact",
        "Kusto estimates",
    ),
    Deviation(
        "plugin",
        (
            "active_users_count",
            "activity_engagement",
            "activity_metrics",
            "new_activity_metrics",
            "sliding_window_counts",
        ),
        "exact; windows and periods are counted from the start of the analysis, and only those with activity, or a "
        "cohort with new users, are in the result; a lookback reads events before the start, an outer window does not",
        "Kusto estimates, and does not document the rest",
    ),
    Deviation(
        "plugin",
        ("schema_merge",),
        "the query fails for a column of several types, and for columns at the same place",
        NOT_KNOWN,
    ),
    Deviation(
        "plugin",
        ("ipv4_lookup", "ipv6_lookup"),
        "an address with a prefix is found in networks with a prefix of the same length or a shorter one",
        "not documented by Kusto",
    ),
    Deviation(
        "function",
        ("rand", "new_guid"),
        "depends on the as-of instant, the place in the query and the row's content: a run can be repeated, and equal "
        "rows get equal values",
        "the same data must give the same rows",
    ),
    Deviation(
        "function",
        ("datetime_local_to_utc",),
        "a time that the clocks show twice is taken to be after the change",
        "not documented by Kusto, whose engine does so with a time that the clocks skip",
    ),
    Deviation(
        "function",
        ("assert",),
        "fails when the query runs, and only if a row needs the value",
        "Kusto evaluates it when it compiles the query",
    ),
    Deviation(
        "operator",
        ("parse-kv",),
        "an empty value before white space that separates pairs stays empty if another key follows; a greedy value "
        "ends before whatever looks like a key",
        "not documented by Kusto",
    ),
    Deviation(
        "operator",
        ("take", "limit", "top", "top-nested", "sort", "order"),
        "among rows that tie or are unordered: the earliest event, the smallest group key, or the first written row",
        EARLIEST,
    ),
    Deviation(
        "operator",
        ("join",),
        "`kind=innerunique`, the default, keeps the earliest row of each key on the left",
        EARLIEST,
    ),
    Deviation(
        "operator",
        ("partition",),
        "operators in parentheses, applied to the rows of each value, of which there may be any number; a subquery in "
        "braces, with a source of its own, is refused",
        "a join reads another table for each value, and for more than 64 of them",
    ),
    Deviation(
        "operator",
        ("search",),
        "a number that is not in quotes is refused",
        NUMBER_SEARCHED,
    ),
    Deviation(
        "operator",
        ("find",),
        "a number that is not in quotes is refused; so are columns and pack_all() in one project, a condition that "
        "names no column, and a column of several types that a table lacks",
        f"{NUMBER_SEARCHED}; the rest is not documented, or the documentation contradicts itself",
    ),
    Deviation(
        "operator",
        ("render",),
        "has no effect",
        "charts are drawn by Kusto's clients",
    ),
    Deviation(
        "type",
        ("datetime",),
        "computed and compared to 100 ns; stored columns are truncated to 1 µs",
        "Delta's timestamps have microseconds",
    ),
    Deviation(
        "type",
        ("decimal",),
        "38 digits, 18 of them after the point",
        "Spark's decimals have a fixed point, Kusto's a floating one",
    ),
    Deviation(
        "type",
        ("int", "long"),
        "division by zero is null",
        "not documented by Kusto",
    ),
    Deviation(
        "function",
        ("now", "ago"),
        "relative to the as-of of the run",
        "a repeated run must give the same rows",
    ),
    Deviation(
        "function",
        ("geo_info_from_ip_address",),
        "the answers are those of the GeoIP file that lakehunt.yaml names; a property that it lacks is left out, and "
        "an address that it lacks is null",
        "which of MaxMind's files Kusto's service uses is not under a team's control",
    ),
    Deviation(
        "source",
        ("_GetWatchlist",),
        "LastUpdatedTimeUTC is null, and _DTItemId a digest of the row",
        "a file does not have them",
    ),
    Deviation(
        "operator",
        ("invoke",),
        "FileProfile reads the file that lakehunt.yaml names, or the prevalence in the lake; it enriches "
        "every row, and columns that a row already has keep their values",
        "it asks a Microsoft service, which limits the number of files",
    ),
    Deviation(
        "function",
        ("ceiling",),
        "gives a real for integers, too",
        "as Kusto's engine does; Microsoft's binder declares otherwise",
    ),
    *(
        Deviation("function", tuple(names.split()), f"the query fails for {what}", NOT_KNOWN)
        for names, what in UNKNOWN_ANSWERS
    ),
    Deviation(
        "comparison",
        IGNORING_CASE,
        "letters are equal if their Unicode lower-case forms are",
        "Kusto does not document how it compares non-ASCII letters",
    ),
    Deviation(
        "comparison",
        ("matches regex",),
        "a pattern with more than 16 groups, or one that Java cannot match as Kusto's engine does, is refused",
        "Kusto uses Rust's regular expressions and Spark uses Java's; patterns are translated",
    ),
)


def of(kind: str, name: str, differences: Iterable[Deviation] = DEVIATIONS) -> Deviation | None:
    """The deviation of a construct, or None."""
    return next((d for d in differences if d.kind == kind and name in d.names), None)
