"""Translates Kusto's regular expressions, which are those of Rust's `regex`, for Java. Rust's are Unicode-aware, match
the first matching alternative, and have neither look-around nor back-references. In the translation all flags except
the one for case are resolved and all classes are spelled out, so that Java cannot interpret anything differently.

Source: learn.microsoft.com/kusto/query/regex and docs.rs/regex."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

MAX_GROUPS = 16

MOST_NEEDS, SHORTEST = 8, 3
"""Maximum number, and minimum length, of required literals that are searched before matching; others save no time."""


@dataclass(frozen=True)
class Regex:
    """A regular expression for Java.

    `names` has the name of each group, or None; `empty` says whether it may match the empty text. `needs` are required
    literals: a matching text, in lower case, contains at least one of them (unless there are none). Searching for them
    first is ten times faster than matching."""

    java: str
    names: tuple[str | None, ...]
    empty: bool
    needs: tuple[str, ...] = ()

    @property
    def groups(self) -> int:
        return len(self.names)

    @property
    def repeated(self) -> str:
        """For finding all matches: unlike Rust, Java would find an empty match at the end of the previous one."""
        return rf"{_FLAGS}(?>{self.java.removeprefix(_FLAGS)})(?:(?!\G)|(?<=\A))" if self.empty else self.java

    @property
    def at_start(self) -> str:
        return rf"{_FLAGS}\A(?:{self.java.removeprefix(_FLAGS)})"

    @property
    def at_end(self) -> str:
        return rf"{_FLAGS}(?:{self.java.removeprefix(_FLAGS)})\z"


class RegexError(ValueError):
    """A pattern that Kusto does not take, or that cannot be translated."""


def problem(pattern: str) -> str | None:
    """Why Kusto rejects the pattern, or Lakehunt cannot translate it; None if it is valid."""
    try:
        translated(pattern)
    except RegexError as error:
        return str(error)
    return None


@lru_cache(maxsize=1024)
def translated(pattern: str) -> Regex:
    """The pattern for Java. Raises RegexError."""
    reader = _Reader(pattern)
    made = reader.alternatives(_Flags())
    if reader.at < len(pattern):
        raise RegexError("a regular expression closes a group that was not opened")
    if len(reader.names) > MAX_GROUPS:
        raise RegexError(f"a regular expression has at most {MAX_GROUPS} groups")
    # One form of s, the long one, stays what it is in small letters.
    needs = (*made.needs, "ſ") if any("s" in text for text in made.needs) else made.needs
    return Regex(_FLAGS + made.java, tuple(reader.names), made.empty, needs if _rank(made.needs) >= SHORTEST else ())


_FLAGS = "(?U)"
"""In Java, `\\w`, `\\d`, `\\s` and `\\b` are Unicode-aware with this flag, as they are in Rust."""

_ANY = r"[\x{0}-\x{10FFFF}]"


@dataclass(frozen=True)
class _Flags:
    any_case: bool = False
    lines: bool = False
    dot_all: bool = False
    lazy: bool = False
    unicode: bool = True
    verbose: bool = False


_FLAG_NAMES = {"i": "any_case", "m": "lines", "s": "dot_all", "U": "lazy", "u": "unicode", "x": "verbose"}


@dataclass(frozen=True)
class _Part:
    """A translated part; `atom` if a repetition can follow it without a group.

    `char` is the lower-case ASCII character that it matches, if it is a single one; `needs` as in Regex."""

    java: str
    empty: bool = False
    atom: bool = True
    char: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Set:
    """A character class: ranges of code points and named classes or, if Java's brackets cannot express it, an
    expression that matches one character."""

    ranges: tuple[tuple[int, int], ...] = ()
    classes: tuple[str, ...] = ()
    whole: str = ""
    negated: bool = False

    def java(self) -> str:
        if self.whole:
            return f"(?:(?!{self.whole}){_ANY})" if self.negated else self.whole
        items = "".join([*map(_range, self.ranges), *self.classes])
        if not items:
            return _ANY if self.negated else "(?!)"
        return f"[{'^' if self.negated else ''}{items}]"


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.names: list[str | None] = []

    def alternatives(self, flags: _Flags) -> _Part:
        """Alternatives up to the end or the group's closing parenthesis. Flags set inside hold to the end of the
        group."""
        parts: list[list[_Part]] = [[]]
        while self.at < len(self.pattern) and self._peek() != ")":
            if self._take("|"):
                parts.append([])
                continue
            if self.pattern.startswith("(?", self.at) and (set_here := self._flags_only(flags)) is not None:
                flags = set_here
                continue
            if flags.verbose and self._skipped():
                continue
            parts[-1].append(self._repeated(self._one(flags), flags))
        empty = any(all(part.empty for part in some) for some in parts)
        needs = _of_any([_of_all(some) for some in parts])
        return _Part("|".join("".join(part.java for part in some) for some in parts), empty, atom=False, needs=needs)

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) * found
        return found

    def _match(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern).match(self.pattern, self.at)
        if found:
            self.at = found.end()
        return found

    def _skipped(self) -> bool:
        """White space and comments of the verbose mode."""
        return self._match(r"\s+|#[^\n]*") is not None

    def _one(self, flags: _Flags) -> _Part:
        c = self._peek()
        if c == "(":
            return self._group(flags)
        if c == "[":
            return _Part(self._class(flags).java())
        if c == "\\":
            return self._escape(flags)
        if c in "*+?{":
            raise RegexError(f"a regular expression repeats nothing with '{c}'")
        self.at += 1
        if c in _SIGNS:
            return _SIGNS[c](flags)
        return _character(c, flags)

    def _repeated(self, part: _Part, flags: _Flags) -> _Part:
        while True:
            if flags.verbose and self._skipped():
                continue
            sign = self._match(r"[*+?]|\{\s*\d+\s*(?:,\s*\d*\s*)?\}")
            if sign is None:
                if self._peek() == "{":
                    raise RegexError("a regular expression repeats with '{' but no number; write \\{ for the character")
                return part
            java = re.sub(r"\s", "", sign.group())
            bounds = [int(b) for b in re.findall(r"\d+", java)]
            if bounds and (bounds[0] > bounds[-1] or bounds[-1] > 1000):
                raise RegexError(f"a regular expression cannot repeat {java}")
            lazy = self._take("?") != flags.lazy
            inner = part.java if part.atom else f"(?:{part.java})"
            least = bounds[0] if bounds else int(java == "+")
            needs = part.needs or ((part.char,) if part.char else ())
            part = _Part(f"{inner}{java}{'?' * lazy}", part.empty or least == 0, atom=False, needs=needs * (least > 0))

    def _group(self, flags: _Flags) -> _Part:
        if self._match(r"\(\?<?[=!]"):
            raise RegexError("a regular expression has no look-around in Kusto")
        inner, opening = flags, "("
        if named := self._match(r"\(\?P?<([^>]*)>"):
            if not re.fullmatch(r"[^\W\d][\w.\[\]]*", named.group(1)):
                raise RegexError(f"'{named.group(1)}' is not a valid group name")
            self.names.append(named.group(1))
        elif scoped := self._match(r"\(\?([a-zA-Z]*(?:-[a-zA-Z]+)?):"):
            inner = _with(flags, scoped.group(1))
            opening = "(?:"
        elif self.pattern.startswith("(?", self.at):
            raise RegexError("a regular expression has a group that Kusto does not know")
        else:
            self.at += 1
            self.names.append(None)
        made = self.alternatives(inner)
        if not self._take(")"):
            raise RegexError("a regular expression opens a group and does not close it")
        return _Part(f"{opening}{made.java})", made.empty, needs=made.needs)

    def _flags_only(self, flags: _Flags) -> _Flags | None:
        found = self._match(r"\(\?([a-zA-Z]+(?:-[a-zA-Z]+)?|-[a-zA-Z]+)\)")
        return _with(flags, found.group(1)) if found else None

    def _escape(self, flags: _Flags) -> _Part:
        if found := self._match(r"\\b\{(start|end|start-half|end-half)\}|\\[<>]"):
            return _Part(_EDGES[found.group(1) or found.group()], empty=True)
        if found := self._match(r"\\[bBAz]"):
            ascii_only = not flags.unicode and found.group() in (r"\b", r"\B")
            java = f"(?-U:(?:{_ASCII_EDGES[found.group()]}))" if ascii_only else found.group()
            return _Part(java, empty=True)
        if (known := self._named_class(flags)) is not None:
            return _Part(known.java())
        return _character(self._escaped(), flags)

    def _named_class(self, flags: _Flags) -> _Set | None:
        """`\\d` and its like, `\\pL`, `\\p{Greek}`."""
        if found := self._match(r"\\[dDsSwW]"):
            sign = found.group()[1]
            if not flags.unicode:
                if sign.isupper():
                    raise RegexError(f"a regular expression cannot have \\{sign} without Unicode")
                return _Set(_ASCII[sign])
            return _Set(classes=(f"\\{sign}",))
        if found := self._match(r"\\([pP])(?:\{(\^?)([^}]*)\}|([A-Za-z]))"):
            name = found.group(3) or found.group(4)
            known = _property(name, flags)
            return _not(known) if (found.group(1) == "P") != bool(found.group(2)) else known
        return None

    def _escaped(self) -> str:
        """The character of an escape."""
        if found := self._match(
            r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]{1,8})\})"
        ):
            code = int(next(g for g in found.groups() if g), 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise RegexError(f"{found.group()} is not a valid character")
            return chr(code)
        if found := self._match(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})"):
            return chr(int(found.group(1), 8))
        if re.compile(r"\\[0-9k]").match(self.pattern, self.at):
            raise RegexError("a regular expression has no back-references in Kusto")
        if found := self._match(r"\\([aftnrv]|[ -~])"):
            c = found.group(1)
            if c in _CONTROLS:
                return _CONTROLS[c]
            if not c.isalnum() and c not in "<>":
                return c
            raise RegexError(f"a regular expression has no escape \\{c} in Kusto")
        raise RegexError("a regular expression ends in, or has, a backslash that escapes nothing")

    def _class(self, flags: _Flags) -> _Set:
        """A bracketed class: unions of items, joined by `&&`, `--` and `~~` from left to right."""
        self.at += 1
        negated = self._take("^")
        hyphens = self._match("-*")
        first = [(ord("-"), ord("-"))] if hyphens and hyphens.group() else []
        if not first and self._peek() == "]":
            first = [self._range(self._member())]
        result = self._union(flags, first)
        while join := self._match(r"&&|--|~~"):
            result = _joined(result, join.group(), self._union(flags, []))
        if not self._take("]"):
            raise RegexError("a regular expression opens a class with '[' and does not close it")
        return _not(result) if negated else result

    def _union(self, flags: _Flags, ranges: list[tuple[int, int]]) -> _Set:
        """Items up to the end of the class or an operator."""
        sets: list[_Set] = []
        while self.at < len(self.pattern) and self._peek() != "]":
            if re.compile(r"&&|--|~~").match(self.pattern, self.at):
                break
            if flags.verbose and self._skipped():
                continue
            if found := self._match(r"\[:(\^?)([a-z]+):\]"):
                sets.append(_posix(found.group(2), bool(found.group(1)), flags))
            elif self._peek() == "[":
                sets.append(self._class(flags))
            elif (known := self._named_class(flags)) is not None:
                if re.compile(r"-(?![\]-])").match(self.pattern, self.at):
                    raise RegexError("a regular expression has a range in a class that does not start with a character")
                sets.append(known)
            else:
                ranges.append(self._range(self._member()))
        return _merged([_folded(tuple(ranges), flags), *sets])

    def _member(self) -> str:
        if self._peek() == "\\":
            return self._escaped()
        self.at += 1
        return self.pattern[self.at - 1]

    def _range(self, low: str) -> tuple[int, int]:
        """One character or a range of them."""
        if not re.compile(r"-(?![\]-])").match(self.pattern, self.at):
            return ord(low), ord(low)
        self.at += 1
        if re.compile(r"\[|\\[dDsSwWpP]|$").match(self.pattern, self.at):
            raise RegexError("a regular expression has a range in a class that does not end in a character")
        high = self._member()
        if low > high:
            raise RegexError(f"a regular expression has a range from {low} down to {high}")
        return ord(low), ord(high)


def _character(c: str, flags: _Flags) -> _Part:
    return _Part(_literal(c, flags), char=c.lower() if c.isascii() else "")


def _of_all(parts: list[_Part]) -> tuple[str, ...]:
    """Required literals of a sequence of parts: the longest ones of any part."""
    found: list[tuple[str, ...]] = []
    run = ""
    for part in parts:
        run += part.char
        if not part.char:
            found += [(run,), part.needs]
            run = ""
    return max([*found, (run,)], key=_rank)


def _of_any(branches: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Required literals of alternatives; none if one of them has none."""
    needs = tuple(dict.fromkeys(text for branch in branches for text in branch))
    return needs if all(_rank(branch) for branch in branches) and len(needs) <= MOST_NEEDS else ()


