"""Names and types of results. The expected ones were asked of Microsoft's binder."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lakehunt.kql import plan as p
from lakehunt.kql.binding import bind
from lakehunt.kql.errors import Kind, QueryErrors
from lakehunt.kql.types import BY_NAME, Column, Schema
from lakehunt.spark.functions import CATALOG

TABLES = {
    "T": tuple(
        Column(name, BY_NAME[kind])
        for name, kind in {
            "Timestamp": "datetime",
            "Name": "string",
            "Path": "string",
            "n": "long",
            "r": "real",
            "b": "bool",
            "d": "dynamic",
            "t": "timespan",
        }.items()
    )
}


SEVERAL = {
    table: tuple(Column(name, BY_NAME[kind]) for name, kind in columns.items())
    for table, columns in {
        "A": {"x": "long", "k": "string", "FileName": "string", "n": "long"},
        "B": {"y": "string", "k": "string", "n": "string"},
        "C": {"k": "string", "FileName": "string", "z": "dynamic"},
        "D": {"p": "long", "q": "string"},
        "E": {"p": "long", "q": "string"},
    }.items()
}
"""Tables of which no column is in all."""


def schema(query: str, tables: Mapping[str, Schema] = TABLES) -> str:
    return " ".join(f"{c.name}:{c.type}" for c in bind(query, tables, CATALOG).schema)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("T | summarize any(Timestamp), any(Timestamp), any(Name) by n",
         "n:long any_Timestamp:datetime any_Timestamp1:datetime any_Name:string"),
        ("T | summarize makeset(Name), make_set(Name), makeset(tolower(Name))",
         "set_Name:dynamic set_Name1:dynamic set_:dynamic"),
        ("T | summarize take_any(Name), take_any(Path, n)", "Name:string Path:string n:long"),
        ("T | summarize any(Name, Path)", "any_Name:string any_Path:string"),
        ("T | project Name, n | summarize any(*) by n", "n:long any_Name:string"),
        ("T | summarize count(), count()", "count_:long count_1:long"),
        ("T | summarize count() by count_ = Name", "count_:string count_1:long"),
        ("T | summarize countif(n > 1), countif(b), dcount(Name), sum(n), avg(n), min(Name), max(Timestamp)",
         "countif_:long countif_b:long dcount_Name:long sum_n:long avg_n:real min_Name:string max_Timestamp:datetime"),
        ("T | summarize instances = count() by Name, Path", "Name:string Path:string instances:long"),
        ("T | summarize by Name, x = tolower(Name), tolower(Name), bin(Timestamp, 1h)",
         "Name:string x:string Column1:string Timestamp:datetime"),
        ("T | count", "Count:long"),
        ("T | distinct Name, tolower(Name)", "Name:string Column1:string"),
        ("T | project Timestamp, x = 1, tolower(Name), 5", "Timestamp:datetime x:long Column1:string Column2:long"),
        ("T | project Name | extend n = 1, tolower(Name)", "Name:string n:long Column1:string"),
        ("T | project Name, n | extend Name = n", "Name:long n:long"),
        ("T | project-away N*, d, Timestamp, P*", "n:long r:real b:bool t:timespan"),
        ("T | project-keep n, N*", "Name:string n:long"),
        ("T | project-by-names 'n', 'N*', 'none', dynamic(['Name', 'n'])", "n:long Name:string"),
        ("let f = (t: (*)) { t | project-by-names column_names_of(t) | distinct * }; f((T | project n))", "n:long"),
        ("T | project Name, n | project-rename Process = Name", "Process:string n:long"),
        ("print 1, 'a', x = true", "print_0:long print_1:string x:bool"),
        ("let y = 1; print y", "print_0:long"),
        ("print a = 1d * 2, b = 2 * 1.5d, c = 1d / 1h, d = 1d / 2, e = 1d % 1h",
         "a:timespan b:timespan c:real d:timespan e:timespan"),
        ("print f = datetime(2020-01-01) - 1d, g = 1 / 2, h = 1 / 2.0, k = int(1) + int(2)",
         "f:datetime g:long h:real k:long"),
        ("print iff(true, 1, 2.0), coalesce(1, 2.0), bin(1d, 1h), strlen('x')",
         "print_0:real print_1:real print_2:timespan print_3:long"),
        ("let x = 5; let U = T | where n == x; U | count", "Count:long"),
        ("T | project ['a b'] = n | where ['a b'] > 1", "a b:long"),
    ],
)  # fmt: skip
def test_schemas(query: str, expected: str) -> None:
    assert schema(query) == expected


@pytest.mark.parametrize(
    ("query", "kind", "message", "hint", "column"),
    [
        ("T | where Nmae == 'x'", Kind.SEMANTIC, "there is no column 'Nmae'", "did you mean 'Name'?", 11),
        ("T | where NAME == 'x'", Kind.SEMANTIC, "there is no column 'NAME'", "did you mean 'Name'?", 11),
        ("t | count", Kind.SEMANTIC, "there is no table 't'", "did you mean 'T'?", 1),
        (
            "T | where tolowr(Name) == 'x'",
            Kind.SEMANTIC,
            "there is no function 'tolowr'",
            "did you mean 'tolower'?",
            11,
        ),
        ("T | extend geo_polygon_simplify(d)", Kind.UNSUPPORTED, "'geo_polygon_simplify' is not supported", "geo", 12),
        ("T | where n has 'x'", Kind.SEMANTIC, "'has' is not defined for long and string", "", 13),
        ("T | where Name < 'x'", Kind.SEMANTIC, "'<' is not defined for string and string", "", 16),
        ("T | where Timestamp > '2021-01-01'", Kind.SEMANTIC, "'>' is not defined for datetime and string", "", 21),
        ("T | where Name == 1.5", Kind.UNSUPPORTED, "'==' is not supported for string and real", "convert", 16),
        ("T | where d.x == d.y", Kind.UNSUPPORTED, "'==' is not supported for dynamic and dynamic", "convert", 15),
        ("T | where n.x == 1", Kind.SEMANTIC, "a long has no parts", "parse_json", 11),
        ("T | where Name", Kind.SEMANTIC, "expected a condition, found a string", "", 11),
        ("T | where n in~ (1)", Kind.SEMANTIC, "'=~' is not defined for long and long", "", 13),
        ("T | where Name in (T)", Kind.UNSUPPORTED, "'==' is not supported for string and datetime", "", 16),
        ("T | where T", Kind.SEMANTIC, "'T' is a table, not a value", "toscalar", 11),
        ("T | summarize sum(Name)", Kind.UNSUPPORTED, "sum(string) is not supported", "", 15),
        ("T | summarize n", Kind.SEMANTIC, "expected an aggregate such as count()", "after `by`", 15),
        ("T | summarize max(n) - n", Kind.SEMANTIC, "there is no column 'n'", "", 24),
        ("T | where count() > 1", Kind.SEMANTIC, "the function 'count' cannot be used here", "", 11),
        ("T | summarize makeset(Name, n)", Kind.SEMANTIC, "must be a constant", "", 29),
        ("T | summarize count() by d", Kind.SEMANTIC, "'d' is dynamic", "tostring", 26),
        ("T | extend a = 1, a = 2", Kind.SEMANTIC, "a column 'a' is there already", "", 23),
        ("T | project a = n, a = r", Kind.SEMANTIC, "a column 'a' is there already", "", 24),
        ("T | take Name", Kind.SEMANTIC, "there is no column 'Name'", "", 10),
        ("T | take -1", Kind.SEMANTIC, "expected a number of rows", "", 10),
        ("T | where ago(1) > Timestamp", Kind.SEMANTIC, "ago takes one timespan", "write ago(7d)", 11),
        ("T | where Timestamp > ago(1d, 2d)", Kind.SEMANTIC, "ago takes one timespan", "", 23),
        ("T | project-away Nope", Kind.SEMANTIC, "there is no column 'Nope'", "", 18),
        ("5 + 5", Kind.SEMANTIC, "a query must return a table", "put print before", 1),
        ("T.d", Kind.SEMANTIC, "a query must return a table", "put print before", 1),
        ("arg('').Resources | count", Kind.UNSUPPORTED, "another service, by arg(...), is not", "register", 1),
        ("T | join (workspace('w').U) on n", Kind.UNSUPPORTED, "another service, by workspace(...)", "register", 11),
        ("cluster('c').database('d').T | count", Kind.UNSUPPORTED, "a table of another service is not", "register", 1),
        ("let x = 5; x | count", Kind.SEMANTIC, "'x' is a scalar, not a table", "", 12),
        ("foo()", Kind.UNSUPPORTED, "the tabular function 'foo' is not supported", "", 1),
        ("T | where strlen(Name, 1) > 1", Kind.SEMANTIC, "strlen does not take 2 arguments", "", 11),
    ],
)
def test_errors(query: str, kind: Kind, message: str, hint: str, column: int) -> None:
    with pytest.raises(QueryErrors) as caught:
        bind(query, TABLES, CATALOG)
    error = caught.value.errors[0]
    assert (error.kind, caught.value.place(error)) == (kind, (1, column)), error
    assert message in error.message
    assert hint in error.hint


def test_all_errors_of_a_query_are_found_at_once() -> None:
    with pytest.raises(QueryErrors) as caught:
        bind("T | where Nmae has 'x' and n has 'y'\n| summarize summ(n) by Nope", TABLES, CATALOG)
    places = [caught.value.place(e) for e in caught.value.errors]
    assert places == [(1, 11), (1, 30), (2, 13), (2, 24)]


def test_an_error_causes_no_second_one() -> None:
    with pytest.raises(QueryErrors) as caught:
        bind("T | where not(nope + 1 > 2 and Name in (nope))", TABLES, CATALOG)
    assert [e.message for e in caught.value.errors] == ["there is no column 'nope'"] * 2


def test_chains_of_thousands_of_terms_compile() -> None:
    terms = " or ".join(f"n == {i}" for i in range(3_000))
    plan = bind(f"T | where {terms}", TABLES, CATALOG)
    assert isinstance(plan, p.Filter)
    assert len(p.terms(plan.predicate, "or")) == 3_000


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("T | where n > 1 | summarize any(Name) by Path", {"Name", "Path"}),
        ("T | where n > 1 | summarize count()", set()),
        ("T | where n > 1 | summarize c = count() by Path | where c > 1 | project Path", {"Path"}),
        ("T | where n > 1 | project Name, x = r | sort by x | take 1", {"Name", "x"}),
        ("T | project Name, n, r | sort by n | project Name", {"Name", "n"}),
    ],
)
def test_the_columns_that_are_read_above_the_front(query: str, expected: set[str]) -> None:
    from lakehunt.kql.row_local import row_local_parts

    plan = bind(query, TABLES, CATALOG)
    (front,) = row_local_parts(plan)
    assert p.needed(plan, front) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("union isfuzzy=true (T | project n), Nope", "n:long"),
        ("union isfuzzy=TRUE Nope, (T | project n), (Nope2 | where x == 1 | summarize count() by y)", "n:long"),
        ("union isfuzzy=true withsource=s (T | project n), nope(), (T | join Nope on n)", "s:string n:long"),
        ("let x = 'T'; table(x) | project n", "n:long"),
        ("let f = (x: string) { table(x) | project n }; f('T')", "n:long"),
        ("let f = (x: string = 'T') { table(x) | project n }; f()", "n:long"),
        ("let x = ''; table(strcat('T', x)) | project n", "n:long"),
        ("T | count as k", "k:long"),
        ("T | top-hitters 3 of Name", "Name:string approximate_count_Name:long"),
        ("T | top-hitters 3 of Name by n", "Name:string approximate_sum_n:long"),
        ("T | top-hitters 3 of Name by strlen(Path)", "Name:string approximate_sum_strlen_Path:long"),
        ("T | project Name | where Name containscs 'a' or Name notcontains 'b' or Name notcontainscs 'c'",
         "Name:string"),
        ("T | project Name | where Name == 1 or 1 != Name or Name in (1, 2) or Name has_any (dynamic([12]))",
         "Name:string"),
        ("T | project todynamic(d), x = toobject(d)", "d:dynamic x:dynamic"),
        ("print c = column_names_of(T)", "c:dynamic"),
    ],
)  # fmt: skip
def test_what_hunters_write(query: str, expected: str) -> None:
    assert schema(query) == expected


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("union isfuzzy=true Nope, Nope2", ["there is no table 'Nope'", "there is no table 'Nope2'"]),
        ("union isfuzzy=false T, Nope", ["there is no table 'Nope'"]),
        ("union isfuzzy=true T, (T | where z == 1)", ["there is no column 'z'"]),
        ("union isfuzzy=true T, (Nope | where x == 1 | join (T | where z == 1) on Name)",
         ["there is no table 'Nope'", "there is no column 'z'"]),
        ("let x = Nope; x | where a == 1", ["there is no column 'Nope'"]),
        ("let f = (x: string) { table(x) }; union isfuzzy=true T, f('Nope') | join (f('Nope')) on Name",
         ["there is no table 'Nope'"]),
        ("let T2 = 'Nope'; table(T2)", ["there is no table 'Nope'"]),
        ("T | where Name likecs 'a'", ["the operator 'likecs' is not supported"]),
    ],
)  # fmt: skip
def test_what_stays_an_error(query: str, messages: list[str]) -> None:
    with pytest.raises(QueryErrors) as caught:
        bind(query, TABLES, CATALOG)
    assert [error.message for error in caught.value.errors] == messages


def test_what_a_fuzzy_union_leaves_out() -> None:
    query = "union isfuzzy=true T, Nope, (nope() | take 1)"
    plan = bind(query, TABLES, CATALOG)
    assert isinstance(plan, p.Union)
    assert [(name, query[span.start : span.end]) for name, span in plan.left_out] == [
        ("Nope", "Nope"),
        ("nope", "nope"),
    ]


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("T | where Name = 'a'", "write == to compare"),
        ("T | where (n > 1 and Name = 'a')", "write == to compare"),
        ("T\n| where n > 1\nproject n", "write | before project"),
        ("T | where Name like 'a'", "write contains"),
        ("T\n| where (n > 1 or (b)\n| take 1", "it closes the `(` at 2:9"),
        ("T | extend x = strcat('a', Name | take 1", "it closes the `(` at 1:22"),
        ("T | where Name has_any ('a', 'b' | take 1", "it closes the `(` at 1:24"),
    ],
)
def test_what_was_meant(query: str, hint: str) -> None:
    with pytest.raises(QueryErrors) as caught:
        bind(query, TABLES, CATALOG)
    assert hint in caught.value.errors[0].hint


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search in (A, B) FileName == 'x'",
         "$table:string x:long k:string FileName:string n_long:long n_string:string y:string"),
        ("search in (A, B) n_long == 1 or n_string == 'x'",
         "$table:string x:long k:string FileName:string n_long:long n_string:string y:string"),
        ("search in (A, C) FileName:'x' and z.a == 1",
         "$table:string x:long k:string FileName:string n:long z:dynamic"),
        ("find FileName == 'x'", "source_:string k:string FileName:string pack_:dynamic"),
        ("find where FileName == 'x' project-smart", "source_:string k:string FileName:string pack_:dynamic"),
        ("find in (A, B, C) where FileName == 'x' project FileName, y", "source_:string FileName:string y:string"),
        ("find in (A, B, C) where FileName == 'x' project n: string, k: long", "source_:string n:string k:long"),
        ("find withsource = T in (A, B) where k == 'x' project pack_all()", "T:string pack_:dynamic"),
        ("find in (A, B) where k == 'x' project pack(*)", "source_:string pack_:dynamic"),
        ("find 'x'", "source_:string pack_:dynamic"),
        ("find in (A, C) where 'x' and FileName == 'y'", "source_:string k:string FileName:string pack_:dynamic"),
        ("find in (B) where y:'x'", "source_:string y:string k:string n:string"),
        ("find in (A, B) where not(y == 'x')", "source_:string y:string k:string n:string"),
        ("find in (D, E) where p == 1", "source_:string p:long q:string"),
        ("find in (D, C) where p == 1 or z.a == 1", "source_:string p:long z:dynamic pack_:dynamic"),
        ("find in (D, A) where x == 1 or p == 1", "source_:string x:long p:long pack_:dynamic"),
        ("let V = view () { print v = 1 }; find where v == 1", "source_:string v:long"),
    ],
)  # fmt: skip
def test_columns_of_search_and_find(query: str, expected: str) -> None:
    assert schema(query, SEVERAL) == expected


def test_a_column_of_several_types_is_one_for_each_in_find() -> None:
    """Microsoft's documentation says so; its binder has one column, of an unknown type."""
    found = "source_:string k:string n_long:long n_string:string pack_:dynamic"
    assert schema("find in (A, B) where n == 'x'", SEVERAL) == found


@pytest.mark.parametrize(
    "query",
    [
        "search in (B) FileName == 'x'",
        "search in (A, B) n == 1",
        "search in (A, B) nope:'x'",
        "search ['$table'] == 'A'",
        "A | search y == 'x'",
        "find in (B) where FileName == 'y'",
        "find in (A, B) where source_ == 'A'",
        "find in (A, B) where k == 'x' project nope: string",
        "let V = () { print v = 1 }; union V*, A",
        "find in (A, B) where k == 'x' project k = n",
    ],
)
def test_what_search_and_find_refuse_as_microsofts_binder_does(query: str) -> None:
    with pytest.raises(QueryErrors):
        bind(query, SEVERAL, CATALOG)
