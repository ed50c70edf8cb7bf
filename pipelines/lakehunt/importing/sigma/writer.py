"""Writes what a Sigma rule asks of an event as conditions over the columns of its table.

Texts are never null in a lake, so their conditions are true or false. Others may be null, and then a condition is: in a
negation it is asked first whether there is a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from lakehunt.core.strict_yaml import Position, YamlError
from lakehunt.importing.sigma.documents import Document
from lakehunt.importing.sigma.expressions import (
    And,
    Compare,
    Exists,
    Expression,
    FieldTest,
    InNetwork,
    Keyword,
    Like,
    LikeField,
    Matches,
    Not,
    Or,
    PartOfTime,
    Test,
)
from lakehunt.importing.sigma.layout import (
    Condition,
    Leaf,
    Negated,
    conjunction,
    disjunction,
    equal,
    literal,
)
from lakehunt.importing.sigma.patterns import Pattern, Wildcard
from lakehunt.importing.sigma.sources import (
    AccountField,
    ColumnField,
    ComputedField,
    Field,
    HashesField,
    MissingField,
    NameField,
    PathField,
    Source,
)

_SEPARATORS = "\\/"
_NUMBERS = frozenset({"int", "long", "real", "decimal"})
_HASH = re.compile(r"(md5|sha1|sha256|imphash)=([0-9a-f]+)", re.IGNORECASE)
_DIGITS = {"MD5": 32, "SHA1": 40, "SHA256": 64}
_SHORTEST_HELP = 3  # characters of a text that is looked for before a regular expression is tried


class MissingHashError(YamlError):
    """A hash of a kind that Defender does not record. Another hash of the same file may stand in for it."""


class ConditionWriter:
    """Writes the conditions of one rule. `computed` are the fields that its query must compute first, `left_out` the
    hashes that it does without because there are alternatives."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.file = ""
        self.computed: dict[str, ComputedField] = {}
        self.left_out: list[MissingHashError] = []

    @property
    def extends(self) -> list[str]:
        """The lines that compute fields."""
        return [f"| extend {one.name} = {one.kql}" for one in self.computed.values()]

    def condition_of(self, document: Document) -> Condition:
        """The condition of a rule or filter. Raises YamlError for what cannot be written."""
        self.file = str(document.file)
        return self.condition(document.expression)

    def condition(self, expression: Expression, negated: bool = False) -> Condition:
        """The condition; `negated` if it stands in a negation. Raises YamlError."""
        match expression:
            case And(parts):
                return conjunction([self.condition(part, negated) for part in parts])
            case Or(parts):
                return self._alternatives(parts, negated)
            case Not(part):
                return Negated(self.condition(part, not negated))
            case FieldTest(name, test, place):
                return self._field_test(name, test, place, negated)
            case Keyword(pattern, place):
                text = f"the keyword {pattern.written()[:60]!r} may stand anywhere in an event, and not in one field"
                raise YamlError(self.file, place, text, "name a field")

    def _alternatives(self, parts: tuple[Expression, ...], negated: bool) -> Condition:
        """Any of the parts; without those that need a hash that is not recorded, as long as there are others.

        In a negation they must stay: without them, it would hold for more events."""
        written: list[Condition] = []
        missing: list[MissingHashError] = []
        for part in parts:
            try:
                written.append(self.condition(part, negated))
            except MissingHashError as error:
                missing.append(error)
        if missing and (negated or not written):
            raise missing[0]
        self.left_out += missing
        return disjunction(written)

    def _field_test(self, name: str, test: Test, place: Position, negated: bool) -> Condition:
        field = self.field(name, place)
        try:
            if isinstance(test, LikeField):
                return _like_field(field, self.field(test.field, place), test)
            return _of_field(field, test, negated)
        except _MissingAlgorithmError as e:
            raise MissingHashError(self.file, place, f"{name}: {e}") from e
        except ValueError as e:
            raise YamlError(self.file, place, f"{name}: {e}") from e

    def field(self, name: str, place: Position) -> Field:
        field = self.source.fields.get(name)
        if field is None:
            raise YamlError(self.file, place, f"the field {name} has no column in {self.source.table}")
        if isinstance(field, MissingField):
            raise YamlError(self.file, place, f"{name}: {field.why}")
        if isinstance(field, ComputedField):
            self.computed[name] = field
            return ColumnField(name, field.type)
        return field


