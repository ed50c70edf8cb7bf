"""What a file says is what one gets, or an error at its place. Each test runs on libyaml and on the Python parser."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehunt.core import strict_yaml
from lakehunt.core.strict_yaml import MAX_BYTES, MAX_DEPTH, Mapping, Sequence, YamlError

LOADERS = {"libyaml": getattr(yaml, "CSafeLoader", None), "python": yaml.SafeLoader}


@pytest.fixture(autouse=True, scope="module", params=LOADERS)
def parser(request: pytest.FixtureRequest) -> Iterator[None]:
    loader = LOADERS[request.param]
    if loader is None:
        pytest.skip("PyYAML was built without libyaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_yaml, "_FAST_LOADER", loader)
        yield


def refused(text: str) -> YamlError:
    with pytest.raises(YamlError) as caught:
        strict_yaml.load(text, "file.yaml")
    return caught.value


SCALARS: dict[str, object] = {
    "no": "no",
    "on": "on",
    "Yes": "Yes",
    "y": "y",
    "1:30": "1:30",
    "1_000": "1_000",
    "0b1": "0b1",
    "2024-01-01": "2024-01-01",
    "2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z",
    "1.2.3": "1.2.3",
    "=": "=",
    "<<": "<<",
    "tRUE": "tRUE",
    "true": True,
    "True": True,
    "FALSE": False,
    "null": None,
    "~": None,
    "": None,
    "12": 12,
    "-0012": -12,
    "+7": 7,
    "0o17": 15,
    "0xfF": 255,
    "1.10": 1.1,
    "1.": 1.0,
    ".5": 0.5,
    "-1e3": -1000.0,
    "-.INF": -math.inf,
    "'true'": "true",
    '"1"': "1",
    "''": "",
    r'"\ud83d\udd0e"': "\U0001f50e",
    "|\n  12\n": "12\n",
    ">-\n  null\n": "null",
}


@pytest.mark.parametrize("written", SCALARS)
def test_scalars_follow_the_core_schema(written: str) -> None:
    value = strict_yaml.load(f"key: {written}")["key"]
    assert (type(value), value) == (type(SCALARS[written]), SCALARS[written])


def test_not_a_number_is_a_number() -> None:
    value = strict_yaml.load("key: .nan")["key"]
    assert isinstance(value, float)
    assert math.isnan(value)


def test_text_is_what_was_written() -> None:
    document = strict_yaml.load("version: 1.10\nlist: [0x10, no, 'a']\nempty:\n")
    assert document == {"version": 1.1, "list": [16, "no", "a"], "empty": None}
    assert document.text("version") == "1.10"
    entries = document["list"]
    assert isinstance(entries, Sequence)
    assert [entries.text(i) for i in range(3)] == ["0x10", "no", "a"]
    assert [document.is_empty(key) for key in ("version", "list", "empty", "none")] == [False, False, True, True]
    with pytest.raises(YamlError, match=r"2:7: expected a single value"):
        document.text("list")


def test_keys_are_text() -> None:
    assert strict_yaml.load("1: a\ntrue: b\n~: c\n0x1: d") == {"1": "a", "true": "b", "~": "c", "0x1": "d"}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff", "--- # nothing\n...\n"])
def test_a_file_without_content_is_an_empty_mapping(text: str) -> None:
    assert strict_yaml.load(text) == {}


def test_entries_know_their_places() -> None:
    document = strict_yaml.load("# comment\na: 1\nb:\n  - x\n  - c: 2\n", "file.yaml")
    assert (document.line("a"), document.position("a")) == (2, (2, 4))
    entries = document["b"]
    assert isinstance(entries, Sequence)
    assert (entries.line(0), entries.position(0), entries.start) == (4, (4, 5), (4, 3))
    inner = entries[1]
    assert isinstance(inner, Mapping)
    assert str(inner.error("c", "wrong", "right it")) == "file.yaml:5:5: wrong\n  hint: right it"
    assert str(inner.value_error("c", "wrong")) == "file.yaml:5:8: wrong"
    assert str(inner.error("missing", "wrong")) == "file.yaml:5:5: wrong"
    assert (document.error("b", "x").line, document.error("b", "x").column, document.file) == (3, 1, "file.yaml")


REFUSED = {
    "a: 1\nb: 2\na: 3": (3, 1, "key 'a' appears twice, first on line 1"),
    "a: {b: 1, 'b': 2}": (1, 11, "key 'b' appears twice, first on line 1"),
    "a: &x 1": (1, 4, "anchor &x is not allowed"),
    "&x a: 1": (1, 1, "anchor &x is not allowed"),
    "a: *x": (1, 4, "alias *x is not allowed"),
    "a: !!python/object/apply:os.system [id]": (1, 4, "is not allowed"),
    "a: ! b": (1, 4, "tag '!' is not allowed"),
    "%YAML 1.1\n---\na: 1": (1, 1, "directives such as %YAML are not allowed"),
    "a: 1\n---\nb: 2": (2, 1, "a second document starts here"),
    "? [a]\n: 1": (1, 3, "a key must be text"),
    "{[a]: 1}": (1, 2, "a key must be text"),
    "- a": (1, 1, "expected keys with values"),
    "text": (1, 1, "expected keys with values"),
    "~": (1, 1, "expected keys with values"),
    "a: 1\n\tb: 2": (2, 1, "tab"),
    "a: x\u2028y": (1, 5, "character U+2028 is not allowed"),
    "a: 1\nb: x\x85": (2, 5, "character U+0085 is not allowed"),
    "a: \x00": (1, 4, "character U+0000 is not allowed"),
    "a: 1\r\nb: \ufeff": (2, 4, "character U+FEFF is not allowed"),
    "a: 1e999": (1, 4, "the number is too large"),
    "a: " + "9" * 5000: (1, 4, "the number is too large"),
    'a: "\\ud83d\\ude00"\nb: "\\UFFFFFFFF"': (2, 5, "the escape is not a valid character"),
    'a: "\\ud83d"': (1, 4, "the escape is half of a surrogate pair"),
    "a: @b": (1, 4, "'@' cannot start any token"),
    "a: `b`": (1, 4, "'`' cannot start any token"),
    "a: b: c": (1, 5, "mapping values are not allowed"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_at_its_place(text: str) -> None:
    line, column, problem = REFUSED[text]
    error = refused(text)
    assert (error.line, error.column) == (line, column)
    assert problem in str(error)
    assert str(error).startswith(f"file.yaml:{line}:{column}: ")
    assert error.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\t- b", "indent with spaces"),
        ("a: [1, 2\nb: 3", "close the bracket"),
        ("a: {b", "close the bracket"),
        ("a: 'it's'", "check this line's indentation"),
        ("a: 'x", "close the quotes"),
        (r'a: "C:\q"', "a backslash starts an escape"),
        ("a: 1\n b: 2", "put a value that contains ': ' in quotes"),
        ("a: 1\nb", "its key ends with ': '"),
    ],
)
def test_syntax_errors_say_what_to_do(text: str, hint: str) -> None:
    error = refused(text)
    assert error.problem.startswith("not YAML: ")
    assert hint in error.hint


def test_an_error_at_the_end_is_inside_the_file() -> None:
    assert (refused("a: 1\nb").line, refused("a: [1").line) == (2, 1)


def test_a_tag_cannot_command_the_terminal() -> None:
    assert "\x1b" not in str(refused("a: !%1b[31m b"))


def test_depth_is_limited() -> None:
    fits = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert list(strict_yaml.load(fits)) == ["a"]
    assert "nested deeper than 32 levels" in str(refused("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH))


def test_values_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_yaml, "MAX_VALUES", 10)
    assert strict_yaml.load("a: [" + "1," * 7 + "]") == {"a": [1] * 7}  # and the mapping, its key, the sequence
    error = refused("a: [" + "1," * 8 + "]")
    assert (error.column, error.problem) == (19, "more than 10 keys and values")


@pytest.mark.parametrize(
    "bomb",
    [
        "a: " + "[" * (MAX_BYTES - 10),
        "a: " + "{b: " * (MAX_BYTES // 5),
        "- " * (MAX_BYTES // 2),
        "? " * (MAX_BYTES // 2),
        "a: &a ["
        + ",".join("x" * 9)
        + "]\n"
        + "".join(f"{b}: &{b} [*{a},*{a},*{a}]\n" for a, b in pairwise("abcdefghi")),
        "a: " + "9" * (MAX_BYTES - 10),
        "a: '" + "x\n" * (MAX_BYTES // 3),
        "a: |\n" + " " * (MAX_BYTES - 10),
        "x\n" * (MAX_BYTES // 2),
        "a" * MAX_BYTES + "b",
    ],
    ids=lambda bomb: bomb[:12],
)
def test_bombs_are_refused_in_a_moment(bomb: str) -> None:
    started = time.monotonic()
    with suppress(YamlError):
        strict_yaml.load(bomb)
    assert time.monotonic() - started < 10


class TestFiles:
    def test_a_byte_order_mark_is_no_content(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\nb: 3\r\n")
        with pytest.raises(YamlError, match=r"a\.yaml:3:1: key 'b' appears twice, first on line 2"):
            strict_yaml.load_file(file)

    def test_other_encodings_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_bytes("a: 1\nb: ä€".encode("cp1252"))
        with pytest.raises(YamlError, match=r"a\.yaml:2:4: not UTF-8: byte 0xe4\n  hint: save the file as UTF-8"):
            strict_yaml.load_file(str(file))
        file.write_bytes("a: 1".encode("utf-16"))
        with pytest.raises(YamlError, match="not UTF-8"):
            strict_yaml.load_file(file)

    def test_large_ones_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_bytes(b"#" * MAX_BYTES)
        assert strict_yaml.load_file(file) == {}
        file.write_bytes(b"#" * (MAX_BYTES + 1))
        with pytest.raises(YamlError, match="larger than 1048576 bytes"):
            strict_yaml.load_file(file)

    def test_what_cannot_be_read_is_said(self, tmp_path: Path) -> None:
        for path, problem in (
            (tmp_path / "none.yaml", "No such file"),
            (tmp_path, "not a file"),
            (Path("/dev/zero"), "not a file"),
            (tmp_path / "a\0b", "cannot be read"),
        ):
            with pytest.raises(YamlError, match=problem):
                strict_yaml.load_file(path)


PLACES = {
    # text -> the place in the file of the text's (1, 1), and of its (2, 3) or what would be it; the same place twice if
    # there is no text
    "q: |\n  one\n  two\n": ((2, 3), (3, 5)),
    "q: |-\n    one\n      two": ((2, 5), (3, 7)),
    "q: |2+ # comment\n    one\n  two\n\n": ((2, 3), (3, 5)),
    "q: |\n\n\n   one\n   two\n": ((2, 4), (3, 6)),
    "q: |\r\n  one\r\n  two\r\n": ((2, 3), (3, 5)),
    "a: 1\nq:\n  |\n  one\n  two": ((4, 3), (5, 5)),
    "q: one | two": ((1, 4), (2, 6)),
    "q: 'one two' # comment": ((1, 5), (2, 7)),
    'q: "one two"': ((1, 5), (2, 7)),
    "q: |\n": ((1, 4), (1, 4)),
    "q: ''": ((1, 4), (1, 4)),
}


@pytest.mark.parametrize("written", PLACES)
def test_places_in_text_are_places_in_the_file(written: str) -> None:
    document = strict_yaml.load(written)
    text_map = document.text_map("q")
    first, later = PLACES[written]
    assert (text_map.place(1, 1), text_map.place(2, 3)) == (first, later)
    assert document.text_map("q").start.line == first[0]
    assert text_map.skip(1).place(1, 3) == later


FOLDED = {
    # text -> its value, and the places in the file of the value's characters and of its end
    "q: 'it''s' #": ("it's", [(1, 5), (1, 6), (1, 7), (1, 9), (1, 10)]),
    'q: "a\\tb"': ("a\tb", [(1, 5), (1, 6), (1, 8), (1, 9)]),
    'q: "\\x41\\u00e4\\U0001f431\\ud83d\\ude00x"': (
        "A\u00e4\U0001f431\U0001f600x", [(1, 5), (1, 9), (1, 15), (1, 25), (1, 37), (1, 38)]),
    "q: ab\n  c # d": ("ab c", [(1, 4), (1, 5), (1, 6), (2, 3), (2, 4)]),
    "q: 'a \t\n\n \n   b'": ("a\n\nb", [(1, 5), (1, 6), (2, 1), (4, 4), (4, 5)]),
    'q: "a \\\n   b\\\n\n  \\ c"': ("a b\n c", [(1, 5), (1, 6), (2, 4), (3, 1), (4, 3), (4, 5), (4, 6)]),
    "q: >\n  a\n  b\n\n  c\n\n": ("a b\nc\n", [(2, 3), (2, 4), (3, 3), (4, 1), (5, 3), (5, 4), (5, 5)]),
    "q: >-\n\n  a\n   b\n  c\n": ("\na\n b\nc", [(2, 1), (3, 3), (3, 4), (4, 3), (4, 4), (4, 5), (5, 3), (5, 4)]),
    "q: >2+ # x\n   a\n  b\n\n": (" a\nb\n\n", [(2, 3), (2, 4), (2, 5), (3, 3), (3, 4), (4, 1), (4, 2)]),
}  # fmt: skip


@pytest.mark.parametrize("written", FOLDED)
def test_places_in_quoted_and_folded_text(written: str) -> None:
    text, places = FOLDED[written]
    document = strict_yaml.load(written)
    assert document["q"] == text
    text_map = document.text_map("q")
    assert [text_map.place(*position) for position in positions(text)] == places


def positions(text: str) -> list[tuple[int, int]]:
    """Lines and columns of a text's characters and of its end."""
    lines = [text[:at].split("\n") for at in range(len(text) + 1)]
    return [(len(before), len(before[-1]) + 1) for before in lines]


