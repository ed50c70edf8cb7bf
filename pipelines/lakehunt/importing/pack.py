"""Imports a pack into a folder of hunts: first decides on each query, then writes the files, each atomically."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lakehunt.core import atomic_write
from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.hunting import compile_check
from lakehunt.hunting.compile_check import Problem
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.content.hunt_file import Hunt, HuntError
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.importing import file_names, incomplete, index, pack_reader, twins
from lakehunt.importing.pack_reader import FoundQuery
from lakehunt.importing.results import (
    Candidate,
    ImportStatus,
    QueryResult,
    Reason,
    left_out,
    of_candidate,
    refused,
    repeated,
)
from lakehunt.importing.sigma import conversion
from lakehunt.importing.sigma.rules import EVERYTHING, Choice
from lakehunt.kql import lookup_names
from lakehunt.kql import plan as p
from lakehunt.kql.errors import Kind
from lakehunt.schemas.event_tables import BY_NAME

SAY_EVERY = 100
"""Queries between two progress messages."""


def import_pack(
    pack: Path,
    into: Path,
    hunts: Path,
    tables: TableCatalog,
    say: Progress = lambda step: None,
    *,
    replacing: bool = False,
    dry_run: bool = False,
    sigma: Choice = EVERYTHING,
) -> list[QueryResult]:
    """Imports the queries of a pack that compile over these tables, and returns the result of each file and query.

    `pack` is a folder, or a single file; `sigma` chooses among Sigma rules. `hunts` is the folder in which ids must be
    unique: `into`, or one around it. A dry run writes nothing. The call is idempotent. Raises LakehuntError for a path
    that is neither or cannot be read, and for a file that cannot be written; files written before stay, and the same
    call continues from there."""
    _check_paths(pack, into, hunts)
    found = conversion.convert(folder_of(pack), _found(pack, into), sigma)
    outcomes = _decide(found, into, hunts, tables, replacing, say)
    if not dry_run:
        _write(folder_of(pack), into, outcomes)
    return outcomes


def folder_of(pack: Path) -> Path:
    """The folder that the sources in results are relative to: the pack itself, or that of a single file."""
    return pack.parent if pack.is_file() else pack


def _check_paths(pack: Path, into: Path, hunts: Path) -> None:
    if not pack.exists():
        raise LakehuntError(f"no folder or file at {pack}", "name the clone of a repository of queries or rules")
    if not pack.is_dir() and not pack_reader.may_hold_queries(pack.name):
        raise LakehuntError(f"{pack} is not a file with queries or rules", "name a folder, or a .yml, .md or .kql file")
    _check_readable(folder_of(pack))
    if pack.resolve().is_relative_to(hunts.resolve()):
        raise LakehuntError(
            f"{pack} is inside of the folder of hunts {hunts}, which is read as it is",
            "move the pack elsewhere, or name another folder with --into",
        )
    if into.exists() and not into.is_dir():
        raise LakehuntError(f"{into} is not a folder", "name a folder with --into")
    if into.exists():
        _check_readable(into)


def _check_readable(folder: Path) -> None:
    try:
        next(folder.iterdir(), None)
    except OSError as e:
        raise LakehuntError(f"{folder}: cannot be read: {e.strerror}", "check its permissions") from e


# Decisions


def _decide(
    found: Sequence[Candidate | QueryResult],
    into: Path,
    hunts: Path,
    tables: TableCatalog,
    replacing: bool,
    say: Progress,
) -> list[QueryResult]:
    compiled = list(_all_compiled(found, tables, say))
    ids = {found.hunt.id for found in compiled if isinstance(found, Candidate)}
    existing = _Existing.of(hunts, replaced=ids if replacing else set())
    names = file_names.Names(into)
    seen = _Seen()
    return [
        found if isinstance(found, QueryResult) else _decide_one(found, existing, seen, names, replacing)
        for found in compiled
    ]


def _found(pack: Path, into: Path) -> Iterator[FoundQuery]:
    for found in [pack] if pack.is_file() else pack_reader.files(pack, into):
        if isinstance(found, QueryResult):
            yield found
        else:
            yield from pack_reader.queries(folder_of(pack), found)


def _all_compiled(
    found: Sequence[Candidate | QueryResult], tables: TableCatalog, say: Progress
) -> Iterator[Candidate | QueryResult]:
    for number, one in enumerate(found, 1):
        yield _compiled(one, tables)
        if number % SAY_EVERY == 0 or number == len(found):
            say(f"{number}/{len(found)} queries and files read")


def _compiled(found: Candidate | QueryResult, tables: TableCatalog) -> Candidate | QueryResult:
    """The candidate itself if its query compiles over these tables, else the reason why not."""
    if isinstance(found, QueryResult):
        return found
    if why := incomplete.reason(found.hunt.query):
        return left_out(found, Reason.INCOMPLETE, why)
    checked = compile_check.check_query(found.hunt, tables)
    if checked.problems:
        return _refused(found, checked.problems)
    read = _tables_read(checked.plan) if checked.plan else set()
    if not read:
        return left_out(found, Reason.NO_TABLE, "the query reads no table of the lake")
    failing = tuple(warning for warning in checked.warnings if warning.kind == compile_check.EXTERNAL)
    return replace(found, events_only=read <= BY_NAME.keys(), warnings=failing)


def _tables_read(plan: p.Plan) -> set[str]:
    found = {step.table for step in p.distinct(plan) if isinstance(step, p.Scan)}
    return {table for table in found if not lookup_names.is_function(table)}


def _refused(candidate: Candidate, problems: Sequence[Problem]) -> QueryResult:
    """The decisive reason: a missing table or function causes further errors, which do not count.

    A function that needs a lookup, such as FileProfile, is not supported as long as the configuration names none."""
    tables = [problem for problem in problems if problem.table]
    if any(problem.kind != Kind.UNSUPPORTED for problem in tables):
        return refused(candidate, Reason.TABLE, _missing(tables), tables[0], problems)
    unsupported = [problem for problem in problems if problem.kind in {Kind.UNSUPPORTED, compile_check.FILE}]
    decides = unsupported[0] if unsupported else problems[0]
    reason = Reason.UNSUPPORTED if unsupported else Reason.QUERY
    return refused(candidate, reason, decides.message, decides, problems)


def _missing(problems: Sequence[Problem]) -> str:
    """`no table Cats, Dogs; no lookup FileProfile()`."""
    names = list(dict.fromkeys(problem.table for problem in problems))
    tables = [name for name in names if not lookup_names.is_function(name)]
    lookups = [name for name in names if lookup_names.is_function(name)]
    return "; ".join(f"no {kind} {', '.join(of)}" for kind, of in (("table", tables), ("lookup", lookups)) if of)


@dataclass(frozen=True)
class _Existing:
    """The existing hunts of the folder: files by id, and hunts by the version of their query and as twins."""

    files: dict[str, Path]
    queries: dict[str, Hunt]
    twins: dict[str, Hunt]

    @classmethod
    def of(cls, folder: Path, replaced: set[str]) -> _Existing:
        """Reads a folder. Queries of hunts with ids in `replaced` are left out."""
        if not folder.is_dir():
            return cls({}, {}, {})
        hunts, errors = hunt_file.load_folder(folder)
        broken = [error.hunt for error in errors if isinstance(error, HuntError) and error.hunt]
        files = {hunt.id: hunt.file for hunt in [*broken, *hunts] if hunt.id}
        kept = [hunt for hunt in hunts if hunt.id not in replaced]
        return cls(files, {twins.version(hunt): hunt for hunt in kept}, {twins.key(hunt): hunt for hunt in kept})


@dataclass
class _Seen:
    """The accepted queries of the pack, by id, by version, and as twins."""

    ids: dict[str, Candidate] = field(default_factory=dict)
    versions: dict[str, Candidate] = field(default_factory=dict)
    twins: dict[str, Candidate] = field(default_factory=dict)


def _decide_one(
    candidate: Candidate, existing: _Existing, seen: _Seen, names: file_names.Names, replacing: bool
) -> QueryResult:
    repeated = _repeated(candidate, existing, seen)
    if repeated:
        return repeated
    file = existing.files.get(candidate.hunt.id)
    if file is None:
        return of_candidate(candidate, ImportStatus.IMPORTED, names.free(candidate))
    if file.read_bytes() == candidate.content:
        return of_candidate(candidate, ImportStatus.ALREADY_THERE, file)
    if replacing:
        return of_candidate(candidate, ImportStatus.REPLACED, file)
    detail = f"{file} has this id and other content; --replace takes the pack's"
    return left_out(candidate, Reason.OTHER_CONTENT, detail, file)


def _repeated(candidate: Candidate, existing: _Existing, seen: _Seen) -> QueryResult | None:
    """Why a query is a duplicate; None if it is not, and then it is recorded as seen."""
    hunt, version = candidate.hunt, twins.version(candidate.hunt)
    if hunt.id in seen.ids:
        return left_out(candidate, Reason.DUPLICATE_ID, f"{hunt.id} is also that of {_place(seen.ids[hunt.id])}")
    if version in seen.versions:
        return _same(candidate, seen.versions[version])
    same = existing.queries.get(version)
    if same is not None and same.id != hunt.id:
        return repeated(candidate, Reason.DUPLICATE_QUERY, f"the query of {same.file}", same.id)
    if candidate.events_only and (found := _twin_of(candidate, existing, seen)):
        return found
    seen.ids[hunt.id] = seen.versions[version] = seen.twins[twins.key(hunt)] = candidate
    return None


def _same(candidate: Candidate, other: Candidate) -> QueryResult:
    return repeated(candidate, Reason.DUPLICATE_QUERY, f"the query of {_place(other)}", other.hunt.id)


def _twin_of(candidate: Candidate, existing: _Existing, seen: _Seen) -> QueryResult | None:
    """The result for the query of another hunt with Sentinel's name of the event's time in place of Defender's, or the
    other way round: both columns are the same in event tables."""
    twin = twins.key(candidate.hunt)
    if twin in seen.twins:
        other = seen.twins[twin]
        return repeated(candidate, Reason.TWIN, f"{_SAME_BUT_TIME} {_place(other)}", other.hunt.id)
    hunt = existing.twins.get(twin)
    if hunt is not None and hunt.id != candidate.hunt.id:
        return repeated(candidate, Reason.TWIN, f"{_SAME_BUT_TIME} {hunt.file}", hunt.id)
    return None


_SAME_BUT_TIME = "but for Timestamp and TimeGenerated, the query of"


def _place(candidate: Candidate) -> str:
    return f"{candidate.hunt.file}:{candidate.line}"


# The files


def _write(pack: Path, into: Path, outcomes: Sequence[QueryResult]) -> None:
    try:
        into.mkdir(parents=True, exist_ok=True)
        for outcome in outcomes:
            if outcome.candidate and outcome.file and outcome.result in {ImportStatus.IMPORTED, ImportStatus.REPLACED}:
                atomic_write.write(outcome.file, outcome.candidate.content)
        index.update(into, pack, outcomes)
    except OSError as e:
        raise LakehuntError(
            f"{e.filename or into}: cannot be written: {e.strerror}", "put that right; the same command goes on"
        ) from e
