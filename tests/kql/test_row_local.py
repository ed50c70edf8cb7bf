"""How far conditions reach down a plan: for every operator, which hold for the rows that it reads."""

from __future__ import annotations

import pytest

from lakehunt.kql import plan as p
from lakehunt.kql import row_local
from lakehunt.kql.binding import bind
from lakehunt.kql.types import BOOL, DYNAMIC, LONG, STRING, Column
from lakehunt.spark.functions import CATALOG

TABLES = {
    "T": (Column("x", STRING), Column("n", LONG), Column("flag", BOOL), Column("d", DYNAMIC)),
    "U": (Column("x", STRING), Column("m", LONG)),
}


def reaching(query: str) -> dict[str, list[str]]:
    """The conditions that reach each read of a table, as the query writes them; in brackets those that are no reason to
    leave a row out, as rows around it are looked at."""
    found: dict[str, list[str]] = {}
    for scan, conditions in row_local.scans(bind(query, TABLES, CATALOG)):
        written = [(query[one.expr.span.start : one.expr.span.end], one.separable) for one in conditions]
        found.setdefault(scan.table, []).extend(text if separable else f"[{text}]" for text, separable in written)
    return found


REACHING: dict[str, dict[str, list[str]]] = {
    # a row at a time
    "T | where x == 'a'": {"T": ["x == 'a'"]},
    "T | where x == 'a' and n > 1 | where flag": {"T": ["flag", "x == 'a'", "n > 1"]},
    "T | where x == 'a' or n > 1": {"T": ["x == 'a' or n > 1"]},
    "T | extend y = strlen(x) | where y > 1 and n > 2": {"T": ["y > 1", "n > 2"]},
    "T | project y = n | where y > 1": {"T": ["y > 1"]},
    "T | project y = flag | where y": {"T": ["y"]},
    "T | project-away d | where n > 1": {"T": ["n > 1"]},
    "T | project-rename y = n | where y > 1": {"T": ["y > 1"]},
    "T | parse x with 'a=' a: long | where a > 1": {"T": ["a > 1"]},
    # the order of rows is not their content
    "T | sort by n | where x == 'a'": {"T": ["x == 'a'"]},
    "T | order by n | extend y = x | sort by y | where y == 'a'": {"T": ["y == 'a'"]},
    "T | serialize | where x == 'a'": {"T": ["x == 'a'"]},
    # which rows these let through depends on all of them
    "T | take 5 | where x == 'a'": {"T": []},
    "T | top 5 by n | where x == 'a'": {"T": []},
    "T | where n > 1 | top 5 by n | where x == 'a'": {"T": ["n > 1"]},
    "T | top-nested 2 of x by count() | where x == 'a'": {"T": []},
    # a row that is left out would change what a window function gives the others
    "T | serialize k = row_number() | where x == 'a'": {"T": ["[x == 'a']"]},
    "T | sort by n | extend before = prev(x) | where x == 'a'": {"T": ["[x == 'a']"]},
    "T | sort by n | where prev(x) == 'b' and x == 'a'": {"T": ["[prev(x) == 'b']", "[x == 'a']"]},
    "T | where x == 'a' | sort by n | where prev(n) > 1": {"T": ["[prev(n) > 1]", "x == 'a'"]},
    "T | sort by n | extend k = row_number() | where k < 3": {"T": ["[k < 3]"]},
    # each table of a union
    "union T, (U | where m > 1) | where x == 'a'": {"T": ["x == 'a'"], "U": ["x == 'a'", "m > 1"]},
    # an element has the other columns of its row
    "T | mv-expand d | where x == 'a'": {"T": ["x == 'a'"]},
    "T | mv-expand d to typeof(long) | where d > 1": {"T": []},
    "T | mv-expand with_itemindex=i e = d | where i == 0 and n > 1": {"T": ["n > 1"]},
    "T | mv-expand x = d to typeof(string) | where x == 'a'": {"T": []},
    "T | sort by n | mv-expand e = pack_array(prev(x)) | where x == 'a'": {"T": ["[x == 'a']"]},
    # a join's row is made of one row of a side, or is there for want of one
    "T | join kind=inner U on x | where n > 1 and m > 2": {"T": ["n > 1"], "U": ["m > 2"]},
    "T | join kind=inner U on x | where x1 == 'a'": {"T": [], "U": ["x1 == 'a'"]},
    "T | join kind=inner U on x | where n > m": {"T": [], "U": []},
    "T | join kind=innerunique U on x | where n > 1 and m > 2": {"T": [], "U": ["m > 2"]},
    "T | join kind=leftouter U on x | where n > 1 and m > 2": {"T": ["n > 1"], "U": []},
    "T | join kind=rightouter U on x | where n > 1 and m > 2": {"T": [], "U": ["m > 2"]},
    "T | join kind=fullouter U on x | where n > 1 and m > 2": {"T": [], "U": []},
    "T | join kind=leftsemi U on x | where n > 1": {"T": ["n > 1"], "U": []},
    "T | join kind=leftanti U on x | where n > 1": {"T": ["n > 1"], "U": []},
    "T | join kind=rightsemi U on x | where m > 1": {"T": [], "U": ["m > 1"]},
    "T | join kind=rightanti U on x | where m > 1": {"T": [], "U": ["m > 1"]},
    "T | lookup U on x | where n > 1 and m > 2": {"T": ["n > 1"], "U": []},
    "T | join kind=inner (U | where m > 2) on x | where n > 1": {"T": ["n > 1"], "U": ["m > 2"]},
    # rows are made of many
    "T | summarize k = count() by x | where x == 'a'": {"T": []},
    "T | distinct x | where x == 'a'": {"T": []},
    "T | count | where Count > 1": {"T": []},
    "T | make-series k = count() on n from 0 to 9 step 1 by x | where x == 'a'": {"T": []},
    "T | mv-apply e = d to typeof(long) on (where e > 1) | where x == 'a'": {"T": []},
    "T | partition by x (where n > 1) | where x == 'a'": {"T": []},
    "T | sort by n | scan with (step a: x == 'a';) | where n > 1": {"T": []},
    # a query inside of an expression reads its own rows
    "T | where x in ((U | where m > 1 | project x)) and n > 1": {
        "T": ["x in ((U | where m > 1 | project x))", "n > 1"], "U": ["m > 1"]
    },
    "T | where n > toscalar(U | where m > 1 | count)": {
        "T": ["n > toscalar(U | where m > 1 | count)"], "U": ["m > 1"]
    },
}  # fmt: skip


