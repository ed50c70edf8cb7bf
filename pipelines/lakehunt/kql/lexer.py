"""Text -> tokens.

Source: learn.microsoft.com/kusto/query/scalar-data-types (literals), .../schema-entities/entity-names (names)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from lakehunt.kql import times
from lakehunt.kql.errors import Kind, KqlError, Span
from lakehunt.kql.types import BY_NAME

MAX_QUERY_LENGTH = 2_000_000
"""Characters; Kusto itself refuses a query text above 2,000,000."""

MAX_DIGITS = 1_000
"""Of a number. No type holds more, and Python limits the digits of integers."""


class T(StrEnum):
    """The kind of a token."""

    NAME = "name"
    STRING = "string"
    LONG = "long"
    REAL = "real"
    TIMESPAN = "timespan"
    TYPED = "typed literal"  # datetime(...), long(...): value is (type name, text)
    PUNCTUATION = "punctuation"
    END = "end of the query"


class Token(NamedTuple):
    """A token; `value` is the string's content, the number, the ticks or, for a typed literal, (type name, text)."""

    kind: T
    text: str
    span: Span
    value: object = None


WHITE = "\\t\\n\\f\\r \\u00a0\\u1680\\u180e\\u2000-\\u200b\\u202f\\u205f\\u3000\\ufeff"
"""White space, as characters of a class. Neither Python's nor Unicode's: of all 65,536 UTF-16 units, those that
Microsoft's parser skips."""

BREAKS = "\\r\\n\\u2028\\u2029"
"""What ends a comment, as characters of a class. U+2028 and U+2029 are skipped there only."""

_SKIP = re.compile(rf"(?:[{WHITE}]|//[^{BREAKS}]*[{BREAKS}]?)+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_NAME = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_]*")
_NAME_WITH_DIGIT_FIRST = re.compile(r"[0-9]+[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+\.(?![.\w])|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_UNIT = re.compile(rf"(?:{'|'.join(sorted(times.UNITS, key=len, reverse=True))})(?![A-Za-z0-9_])")
_STRING_STARTS = frozenset("hH@'\"`~")
_STRING_START = re.compile(r"[hH]?(@?['\"]|```|~~~)")
_PUNCTUATION = re.compile(
    r"=~|!~|==|!=|<>|<=|>=|=>|\.\.|!(?:in~|in(?![A-Za-z_])|[A-Za-z_]+)|(?:in|has_any|has_all)~|[-+*/%()\[\]{},;:.|=<>?@]"
)
_TYPE_NAMES = BY_NAME.keys() - {"string", "dynamic"}
_LITERAL_TYPES = sorted(_TYPE_NAMES, key=len, reverse=True)
_TYPED = re.compile(rf"({'|'.join(_LITERAL_TYPES)})[{WHITE}]*\(([^()'\"]{{0,{MAX_DIGITS}}})\)")
_TYPED_IN_QUOTES = re.compile(
    rf"(datetime|date|timespan|time)[{WHITE}]*\([{WHITE}]*(?:'([^'()]{{0,40}})'|\"([^\"()]{{0,40}})\")[{WHITE}]*\)"
)
_LOOKALIKES = {
    **dict.fromkeys("“”„‟«»″＂", 'a straight quote (")'),
    **dict.fromkeys("‘’‚‛‹›′`´＇", "a straight quote (')"),
    **dict.fromkeys("‐‑‒–—―−﹣－", "a hyphen-minus (-)"),
    **dict.fromkeys("｜¦│❘", "a vertical bar (|)"),
    "\u2026": "two points (..)",
    "≠": "!=",
    "≤": "<=",
    "≥": ">=",
    "\u00d7": "*",
    "&": "and",
}
"""Characters that stand where another one is meant, with that one."""

_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([0-7]{1,3}))")
_PLAIN = {quote: re.compile(rf"[^\\\r\n{quote}]+") for quote in "'\""}
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}


def tokens(query: str) -> list[Token]:
    """All tokens of the query, the last one END.

    Raises KqlError at the first invalid character."""
    found, error = lexed(query)
    if error is not None:
        raise error
    return found


def lexed(query: str) -> tuple[list[Token], KqlError | None]:
    """The tokens up to the first invalid character, and the error there; without an error, the last token is END."""
    if len(query) > MAX_QUERY_LENGTH:
        return [], KqlError(Kind.SYNTAX, f"the query is longer than {MAX_QUERY_LENGTH} characters", Span(0, 1))
    lone = _SURROGATE.search(query)
    if lone:
        return [], KqlError(Kind.SYNTAX, _half(lone[0]), Span(lone.start(), lone.end()), _HALF_HINT)
    found: list[Token] = []
    at = _skip(query, 0)
    try:
        while at < len(query):
            token = _token(query, at, found)
            found.append(token)
            at = _skip(query, token.span.end)
    except KqlError as error:
        return found, error
    found.append(Token(T.END, "", Span(len(query), len(query))))
    return found, None


def _skip(query: str, at: int) -> int:
    m = _SKIP.match(query, at)
    return m.end() if m else at


def _token(query: str, at: int, before: list[Token]) -> Token:
    if query[at] in _STRING_STARTS:
        m = _STRING_START.match(query, at)
        if m:
            return _string(query, at, m)
    after_dot = bool(before) and before[-1].text == "."
    token = _member_name(query, at) if after_dot else _name(query, at) or _number(query, at)
    if token:
        return token
    m = _PUNCTUATION.match(query, at)
    if m:
        return Token(T.PUNCTUATION, m[0], Span(at, m.end()))
    if query[at] in _LOOKALIKES:
        meant = f"write {_LOOKALIKES[query[at]]} instead; word processors and web pages replace it"
        raise KqlError(Kind.SYNTAX, f"unexpected character {query[at]!r}", Span(at, at + 1), meant)
    raise KqlError(Kind.SYNTAX, f"unexpected character {query[at]!r}", Span(at, at + 1))


