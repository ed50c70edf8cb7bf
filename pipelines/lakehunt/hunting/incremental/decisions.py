"""Decides a condition of a hunt from an event's texts, as far as these decide it.

A decision is the condition in three-valued logic: true, false, or maybe. Searches for constant texts in a column are
keywords (see keywords.py), and so are equality and lists. Regular expressions, lengths and comparisons of two columns
are tests of texts (see text_tests.py). `and`, `or` and `not` join them. Anything else, a number, a computed text, is
unknown: maybe. A decision is never true where the condition is not, and never false where it is not.

A row-level predicate of texts is decided without Spark. An event that may be a hit is taken for one then: a hit too
many changes no finding. Where something is unknown, Spark evaluates what is unknown, for this event and hunt.

A decision need only be looked at where the keywords occur that it requires, so the cost of an event does not grow with
hunts that look for something else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from lakehunt.hunting.incremental.keywords import KeywordClause, rarity, required_by_regex, searched
from lakehunt.hunting.incremental.predicates import RowPredicate
from lakehunt.hunting.incremental.text_tests import TextTest, text_test
from lakehunt.kql import plan as p


class Operator(IntEnum):
    """As `HuntMatcher.java` has them."""

    CLAUSE = 0
    NOT_CLAUSE = 1
    TEST = 2
    NOT_TEST = 3
    ALL = 4
    ANY = 5
    UNKNOWN = 6


Step = tuple[Operator, KeywordClause | TextTest | int | None]
"""An operator, and its clause or test or, for ALL and ANY, how many of the results before it are its parts."""

MOST_REQUIRED = 8
"""How many required clauses a decision has at most, the longest keywords first."""


@dataclass(frozen=True)
class Decision:
    """`steps` are in postfix order. If the condition is true, an event has a keyword of each `required` clause.
    `is_whole`: nothing is unknown."""

    steps: tuple[Step, ...]
    required: tuple[KeywordClause, ...]
    is_whole: bool

    @property
    def clauses(self) -> set[KeywordClause]:
        """The clauses to search for."""
        return set(self.required).union(operand for _, operand in self.steps if isinstance(operand, frozenset))

    @property
    def tests(self) -> list[TextTest]:
        return [operand for _, operand in self.steps if isinstance(operand, TextTest)]

    def within(self, clauses: Collection[KeywordClause]) -> Decision:
        """The decision if only these clauses are searched for."""
        lost = self.clauses.difference(clauses)
        if not lost:
            return self
        unknown: Step = (Operator.UNKNOWN, None)
        steps = tuple(unknown if step[1] in lost else step for step in self.steps)
        required = tuple(clause for clause in self.required if clause not in lost)
        return Decision(steps, required, self.is_whole and unknown not in steps)


UNKNOWN = Decision(((Operator.UNKNOWN, None),), (), is_whole=False)


def all_of(parts: Sequence[Decision]) -> Decision:
    """All of the decisions; true if there are none."""
    return _joined(Operator.ALL, parts, _rarest(clause for one in parts for clause in one.required))


def any_of(parts: Sequence[Decision]) -> Decision:
    """One of the decisions; false if there are none."""
    shared: list[KeywordClause] = []
    if all(one.required for one in parts):
        for choice in range(2):  # the rarest of each, and what may be rarer than its length says
            chosen = (one.required[min(choice, len(one.required) - 1)] for one in parts)
            shared.append(frozenset().union(*chosen))
    return _joined(Operator.ANY, parts, _rarest(shared))


def of_predicates(predicates: Iterable[RowPredicate]) -> Decision:
    """The decision that an event meets one of the predicates: all of its conditions."""
    return any_of([all_of([*map(decision, one.conditions)]) for one in predicates])


def _rarest(clauses: Iterable[KeywordClause]) -> tuple[KeywordClause, ...]:
    return tuple(sorted(dict.fromkeys(clauses), key=rarity, reverse=True)[:MOST_REQUIRED])


def _joined(operator: Operator, parts: Sequence[Decision], required: tuple[KeywordClause, ...]) -> Decision:
    """`a or b` is one clause of both's keywords; `not a and not b` is its opposite."""
    alike = Operator.CLAUSE if operator == Operator.ANY else Operator.NOT_CLAUSE
    single: list[KeywordClause] = []
    others: list[Decision] = []
    for one in parts:
        kind, operand = one.steps[0]
        if len(one.steps) == 1 and kind == alike and isinstance(operand, frozenset):
            single.append(operand)
        else:
            others.append(one)
    if len(single) > 1:
        parts = [_keywords(frozenset().union(*single), alike == Operator.CLAUSE), *others]
    if len(parts) == 1:
        return parts[0]
    parts = sorted(parts, key=lambda one: bool(one.tests))  # keywords are known, tests are evaluated
    steps = tuple(step for one in parts for step in one.steps)
    return Decision((*steps, (operator, len(parts))), required, all(one.is_whole for one in parts))


