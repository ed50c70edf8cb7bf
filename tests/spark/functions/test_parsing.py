"""Command lines, URLs, paths, CSV, JSON by a path: rows from the documentation and from what the engine answered; for
command lines from Microsoft's tables of what Windows makes of them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.answers import rows, values


def _command(line: str) -> str:
    return f"parse_command_line(@'{line}', 'windows')"


def _path(**parts: str) -> dict[str, str]:
    names = ("Scheme", "RootPath", "DirectoryPath", "DirectoryName", "Filename", "Extension", "AlternateDataStreamName")
    return {name: parts.get(name, "") for name in names}


EXPRESSIONS: dict[str, Any] = {
    _command('echo "hello world!"'): ["echo", "hello world!"],
    _command('x "a b c" d e'): ["x", "a b c", "d", "e"],
    _command(r'x "ab\"c" "\\" d'): ["x", 'ab"c', "\\", "d"],
    _command(r'x a\\\b d"e f"g h'): ["x", r"a\\\b", "de fg", "h"],
    _command(r"x a\\\"b c d"): ["x", r"a\"b", "c", "d"],
    _command(r'x a\\\\"b c" d e'): ["x", r"a\\b c", "d", "e"],
    _command('x a"b"" c d'): ["x", 'ab"', "c", "d"],
    _command('x a"""b c"" d'): ["x", 'a"b', "c", "d"],
    _command(r'"C:\Program Files\a.exe" -c "d"'): [r"C:\Program Files\a.exe", "-c", "d"],
    _command(r'"C:\dir\" b'): ["C:\\dir\\", "b"],
    _command('"a"b c'): ["a", "b", "c"],
    _command("a  b\t c "): ["a", "b", "c"],
    _command('a "" b'): ["a", "", "b"],
    _command("a"): ["a"],
    _command(" a"): ["", "a"],
    r"parse_command_line('a b\nc', 'windows')": ["a", "b\nc"],
    r'''parse_csv('aa,"b,b,b",cc,"Escaping quotes: ""Title""","line1\nline2"')''': [
        "aa",
        "b,b,b",
        "cc",
        'Escaping quotes: "Title"',
        "line1\nline2",
    ],
    r"parse_csv('record1,a,b,c\nrecord2,x,y,z')": ["record1", "a", "b", "c"],
    "parse_csv(',a,')": ["", "a", ""],
    """extract_json('$.name', '{"name": "John", "age": 30}')""": "John",
    """extract_json('$.age', '{"name": "John", "age": 30}')""": "30",
    """extractjson("$.a[1]['b c']", '{"a": [1, {"b c": {"x": [1, 2]}}]}')""": '{"x":[1,2]}',
    """extract_json('$.none', '{"name": "John"}')""": "",
    """extract_json('$.name', 'no JSON')""": "",
    "parse_url('scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment')": {
        "Scheme": "scheme",
        "Host": "host",
        "Port": "1234",
        "Path": "/this/is/a/path",
        "Username": "username",
        "Password": "password",
        "Query Parameters": {"k1": "v1", "k2": "v2"},
        "Fragment": "fragment",
    },
    "parse_urlquery('k1=v1&k2=v2&k3=v3')": {"Query Parameters": {"k1": "v1", "k2": "v2", "k3": "v3"}},
    r"parse_path(@'C:\temp\file.txt')": _path(
        RootPath="C:\\", DirectoryPath=r"C:\temp", DirectoryName="temp", Filename="file.txt", Extension="txt"
    ),
    r"parse_path(@'temp\file.txt')": _path(
        DirectoryPath="temp", DirectoryName="temp", Filename="file.txt", Extension="txt"
    ),
    "parse_path('file://C:/temp/file.txt:some.exe')": _path(
        Scheme="file",
        RootPath="C:/",
        DirectoryPath="C:/temp",
        DirectoryName="temp",
        Filename="file.txt",
        Extension="txt",
        AlternateDataStreamName="some.exe",
    ),
    r"parse_path(@'\\shared\users\temp\file.txt.gz')": _path(
        DirectoryPath=r"\\shared\users\temp", DirectoryName="temp", Filename="file.txt.gz", Extension="gz"
    ),
    "parse_path('/usr/lib/temp/file.txt')": _path(
        DirectoryPath="/usr/lib/temp", DirectoryName="temp", Filename="file.txt", Extension="txt"
    ),
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


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


@settings(max_examples=4, deadline=None)
@given(lines=st.lists(st.text('ab "\\\t', max_size=14), min_size=1, max_size=60))
def test_command_lines_are_split_as_windows_does(spark: Any, lines: list[str]) -> None:
    table = ", ".join(f"@'p {line}'" for line in lines)
    answers = rows(spark, f"datatable(s: string)[{table}] | project parse_command_line(s, 'windows')")
    assert [row[0] for row in answers] == [["p", *_arguments(line)] for line in lines]


@settings(max_examples=3, deadline=None)
@given(records=st.lists(st.lists(st.text('a,"\n ', max_size=5), min_size=1, max_size=4), min_size=1, max_size=20))
def test_csv_is_read_as_python_writes_it(spark: Any, records: list[list[str]]) -> None:
    made = [io.StringIO() for _ in records]
    for buffer, record in zip(made, records, strict=True):
        csv.writer(buffer, quoting=csv.QUOTE_ALL).writerow(record)
    table = ", ".join("'" + buffer.getvalue().replace("\r", r"\r").replace("\n", r"\n") + "'" for buffer in made)
    answers = rows(spark, f"datatable(s: string)[{table}] | project parse_csv(s)")
    assert [row[0] for row in answers] == records