class _MissingAlgorithmError(ValueError):
    pass


def _of_field(field: Field, test: Test, negated: bool) -> Condition:
    match field:
        case ColumnField(column, type_, empty_as):
            if isinstance(test, Like) and test.pattern.literal in empty_as:
                return disjunction([Leaf(f"isempty({column})"), _of_column(column, type_, test, negated)])
            return _of_column(column, type_, test, negated)
        case PathField():
            return _of_path(field, test, negated)
        case NameField(column):
            return _of_name(column, test)
        case AccountField():
            return _of_account(field, test, negated)
        case HashesField(columns):
            return _of_hashes(columns, test)
    raise AssertionError(field)


# A column


def _of_column(column: str, type_: str, test: Test, negated: bool) -> Condition:
    known = partial(_known, negated)
    match test:
        case Like(pattern, cased) if type_ == "string":
            return _like(column, pattern, cased)
        case Like(pattern, cased):
            number = _number(pattern.literal or "") if type_ in _NUMBERS else None
            if number is not None:
                return known(column, equal(column, "==", str(number)))
            return _like(f"tostring({column})", pattern, cased)
        case Compare("==", number) if type_ not in _NUMBERS:
            return _like(column if type_ == "string" else f"tostring({column})", Pattern.of(str(number)), False)
        case Compare("==", number):
            return known(column, equal(column, "==", str(number)))
        case Compare(operator, number):
            value = column if type_ in _NUMBERS else f"toreal({column})"
            return known(value, Leaf(f"{value} {operator} {number}"))
        case Exists(wanted):
            is_there, is_not = ("isnotempty", "isempty") if type_ == "string" else ("isnotnull", "isnull")
            return Leaf(f"{is_there if wanted else is_not}({column})")
        case Matches(regex, flags):
            text = column if type_ == "string" else f"tostring({column})"
            return Leaf(f"{text} matches regex {literal(f'(?{flags}){regex}' if flags else regex)}")
        case InNetwork(network, version):
            found = f"ipv{version}_is_in_range({column}, {literal(network)})"
            return Leaf(f"coalesce({found}, false)" if negated else found)
        case PartOfTime(part, number):
            value = f"datetime_part({literal(part)}, {column if type_ == 'datetime' else f'todatetime({column})'})"
            return known(value, equal(value, "==", str(number)))
        case LikeField():
            raise AssertionError(test)


def _known(negated: bool, value: str, condition: Condition) -> Condition:
    """The condition; false where its value is null, if that matters."""
    return conjunction([Leaf(f"isnotnull({value})"), condition]) if negated else condition


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


_MANY = Wildcard.MANY


def _like(column: str, pattern: Pattern, cased: bool) -> Condition:
    """The condition that a text is like a pattern."""
    suffix = "_cs" if cased else ""
    match pattern.parts:
        case ():
            return Leaf(f"isempty({column})")
        case (str() as text,):
            return equal(column, "==" if cased else "=~", literal(text))
        case (Wildcard.MANY,):
            return Leaf(f"isnotempty({column})")
        case (str() as text, Wildcard.MANY):
            return Leaf(f"{column} startswith{suffix} {literal(text)}")
        case (Wildcard.MANY, str() as text):
            return Leaf(f"{column} endswith{suffix} {literal(text)}")
        case (Wildcard.MANY, str() as text, Wildcard.MANY):
            return Leaf(f"{column} contains{suffix} {literal(text)}")
    expression = Leaf(f"{column} matches regex {literal(_regex(pattern, cased))}")
    longest = max(pattern.texts, key=len, default="")
    if len(longest) < _SHORTEST_HELP:
        return expression
    return conjunction([Leaf(f"{column} contains{suffix} {literal(longest)}"), expression])


