"""Reads a pack: its files, and the queries in each of them.

YAML files are copied as hunts. For queries in Markdown pages and plain KQL files, hunts are generated. Nothing is
dropped silently: a file without a query has a result, too."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.core.strict_yaml import Position, TextMap, YamlError
from lakehunt.hunting import compile_check
from lakehunt.hunting.content import attack, hunt_file
from lakehunt.hunting.content.attack import AttackMapping
from lakehunt.hunting.content.hunt_file import HuntError
from lakehunt.importing import hunt_writer, markdown, statements
from lakehunt.importing.hunt_writer import GeneratedHunt
from lakehunt.importing.markdown import Block, Page
from lakehunt.importing.results import Candidate, QueryResult, Reason, no_query
from lakehunt.importing.sigma import documents
from lakehunt.importing.sigma.documents import Document

FoundQuery: TypeAlias = Candidate | QueryResult | Document

_RULE_KEYS = frozenset({"kind", "query", "relevantTechniques", "requiredDataConnectors", "severity", "tactics"})
"""A hunting query or an analytics rule has one of these fields; workbooks, parsers and connectors have none."""

_QUERY_KEY = re.compile(r"^[ \t]*[\"']?query[\"']?[ \t]*:", re.IGNORECASE | re.MULTILINE)


# Files


def files(pack: Path, except_for: Path) -> Iterator[Path | QueryResult]:
    """The files of a pack that may hold queries, sorted by path, and what cannot be read.

    Hidden files and folders are ignored, as are the target folder and links within the pack, whose targets are found
    anyway. A link that leads out of the pack is reported and not followed."""
    problems: list[QueryResult] = []
    root, elsewhere = pack.resolve(), except_for.resolve()

    def unreadable(error: OSError) -> None:
        place = Path(error.filename or pack).relative_to(pack)
        problems.append(no_query(place, Reason.UNREADABLE, f"the folder cannot be read: {error.strerror}"))

    found: list[Path] = []
    for folder, folders, names in os.walk(pack, onerror=unreadable):
        here = Path(folder)
        for name in [*folders, *filter(may_hold_queries, names)]:
            path = here / name
            if path.is_symlink() and not name.startswith(".") and not path.resolve().is_relative_to(root):
                problems.append(no_query(path.relative_to(pack), Reason.LINK, "a link that leads out of the folder"))
        folders[:] = [name for name in folders if not name.startswith(".") and (here / name).resolve() != elsewhere]
        found.extend(here / name for name in names if may_hold_queries(name) and not (here / name).is_symlink())
    yield from sorted(problems, key=lambda outcome: outcome.source.parts)
    yield from sorted(found, key=lambda file: file.relative_to(pack).parts)


def may_hold_queries(name: str) -> bool:
    """Whether a file of this name may hold queries or Sigma rules."""
    return not name.startswith(".") and Path(name).suffix.lower() in _READERS


# Queries


def queries(pack: Path, file: Path) -> list[FoundQuery]:
    """The queries of a file and its Sigma documents, or a single result that says why it has none."""
    source = file.relative_to(pack)
    try:
        data = strict_yaml.read(file)
        text = strict_yaml.decode(data, str(file))
    except YamlError as error:
        reason = Reason.UNREADABLE if isinstance(error.__cause__, OSError) else Reason.INVALID
        return [_broken(source, reason, error)]
    return _READERS[file.suffix.lower()](source, file, data, text)


def _broken(source: Path, reason: Reason, error: LakehuntError) -> QueryResult:
    """A file that is not a valid hunt because of an error."""
    errors: Sequence[LakehuntError] = error.problems if isinstance(error, HuntError) else (error,)
    problems = tuple(map(compile_check.of_file, errors))
    return no_query(source, reason, problems[0].message, problems)


# YAML


def _yaml(source: Path, file: Path, data: bytes, text: str) -> list[FoundQuery]:
    """A hunt, copied unchanged except that a missing or invalid id is replaced."""
    if documents.is_sigma(text):
        return _sigma(source, file, text)
    try:
        document = strict_yaml.load(text, str(file))
    except YamlError as error:
        reason = Reason.INVALID if _QUERY_KEY.search(text) else Reason.NOT_A_HUNT
        return [_broken(source, reason, error)]
    not_a_hunt = _no_hunt(document)
    if not_a_hunt is not None:
        return [no_query(source, *not_a_hunt)]
    with_id, original_id = hunt_writer.with_id(text, document, source.as_posix())
    try:
        hunt = hunt_file.read(document if with_id is None else strict_yaml.load(with_id, str(file)), file, {})
    except LakehuntError as error:
        return [_broken(source, Reason.INVALID, error)]
    content = data if with_id is None else with_id.encode()
    mapping = attack.normalised(hunt.tactics, hunt.techniques or _texts(document, "techniques"))
    return [Candidate(source, hunt.place(1, 1).line, hunt, content, file.stem, file.suffix, original_id, mapping)]


def _sigma(source: Path, file: Path, text: str) -> list[FoundQuery]:
    try:
        return [*documents.read(text, file, source)]
    except YamlError as error:
        return [_broken(source, Reason.SIGMA, error)]


def _no_hunt(document: strict_yaml.Mapping) -> tuple[Reason, str] | None:
    """Why a document is not a hunt; None if it is one, even if it has errors."""
    if any(key.lower() == "query" and _has_content(document, key) for key in document):
        return None
    if _RULE_KEYS & document.keys() and {"id", "name"} & document.keys():
        return Reason.NO_QUERY, "a rule without a query"
    keys = ", ".join(list(document)[:4])
    return Reason.NOT_A_HUNT, f"YAML of another kind: {keys}" if keys else "an empty file"


def _has_content(document: strict_yaml.Mapping, key: str) -> bool:
    return isinstance(document[key], (dict, list)) or bool(document.text(key).strip())


def _texts(document: strict_yaml.Mapping, key: str) -> list[str]:
    """The scalars of a list that Lakehunt itself does not use, as text."""
    value = document.get(key)
    if not isinstance(value, strict_yaml.Sequence):
        return []
    return [value.text(index) for index, entry in enumerate(value) if not isinstance(entry, (dict, list))]


# Markdown pages and plain KQL, which become hunts


def _markdown(source: Path, file: Path, data: bytes, text: str) -> list[FoundQuery]:
    page = markdown.read(text)
    if not page.blocks:
        return [no_query(source, Reason.NO_QUERY, "no block of KQL")]
    return [found for number in range(len(page.blocks)) for found in _of_block(source, file, page, number)]


def _of_block(source: Path, file: Path, page: Page, number: int) -> list[FoundQuery]:
    block = page.blocks[number]
    mapping = attack.normalised(page.covers, page.techniques)
    parts = [page.description, *([block.lead] if block.lead not in page.description else [])]
    generated = GeneratedHunt(
        seed=f"{source.as_posix()}\n{block.heading}\n{block.number}",
        source=source,
        name=_name(page.title or file.stem, block, len(page.blocks)),
        query=block.text,
        description="\n\n".join(filter(None, parts)),
        tactics=[entry.name for entry in mapping.tactics],
        techniques=[entry.id for entry in mapping.techniques],
        tags=mapping.unknown,
    )
    stem = file.stem if len(page.blocks) == 1 else f"{file.stem}-{number + 1}"
    return _candidates(generated, file, Position(block.line, block.column), stem, mapping)


def _name(title: str, block: Block, blocks: int) -> str:
    """The page's title; for one of several queries with its heading, and with its number if the heading has several."""
    if blocks == 1:
        return title
    name = title if block.heading in {"", title} else f"{title}: {block.heading}"
    return name if block.number == 1 else f"{name} ({block.number})"