def decision(condition: p.Expr) -> Decision:
    """The decision on a condition. Iterates instead of recursing: hunts have hundreds of conditions in each other."""
    done: list[Decision] = []
    waiting: list[tuple[p.Expr, bool] | tuple[_Join, int]] = [(condition, True)]
    while waiting:
        what, how = waiting.pop()
        if not isinstance(what, p.Expr):
            parts = done[len(done) - how :]
            done[len(done) - how :] = [what(parts)]
            continue
        what, is_positive = _without_not(what, bool(how))
        joined = _parts(what, is_positive)
        if joined is None:
            done.append(_leaf(what, is_positive))
        else:
            join, parts_of = joined
            waiting.append((join, len(parts_of)))
            waiting.extend(reversed([(one, is_positive) for one in parts_of]))
    return done[0]


_Join = Callable[[Sequence[Decision]], Decision]

_NEGATED = {"!=": "==", "!~": "=~", "isnotempty": "isempty", "notempty": "isempty"}
_ALL = ("and", "has_all")
_ANY = ("or", "in", "in~", "has_any")


def _without_not(expr: p.Expr, is_positive: bool) -> tuple[p.Expr, bool]:
    while isinstance(expr, p.Call) and expr.function == "not":
        expr, is_positive = expr.args[0], not is_positive
    if isinstance(expr, p.Call):
        name = _NEGATED.get(expr.function, expr.function.removeprefix("!"))
        if name != expr.function:
            return p.Call(expr.type, expr.span, name, expr.args), not is_positive
    return expr, is_positive


def _parts(expr: p.Expr, is_positive: bool) -> tuple[_Join, Sequence[p.Expr]] | None:
    """What joins the parts of a condition; None if it has none."""
    if not isinstance(expr, p.Call) or expr.function not in (*_ALL, *_ANY):
        return None
    join = all_of if (expr.function in _ALL) == is_positive else any_of
    return join, p.terms(expr, expr.function) if expr.function in ("and", "or") else expr.args


def _leaf(expr: p.Expr, is_positive: bool) -> Decision:
    if isinstance(expr, p.Const) and isinstance(expr.value, bool):
        return all_of([]) if expr.value == is_positive else any_of([])
    if not isinstance(expr, p.Call):
        return UNKNOWN
    if (clause := searched(expr)) is not None:
        return _keywords(clause, is_positive)
    test = text_test(expr)
    if test is None:
        return UNKNOWN
    operator = Operator.TEST if is_positive else Operator.NOT_TEST
    tested = Decision(((operator, test),), (), test.is_certain)
    needed = required_by_regex(expr) if test.pattern else None
    if needed is None:
        return tested
    return (all_of if is_positive else any_of)([_keywords(needed, is_positive), tested])


def _keywords(clause: KeywordClause, is_positive: bool = True) -> Decision:
    if is_positive:
        return Decision(((Operator.CLAUSE, clause),), (clause,), is_whole=True)
    return Decision(((Operator.NOT_CLAUSE, clause),), (), is_whole=True)