def _rank(needs: tuple[str, ...]) -> int:
    return min(map(len, needs), default=0)


def _with(flags: _Flags, signs: str) -> _Flags:
    on, _, off = signs.partition("-")
    changed = dict(flags.__dict__)
    for sign in on + off:
        if sign not in _FLAG_NAMES:
            raise RegexError(f"a regular expression has no flag '{sign}' here")
        changed[_FLAG_NAMES[sign]] = sign in on
    return _Flags(**changed)


def _code(c: str) -> str:
    """A character, escaped for Java so that it is valid in every context."""
    return c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}"


def _literal(c: str, flags: _Flags) -> str:
    if flags.any_case and c.lower() != c.upper():
        return _folded(((ord(c), ord(c)),), flags).java()
    return _code(c)


def _range(bounds: tuple[int, int]) -> str:
    low, high = map(chr, bounds)
    return _code(low) if low == high else f"{_code(low)}-{_code(high)}"


def _folded(ranges: tuple[tuple[int, int], ...], flags: _Flags) -> _Set:
    """The characters, in either case if the flag is set.

    ASCII letters are written out: Java would fold the Turkish dotless and dotted i to i, unlike Unicode's simple
    folding. Others are left to Java."""
    if not flags.any_case:
        return _Set(ranges)
    plain = {code for low, high in ranges for code in range(low, min(high, 0x7F) + 1)}
    both = sorted({ord(case) for code in plain for case in (chr(code).lower(), chr(code).upper())})
    more = [(code, code) for letter, code in (("k", 0x212A), ("s", 0x17F)) if ord(letter) in both]
    beyond = tuple((max(low, 0x80), high) for low, high in ranges if high > 0x7F)
    exact = _Set((*_runs(both), *more))
    if not beyond:
        return exact
    folded = f"(?:(?![iI])(?iu:{_Set(beyond).java()}))"
    return _Set(whole=f"(?:{exact.java()}|{folded})" if plain else folded)