def _kql(source: Path, file: Path, data: bytes, text: str) -> list[FoundQuery]:
    lines = re.split(r"\r\n|\r|\n", text)
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        return [no_query(source, Reason.NO_QUERY, "an empty file")]
    query = "\n".join(lines[filled[0] : filled[-1] + 1])
    comments = "\n".join(line.strip() for line in lines if line.lstrip().startswith("//"))
    mapping = attack.normalised((), attack.known_techniques(comments))
    techniques = [entry.id for entry in mapping.techniques]
    generated = GeneratedHunt(
        source.as_posix(), source, file.stem, query, _opening_comment(lines[filled[0] :]), (), techniques
    )
    return _candidates(generated, file, Position(filled[0] + 1, 1), file.stem, mapping)


def _opening_comment(lines: Sequence[str]) -> str:
    """The text of the comment at the top of a query."""
    end = next((n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("//")), len(lines))
    text = [hunt_writer.one_line(line.strip().removeprefix("//")) for line in lines[:end]]
    return "\n".join(text).strip()


def _candidates(
    generated: GeneratedHunt, file: Path, start: Position, stem: str, mapping: AttackMapping
) -> list[FoundQuery]:
    """The hunts generated for a text: one, or one for each of several queries in it."""
    parts = statements.split(generated.query)
    if len(parts) == 1:
        return [candidate(generated, file, start, stem, mapping)]
    return [
        candidate(
            replace(
                generated,
                seed=f"{generated.seed}\n{number}",
                name=f"{generated.name}, query {number}",
                description=_opening_comment(part.text.split("\n")) or generated.description,
                query=part.text,
            ),
            file,
            Position(start.line + part.line, start.column),
            f"{stem}-{number}",
            mapping,
        )
        for number, part in enumerate(parts, 1)
    ]


def candidate(
    generated: GeneratedHunt,
    file: Path,
    start: Position,
    stem: str,
    mapping: AttackMapping,
    *,
    written_there: bool = True,
) -> Candidate | QueryResult:
    """The hunt generated for a query. Positions in the query refer to the file, where it starts at `start`, or which
    has at `start` what the query was made of."""
    text = hunt_writer.text_of(generated)
    try:
        hunt = hunt_file.read(strict_yaml.load(text, str(file)), file, {})
    except LakehuntError as error:
        problem = error.problems[0].problem if isinstance(error, HuntError) else error.message
        found = YamlError(str(file), start, problem, error.hint)
        return _broken(generated.source, Reason.INVALID, found)
    places = TextMap if written_there else TextMap.elsewhere
    placed = replace(hunt, query=generated.query, query_map=places(str(file), start))
    return Candidate(generated.source, start.line, placed, text.encode(), stem, ".yaml", attack=mapping)


_READERS: dict[str, Callable[[Path, Path, bytes, str], list[FoundQuery]]] = {
    ".yaml": _yaml,
    ".yml": _yaml,
    ".md": _markdown,
    ".markdown": _markdown,
    ".kql": _kql,
    ".csl": _kql,
}
"""Readers by file extension. Other files of a repository (.json, .csv, .txt, images) are ignored."""
