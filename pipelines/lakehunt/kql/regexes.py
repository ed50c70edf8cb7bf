"""Compiles Kusto's regular expressions, which are those of Rust's `regex`, to programs for `RegexMatcher.java`. They
are Unicode-aware, match the first matching alternative, and have neither look-around nor back-references.

Nothing here recurses with the depth of a pattern, and programs are bounded (decision 22).

Source: learn.microsoft.com/kusto/query/regex and docs.rs/regex."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NoReturn

MAX_GROUPS = 16
MAX_COLUMNS = 1000
"""Groups of the pattern that the operator `parse` makes of its columns."""

MAX_NESTING = 250
"""Groups, or classes, inside of each other: the bound of Rust's parser."""

MAX_CLASS_NESTING = 50

MAX_PROGRAM = 25_000
"""Instructions of a program: room for `.{0,10000}` and more. A long text costs at most its length times this."""

MAX_DIGITS = 9
"""Of a number of repetitions; MAX_PROGRAM is what bounds them."""

MOST_NEEDS, SHORTEST = 8, 3
"""Maximum number, and minimum length, of required literals that are searched before matching; others save no time."""

Instruction = tuple[int, int, int]
"""What to do, and two numbers; jumps are relative."""

_MATCH, _CHAR, _SPLIT, _JUMP, _SAVE, _LOOK = range(6)


@dataclass(frozen=True)
class Regex:
    """A compiled regular expression.

    `names` has the name of each group, or None; `empty` says whether it may match the empty text. `needs` are required
    literals: a matching text, in lower case, contains at least one of them (unless there are none). Searching for them
    first is faster than matching."""

    pattern: str
    code: tuple[Instruction, ...]
    sets: tuple[str, ...]
    names: tuple[str | None, ...]
    empty: bool
    needs: tuple[str, ...] = ()

    @property
    def groups(self) -> int:
        return len(self.names)

    @property
    def program(self) -> str:
        """For `RegexProgram.java`: the instructions in one line, and each set of characters in a line of its own."""
        numbers = (str(number) for one in (*self.code, (_MATCH, self.groups, 0)) for number in one)
        return "\n".join([" ".join(numbers), *self.sets])

    @property
    def at_start(self) -> Regex:
        return replace(self, code=((_LOOK, _TEXT_START, 0), *self.code))

    @property
    def at_end(self) -> Regex:
        return replace(self, code=(*self.code, (_LOOK, _TEXT_END, 0)))