def _member_name(query: str, at: int) -> Token | None:
    """A name after a dot, where keywords and literals are names. None for `a..b` and `a.*`."""
    m = _NAME.match(query, at)
    return Token(T.NAME, m[0], Span(at, m.end()), m[0]) if m else None


def _typed(query: str, at: int) -> Token | None:
    """`datetime(2021-03-14)`: the text in parentheses is not an expression, so it is read by the lexer."""
    m = _TYPED.match(query, at) or _TYPED_IN_QUOTES.match(query, at)
    if not m or (at and (query[at - 1].isalnum() or query[at - 1] in "_$")):
        return None
    text = next((part for part in m.groups()[1:] if part is not None), "")
    return Token(T.TYPED, m[0], Span(at, m.end()), (m[1], text.strip()))


def _name(query: str, at: int) -> Token | None:
    m = _NAME.match(query, at)
    if not m:
        return None
    name, end = m[0], m.end()
    if name in _TYPE_NAMES:
        typed = _typed(query, at)
        if typed:
            return typed
    if name in ("in", "has_any", "has_all") and query[end : end + 1] == "~":
        return Token(T.PUNCTUATION, name + "~", Span(at, end + 1))
    return Token(T.NAME, name, Span(at, end), name)


def _number(query: str, at: int) -> Token | None:
    m = _NUMBER.match(query, at)
    if not m:
        return None
    if len(m[0]) > MAX_DIGITS:
        raise KqlError(Kind.SYNTAX, f"a number has no more than {MAX_DIGITS} digits", Span(at, m.end()))
    if m[0][:2] in ("0x", "0X"):
        return Token(T.LONG, m[0], Span(at, m.end()), int(m[0], 16))
    unit = _UNIT.match(query, m.end())
    if unit and "e" not in m[0].lower():
        return Token(T.TIMESPAN, query[at : unit.end()], Span(at, unit.end()), times.scaled(m[0], times.UNITS[unit[0]]))
    name = _NAME_WITH_DIGIT_FIRST.match(query, at)
    if name and name.end() > m.end():
        return Token(T.NAME, name[0], Span(at, name.end()), name[0])
    if m[0].isdigit():
        return Token(T.LONG, m[0], Span(at, m.end()), int(m[0]))
    return Token(T.REAL, m[0], Span(at, m.end()), float(m[0]))


def _string(query: str, at: int, m: re.Match[str]) -> Token:
    opening = m[1]
    if opening in ("```", "~~~"):
        end = query.find(opening, m.end())
        if end < 0:
            raise KqlError(Kind.SYNTAX, f"this {opening} string never ends", Span(at, m.end()))
        return Token(T.STRING, query[at : end + 3], Span(at, end + 3), query[m.end() : end])
    if opening.startswith("@"):
        return _verbatim(query, at, m.end(), opening[1])
    return _escaped(query, at, m.end(), opening)


def _verbatim(query: str, at: int, start: int, quote: str) -> Token:
    """`@'C:\\Temp'`: backslashes are literal, a doubled quote is a quote."""
    m = re.compile(rf"(?:[^{quote}\r\n]|{quote}{quote})*").match(query, start)
    end = m.end() if m else start
    if query[end : end + 1] != quote:
        raise KqlError(Kind.SYNTAX, "this string never ends", Span(at, end))
    return Token(T.STRING, query[at : end + 1], Span(at, end + 1), query[start:end].replace(quote * 2, quote))


def _escaped(query: str, at: int, start: int, quote: str) -> Token:
    parts: list[str] = []
    i = start
    while True:
        plain = _PLAIN[quote].match(query, i)
        if plain:
            parts.append(plain[0])
            i = plain.end()
        if query[i : i + 1] != "\\":
            break
        m = _ESCAPE.match(query, i)
        if not m:
            raise KqlError(
                Kind.SYNTAX,
                f"{query[i : i + 2]!r} is not a valid escape sequence",
                Span(i, i + 2),
                "double the backslash, or put @ before the string",
            )
        parts.append(_unescaped(m))
        i = m.end()
    if query[i : i + 1] != quote:
        raise KqlError(Kind.SYNTAX, "this string never ends", Span(at, i))
    return Token(T.STRING, query[at : i + 1], Span(at, i + 1), _joined("".join(parts), Span(at, i + 1)))


def _joined(text: str, span: Span) -> str:
    """The text with each pair of escaped surrogates as the character it stands for."""
    if text.isascii():
        return text
    joined = _PAIR.sub(lambda pair: pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)
    lone = _SURROGATE.search(joined)
    if lone:
        raise KqlError(Kind.SYNTAX, f"in this string, {_half(lone[0])}", span, _HALF_HINT)
    return joined


def _half(surrogate: str) -> str:
    return f"U+{ord(surrogate):04X} is half of a UTF-16 pair, not a character"


_HALF_HINT = "in stored events such a half is U+FFFD: look for \\uFFFD"


def _unescaped(m: re.Match[str]) -> str:
    if m[1]:
        return _SIMPLE[m[1]]
    code = int(m[5], 8) if m[5] else int(m[2] or m[3] or m[4], 16)
    if code > 0x10FFFF:
        raise KqlError(Kind.SYNTAX, f"{m[0]} is not a Unicode character", Span(m.start(), m.end()))
    return chr(code)
