"""The result for each query of a pack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from lakehunt.core.strict_yaml import START, Position
from lakehunt.hunting.compile_check import Problem
from lakehunt.hunting.content.attack import AttackMapping
from lakehunt.hunting.content.hunt_file import Hunt


class ImportStatus(StrEnum):
    """What happened to a query."""

    IMPORTED = "imported"
    REPLACED = "replaced"
    ALREADY_THERE = "already there"
    LEFT_OUT = "left out"


class Reason(StrEnum):
    """Why a query, or a file without one, was left out. The values appear in `--json` output."""

    TABLE = "table"
    UNSUPPORTED = "unsupported"
    QUERY = "query"
    DUPLICATE_ID = "duplicate id"
    DUPLICATE_QUERY = "duplicate query"
    TWIN = "duplicate twin"
    NO_TABLE = "reads no table"
    INCOMPLETE = "incomplete"
    OTHER_CONTENT = "other content"
    INVALID = "invalid hunt"
    NO_QUERY = "no query"
    SIGMA = "sigma rule"
    SIGMA_SOURCE = "sigma log source"
    SIGMA_PART = "sigma part"
    NOT_CHOSEN = "not chosen"
    NOT_A_HUNT = "not a hunting query"
    LINK = "link"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Candidate:
    """A query found in a pack: its hunt, with positions in the pack's file, and the file to write.

    `source` is the pack's file, relative to the pack; `line` is where the query starts there. `stem` and `suffix` make
    the name of the file. `original_id` is the id in the pack's file if it is not a valid one; `attack` has the file's
    tactics and techniques; `events_only` is whether its query reads event tables and no others; `warnings`
    say why it would fail at run time."""

    source: Path
    line: int
    hunt: Hunt
    content: bytes
    stem: str
    suffix: str
    original_id: str = ""
    attack: AttackMapping = field(default_factory=AttackMapping)
    events_only: bool = False
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class QueryResult:
    """The result for a query, or for a file without one.

    `place` is the position in `source` of the deciding problem, or of the query; `detail` says why it was left out;
    `problems` are all errors of the query or of its file. `file` is where the hunt is, or would be in a dry run.
    `same_as` is the id of the hunt that has the same query."""

    source: Path
    result: ImportStatus
    place: Position = START
    reason: Reason | None = None
    detail: str = ""
    problems: tuple[Problem, ...] = ()
    candidate: Candidate | None = None
    file: Path | None = None
    same_as: str = ""

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Why the hunt, if it was not left out, would fail at run time."""
        return self.candidate.warnings if self.candidate and not self.reason else ()

    @property
    def attack(self) -> AttackMapping:
        return self.candidate.attack if self.candidate else AttackMapping()


def of_candidate(candidate: Candidate, result: ImportStatus, file: Path) -> QueryResult:
    """The result for a query whose hunt is now in a file."""
    return QueryResult(candidate.source, result, Position(candidate.line, 1), candidate=candidate, file=file)


def left_out(candidate: Candidate, reason: Reason, detail: str, file: Path | None = None) -> QueryResult:
    """The result for a query that is left out although it has no error."""
    place = Position(candidate.line, 1)
    return QueryResult(candidate.source, ImportStatus.LEFT_OUT, place, reason, detail, candidate=candidate, file=file)


def repeated(candidate: Candidate, reason: Reason, detail: str, id_: str) -> QueryResult:
    """The result for a query that the hunt with this id has."""
    return replace(left_out(candidate, reason, detail), same_as=id_)


def refused(
    candidate: Candidate, reason: Reason, detail: str, decides: Problem, all_: Sequence[Problem]
) -> QueryResult:
    """The result for a query with problems; the decisive one gives the position."""
    return QueryResult(candidate.source, ImportStatus.LEFT_OUT, decides.start, reason, detail, tuple(all_), candidate)


def no_query(source: Path, reason: Reason, detail: str, problems: Sequence[Problem] = ()) -> QueryResult:
    """The result for a file without a query."""
    place = problems[0].start if problems else START
    return QueryResult(source, ImportStatus.LEFT_OUT, place, reason, detail, tuple(problems))


def all_read(outcomes: Iterable[QueryResult]) -> bool:
    """Whether everything in a pack could be read."""
    return not any(outcome.reason is Reason.UNREADABLE for outcome in outcomes)
