"""What can stand at the end of a text: tables, columns, functions, operators, hunts and commands of the shell.

The columns are those of the rows at that place: the query before the last `|` is compiled, without Spark. If it cannot
be, they are those of the tables that the text names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from lakehunt.cli.shell.statements import COMMAND
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.kusto_functions import PLUGINS
from lakehunt.kql.lexer import T, Token, lexed
from lakehunt.kql.operator_parser import JOIN_KINDS, OPERATORS
from lakehunt.kql.operators import BINARY, MEMBERSHIP
from lakehunt.kql.types import BY_NAME, Schema

if TYPE_CHECKING:
    from lakehunt.hunting.query.table_catalog import TableCatalog
    from lakehunt.kql.catalog import Catalog

FORMER_OPERATORS = frozenset(["filter", "limit", "mvexpand", "mvapply", "order"])
"""Other spellings of operators, which are not suggested."""

WORDS = ("and", "or", "not", "by", "on", "asc", "desc", "between", "kind", "with", "true", "false", "typeof", "dynamic")
STARTS = ("let", "print", "range", "datatable", "union", "search", "find", "set")

_WORD = re.compile(r"[$\w]*\Z")
_OPERATOR = re.compile(r"[\w-]*\Z")
_PLAIN = re.compile(r"[A-Za-z_]\w*")
_TAKING_TABLES = frozenset(["union", "join", "lookup", "in", "materialize", "toscalar", "search", "find", "has_any"])
"""Words before a parenthesis in which a table may stand."""


class Candidate(NamedTuple):
    """A text that may be inserted, and what it is."""

    text: str
    what: str


class Found(NamedTuple):
    """Candidates, and how many characters before the cursor they replace."""

    candidates: Sequence[Candidate]
    length: int


NOTHING = Found((), 0)


class Completions:
    """Completion for these tables. `functions` has the catalog of functions; `commands` are those of the shell, each
    with what it does and the candidates for its argument."""

    def __init__(
        self,
        tables: TableCatalog,
        functions: Catalog,
        commands: Mapping[str, tuple[str, Callable[[], Iterable[Candidate]]]] | None = None,
    ) -> None:
        self._tables = tables
        self._functions = functions
        self._commands = dict(commands or {})
        self._columns_after = lru_cache(maxsize=64)(self._bound)

    def at_end(self, text: str) -> Found:
        """The candidates at the end of a text, those that begin with its last word before those that contain it."""
        if text.lstrip().startswith(COMMAND) and "\n" not in text:
            return self._in_command(text.lstrip())
        tokens, error = lexed(text)
        if error is not None or _ends_in_comment(text, tokens):
            return NOTHING
        tokens.pop()  # the end
        word = _WORD.search(text)[0]  # type: ignore[index]
        before = tokens[:-1] if word and tokens else tokens
        if word and tokens and tokens[-1].text != word:  # such as a number
            return NOTHING
        if (operator := _operator(text, tokens)) is not None:
            names = (name for name in OPERATORS if name not in FORMER_OPERATORS)
            return _matching(operator, (Candidate(name, "operator") for name in names))
        return _matching(word, self._candidates(text[: len(text) - len(word)], before))

    def _in_command(self, text: str) -> Found:
        name, blank, argument = text.partition(" ")
        if not blank:
            return _matching(name, (Candidate(one, what) for one, (what, _) in self._commands.items()))
        if name not in self._commands:
            return NOTHING
        return _matching(argument.lstrip(), self._commands[name][1]())

    def _candidates(self, text: str, before: Sequence[Token]) -> Iterator[Candidate]:
        last = before[-1].text if before else ";"
        if last == ".":
            if len(before) > 1 and before[-2].text in ("$left", "$right"):
                yield from self._columns(text, before)
        elif last == "=" and len(before) > 1 and before[-2].text == "kind":
            yield from (Candidate(name, "kind") for name in JOIN_KINDS)
        elif last == "evaluate":
            yield from (Candidate(name, "plugin") for family in PLUGINS for name in family.names)
        elif last == ";":
            yield from self._sources(before)
            yield from (Candidate(word, "statement") for word in STARTS)
        else:
            if _is_place_of_table(before):
                yield from self._sources(before)
            yield from self._columns(text, before)
            yield from self._calls()
            yield from (Candidate(name, "keyword") for name in (*_PLAIN_OPERATORS, *WORDS))
            yield from (Candidate(name, "let") for name in _let_names(before) if not _is_place_of_table(before))

    def _sources(self, before: Sequence[Token]) -> Iterator[Candidate]:
        yield from (Candidate(name, "let") for name in _let_names(before))
        yield from (Candidate(name, "table") for name in sorted(self._tables.schemas) if _PLAIN.fullmatch(name))

    def _calls(self) -> Iterator[Candidate]:
        yield from (Candidate(f"{name}(", "aggregate") for name in sorted(self._functions.aggregates))
        yield from (Candidate(f"{name}(", "function") for name in sorted(self._functions.scalars))
        yield from (Candidate(f"{name}(", "window function") for name in sorted(self._functions.windows))

    def _columns(self, text: str, before: Sequence[Token]) -> Iterator[Candidate]:
        source = _source(text, before)
        schema = self._columns_after(source) if source is not None else None
        if schema is None:
            named = {token.text for token in before} & self._tables.schemas.keys()
            schema = tuple(column for name in sorted(named) for column in self._tables.schemas[name])
        shown = {column.name: column for column in schema}
        yield from (Candidate(_quoted(name), column.type.name) for name, column in shown.items())

    def _bound(self, source: str) -> Schema | None:
        try:
            return self._tables.bind(source).schema
        except (QueryErrors, RecursionError):
            return None


_PLAIN_OPERATORS = tuple(
    dict.fromkeys(name for name in (*BINARY, *MEMBERSHIP) if name[:1].isalpha() and name not in ("and", "or"))
)


def _matching(word: str, candidates: Iterable[Candidate]) -> Found:
    wanted = word.lower()
    ranked: dict[bool, dict[str, Candidate]] = {True: {}, False: {}}
    for one in candidates:
        at = one.text.lower().find(wanted)
        if at >= 0 and one.text != word:
            ranked[at == 0].setdefault(one.text, one)
    return Found(tuple(one for some in ranked.values() for one in some.values()), len(word))


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in BY_NAME else f"['{name}']"


def _ends_in_comment(text: str, tokens: Sequence[Token]) -> bool:
    code = [token for token in tokens if token.kind is not T.END]
    return "//" in text[code[-1].span.end if code else 0 :].rpartition("\n")[2]


def _operator(text: str, tokens: Sequence[Token]) -> str | None:
    """The beginning of an operator's name at the end of a text; None if there is something else."""
    word = _OPERATOR.search(text)[0]  # type: ignore[index]
    earlier = [token for token in tokens if token.span.end <= len(text) - len(word)]
    return word if earlier and earlier[-1].text == "|" else None


