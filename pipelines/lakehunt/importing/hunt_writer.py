"""Generates hunt files for queries from Markdown and .kql files, and ids for hunts that have none."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehunt.core import strict_yaml
from lakehunt.hunting.content.hunt_file import GUID

_NAMESPACE = uuid.UUID("6f0f0f2b-6f3c-5d0e-9b58-0f6f5f6c1c11")  # of ids of imported hunts: must stay as it is
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Made:
    """What a hunt is made of. `seed` says which one it is in its pack: the same one has the same id every time."""

    seed: str
    source: Path
    name: str
    query: str
    description: str = ""
    tactics: Sequence[str] = ()
    techniques: Sequence[str] = ()
    tags: Sequence[str] = ()


def new_id(seed: str) -> str:
    """The id of what a seed names."""
    return str(uuid.uuid5(_NAMESPACE, seed))


def text_of(made: Made) -> str:
    """The hunt as YAML: the query as it is, in a block if YAML can hold it so."""
    return "".join(_lines(made))


def _lines(made: Made) -> Iterator[str]:
    yield "# Made by `lakehunt import`: the query is the pack's, as it stands there.\n"
    yield f"id: {new_id(made.seed)}\n"
    yield f"name: {_quoted(one_line(made.name)[:_LONGEST_NAME] or 'Query')}\n"
    if made.description:
        yield from _block("description", made.description)
    for key, texts in (("tactics", made.tactics), ("relevantTechniques", made.techniques), ("tags", made.tags)):
        if texts:
            yield f"{key}:\n" + "".join(f"  - {_quoted(text)}\n" for text in texts)
    yield f"metadata:\n  source: {_quoted(made.source.as_posix())}\n"
    yield from _block("query", made.query)


def one_line(text: str) -> str:
    """A text on one line, of characters that can be printed."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _quoted(text: str) -> str:
    """A JSON string, which is YAML; of a text that YAML forbids, one with escapes."""
    plain = json.dumps(text, ensure_ascii=False)
    return plain if _is_yaml(f"text: {plain}\n") else json.dumps(text)


def _block(key: str, text: str) -> Iterator[str]:
    indicator = "2" if text[:1] in {" ", "\t", "\n"} else ""  # else the first line's blanks would be indentation
    block = f"{key}: |{indicator}\n" + "".join(f"  {line}\n" if line else "\n" for line in text.split("\n"))
    yield block if _is_yaml(block) else f"{key}: {json.dumps(text)}\n"


def _is_yaml(text: str) -> bool:
    try:
        strict_yaml.load(text)
    except strict_yaml.YamlError:
        return False
    return True


def with_id(text: str, document: strict_yaml.Mapping, seed: str) -> tuple[str | None, str]:
    """A hunt's text with an id that is one, and what the pack's file has as id instead, '' if nothing.

    Nothing else changes or moves: a missing id is added at the end, and one that is not a GUID is replaced in its line.
    None if the text needs no new id, or if its layout has no place for one."""
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
    """The text with another id, and on the same line a comment with the one that was there."""
    line, column = document.position("id")
    lines = text.splitlines(keepends=True)
    before, value = lines[line - 1][: column - 1].rstrip(), lines[line - 1][column - 1 :]
    end = value[len(value.rstrip("\r\n")) :]
    comment = f"  # in the pack: {one_line(value)}" if value.strip() else ""
    lines[line - 1] = f"{before} {id_}{comment}{end}"
    return "".join(lines)