def _regex(pattern: Pattern, cased: bool) -> str:
    """The regular expression for the whole text; what is `*` at an end is left out."""
    parts = list(pattern.parts)
    start, end = "" if parts[0] is _MANY else "^", "" if parts[-1] is _MANY else "$"
    inner = parts[not start : len(parts) - (not end)]
    return f"(?{'s' if cased else 'is'}){start}{''.join(map(_regex_part, inner))}{end}"


def _regex_part(part: str | Wildcard) -> str:
    if isinstance(part, Wildcard):
        return ".*" if part is _MANY else "."
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", part)


# Fields in several columns


def _of_path(field: PathField, test: Test, negated: bool) -> Condition:
    """An end that lies within the file's name is asked of the name, which stands in a column of its own. Where the path
    may be the folder alone, so is the name of an end with folders."""
    if isinstance(test, Like) and (found := _end_of_name(test.pattern)):
        pattern, _ = found
        return _like(field.name, pattern, test.cased)
    if isinstance(test, Like) and field.folder_only and (written := _of_folder(field, test)):
        return written
    return _of_column(field.path, "string", test, negated)


def _of_folder(field: PathField, test: Like) -> Condition | None:
    """The condition for a path that may be the folder alone; None if that makes no difference."""
    like = partial(_like, cased=test.cased)
    if split := _folder_and_name(test.pattern):
        folder, name = split
        either = [like(field.path, pattern) for pattern in (test.pattern, folder)]
        return conjunction([like(field.name, Pattern.of(name)), disjunction(either)])
    match test.pattern.parts:
        case (*before, str() as text, Wildcard.MANY) if set(before) <= {_MANY} and text[-1] in _SEPARATORS:
            last = re.split(r"[\\/]", text[:-1])[-1]
            if not last:
                return None
            # A path that ends so is the folder, unless the file has its name.
            folder_itself = like(field.path, Pattern.of(*before, text[:-1]))
            ends = conjunction([folder_itself, Negated(like(field.name, Pattern.of(last)))])
            return disjunction([like(field.path, test.pattern), ends])
    return None


def _folder_and_name(pattern: Pattern) -> tuple[Pattern, str] | None:
    """`*\\a` and `b` of `*\\a\\b`, `C:\\a` and `b` of `C:\\a\\b`; None for patterns that do not end with a name."""
    match pattern.parts:
        case (*before, str() as text) if set(before) <= {Wildcard.MANY}:
            at = max(text.rfind(separator) for separator in _SEPARATORS)
            if at > 0 and text[at + 1 :]:
                return Pattern.of(*before, text[:at]), text[at + 1 :]
    return None


def _of_name(column: str, test: Test) -> Condition:
    if isinstance(test, Exists):
        return _of_column(column, "string", test, False)
    if not isinstance(test, Like) or not (found := _end_of_name(test.pattern)):
        raise ValueError("Defender keeps only the file's name of it: only an end with a name can be asked")
    pattern, whole = found
    named = _like(column, pattern, test.cased)
    return disjunction([named, _like(column, test.pattern, test.cased)]) if whole else named


def _end_of_name(pattern: Pattern) -> tuple[Pattern, bool] | None:
    """What a pattern such as `*\\cmd.exe` or `*cmd.exe` asks of the file's name, and whether it asks for a whole name;
    None if it also asks for a folder, or not for an end."""
    match pattern.parts:
        case (Wildcard.MANY, str() as text):
            whole = text[0] in _SEPARATORS
            name = text[1:] if whole else text
            if name and not any(separator in name for separator in _SEPARATORS):
                return (Pattern.of(name) if whole else pattern), whole
    return None