class RegexError(ValueError):
    """A pattern that Kusto does not take, or that is too large. `at` is the place in the pattern."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def problem(pattern: str, groups: int = MAX_GROUPS) -> RegexError | None:
    """Why the pattern is rejected; None if it is valid."""
    try:
        translated(pattern, groups)
    except RegexError as error:
        return error
    return None


@lru_cache(maxsize=1024)
def translated(pattern: str, groups: int = MAX_GROUPS) -> Regex:
    """The pattern as a program, which has at most so many groups. Raises RegexError."""
    if surrogate := re.search("[\ud800-\udfff]", pattern):
        raise RegexError("a regular expression cannot have half of a surrogate pair", surrogate.start())
    reader = _Reader(pattern, groups)
    made = reader.read()
    # One form of s, the long one, stays what it is in small letters.
    needs = (*made.needs, "ſ") if any("s" in text for text in made.needs) else made.needs
    needs = needs if _rank(made.needs) >= SHORTEST else ()
    return Regex(pattern, made.code, tuple(reader.sets), tuple(reader.names), made.empty, needs)


@dataclass(frozen=True)
class _Flags:
    any_case: bool = False
    lines: bool = False
    dot_all: bool = False
    crlf: bool = False
    lazy: bool = False
    unicode: bool = True
    verbose: bool = False


_FLAG_NAMES = {
    "i": "any_case",
    "m": "lines",
    "s": "dot_all",
    "R": "crlf",
    "U": "lazy",
    "u": "unicode",
    "x": "verbose",
}


@dataclass(frozen=True)
class _Part:
    """A compiled part. `char` is the lower-case ASCII character that it matches, if it is a single one; `needs` as in
    Regex."""

    code: tuple[Instruction, ...] = ()
    empty: bool = False
    char: str = ""
    needs: tuple[str, ...] = ()


@dataclass
class _Open:
    """A group that is being read; the whole pattern is one, too.

    `flags` are those in force, which the group may change to its end; `number` is set if it captures."""

    flags: _Flags
    at: int
    number: int | None = None
    branches: list[list[_Part]] = field(default_factory=lambda: [[]])
    size: int = 0


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str, most_groups: int) -> None:
        self.pattern = pattern
        self.most_groups = most_groups
        self.at = 0
        self.names: list[str | None] = []
        self.sets: dict[str, int] = {}
        self.nested_classes = 0

    def read(self) -> _Part:
        opened = [_Open(_Flags(), 0)]
        while self.at < len(self.pattern):
            group = opened[-1]
            if self._take("|"):
                group.branches.append([])
            elif (changed := self._flags_only(group.flags)) is not None:
                group.flags = changed
            elif group.flags.verbose and self._skipped():
                continue
            elif self._peek() == "(":
                opened.append(self._group(group.flags))
                if len(opened) > MAX_NESTING + 1:
                    self._fail(f"a regular expression nests at most {MAX_NESTING} groups", group.at)
            else:
                closing = self._peek() == ")"
                part = self._closed(opened) if closing else self._one(group.flags)
                within = opened[-1]
                repeated = self._repeated(part, within.flags)
                within.branches[-1].append(repeated)
                within.size += len(repeated.code)
                self._bounded(within.size, within.at)  # at once, as a long pattern may have many long parts
        if len(opened) > 1:
            self._fail("a regular expression opens a group and does not close it", opened[-1].at)
        return self._alternatives(opened[0])

    def _fail(self, message: str, at: int | None = None) -> NoReturn:
        raise RegexError(message, self.at if at is None else at)

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) * found
        return found

    def _sees(self, pattern: str) -> bool:
        return re.compile(pattern).match(self.pattern, self.at) is not None

    def _match(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern).match(self.pattern, self.at)
        if found:
            self.at = found.end()
        return found

    def _skipped(self) -> bool:
        """White space and comments of the verbose mode."""
        return self._match(r"\s+|#[^\n]*") is not None

    def _flags_only(self, flags: _Flags) -> _Flags | None:
        start = self.at
        found = self._match(r"\(\?([a-zA-Z]+(?:-[a-zA-Z]+)?|-[a-zA-Z]+)\)")
        return self._with(flags, found.group(1), start) if found else None

    def _with(self, flags: _Flags, signs: str, at: int) -> _Flags:
        on, _, off = signs.partition("-")
        for sign in on + off:
            if sign not in _FLAG_NAMES:
                self._fail(f"a regular expression has no flag '{sign}' here", at)
        return replace(flags, **{_FLAG_NAMES[s]: True for s in on}, **{_FLAG_NAMES[s]: False for s in off})

    def _group(self, flags: _Flags) -> _Open:
        """The opening of a group."""
        start = self.at
        if self._match(r"\(\?<?[=!]"):
            self._fail("a regular expression has no look-around in Kusto", start)
        if scoped := self._match(r"\(\?([a-zA-Z]*(?:-[a-zA-Z]+)?):"):
            return _Open(self._with(flags, scoped.group(1), start), start)
        named = self._match(r"\(\?P?<([^>]*)>")
        if named and not re.fullmatch(r"[^\W\d][\w.\[\]]*", named.group(1)):
            self._fail(f"'{named.group(1)}' is not a valid group name", start)
        if named and named.group(1) in self.names:
            self._fail(f"a regular expression has two groups with the name '{named.group(1)}'", start)
        if not named and self._sees(r"\(\?"):
            self._fail("a regular expression has a group that Kusto does not know")
        self.at += not named
        self.names.append(named.group(1) if named else None)
        if len(self.names) > self.most_groups:
            self._fail(f"a regular expression has at most {self.most_groups} groups", start)
        return _Open(flags, start, len(self.names))

    def _closed(self, opened: list[_Open]) -> _Part:
        if len(opened) == 1:
            self._fail("a regular expression closes a group that was not opened")
        self.at += 1
        group = opened.pop()
        made = self._alternatives(group)
        if group.number is None:
            return replace(made, char="")
        code = ((_SAVE, 2 * group.number, 0), *made.code, (_SAVE, 2 * group.number + 1, 0))
        return replace(made, code=code, char="")

    def _alternatives(self, group: _Open) -> _Part:
        codes = [[one for part in branch for one in part.code] for branch in group.branches]
        empty = any(all(part.empty for part in branch) for branch in group.branches)
        self._bounded(sum(map(len, codes)) + 2 * (len(codes) - 1), group.at)
        return _Part(_either(codes), empty, needs=_of_any([_of_all(branch) for branch in group.branches]))

    def _bounded(self, size: int, at: int) -> None:
        if size > MAX_PROGRAM:
            what = f"a regular expression is too large here: {size:,} steps, of at most {MAX_PROGRAM:,}"
            self._fail(f"{what}; repeat less often, or match less", at)

    def _one(self, flags: _Flags) -> _Part:
        c = self._peek()
        if c == "[":
            return self._of(self._class(flags))
        if c == "\\":
            return self._escape(flags)
        if c in "*+?{":
            self._fail(f"a regular expression repeats nothing with '{c}'")
        self.at += 1
        if c == ".":
            return self._of(_not(_LINE_ENDS[flags.crlf]) if not flags.dot_all else _EVERY)
        if c in "^$":
            return _looks(_LINES[c][flags.lines + (flags.lines and flags.crlf)])
        return self._character(c, flags)

    def _of(self, chosen: str) -> _Part:
        """One character of a set."""
        return _Part(((_CHAR, self.sets.setdefault(chosen, len(self.sets)), 0),))

    def _character(self, c: str, flags: _Flags) -> _Part:
        return replace(self._of(_folded(_range(c, c), flags)), char=c.lower() if c.isascii() else "")

    def _repeated(self, part: _Part, flags: _Flags) -> _Part:
        while True:
            if flags.verbose and self._skipped():
                continue
            start = self.at
            sign = self._match(r"[*+?]|\{\s*[0-9]*\s*(?:,\s*[0-9]*\s*)?\}")
            if sign is None:
                if self._peek() == "{":
                    self._fail("a regular expression repeats with '{' but no number; write \\{ for the character")
                return part
            least, most = self._bounds(re.sub(r"\s", "", sign.group()), start)
            greedy = self._take("?") == flags.lazy
            size = len(part.code)
            steps = size * max(least, 1) + 2 if most is None else size * least + (size + 1) * (most - least)
            self._bounded(steps, start)
            needs = part.needs or ((part.char,) if part.char else ())
            code = _repetition(list(part.code), least, most, greedy, part.empty)
            part = _Part(code, part.empty or least == 0, needs=needs * (least > 0))

    def _bounds(self, sign: str, at: int) -> tuple[int, int | None]:
        """How often a sign repeats: at least, and at most."""
        if sign in _SIGNS:
            return _SIGNS[sign]
        least, comma, most = sign[1:-1].partition(",")
        if not least:
            self._fail("a regular expression repeats with '{' but no number; write \\{ for the character", at)
        if max(len(least), len(most)) > MAX_DIGITS:
            self._fail("a regular expression cannot repeat so often: write a smaller number", at)
        bounds = int(least), int(most) if most else None if comma else int(least)
        if bounds[1] is not None and bounds[0] > bounds[1]:
            self._fail(f"a regular expression cannot repeat {sign}: the first number is the larger one", at)
        return bounds

    def _escape(self, flags: _Flags) -> _Part:
        start = self.at
        if found := self._match(r"\\b\{(?:start|end|start-half|end-half)\}|\\[<>bB]"):
            kind = _EDGES.index(found.group().replace(r"\<", r"\b{start}").replace(r"\>", r"\b{end}"))
            return _looks((_WORD_EDGE if flags.unicode else _ASCII_EDGE) + kind)
        if found := self._match(r"\\[Az]"):
            return _looks(_TEXT_START if found.group() == r"\A" else _TEXT_END)
        if (known := self._named_class(flags)) is not None:
            return self._of(known)
        return self._character(self._escaped(start), flags)

    def _named_class(self, flags: _Flags) -> str | None:
        """`\\d` and its like, `\\pL`, `\\p{Greek}`."""
        start = self.at
        if found := self._match(r"\\[dDsSwW]"):
            sign = found.group()[1]
            if not flags.unicode and sign.isupper():
                self._fail(f"a regular expression cannot have \\{sign} without Unicode", start)
            return _PERL[sign] if flags.unicode else _ASCII[sign]
        if found := self._match(r"\\([pP])(?:\{(\^?)([^}]*)\}|([A-Za-z]))"):
            known = _folded(self._property(found.group(3) or found.group(4), start), flags)
            return _not(known) if (found.group(1) == "P") != bool(found.group(2)) else known
        return None

    def _property(self, name: str, at: int) -> str:
        """A Unicode class."""
        plain = re.sub(r"[\s_-]", "", re.split("[=:]", name)[-1]).lower()
        known = _PROPERTIES.get(plain)
        if known is None:
            self._fail(f"the class \\p{{{name}}} of a regular expression is not known here", at)
        return known

    def _escaped(self, start: int) -> str:
        """The character of an escape."""
        if found := self._match(_HEX):
            code = int(next(g for g in found.groups() if g), 16)
            if code > _LAST or 0xD800 <= code < 0xE000:
                self._fail(f"{found.group()} is not a valid character", start)
            return chr(code)
        if found := self._match(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})"):
            return chr(int(found.group(1), 8))
        if self._sees(r"\\[0-9k]"):
            self._fail("a regular expression has no back-references in Kusto")
        if found := self._match(r"\\([aftnrv]|[ -~])"):
            c = found.group(1)
            if c not in _CONTROLS and (c.isalnum() or c in "<>"):
                self._fail(f"a regular expression has no escape \\{c} in Kusto", start)
            return _CONTROLS.get(c, c)
        self._fail("a regular expression ends in, or has, a backslash that escapes nothing")

    def _class(self, flags: _Flags) -> str:
        """A bracketed class: unions of items, joined by `&&`, `--` and `~~` from left to right."""
        start = self.at
        self.at += 1
        self.nested_classes += 1
        if self.nested_classes > MAX_CLASS_NESTING:
            self._fail(f"a regular expression nests at most {MAX_CLASS_NESTING} classes", start)
        negated = self._take("^")
        hyphens = self._match("-*")
        first = [_range("-", "-")] if hyphens and hyphens.group() else []
        if not first and self._peek() == "]":
            first = [self._range(self._member())]
        result = self._union(flags, first)
        while join := self._match(r"&&|--|~~"):
            result = f"{result} {self._union(flags, [])} {join.group()[0]}"
        if not self._take("]"):
            self._fail("a regular expression opens a class with '[' and does not close it", start)
        self.nested_classes -= 1
        return _not(result) if negated else result

    def _union(self, flags: _Flags, ranges: list[str]) -> str:
        """Items up to the end of the class or an operator."""
        sets: list[str] = []
        while self.at < len(self.pattern) and self._peek() != "]" and not self._sees(r"&&|--|~~"):
            if flags.verbose and self._skipped():
                continue
            start = self.at
            if found := self._match(r"\[:(\^?)([a-z]+):\]"):
                if found.group(2) not in _POSIX:
                    self._fail(f"a regular expression has no class [:{found.group(2)}:]", start)
                known = _folded(_POSIX[found.group(2)], flags)
                sets.append(_not(known) if found.group(1) else known)
            elif self._peek() == "[":
                sets.append(self._class(flags))
            elif (named := self._named_class(flags)) is not None:
                if self._sees(r"-(?![\]-])"):
                    what = "a regular expression has a range in a class that does not start with a character"
                    self._fail(what, start)
                sets.append(named)
            else:
                ranges.append(self._range(self._member()))
        plain = [_folded(_union(ranges), flags)] if ranges else []
        return _union([*plain, *sets])

    def _member(self) -> str:
        if self._peek() == "\\":
            return self._escaped(self.at)
        self.at += 1
        return self.pattern[self.at - 1]

    def _range(self, low: str) -> str:
        """One character or a range of them."""
        start = self.at
        if not self._sees(r"-(?![\]-])"):
            return _range(low, low)
        self.at += 1
        if self._sees(r"\[|\\[dDsSwWpP]|$"):
            self._fail("a regular expression has a range in a class that does not end in a character", start)
        high = self._member()
        if low > high:
            self._fail(f"a regular expression has a range from {low} down to {high}", start)
        return _range(low, high)


def _looks(assertion: int) -> _Part:
    return _Part(((_LOOK, assertion, 0),), empty=True)


def _either(branches: list[list[Instruction]]) -> tuple[Instruction, ...]:
    """Branches as alternatives: the first one that matches."""
    made = list(branches[0]) if len(branches) == 1 else []
    left = sum(len(branch) + 2 for branch in branches) - 2
    for i, branch in enumerate(branches if len(branches) > 1 else []):
        if i < len(branches) - 1:
            made += [(_SPLIT, 1, len(branch) + 2), *branch, (_JUMP, left - len(branch) - 1, 0)]
            left -= len(branch) + 2
        else:
            made += branch
    return tuple(made)


def _repetition(
    body: list[Instruction], least: int, most: int | None, greedy: bool, empty: bool
) -> tuple[Instruction, ...]:
    """The code of `body{least,most}`; no bound if `most` is None. `empty` says whether the body may match nothing."""
    size = len(body)
    if most is not None:
        left = most - least
        optional = (one for i in range(left) for one in (_split(1, (left - i) * (size + 1), greedy), *body))
        return (*body * least, *optional)
    if least:
        return (*body * least, _split(-size, 1, greedy))
    if empty:  # as one or none of x+: else a loop could end before it took what it should
        return (_split(1, size + 2, greedy), *body, _split(-size, 1, greedy))
    return (_split(1, size + 2, greedy), *body, (_JUMP, -size - 1, 0))


def _split(inside: int, outside: int, greedy: bool) -> Instruction:
    return (_SPLIT, inside, outside) if greedy else (_SPLIT, outside, inside)


def _of_all(parts: Sequence[_Part]) -> tuple[str, ...]:
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


# Sets of characters for `CharacterSets.java`, in postfix notation: ranges of hexadecimal codes, and classes by their
# name in Java; | & - ~ join two of them, ! negates, i and a add the other cases of letters (a: of ASCII only).


def _range(low: str, high: str) -> str:
    return f"{ord(low):x}-{ord(high):x}"


def _union(sets: Iterable[str]) -> str:
    first, *more = [*sets] or [_NOTHING]
    return " ".join([first, *(f"{one} |" for one in more)])


def _not(chosen: str) -> str:
    return f"{chosen} !"


def _folded(chosen: str, flags: _Flags) -> str:
    """The set and, if the flag for it is set, the other cases of its letters."""
    return f"{chosen} {'i' if flags.unicode else 'a'}" if flags.any_case else chosen


_LAST = 0x10FFFF
_NOTHING = "none"
_EVERY = f"0-{_LAST:x}"
_LINE_ENDS = {False: "a-a", True: "a-a d-d |"}

_SIGNS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}

_TEXT_START, _TEXT_END, _LINE_START, _LINE_END, _CRLF_START, _CRLF_END, _WORD_EDGE = range(7)
_EDGES = (r"\b", r"\B", r"\b{start}", r"\b{end}", r"\b{start-half}", r"\b{end-half}")
_ASCII_EDGE = _WORD_EDGE + len(_EDGES)
"""Assertions, by their number in `RegexCharacters.java`; those of words are followed by the others of _EDGES."""

_LINES = {"^": (_TEXT_START, _LINE_START, _CRLF_START), "$": (_TEXT_END, _LINE_END, _CRLF_END)}
"""By flags: no m, m, m and R."""

_HEX = r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[xuU]\{([0-9A-Fa-f]{1,8})\})"

_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}


def _ascii(*ranges: str) -> str:
    return _union(_range(one[0], one[-1]) for one in ranges)


_PERL = {sign: rf"\{sign}" for sign in "dDsSwW"}
_ASCII = {"d": _ascii("09"), "s": _ascii("\t\r", " "), "w": _ascii("09", "AZ", "az", "_")}

_POSIX = {
    "alnum": _ascii("09", "AZ", "az"),
    "alpha": _ascii("AZ", "az"),
    "ascii": _ascii("\0\x7f"),
    "blank": _ascii("\t", " "),
    "cntrl": _ascii("\0\x1f", "\x7f"),
    "digit": _ASCII["d"],
    "graph": _ascii("!~"),
    "lower": _ascii("az"),
    "print": _ascii(" ~"),
    "punct": _ascii("!/", ":@", "[`", "{~"),
    "space": _ASCII["s"],
    "upper": _ascii("AZ"),
    "word": _ASCII["w"],
    "xdigit": _ascii("09", "AF", "af"),
}

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
    "any": _EVERY,
    "ascii": _POSIX["ascii"],
    **{short.lower(): rf"\p{{{short}}}" for short in _CATEGORIES},
    **{name.replace("_", "").lower(): rf"\p{{{short}}}" for short, name in _CATEGORIES.items()},
    **{name.lower(): rf"\p{{Is{name}}}" for name in _SCRIPTS},
    **{name.replace("_", "").lower(): rf"\p{{Is{name}}}" for name in _BINARIES},
}
"""Java's name of each class, by its name in lower case without separators."""
