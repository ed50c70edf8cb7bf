"""Command lines by Microsoft's rules, CSV as Python writes it, and what is refused of URLs and paths.

Single values are in tests/cases/functions/."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import rows
from tests.support.properties import in_few_queries, many


@pytest.mark.parametrize(
    ("function", "text"),
    [("parse_url", "bing.com"), ("parse_url", "http://a/%20"), ("parse_urlquery", "a"), ("parse_path", "C:/a.txt")],
)
def test_fails_where_the_answer_is_not_known(spark: Any, function: str, text: str) -> None:
    with pytest.raises(Exception, match=r"not known|not supported|knows"):
        rows(spark, f"datatable(s: string)['{text}'] | project {function}(s)")


def _arguments(line: str) -> list[str]:
    """The arguments of a command line after its program, by the letter of Microsoft's rules."""
    found: list[str] = []
    current: list[str] | None = None
    quotes = at = 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        after = line[at + slashes : at + slashes + 1]
        if not quotes and not slashes and after in (" ", "\t"):
            if current is not None:
                found.append("".join(current))
            current = None
            at += 1
            continue
        current = [] if current is None else current
        at += slashes
        if after != '"':
            plain = "" if after in (" ", "\t") and not quotes else after
            current.append("\\" * slashes + plain)
            at += len(plain)
            continue
        current.append("\\" * (slashes // 2))
        if slashes % 2:
            current.append('"')
            at += 1
            continue
        while line[at : at + 1] == '"':
            quotes += 1
            if quotes == 3:
                current.append('"')
                quotes = 0
            at += 1
        quotes %= 2
    return found if current is None else [*found, "".join(current)]


@in_few_queries
@given(lines=many(st.text('ab "\\\t', max_size=14)))
def test_command_lines_are_split_as_windows_does(spark: Any, lines: list[str]) -> None:
    table = ", ".join(f"@'p {line}'" for line in lines)
    answers = rows(spark, f"datatable(s: string)[{table}] | project parse_command_line(s, 'windows')")
    assert [row[0] for row in answers] == [["p", *_arguments(line)] for line in lines]


@in_few_queries
@given(records=many(st.lists(st.text('a,"\n ', max_size=5), min_size=1, max_size=4)))
def test_csv_is_read_as_python_writes_it(spark: Any, records: list[list[str]]) -> None:
    made = [io.StringIO() for _ in records]
    for buffer, record in zip(made, records, strict=True):
        csv.writer(buffer, quoting=csv.QUOTE_ALL).writerow(record)
    table = ", ".join("'" + buffer.getvalue().replace("\r", r"\r").replace("\n", r"\n") + "'" for buffer in made)
    answers = rows(spark, f"datatable(s: string)[{table}] | project parse_csv(s)")
    assert [row[0] for row in answers] == records
