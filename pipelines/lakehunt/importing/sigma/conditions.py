"""Parses a rule's condition: `selection and not 1 of filter_*`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

from lakehunt.importing.sigma.expressions import Expression, Not, all_of, any_of

_TOKEN = re.compile(r"\s*(?:([()|])|([\w*.-]+)|(\S))")
_QUANTIFIERS = {"1": any_of, "any": any_of, "all": all_of}
_MOST_LEVELS = 50

_Join: TypeAlias = Callable[[list[Expression]], Expression]


def parse(text: str, searches: Mapping[str, Expression]) -> Expression:
    """The expression of a condition over the searches. Raises ValueError, with what is wrong."""
    parser = _Parser(text, searches)
    found = parser.alternatives()
    if parser.at < len(parser.tokens):
        raise ValueError(f"{parser.tokens[parser.at]!r} is not expected")
    return found


class _Parser:
    """Recursive descent: `not` binds closest, then `and`, then `or`. Operators are the same in any case."""

    def __init__(self, text: str, searches: Mapping[str, Expression]) -> None:
        self.searches = searches
        self.tokens: list[str] = []
        self.at = 0
        self.level = 0
        for punctuation, word, other in _TOKEN.findall(text):
            if other:
                raise ValueError(f"{other!r} is not expected")
            if punctuation == "|":
                raise ValueError("aggregations after `|` are of Sigma 1: a correlation rule takes their place")
            self.tokens.append(punctuation or word)

    def alternatives(self) -> Expression:
        return self._chain("or", lambda: self._chain("and", self._negation, all_of), any_of)

    def _chain(self, operator: str, operand: Callable[[], Expression], join: _Join) -> Expression:
        parts = [operand()]
        while self._is(operator):
            self.at += 1
            parts.append(operand())
        return join(parts)

    def _negation(self) -> Expression:
        if not self._is("not"):
            return self._operand()
        self.at += 1
        return Not(self._deeper(self._negation))

    def _operand(self) -> Expression:
        word = self._next()
        if word == "(":
            found = self._deeper(self.alternatives)
            if self._next() != ")":
                raise ValueError("a closing bracket is missing")
            return found
        if word.lower() in _QUANTIFIERS and self._is("of"):
            self.at += 1
            return _QUANTIFIERS[word.lower()](self._searches_like(self._next()))
        if word in {")", "("} or word.lower() in {"and", "or", "not", "of"}:
            raise ValueError(f"{word!r} is not expected")
        if self._is("of"):
            raise ValueError(f"{word!r} of is not known: write 1, any or all")
        if word not in self.searches:
            raise ValueError(f"no search {word!r}")
        return self.searches[word]

    def _searches_like(self, pattern: str) -> list[Expression]:
        if pattern.lower() == "them":
            found = [search for name, search in self.searches.items() if not name.startswith("_")]
        else:
            found = [search for name, search in self.searches.items() if fnmatchcase(name, pattern)]
        if not found:
            raise ValueError(f"no search {pattern!r}")
        return found

    def _deeper(self, parse: Callable[[], Expression]) -> Expression:
        self.level += 1
        if self.level > _MOST_LEVELS:
            raise ValueError(f"nested deeper than {_MOST_LEVELS} levels")
        found = parse()
        self.level -= 1
        return found

    def _is(self, word: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at].lower() == word

    def _next(self) -> str:
        if self.at == len(self.tokens):
            raise ValueError("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]