def _runs(codes: list[int]) -> list[tuple[int, int]]:
    """Sorted code points as ranges."""
    runs: list[tuple[int, int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1] = runs[-1][0], code
        else:
            runs.append((code, code))
    return runs


def _merged(sets: list[_Set]) -> _Set:
    """The union of sets: one bracketed class as far as possible, the rest as alternatives."""
    plain = [s for s in sets if not s.whole and not s.negated]
    flat = _Set(tuple(r for s in plain for r in s.ranges), tuple(c for s in plain for c in s.classes))
    others = [s.java() for s in sets if s.whole or s.negated]
    if not others:
        return flat
    if flat.ranges or flat.classes:
        others.insert(0, flat.java())
    return _Set(whole=f"(?:{'|'.join(others)})")


def _not(found: _Set) -> _Set:
    return _Set(found.ranges, found.classes, found.whole, not found.negated)


def _joined(left: _Set, join: str, right: _Set) -> _Set:
    a, b = left.java(), right.java()
    return _Set(
        whole={
            "&&": f"(?:(?={a}){b})",
            "--": f"(?:(?!{b}){a})",
            "~~": f"(?:(?!{b}){a}|(?!{a}){b})",
        }[join]
    )


def _posix(name: str, negated: bool, flags: _Flags) -> _Set:
    if name not in _POSIX:
        raise RegexError(f"a regular expression has no class [:{name}:]")
    found = _folded(_POSIX[name], flags)
    return _not(found) if negated else found


def _property(name: str, flags: _Flags) -> _Set:
    """A Unicode class."""
    plain = re.sub(r"[\s_-]", "", name.rpartition("=")[2]).lower()
    if plain in _RANGES:
        return _Set(_RANGES[plain])
    java = _PROPERTIES.get(plain)
    if java is None:
        raise RegexError(f"the class \\p{{{name}}} of a regular expression is not known here")
    if flags.any_case and java not in _CASELESS:
        raise RegexError(f"a regular expression without case cannot have the class \\p{{{name}}}")
    return _Set(classes=(java,))


_SIGNS: dict[str, Callable[[_Flags], _Part]] = {
    ".": lambda flags: _Part(_ANY if flags.dot_all else r"[^\n]"),
    "^": lambda flags: _Part(r"(?<![^\n])" if flags.lines else r"\A", empty=True),
    "$": lambda flags: _Part(r"(?![^\n])" if flags.lines else r"\z", empty=True),
}

_EDGES = {
    "start": r"(?:(?<!\w)(?=\w))",
    r"\<": r"(?:(?<!\w)(?=\w))",
    "end": r"(?:(?<=\w)(?!\w))",
    r"\>": r"(?:(?<=\w)(?!\w))",
    "start-half": r"(?<!\w)",
    "end-half": r"(?!\w)",
}

_ASCII_EDGES = {
    r"\b": r"(?<!\w)(?=\w)|(?<=\w)(?!\w)",
    r"\B": r"(?<!\w)(?!\w)|(?<=\w)(?=\w)",
}

_HEX = r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]{1,8})\})"

