"""Generates hunt files for queries from Markdown and .kql files, and ids for hunts that have none."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lakehunt.core import strict_yaml
from lakehunt.hunting.content.hunt_file import GUID

_NAMESPACE = uuid.UUID("6f0f0f2b-6f3c-5d0e-9b58-0f6f5f6c1c11")  # of ids of imported hunts: must never change
_LONGEST_NAME = 200


@dataclass(frozen=True)
class GeneratedHunt:
    """The fields of a generated hunt. `seed` identifies it in its pack, so its id is the same on every import, unless
    the pack gives it an `id`. `comment` is its first line."""

    seed: str
    source: Path
    name: str
    query: str
    description: str = ""
    tactics: Sequence[str] = ()
    techniques: Sequence[str] = ()
    tags: Sequence[str] = ()
    id: str = ""
    severity: str = ""
    status: str = ""
    period: str = ""
    metadata: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    comment: str = "# Made by `lakehunt import`: the query is the pack's, as it stands there."


def new_id(seed: str) -> str:
    """The id for a seed."""
    return str(uuid.uuid5(_NAMESPACE, seed))


def text_of(hunt: GeneratedHunt) -> str:
    """The hunt as YAML: the query unchanged, as a literal block if YAML allows."""
    return "".join(_lines(hunt))


def _lines(hunt: GeneratedHunt) -> Iterator[str]:
    yield f"{hunt.comment}\n"
    yield f"id: {hunt.id or new_id(hunt.seed)}\n"
    yield f"name: {_quoted(one_line(hunt.name)[:_LONGEST_NAME] or 'Query')}\n"
    if hunt.description:
        yield from _block("description", hunt.description)
    for key, text in (("severity", hunt.severity), ("status", hunt.status), ("queryPeriod", hunt.period)):
        if text:
            yield f"{key}: {text}\n"
    for key, texts in (("tactics", hunt.tactics), ("relevantTechniques", hunt.techniques), ("tags", hunt.tags)):
        if texts:
            yield _list(key, texts)
    yield f"metadata:\n  source: {_quoted(hunt.source.as_posix())}\n"
    for key, value in hunt.metadata.items():
        yield f"  {key}: {_quoted(value)}\n" if isinstance(value, str) else _list(key, value, "  ")
    yield from _block("query", hunt.query)


def _list(key: str, texts: Sequence[str], indent: str = "") -> str:
    return f"{indent}{key}:\n" + "".join(f"{indent}  - {_quoted(text)}\n" for text in texts)


def one_line(text: str) -> str:
    """The text on one line, of printable characters only."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _quoted(text: str) -> str:
    """The text as a JSON string, which is valid YAML; with escapes if it contains characters that YAML forbids."""
    plain = json.dumps(text, ensure_ascii=False)
    return plain if _is_yaml(f"text: {plain}\n") else json.dumps(text)


def _block(key: str, text: str) -> Iterator[str]:
    indicator = "2" if text[:1] in {" ", "\t", "\n"} else ""  # else leading blanks would be taken as indentation
    block = f"{key}: |{indicator}\n" + "".join(f"  {line}\n" if line else "\n" for line in text.split("\n"))
    yield block if _is_yaml(block) else f"{key}: {json.dumps(text)}\n"


def _is_yaml(text: str) -> bool:
    try:
        strict_yaml.load(text)
    except strict_yaml.YamlError:
        return False
    return True


def with_id(text: str, document: strict_yaml.Mapping, seed: str) -> tuple[str | None, str]:
    """A hunt's text with a valid id, and the pack's original id ('' if it has none).

    Nothing else changes or moves: a missing id is added at the end, and one that is not a GUID is replaced in its line.
    None if the text needs no new id, or if none can be inserted."""
    if isinstance(document.get("id"), (dict, list)):
        return None, ""
    written = document.text("id").strip() if "id" in document else ""
    if GUID.fullmatch(written.lower()):
        return None, ""
    id_ = new_id(f"{seed}\n{written}")
    changed = _replaced(text, document, id_) if "id" in document else _added(text, document, id_)
    return (changed, written) if _has_id(changed, id_) else (None, "")


def _has_id(text: str, id_: str) -> bool:
    try:
        return strict_yaml.load(text).get("id") == id_
    except strict_yaml.YamlError:
        return False


def _added(text: str, document: strict_yaml.Mapping, id_: str) -> str:
    indent = " " * (document.start.column - 1)
    end = "" if text.endswith(("\n", "\r")) else "\n"
    return f"{text}{end}{indent}# Added by `lakehunt import`: the pack's file has no id.\n{indent}id: {id_}\n"


def _replaced(text: str, document: strict_yaml.Mapping, id_: str) -> str:
    """The text with the new id, and the original id as a comment on the same line."""
    line, column = document.position("id")
    lines = text.splitlines(keepends=True)
    before, value = lines[line - 1][: column - 1].rstrip(), lines[line - 1][column - 1 :]
    end = value[len(value.rstrip("\r\n")) :]
    comment = f"  # in the pack: {one_line(value)}" if value.strip() else ""
    lines[line - 1] = f"{before} {id_}{comment}{end}"
    return "".join(lines)