def _is_place_of_table(before: Sequence[Token]) -> bool:
    """Whether a table may stand here: after an opening parenthesis or a comma of some operators, or after `let x =`."""
    if before[-1].text == "=":
        return len(before) > 2 and before[-3].text == "let"
    if before[-1].text in _TAKING_TABLES:
        return True
    if before[-1].text not in ("(", ","):
        return False
    opening = _opened(before)
    if opening is None:  # as in `union A, B`
        return any(token.text in ("union", "find", "search") for token in _since_pipe(before))
    earlier = before[:opening]
    if not earlier:
        return True
    return any(token.text in _TAKING_TABLES for token in earlier[-4:])


def _opened(tokens: Sequence[Token]) -> int | None:
    """The place of the innermost parenthesis that is open."""
    depth = 0
    for place in range(len(tokens) - 1, -1, -1):
        if tokens[place].text in (")", "]", "}") and tokens[place].kind is T.PUNCTUATION:
            depth += 1
        elif tokens[place].text in ("(", "[", "{") and tokens[place].kind is T.PUNCTUATION:
            if not depth:
                return place
            depth -= 1
    return None


def _since_pipe(tokens: Sequence[Token]) -> Sequence[Token]:
    place = max((i for i, token in enumerate(tokens) if token.text in ("|", ";")), default=-1)
    return tokens[place + 1 :]


def _let_names(tokens: Sequence[Token]) -> Iterator[str]:
    named = pairwise(tokens)
    yield from dict.fromkeys(name.text for let, name in named if let.text == "let" and name.kind is T.NAME)


def _source(text: str, tokens: Sequence[Token]) -> str | None:
    """The query, with the `let` statements before it, whose rows are read at the end of the text."""
    marks = [token for token in tokens if token.kind is T.PUNCTUATION]
    opened: list[tuple[int, int | None]] = []  # where a part begins, and its last `|`
    begin, pipe, lets = 0, None, 0
    for mark in marks:
        if mark.text in ("(", "[", "{"):
            opened.append((begin, pipe))
            begin, pipe = mark.span.end, None
        elif mark.text in (")", "]", "}") and opened:
            begin, pipe = opened.pop()
        elif mark.text == ";" and not opened:
            begin, pipe, lets = mark.span.end, None, mark.span.end
        elif mark.text == "|":
            pipe = mark.span.start
    for start, last in ((begin, pipe), *reversed(opened)):
        if last is not None:
            part = text[start:last]
            let = re.match(r"\s*let\s+\w+\s*=", part)
            return text[:lets] + (part[let.end() :] if let else part)
    return None