_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}

_BLANKS = ((0x9, 0xD), (0x20, 0x20))
_DIGITS = ((0x30, 0x39),)
_LOWER = ((0x61, 0x7A),)
_UPPER = ((0x41, 0x5A),)
_WORD = (*_DIGITS, *_UPPER, *_LOWER, (0x5F, 0x5F))

_ASCII = {"d": _DIGITS, "s": _BLANKS, "w": _WORD}

_POSIX: dict[str, tuple[tuple[int, int], ...]] = {
    "alnum": (*_DIGITS, *_UPPER, *_LOWER),
    "alpha": (*_UPPER, *_LOWER),
    "ascii": ((0, 0x7F),),
    "blank": ((0x9, 0x9), (0x20, 0x20)),
    "cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": _LOWER,
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": _BLANKS,
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": (*_DIGITS, (0x41, 0x46), (0x61, 0x66)),
}

_RANGES = {"any": ((0, 0x10FFFF),), "ascii": ((0, 0x7F),)}

_CATEGORIES = {
    "L": "Letter",
    "Lu": "Uppercase_Letter",
    "Ll": "Lowercase_Letter",
    "Lt": "Titlecase_Letter",
    "Lm": "Modifier_Letter",
    "Lo": "Other_Letter",
    "M": "Mark",
    "Mn": "Nonspacing_Mark",
    "Mc": "Spacing_Mark",
    "Me": "Enclosing_Mark",
    "N": "Number",
    "Nd": "Decimal_Number",
    "Nl": "Letter_Number",
    "No": "Other_Number",
    "P": "Punctuation",
    "Pc": "Connector_Punctuation",
    "Pd": "Dash_Punctuation",
    "Ps": "Open_Punctuation",
    "Pe": "Close_Punctuation",
    "Pi": "Initial_Punctuation",
    "Pf": "Final_Punctuation",
    "Po": "Other_Punctuation",
    "S": "Symbol",
    "Sm": "Math_Symbol",
    "Sc": "Currency_Symbol",
    "Sk": "Modifier_Symbol",
    "So": "Other_Symbol",
    "Z": "Separator",
    "Zs": "Space_Separator",
    "Zl": "Line_Separator",
    "Zp": "Paragraph_Separator",
    "Cc": "Control",
    "Cf": "Format",
    "Co": "Private_Use",
}