def _of_account(field: AccountField, test: Test, negated: bool) -> Condition:
    """An account's text is `DOMAIN\\name`, or the name alone if there is no domain."""
    domain, account = field.domain, field.account
    if isinstance(test, Exists):
        return _of_column(account, "string", test, negated)
    if isinstance(test, Like):
        like = partial(_like, cased=test.cased)
        match test.pattern.parts:
            case (str() as text,) if text.count("\\") == 1 and text.strip("\\") == text:
                before, _, after = text.partition("\\")
                return conjunction([like(domain, Pattern.of(before)), like(account, Pattern.of(after))])
            case (Wildcard.MANY, str() as text) if text.rfind("\\") == 0 and len(text) > 1:
                return conjunction([Leaf(f"isnotempty({domain})"), like(account, Pattern.of(text[1:]))])
            case (Wildcard.MANY, str() as text, Wildcard.MANY) if "\\" not in text:
                return disjunction([like(domain, test.pattern), like(account, test.pattern)])
    return _of_column(_account_text(field), "string", test, negated)


def _account_text(field: AccountField) -> str:
    return f'iff(isempty({field.domain}), {field.account}, strcat({field.domain}, @"\\", {field.account}))'


def _of_hashes(columns: Mapping[str, str], test: Test) -> Condition:
    """A hash is found wherever it stands among the others, whatever the pattern asks of its surroundings."""
    if isinstance(test, Exists):
        tests = [_of_column(column, "string", test, False) for column in columns.values()]
        return (disjunction if test.wanted else conjunction)(tests)
    if not columns:
        raise _MissingAlgorithmError("Defender records no IMPHASH")
    texts = test.pattern.texts if isinstance(test, Like) else ()
    hashes = [_HASH.fullmatch(part.strip()) for part in (texts[0].split(",") if len(texts) == 1 else ())]
    if not hashes or None in hashes:
        raise ValueError("expected hashes such as SHA256=... in it")
    return conjunction([_of_hash(columns, found[1].upper(), found[2]) for found in hashes if found])


def _of_hash(columns: Mapping[str, str], algorithm: str, digits: str) -> Condition:
    if algorithm not in columns:
        raise _MissingAlgorithmError(f"Defender records no {algorithm}")
    whole = len(digits) == _DIGITS[algorithm]
    return _like(columns[algorithm], Pattern.of(digits, *(() if whole else (_MANY,))), False)


# Two fields


def _like_field(field: Field, other: Field, test: LikeField) -> Condition:
    """Fields compare only if there is a value to compare with."""
    if isinstance(field, AccountField) and isinstance(other, AccountField) and test.how == "equals":
        compared = [_same(field.domain, other.domain, test), _same(field.account, other.account, test)]
        return conjunction([Leaf(f"isnotempty({other.account})"), *compared])
    left, right = _single_text(field), _single_text(other)
    return conjunction([Leaf(f"isnotempty({right})"), _same(left, right, test)])


def _same(left: str, right: str, test: LikeField) -> Condition:
    operator = test.how + ("_cs" if test.cased else "")
    return Leaf(f"{left} {_EQUALS.get(operator, operator)} {right}")


_EQUALS = {"equals": "=~", "equals_cs": "=="}


def _single_text(field: Field) -> str:
    match field:
        case ColumnField(column, "string"):
            return column
        case ColumnField(column):
            return f"tostring({column})"
        case PathField(path):
            return path
    raise ValueError("it is in no column of its own, and cannot be compared with another field")


def field_text(field: Field, otherwise: YamlError) -> str:
    """An expression of the field's value as text. Raises the given error for fields that have none."""
    match field:
        case AccountField():
            return _account_text(field)
        case NameField(column):
            return column
        case ColumnField() | PathField():
            return _single_text(field)
    raise otherwise
