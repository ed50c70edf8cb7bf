"""Conditions in KQL: put together as a tree, and laid out as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

_WIDTH = 112
_LONGEST_CHAIN = 60
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Leaf:
    """A condition that has no parts. `left`, `operator` and `right` are set if it compares for equality."""

    text: str
    left: str = ""
    operator: str = ""
    right: str = ""


@dataclass(frozen=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Negated:
    part: Condition


Condition: TypeAlias = Leaf | All | Any | Negated

_LISTS = {"=~": "in~", "==": "in"}


def equal(left: str, operator: str, right: str) -> Leaf:
    """The condition that a column equals a literal; several of them over one column are written as a list."""
    return Leaf(f"{left} {operator} {right}", left, operator, right)


def conjunction(parts: Iterable[Condition]) -> Condition:
    flat = list(dict.fromkeys(inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,))))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def disjunction(parts: Iterable[Condition]) -> Condition:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Any) else (part,))]
    joined = list(_with_lists(list(dict.fromkeys(flat))))
    return joined[0] if len(joined) == 1 else Any(tuple(joined))


def _with_lists(parts: list[Condition]) -> Iterable[Condition]:
    """The parts, comparisons of one column for equality joined where the first of them stands."""
    alike: dict[tuple[str, str], list[Leaf]] = {}
    for part in parts:
        if isinstance(part, Leaf) and part.operator:
            alike.setdefault((part.left, part.operator), []).append(part)
    for part in parts:
        if not (isinstance(part, Leaf) and part.operator):
            yield part
            continue
        same = alike.pop((part.left, part.operator), [])
        if len(same) == 1:
            yield part
        elif same:
            yield Leaf(_list_text(part.left, _LISTS[part.operator], [one.right for one in same]))


def _list_text(left: str, operator: str, values: list[str]) -> str:
    """`left in~ (a, b)`, on several lines if it is long."""
    lines: list[str] = [""]
    for value in values:
        if lines[-1] and len(lines[-1]) + len(value) > _WIDTH - 12:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{value}"
    return (
        f"{left} {operator} ({_BREAK.join(f'{line},' for line in lines[:-1])}{_BREAK if lines[:-1] else ''}{lines[-1]})"
    )


_BREAK = "\n"


def literal(text: str) -> str:
    """A KQL string literal: verbatim if the text has a backslash or a quote."""
    if _UNPRINTABLE.search(text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'
    if "\\" in text or '"' in text:
        return '@"' + text.replace('"', '""') + '"'
    return f'"{text}"'


def where(condition: Condition) -> str:
    """The `where` operators of a condition, one for each part that all must hold, each on lines of its own."""
    parts = condition.parts if isinstance(condition, All) else (condition,)
    return "\n".join(f"| where {written(part, 1, outermost=True)}" for part in parts)


def _in_groups(kind: type[All | Any], parts: tuple[Condition, ...]) -> Iterable[Condition]:
    """The parts; a long list in groups, because parsers go a level deeper for each operator of a chain."""
    if len(parts) <= _LONGEST_CHAIN:
        return parts
    return (kind(parts[at : at + _LONGEST_CHAIN]) for at in range(0, len(parts), _LONGEST_CHAIN))


def written(condition: Condition, level: int = 0, outermost: bool = False) -> str:
    """A condition as text, broken at `and` and `or` if it is long; in brackets unless it is the outermost."""
    if isinstance(condition, Leaf):
        return condition.text.replace(_BREAK, f"\n{'    ' * (level + 1)}")
    if isinstance(condition, Negated):
        return f"not({written(condition.part, level, outermost=True)})"
    kind, word = (All, "and") if isinstance(condition, All) else (Any, "or")
    parts = [written(part, level + 1) for part in _in_groups(kind, condition.parts)]
    line = f" {word} ".join(parts)
    if len(line) + 4 * level > _WIDTH or "\n" in line:
        line = f"\n{'    ' * level}{word} ".join(parts)
    return line if outermost else f"({line})"