_SCRIPTS = (
    *("Arabic", "Armenian", "Bengali", "Common", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek", "Gujarati"),
    *("Gurmukhi", "Han", "Hangul", "Hebrew", "Hiragana", "Kannada", "Katakana", "Khmer", "Lao", "Latin", "Malayalam"),
    *("Mongolian", "Myanmar", "Sinhala", "Tamil", "Telugu", "Thai", "Tibetan"),
)

_BINARIES = ("Alphabetic", "Uppercase", "Lowercase", "White_Space", "Ideographic")

_PROPERTIES = {
    **{short.lower(): rf"\p{{{short}}}" for short in _CATEGORIES},
    **{name.replace("_", "").lower(): rf"\p{{{short}}}" for short, name in _CATEGORIES.items()},
    **{name.lower(): rf"\p{{Is{name}}}" for name in _SCRIPTS},
    **{name.replace("_", "").lower(): rf"\p{{Is{name}}}" for name in _BINARIES},
}
"""Java's name of each class, by its name in lower case without separators."""

_CASELESS = frozenset(
    rf"\p{{{short}}}" for short in _CATEGORIES if short[0] in "LNPZ" and short not in ("Lu", "Ll", "Lt", "Nl")
) | {r"\p{IsAlphabetic}", r"\p{IsWhite_Space}"}
"""Classes that contain either both cases of a letter or neither."""