@settings(max_examples=300)
@given(
    text=st.text(st.sampled_from("ab'\"\\ \n\t:-#|\u00e4\U0001f431\x07")).filter(lambda text: text.strip(" \n")),
    style=st.sampled_from(["", "'", '"', ">", "|"]),
    width=st.integers(3, 30),
    indent=st.integers(2, 9),
    as_escapes=st.booleans(),
    eol=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_every_character_of_a_scalar_is_found(
    text: str, style: str, width: int, indent: int, as_escapes: bool, eol: str
) -> None:
    written = yaml.dump(
        {"a": "b", "key": {"query": text}},
        default_style=style or None,
        width=width,
        indent=indent,
        allow_unicode=not as_escapes,
    ).replace("\n", eol)
    document = strict_yaml.load(written)["key"]
    assert isinstance(document, Mapping)
    assert document["query"] == text
    file = re.split(r"\r\n|\r|\n", written)
    text_map = document.text_map("query")
    places = [text_map.place(*position) for position in positions(text)]
    assert places == sorted(set(places))
    for character, place in zip(text, places, strict=False):
        there = file[place.line - 1][place.column - 1 :]
        if (
            there.startswith("\\") and document.places.scalar("query").style == '"'
        ):  # what escapes mean is for the parser to say
            found = next(there[:end] for end in range(2, 11) if is_escape(there[:end]))
            assert yaml.safe_load(f'"{found}"') == character
        elif there.strip(" \t"):
            assert there[0] == character
        else:  # a line break, or blanks at the end of a line
            assert character in " \t\n"


def is_escape(text: str) -> bool:
    with suppress(yaml.YAMLError):
        return len(yaml.safe_load(f'"{text}"')) == 1
    return False


LINES = st.lists(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff")) | st.just("\tx")
)


@given(
    lines=LINES.filter(lambda lines: any(line.strip(" ") for line in lines)),
    indent=st.integers(1, 9),
    chomp=st.sampled_from("-+ "),
    eol=st.sampled_from(["\n", "\r\n", "\r"]),
    before=st.integers(0, 3),
)
def test_every_character_of_a_literal_is_found(
    lines: list[str], indent: int, chomp: str, eol: str, before: int
) -> None:
    written = "# x\n" * before + f"key: |{indent}{chomp}{eol}" + "".join(f"{' ' * indent}{line}{eol}" for line in lines)
    document = strict_yaml.load(written)
    file = re.split(r"\r\n|\r|\n", written)
    text = document.text("key")
    assert text.rstrip("\n") == "\n".join(lines).rstrip("\n")
    for number, line in enumerate(text.split("\n"), start=1):
        for column, character in enumerate(line, start=1):
            place = document.text_map("key").place(number, column)
            assert file[place.line - 1][place.column - 1] == character


class CoreDumper(yaml.SafeDumper):
    """Quotes what the core schema would not read as text; the patterns are those of the specification's table."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


for tag, pattern in {
    "null": r"null|Null|NULL|~|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN",
}.items():
    CoreDumper.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), None)

TEXT = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(sorted(SCALARS))
    | st.from_regex(r"[-+.0-9eExo]+")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT.map(lambda key: key[:80]), inner),
    max_leaves=8,
)


def types(value: object) -> object:
    """The types of nested values; == alone takes 1, 1.0 and True for the same."""
    if isinstance(value, dict):
        return {key: types(inner) for key, inner in value.items()}
    return [types(inner) for inner in value] if isinstance(value, list) else type(value)


@given(data=st.dictionaries(TEXT.map(lambda key: key[:80]), VALUES), flow=st.sampled_from([True, False, None]))
def test_what_is_dumped_is_what_is_loaded(data: dict[str, Any], flow: bool | None) -> None:
    document = strict_yaml.load(yaml.dump(data, Dumper=CoreDumper, default_flow_style=flow, sort_keys=False))
    assert document == data
    assert types(document) == types(data)
    assert list(document) == list(data)


GARBAGE = st.text() | st.text("[]{}:,-?|>&*!%@`\"'#\\ \n\t\rab1~.ud8\u2028", max_size=60) | st.text("?:-[]{}, \nab")


@settings(max_examples=500)
@given(GARBAGE)
def test_garbage_is_refused_or_loaded(text: str) -> None:
    outcome: Mapping | YamlError
    try:
        outcome = strict_yaml.load(text, "file.yaml")
    except YamlError as e:
        outcome = e
    if isinstance(outcome, YamlError):
        assert re.match(r"file\.yaml:[1-9][0-9]*:[1-9][0-9]*: .", str(outcome))
        assert outcome.hint


@given(st.binary() | GARBAGE.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_garbage_files_are_refused_or_loaded(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "garbage.yaml"
    file.write_bytes(data)
    with suppress(YamlError):
        strict_yaml.load_file(file)