@pytest.mark.parametrize("query", REACHING)
def test_which_conditions_reach_a_table(query: str) -> None:
    assert reaching(query) == REACHING[query]


def test_a_table_that_is_joined_with_itself_has_the_conditions_of_each_side() -> None:
    query = "let t = T; t | join kind=inner t on x | where n > 1 and n1 > 2"
    found = [[query[c.expr.span.start : c.expr.span.end] for c in above] for _, above in row_local.scans(_bound(query))]
    assert found == [["n > 1"], ["n1 > 2"]]


def test_columns_are_written_as_the_table_has_them() -> None:
    query = "T | project y = n | join kind=inner (U | project x, z = m) on $left.y == $right.z | where y > 1 and z > 2"
    read = {scan.table: p.references(above[0].expr) for scan, above in row_local.scans(_bound(query))}
    assert read == {"T": {"n"}, "U": {"m"}}


def test_conditions_that_double_with_every_step_are_left_out() -> None:
    doubled = "".join(f" | extend y{i + 1} = strcat(y{i}, y{i})" for i in range(40))
    assert reaching(f"T | where n > 1 | extend y0 = x{doubled} | where y40 == 'b'") == {"T": ["n > 1"]}


def test_every_operator_is_here() -> None:
    """An operator that is new to the language needs a row above: which conditions it passes is part of its meaning."""
    asked = {type(step) for query in REACHING for step in p.walk(_bound(query))}
    plans = {kind for kind in vars(p).values() if isinstance(kind, type) and issubclass(kind, p.Plan)}
    assert plans - asked - {p.Plan, p.External, p.Values, p.Range, p.Pivot} == set()


def _bound(query: str) -> p.Plan:
    return bind(query, TABLES, CATALOG)
