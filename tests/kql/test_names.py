"""Names of a result's columns where they meet: the expected ones were asked of Microsoft's binder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql.binding import bind
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import LONG, Column
from lakehunt.spark.functions import CATALOG


def names(query: str) -> str:
    return " ".join(f"{c.name}:{c.type}" for c in bind(query, {}, CATALOG).schema)


A = "datatable(a: int, b: dynamic)[]"
BY_X = "(datatable(x: string)[]), (datatable(x: long)[])"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"union {BY_X}, (datatable(x_string: string)[])", "x_string:string x_long:long x_string1:string"),
        (f"union (datatable(x_string: string)[]), {BY_X}", "x_string:string x_string1:string x_long:long"),
        ("union (datatable(x: string, x_long: int, x_long1: int)[]), (datatable(x: long)[])",
         "x_string:string x_long:long x_long1:int x_long11:int"),
        ("union (datatable(x: string, x_string: int, x_string1: int)[]), (datatable(x: long, x_string: long)[])",
         "x_string:string x_long:long x_string_int:int x_string_long:long x_string1:int"),
        ("union kind=inner (datatable(x: string, x_string: int)[]), (datatable(x: long, x_string: int)[])",
         "x_string:string x_long:long x_string1:int"),
        ("datatable(x: string)[] | union (datatable(x: long)[]), (datatable(x: real)[])",
         "x_string:string x_long:long x_real:real"),
        (f"union (union {BY_X}), (datatable(x: string)[])", "x_string:string x_long:long x:string"),
        ("datatable(x: int)[] | join (datatable(x: int, x1: int)[]) on x", "x:int x2:int x1:int"),
        ("datatable(x: int, x1: int, x2: int)[] | join (datatable(x: int, x1: int, x11: int)[]) on x",
         "x:int x1:int x2:int x3:int x12:int x11:int"),
        (f"{A} | project b.a, b_a = 1", "b_a:dynamic b_a1:long"),
        (f"{A} | project b_a = 1, b.a", "b_a:long b_a1:dynamic"),
        (f"{A} | project b.a, b.a", "b_a:dynamic b_a1:dynamic"),
        (f"{A} | project 1 + 1, Column1 = 2", "Column1:long Column11:long"),
        (f"{A} | extend b.a, b_a = 2", "a:int b:dynamic b_a:long"),
        (f"{A} | serialize a = 1", "a:int b:dynamic a1:long"),
        (f"{A} | serialize a, x = b", "a:int b:dynamic x:dynamic"),
        (f"{A} | serialize a = b", "a:dynamic b:dynamic"),
        (f"{A} | serialize rn = row_number(), row_number()", "a:int b:dynamic rn:long Column1:long"),
        ("datatable(a: int, Column1: int)[] | serialize a + 1, a + 2",
         "a:int Column1:int Column11:long Column2:long"),
        (f"{A} | extend a, b", "a:int b:dynamic"),
        (f"{A} | extend tostring(a), a", "a:string b:dynamic"),
        (f"{A} | summarize count(), count_ = sum(a)", "count_:long count_1:long"),
        (f"{A} | summarize max(a), max_a = 1 + max(a)", "max_a:int max_a1:long"),
        ("datatable(Column1: int)[] | summarize count() + 1 by Column1", "Column1:int Column11:long"),
        (f"{A} | distinct a, a + 1, a1 = 2", "a:int Column1:long a1:long"),
        ("print 1, print_0 = 2", "print_0:long print_01:long"),
        (f"{A} | mv-expand with_itemindex=a b", "a:int b:dynamic a1:long"),
        (f"{A} | mv-expand with_itemindex=x x = b", "a:int b:dynamic x:dynamic x1:long"),
        (f"{A} | mv-apply x = b on (extend a = 2)", "a:long b:dynamic x:dynamic"),
        (f"{A} | mv-apply a = b on (summarize b = count())", "a:int b:long"),
        (f"{A} | mv-apply b on (summarize n = count())", "a:int n:long"),
        (f"{A} | mv-apply b = b on (summarize n = count())", "a:int b:dynamic n:long"),
        (f"{A} | mv-apply b = b to typeof(long) on (extend n = b)", "a:int b:long n:long"),
        (f"{A} | evaluate bag_unpack(b) : (*, a: long)", "a:long"),
        (f"{A} | extend series_stats(b), series_stats_b_min = 1 | project-keep *_min", "series_stats_b_min:long"),
        (f"{A} | project series_stats(b), series_stats_b_min = 1 | project-keep *_min*",
         "series_stats_b_min:real series_stats_b_min_idx:long series_stats_b_min1:long"),
    ],
)  # fmt: skip
def test_names_that_meet(query: str, expected: str) -> None:
    assert names(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        f"{A} | project a, a",
        f"{A} | project a, a = 5",
        f"{A} | project a = 5, a",
        f"{A} | extend a, a",
        f"{A} | extend a = 5, a",
        f"{A} | distinct a, a",
        f"{A} | summarize a = count() by a",
        f"{A} | summarize (x, y) = arg_max(a, b), x = 1 + max(a)",
        f"{A} | make-series a = count() on a step 1",
        f"{A} | mv-expand x = b, x = b",
        f"{A} | mv-expand b, b",
        f"{A} | project-rename a = b",
        f"{A} | project-rename x = a, x = b",
        f"{A} | project-reorder a, a",
        f"{A} | parse tostring(b) with x: string ',' x: long",
        f"{A} | parse-kv tostring(b) as (x: string, x: string) with (pair_delimiter=' ')",
        "print x = 1, x = 2",
        "datatable(a: int, a: string)[]",
        "externaldata(a: int, a: string)['https://example.com/a.csv']",
        "let x = 1; let x = 2; print x",
        # the binder takes these, with two columns of one name, which no later step could tell apart
        "union withsource=x (datatable(x: string)[]), (datatable(x: string)[])",
        f"{A} | sort by a | scan with_match_id=a with (step s: true;)",
    ],
)
def test_a_name_that_is_there_already(query: str) -> None:
    with pytest.raises(QueryErrors, match="is there already"):
        bind(query, {}, CATALOG)


TABLE = st.lists(
    st.tuples(st.sampled_from(["x", "x1", "x_int", "x_long", "x_int1"]), st.sampled_from(["int", "long"])),
    min_size=1,
    unique_by=lambda column: column[0],
)


@given(st.lists(TABLE, min_size=1, max_size=4), st.sampled_from(["", "kind=inner ", "withsource=s "]))
def test_a_union_names_every_column_once(tables: list[list[tuple[str, str]]], options: str) -> None:
    sources = [f"(datatable({', '.join(f'{n}: {t}' for n, t in table)})[])" for table in tables]
    found = [c.name for c in bind(f"union {options}{', '.join(sources)}", {}, CATALOG).schema]
    assert len(set(found)) == len(found)


@given(TABLE, TABLE)
def test_a_join_names_every_column_once(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> None:
    sides = [f"datatable({', '.join(f'{n}: {t}' for n, t in [('k', 'int'), *table])})[]" for table in (left, right)]
    found = [c.name for c in bind(f"{sides[0]} | join ({sides[1]}) on k", {}, CATALOG).schema]
    assert len(found) == len(set(found)) == len(left) + len(right) + 2


P = "datatable(f: string, d: dynamic, n: long)[]"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("project parse_path(f).Filename", "Filename:dynamic"),
        ("project parse_command_line(f, 'windows')[0]", "0:dynamic"),
        ("summarize make_set(tostring(parse_path(f).Filename))", "set_Filename:dynamic"),
        ("summarize take_any(parse_path(f).Filename)", "Filename:dynamic"),
        ("summarize any(parse_path(f).Filename)", "any_Filename:dynamic"),
        ("summarize count() by tostring(parse_path(f).Filename)", "Filename:string count_:long"),
        ("summarize arg_max(n, parse_path(f).Filename)", "n:long Filename:dynamic"),
        ("project dynamic({'a': 1}).a", "a:dynamic"),
        ("project zip(d, d)[0][1]", "0_1:dynamic"),
        ("project bag_pack('a', 1).a, strlen(tostring(parse_url(f).Host))", "a:dynamic strlen_Host:long"),
        ("project gettype(parse_path(f).Filename)", "type_Filename:string"),
        ("project iff(true, d, d).a.b", "a_b:dynamic"),
        ("project split(f, 'a')[0].b, split(f, 'a')[0], split(f, 'a').b", "b:dynamic f_0:dynamic f_b:dynamic"),
        ("project parse_json(d)['a b'].c, d[f].b", "d_a b_c:dynamic d__b:dynamic"),
        ("summarize strlen(take_any(f)), tostring(take_any(f)), strlen(max(f))",
         "strlen_:long Column1:string strlen_max_f:long"),
        ("summarize round(take_any(n)), round(percentile(n, 5)), bin(count(), 1)",
         "Column1:long Column2:long count_:long"),
        ("summarize take_any(1 + n, 2 + n), any(1 + n), any(1 + n, 2 + n)",
         "any_arg0:long any_arg1:long any_:long any_arg01:long any_arg11:long"),
        # what stands before a part of a value that has no parts is left out
        ("summarize make_list(f)[0], make_list(f)[0].a, make_list(d)[0].a",
         "list_f_0:dynamic a:dynamic list_d_0_a:dynamic"),
        ("summarize tostring(make_set(f)[0].a[1]), strlen(make_list(f)[0].a), make_set(d.a)[0].b",
         "a_1:string strlen_a:long set_d_a_0_b:dynamic"),
        ("summarize array_slice(make_list(f), 0, 1)[0].a, take_any(d)[0].a, make_bag(d).a.b",
         "a:dynamic 0_a:dynamic bag_d_a_b:dynamic"),
        ("project parse_path(f).Filename.x[0], parse_path(f).a.b, parse_url(f).Host.x",
         "x_0:dynamic a_b:dynamic x:dynamic"),
        ("project split(f, '/').a.b, split(f, '/')[0].a.b, parse_json(f)[0].a",
         "f_a_b:dynamic a_b:dynamic f_0_a:dynamic"),
        ("project dynamic({'a': 1}).a.b, dynamic({'a': [1]}).a.b, dynamic([1, 'x'])[0].a.b",
         "b:dynamic a_b:dynamic 0_a_b:dynamic"),
        ("extend p = parse_path(f), s = split(f, '/') | project p.Filename.x, p.a.x, s[0].x, s.x",
         "x:dynamic p_a_x:dynamic x1:dynamic s_x:dynamic"),
        ("mv-expand s = split(f, '/') | project s.x", "x:dynamic"),
        ("project iff(n > 1, split(f, 'a'), split(f, 'b'))[0].x, iff(n > 1, d, split(f, 'b'))[0].x",
         "x:dynamic 0_x:dynamic"),
        ("project bag_pack('a', 1).a.b, bag_pack('a', d).a.b, bag_merge(bag_pack('a', 1), bag_pack('b', n)).b.c",
         "b:dynamic a_b:dynamic c:dynamic"),
        ("project repeat(n, 2), treepath(d), hll_merge(d, d)", "repeat_n:dynamic tree_d:dynamic hll_merge_d:dynamic"),
        # arguments that the query names
        ("summarize arg_max(n, x = f)", "n:long x:string"),
        ("summarize arg_max(x = n, y = f, strcat(f, 'a')) by f", "f:string x:long y:string max_x_arg2:string"),
        ("summarize arg_max(n, x = f) by x = f", "x:string n:long x1:string"),
        ("summarize (a, b) = arg_max(n, x = f)", "a:long b:string"),
        ("summarize make_set(x = f), make_list(y = tolower(f)), sum(z = n + 1)",
         "set_x:dynamic list_y:dynamic sum_z:long"),
        ("summarize take_any(x = f, y = n), any(z = f), dcount(v = f), countif(w = n > 1)",
         "x:string y:long any_z:string dcount_v:long countif_w:long"),
        ("summarize percentiles(x = n, 5, 50), tostring(make_set(x = f)), round(sum(y = n))",
         "percentile_x_5:long percentile_x_50:long set_x:string sum_y:long"),
        ("top-hitters 3 of f by x = n + 1", "f:string approximate_sum_x:long"),
        ("make-series sum(x = n) on n step 1", "sum_x:dynamic n:dynamic"),
        # beside `*`, each column once
        ("summarize arg_max(n, f, *)", "n:long f:string d:dynamic"),
        ("summarize arg_max(x = n, *)", "x:long f:string d:dynamic"),
        ("summarize arg_max(n, f = d, *)", "n:long f:dynamic f1:string"),
        ("summarize arg_max(n, *, f, x = d)", "n:long f:string d:dynamic"),
        ("summarize arg_max(n, *, n + 1, x = n + 2)", "n:long f:string d:dynamic max_n_arg2:long x:long"),
        ("summarize arg_max(n, *) by n", "n:long n1:long f:string d:dynamic"),
        ("summarize arg_max(n, f, *) by f", "f:string n:long d:dynamic"),
        ("summarize take_any(*, n), count()", "f:string d:dynamic n:long count_:long"),
        ("summarize arg_max(n, n, n)", "n:long n1:long n2:long"),
        # names of keys count, too
        ("summarize 1 + count() by n + 1, n + 2", "Column1:long Column2:long Column3:long"),
        ("summarize 1 + count() by Column1 = n, n + 2", "Column1:long Column11:long Column2:long"),
        ("summarize n = count() by bin(n, 1)", "n:long n1:long"),
        ("make-series count() on n step 1 by bin(n, 1)", "n:long count_:dynamic n1:dynamic"),
        ("make-series count() on n + 1 step 1 by n + 2", "Column1:long count_:dynamic Column2:dynamic"),
        # sorted arrays
        ("project array_sort_asc(d), array_sort_desc(d.x), array_sort_asc(set_union(d, d))",
         "d_sorted:dynamic d_x_sorted:dynamic array0_sorted:dynamic"),
        ("extend array_sort_asc(d), array_sort_desc(d) | project-away f, d, n", "d_sorted:dynamic d_sorted1:dynamic"),
        ("project array_sort_asc(d)[0], array_sort_asc(d, d)[1], series_stats(d)[2]",
         "0:dynamic d_sorted:dynamic series_stats_d_max:real"),
        ("project-keep d | mv-expand array_sort_asc(d)", "d:dynamic d_sorted:dynamic"),
        ("summarize array_sort_asc(make_list(n)), array_sort_desc(make_set(x = f)), array_sort_asc(take_any(d))",
         "list_n_sorted:dynamic set_x_sorted:dynamic array0_sorted:dynamic"),
        ("summarize array_sort_asc(make_list(n), make_list(f))", "list_n_sorted:dynamic list_f_sorted:dynamic"),
        ("summarize (x, y) = array_sort_asc(make_list(n), make_list(f))", "x:dynamic y:dynamic"),
        ("summarize x = array_sort_asc(make_list(n), make_list(f), false)", "x:dynamic list_f_sorted:dynamic"),
        ("summarize series_fit_line(make_list(n)) | project-keep *slope", "series_fit_line_list_n_slope:real"),
        # a column that may be there
        ("project column_ifexists('f', '')", "f:string"),
        ("project f, columnifexists('f', '')", "f:string f1:string"),
        ("project column_ifexists('g', ''), column_ifexists('g', f)", "Column1:string Column2:string"),
        ("project-away d | extend column_ifexists('f', '')", "f:string n:long"),
        ("summarize count() by column_ifexists('f', '')", "f:string count_:long"),
        ("summarize make_set(column_ifexists('f', '')), arg_max(n, column_ifexists('f', ''))",
         "set_:dynamic n:long max_n_arg1:string"),
        ("project tostring(column_ifexists('n', 0))", "Column1:string"),
        ("project-keep d | mv-expand column_ifexists('d', dynamic([]))", "d:dynamic"),
        ("project-keep f | serialize column_ifexists('f', '')", "f:string f1:string"),
    ],
)  # fmt: skip
def test_names_of_expressions(query: str, expected: str) -> None:
    assert names(f"{P} | {query}") == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"{P} | project-away x", "there is no column 'x'"),
        (f"{P} | project-away x*", r"there is no column 'x\*'"),
        (f"{P} | project-keep f, x*", r"there is no column 'x\*'"),
        (f"{P} | project-reorder x", "there is no column 'x'"),
        (
            f"let g = (T: (f: long)) {{ T | count }}; {P} | invoke g()",
            "needs a column 'f' of long, this one is a string",
        ),
        (f"let g = (T: (x: long)) {{ T | count }}; {P} | invoke g()", "there is no column 'x'"),
        (f"let g = (T: (n: real)) {{ T | count }}; g({P})", "needs a column 'n' of real, this one is a long"),
        (f"{P} | summarize any(n, *)", "the only argument of any"),
        (f"{P} | project (x, y) = array_sort_asc(d)", "more names than this function has columns"),
        (
            f"{P} | summarize (x, y, z) = array_sort_asc(make_list(n), make_list(f))",
            "more names than this function has columns",
        ),
        ("datatable(a: int)[] | join (datatable(a: long)[]) on a", "the keys are a int and a long"),
        ("datatable(a: int)[] | lookup (datatable(a: long)[]) on a", "the keys are a int and a long"),
    ],
)
def test_what_microsofts_binder_refuses(query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        bind(query, {}, CATALOG)


def test_an_int_and_a_long_are_compared_by_both_names() -> None:
    assert names("datatable(a: int)[] | join (datatable(b: long)[]) on $left.a == $right.b") == "a:int b:long"


WITH_N = "datatable(f: string, n: long)[]"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"let g = (T: (f: string)) {{ T | extend x = f }}; g({WITH_N})", "f:string n:long x:string"),
        (f"let g = (T: (*)) {{ T | take 1 }}; {WITH_N} | invoke g()", "f:string n:long"),
        (f"let g = (T: (f: string)) {{ T | join (T) on f | project f1 }}; g({WITH_N})", "f1:string"),
        (f"let g = (T: (*)) {{ T | extend n = 1 | where n == 1 }}; g({WITH_N})", "f:string n:long"),
        (f"let g = (T: (*)) {{ T | union (print x = 1) | where x == 1 }}; g({WITH_N})", "f:string n:long x:long"),
        (f"let g = (T: (f: string)) {{ T | extend y = column_ifexists('n', 5) }}; g({WITH_N})",
         "f:string n:long y:long"),
        # a constant in the place of an aggregate
        (f"{P} | summarize x = 1, count(), 'a', y = 1 + 1 by f", "f:string x:long count_:long Column1:string y:long"),
        (f"let c = 5; {P} | summarize c, x = now()", "c:long x:datetime"),
        (f"{P} | make-series x = -1, 2, sum(n) on n step 1", "x:dynamic Column1:dynamic sum_n:dynamic n:dynamic"),
        (f"let c = 5; {P} | make-series c on n step 1", "c:dynamic n:dynamic"),
        (f"{P} | top-nested 3 of f by 1", "f:string aggregated_f:long"),
    ],
)  # fmt: skip
def test_what_microsofts_binder_takes(query: str, expected: str) -> None:
    assert names(query) == expected


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        # a function reads no column that its table's parameter does not declare
        (f"let g = (T: (f: string)) {{ T | where n > 1 }}; g({WITH_N})", "there is no column 'n'",
         "declare it: T: (n: long, ...)"),
        (f"let g = (T: (*)) {{ T | project n }}; {WITH_N} | invoke g()", "there is no column 'n'", "declare it: T"),
        (f"let g = (T: (*)) {{ T | project-away n* }}; g({WITH_N})", "there is no column 'n*'", ""),
        (f"let g = (T: (f: string)) {{ toscalar(T | summarize max(n)) }}; print g({WITH_N})", "there is no column 'n'",
         "declare it"),
        (f"let g = (T: (f: string)) {{ T | join (T) on f | project n1 }}; g({WITH_N})", "there is no column 'n1'", ""),
        (f"let n = 5; let g = (T: (f: string)) {{ T | where n == 5 }}; g({WITH_N})",
         "'n' is a variable in g, and a column that it does not declare", "rename the variable"),
        # an index that a value cannot have
        (f"{P} | project parse_path(f)[0]", "the index of a bag is a name", ""),
        (f"{P} | project split(f, '/')['a']", "the index of an array is a number", ""),
        (f"{P} | project split(f, '/')[0][1]", "a string has no parts", "parse_json(...)"),
        (f"{P} | summarize make_list(n)[0][1]", "a long has no parts", ""),
        (f"{P} | extend p = parse_path(f) | project p.Filename[0]", "a string has no parts", ""),
        ("print dynamic({'a': 1})[0]", "the index of a bag is a name", ""),
        ("let g = (T: ()) { T }; g(print 1)", "expected a column and its type", "write (*)"),
        # arguments are of their parameters' types
        ("let g = (d: datetime) { d }; print g('2020-01-01')", "'d' is a datetime, this is a string",
         "convert it: todatetime(...)"),
        ("let g = (d: string) { d }; print g(1)", "'d' is a string, this is a long", "convert it: tostring(...)"),
        ("print rand(10.5)", "rand takes one whole number", ""),
        (f"{P} | summarize x = n", "expected an aggregate", "write it after `by`"),
        (f"{P} | summarize cuont()", "there is no function 'cuont'", "did you mean 'count'?"),
        (f"{P} | make-series x = 1 + sum(n) on n step 1", "an expression of aggregates is not supported here",
         "aggregate first"),
        (f"{P} | evaluate pivot(1)", "expected a column's name", ""),
        (f"{P} | evaluate pivot(f, count(), strlen(f))", "expected a column's name", ""),
        (f"{P} | evaluate pivot(nope)", "there is no column 'nope'", ""),
        (f"{P} | evaluate bag_unpack(dynamic(null))", "expected a column's name", ""),
        (f"{P} | evaluate pivot(f)", "the columns of pivot depend on the data", "evaluate pivot("),
        (f"{P} | search 'a' or 42", "a bare long in a search is not supported", 'look for its text, "42"'),
        (f"{P} | partition by f {{ print 1 }}", "partition with a subquery in braces", "join to read another table"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(query: str, message: str, hint: str) -> None:
    with pytest.raises(QueryErrors) as caught:
        bind(query, {}, CATALOG)
    (error,) = caught.value.errors
    assert message in error.message
    assert hint in error.hint


def test_columns_that_depend_on_data_may_be_read_in_a_function() -> None:
    query = "let g = (T: (d: dynamic)) { T | evaluate bag_unpack(d) | where z == 1 }; g(datatable(d: dynamic)[])"
    found = bind(query, {}, CATALOG, schema_of=lambda plan, evaluate: (Column("z", LONG),))
    assert [c.name for c in found.schema] == ["z"]
