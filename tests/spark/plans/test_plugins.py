"""Plugins of evaluate: rows of the documentation, and by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows


def _day(number: int, month: str = "2019-11") -> str:
    return f"{month}-{number:02}T00:00:00.0000000Z"


NEW_USERS = """datatable(d: int, u: dynamic)[1, dynamic([0, 2, 3, 4]), 2, dynamic([0, 1, 3, 4, 5]),
        3, dynamic([0, 2, 4, 5]), 4, dynamic([0, 1, 2, 3]), 5, dynamic([0, 1, 2, 3, 4])]
    | mv-expand user = u to typeof(long) | project user, Timestamp = datetime(2019-10-31) + d * 1d
    | evaluate new_activity_metrics(user, Timestamp, datetime(2019-11-01), datetime(2019-11-07) - 1tick, 1d"""

ACTIVITY = """datatable(u: string, t: datetime, g: string)['a', datetime(2020-01-01), 'x',
        'b', datetime(2020-01-01), 'x', 'a', datetime(2020-01-02 05:00), 'x', 'c', datetime(2020-01-02), 'x',
        'a', datetime(2020-01-04), 'x', 'z', datetime(2020-01-02), 'y']"""

SHAPES = """let Shapes = datatable(name: string, shape: dynamic)[
    'square', dynamic({'type': 'Polygon', 'coordinates': [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}),
    'inner', dynamic({'type': 'Polygon', 'coordinates': [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]})];
    let Lines = datatable(name: string, line: dynamic)[
    'equator', dynamic({'type': 'LineString', 'coordinates': [[0, 0], [2, 0]]})];
    datatable(name: string, x: real, y: real)['a', 0.5, 0.5, 'b', 1.5, 1.5, 'c', 3.0, 3.0, 'd', 1.5, -0.001]"""

SCHEMAS = """let One = datatable(Uri: string, HttpStatus: int)[] | getschema;
    let Two = datatable(Uri: string, HttpStatus: int, Referrer: string)[] | getschema;
    let Moved = datatable(Uri: string, Referrer: string, HttpStatus: int)[] | getschema;"""

QUERIES: list[tuple[str, list[list[Any]]]] = [
    (("""datatable(User: string, Timestamp: datetime)['B', datetime(2018-06-29), 'B', datetime(2018-06-30),
        'A', datetime(2018-07-02), 'B', datetime(2018-07-04), 'B', datetime(2018-07-08), 'A', datetime(2018-07-10),
        'A', datetime(2018-07-14), 'A', datetime(2018-07-17), 'A', datetime(2018-07-20), 'B', datetime(2018-07-24)]
        | evaluate active_users_count(User, Timestamp, datetime(2018-07-01), datetime(2018-07-31), 8d, 1d, 3, 7d)
        | sort by Timestamp asc"""),
     [[_day(1, "2018-07"), 1], [_day(15, "2018-07"), 1]]),
    (("""datatable(User: string, Timestamp: datetime)['Bob', datetime(2017 - 08 - 01), 'David', datetime(2017-08-01),
        'David', datetime(2017-08-01), 'John', datetime(2017-08-01), 'Bob', datetime(2017-08-01),
        'Ananda', datetime(2017-08-02), 'Atul', datetime(2017-08-02), 'John', datetime(2017-08-02),
        'Ananda', datetime(2017-08-03), 'Atul', datetime(2017-08-03), 'Atul', datetime(2017-08-03),
        'John', datetime(2017-08-03), 'Bob', datetime(2017-08-03), 'Betsy', datetime(2017-08-04),
        'Bob', datetime(2017-08-05)]
        | evaluate sliding_window_counts(User, Timestamp, datetime(2017-08-01), datetime(2017-08-07), 3d, 1d)
        | sort by Timestamp asc"""),
     [[_day(1, "2017-08"), 5, 3], [_day(2, "2017-08"), 8, 5], [_day(3, "2017-08"), 13, 5], [_day(4, "2017-08"), 9, 5],
      [_day(5, "2017-08"), 7, 5], [_day(6, "2017-08"), 2, 2], [_day(7, "2017-08"), 1, 1]]),
    # ... what was before the start counts where a window looks back at it
    (("datatable(u: string, t: long)['a', 0, 'b', 1, 'b', 2] | evaluate sliding_window_counts(u, t, 2, 3, 2, 1) "
      "| sort by t asc"),
     [[2, 2, 1], [3, 1, 1]]),
    # new users: the documentation's table
    (f"{NEW_USERS}) | where from_Timestamp < datetime(2019-11-03) | sort by from_Timestamp asc, to_Timestamp asc",
     [[_day(1), _day(1), 4, 4, 0, 1.0, 0.0], [_day(1), _day(2), 2, 3, 1, 0.75, 0.25],
      [_day(1), _day(3), 1, 3, 1, 0.75, 0.25], [_day(1), _day(4), 1, 3, 1, 0.75, 0.25],
      [_day(1), _day(5), 1, 4, 0, 1.0, 0.0], [_day(1), _day(6), 0, 0, 4, 0.0, 1.0],
      [_day(2), _day(2), 2, 2, 0, 1.0, 0.0], [_day(2), _day(3), 0, 1, 1, 0.5, 0.5],
      [_day(2), _day(4), 0, 1, 1, 0.5, 0.5], [_day(2), _day(5), 0, 1, 1, 0.5, 0.5],
      [_day(2), _day(6), 0, 0, 2, 0.0, 1.0]]),
    (f"{NEW_USERS}, datetime(2019-11-02)) | where to_Timestamp <= datetime(2019-11-03) | sort by to_Timestamp asc",
     [[_day(2), _day(2), 2, 2, 0, 1.0, 0.0], [_day(2), _day(3), 0, 1, 1, 0.5, 0.5]]),
    # ... of whom 2 and 3 were seen before
    ((f"{NEW_USERS}, datetime(2019-11-01), (datatable(user: long)[2, 3])) | where to_Timestamp <= datetime(2019-11-02) "
      "| sort by to_Timestamp asc"),
     [[_day(1), _day(1), 2, 2, 0, 1.0, 0.0], [_day(1), _day(2), 2, 2, 0, 1.0, 0.0]]),
    ((f"{ACTIVITY} | evaluate activity_metrics(u, t, datetime(2020-01-01), datetime(2020-01-05), 1d, g) "
      "| sort by g asc, t asc"),
     [[_day(1, "2020-01"), "x", 2, 2, "NaN", "NaN"], [_day(2, "2020-01"), "x", 2, 1, 0.5, 0.5],
      [_day(4, "2020-01"), "x", 1, 1, "NaN", "NaN"], [_day(2, "2020-01"), "y", 1, 1, "NaN", "NaN"]]),
    ((f"{ACTIVITY} | evaluate activity_engagement(u, t, datetime(2020-01-01), datetime(2020-01-05), 1d, 2d, g) "
      "| sort by g asc, t asc | project t, g, dcount_activities_inner, dcount_activities_outer"),
     [[_day(1, "2020-01"), "x", 2, 2], [_day(2, "2020-01"), "x", 2, 3], [_day(4, "2020-01"), "x", 1, 1],
      [_day(2, "2020-01"), "y", 1, 1]]),
    (f"{ACTIVITY} | evaluate activity_counts_metrics(u, t, datetime(2020-01-01), datetime(2020-01-05), 'month')",
     [[_day(1, "2020-01"), 6, 4, 4, 4]]),
    # places: in two shapes, in one, in none, near one
    (f"{SHAPES} | evaluate geo_polygon_lookup(Shapes, shape, x, y) | sort by name asc, name1 asc",
     [["a", 0.5, 0.5, "inner"], ["a", 0.5, 0.5, "square"], ["b", 1.5, 1.5, "square"]]),
    ((f"{SHAPES} | evaluate geo_polygon_lookup(Shapes, shape, x, y, 200, return_unmatched=true, "
      "return_lookup_key=true) | where name != 'a' | project name, name1, isnull(shape) | sort by name asc"),
     [["b", "square", False], ["c", "", True], ["d", "square", False]]),
    (f"{SHAPES} | evaluate geo_line_lookup(Lines, line, x, y, 200, true) | project name, name1 | sort by name asc",
     [["a", ""], ["b", ""], ["c", ""], ["d", "equator"]]),
    (f"{SCHEMAS} union One, Two | evaluate schema_merge()",
     [["Uri", 0, "System.String", "string"], ["HttpStatus", 1, "System.Int32", "int"],
      ["Referrer", 2, "System.String", "string"]]),
    (f"{SCHEMAS} union One, Moved | evaluate schema_merge()",
     [["Uri", 0, "System.String", "string"], ["Referrer", 1, "System.String", "string"],
      ["HttpStatus", -1, "ERROR(unknown CSL type:ERROR(columns are out of order))",
       "ERROR(columns are out of order)"]]),
    (f"{SCHEMAS} union One, Moved | evaluate schema_merge(PreserveOrder = false)",
     [["Uri", 0, "System.String", "string"], ["Referrer", 1, "System.String", "string"],
      ["HttpStatus", 2, "System.Int32", "int"]]),
    # bins by the options of the query: those of -7, 3 and 13
    (("set query_bin_auto_size=10; set query_bin_auto_at=3; print x = dynamic([1, 3, 12, 13]) "
      "| mv-expand x to typeof(long) | summarize count() by bin_auto(x) | sort by x asc"),
     [[-7, 1], [3, 2], [13, 1]]),
    ("set query_bin_auto_size=1d; print bin_auto(datetime(2020-01-02 05:00))", [[_day(2, "2020-01")]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_rows(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"{ACTIVITY} | evaluate activity_metrics(u, t, datetime(2020-01-01), datetime(2020-01-05), 'day')",
         "one of 'week', 'month' and 'year'"),
        (f"{ACTIVITY} | evaluate activity_metrics(u, t, 1d)", "activity_metrics does not take 3 arguments"),
        (f"{ACTIVITY} | evaluate sliding_window_counts(u, t, datetime(2020-01-01), datetime(2020-01-05), 7d, 'week')",
         "sliding_window_counts with windows of a week is not supported"),
        (f"{ACTIVITY} | evaluate active_users_count(u, t, 1, 2, 8d, 1d, 3, 7d)",
         "'>=' is not defined for datetime and long"),
        (f"{SHAPES} | evaluate geo_line_lookup(Lines, line, x, y)", "geo_line_lookup needs a radius"),
        (f"{SHAPES} | evaluate geo_polygon_lookup(Shapes, shape, x, y, near=5)", "has no such argument"),
        (f"{SHAPES} | evaluate geo_polygon_lookup(Shapes, shape)", "geo_polygon_lookup does not take 2 arguments"),
        (f"{SCHEMAS} One | project ColumnName | evaluate schema_merge()", "there is no column 'ColumnOrdinal'"),
        ("print bin_auto(5)", "bin_auto needs the size of bins"),
    ],
)  # fmt: skip
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)


def test_a_column_of_two_types_is_not_merged(spark: Any) -> None:
    query = "let A = datatable(x: long)[] | getschema; let B = datatable(x: real)[] | getschema; union A, B"
    with pytest.raises(Exception, match="schema_merge of columns of several types"):
        rows(spark, f"{query} | evaluate schema_merge()")
