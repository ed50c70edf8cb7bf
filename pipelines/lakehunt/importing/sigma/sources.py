"""Log sources: which table has their events, and what each field is there (`sources.yaml`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from lakehunt.core import strict_yaml
from lakehunt.schemas.event_tables import BY_NAME

_FILE = Path(__file__).with_name("sources.yaml")


@dataclass(frozen=True)
class ColumnField:
    """A column, and the texts that mean that it is empty; `type` is Kusto's."""

    column: str
    type: str = "string"
    empty_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class PathField:
    """A full path, and the name of the file in it. The path may be the folder alone if `folder_only`."""

    path: str
    name: str
    folder_only: bool = False


@dataclass(frozen=True)
class NameField:
    """A column with a file's name, or with its path: which, an event does not say."""

    column: str


@dataclass(frozen=True)
class AccountField:
    """An account, in two columns."""

    domain: str
    account: str


@dataclass(frozen=True)
class HashesField:
    """Hashes: the column of each algorithm."""

    columns: Mapping[str, str]


@dataclass(frozen=True)
class ComputedField:
    """A value that an expression makes of an event's columns."""

    name: str
    kql: str
    type: str = "string"


@dataclass(frozen=True)
class MissingField:
    """A value that no column has, and why."""

    why: str


Field: TypeAlias = ColumnField | PathField | NameField | AccountField | HashesField | ComputedField | MissingField


@dataclass(frozen=True)
class Source:
    """The events of a category: a table, the condition for its rows, the conditions of products, the fields."""

    category: str
    table: str
    where: str
    products: Mapping[str, str]
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class _Sources:
    known: Mapping[str, Source]
    missing: Mapping[str, str]


def find(category: str) -> Source | None:
    """The source of a category; None if the lake has no table of its events."""
    return _sources().known.get(category)


def why_missing(category: str) -> str:
    """Why the lake has no events of a category; '' if there is nothing to say about it."""
    return _sources().missing.get(category, "")


def categories() -> tuple[str, ...]:
    """All categories whose events the lake has."""
    return tuple(_sources().known)


@cache
def _sources() -> _Sources:
    document = strict_yaml.load_file(_FILE)
    known = {name: _source(document, name) for name in _map(document, "sources")}
    return _Sources(known, {key: str(why) for key, why in _map(document, "missing").items()})


def _source(document: strict_yaml.Mapping, category: str) -> Source:
    written = _map(_map(document, "sources"), category)
    table = str(written["table"])
    types = {column.name: column.type for column in BY_NAME[table].columns}
    groups = _map(document, "groups")
    fields: dict[str, Field] = {}
    for group in (groups["every"], *(groups[name] for name in _texts(written, "groups")), written.get("fields")):
        if isinstance(group, strict_yaml.Mapping):
            fields |= {name: _field(name, group[name], types) for name in group}
    path = str(written.get("path", ""))
    conditions = _map(document, "products")
    products = {name: str(conditions[name]).format(path=path) if path else "" for name in _texts(written, "products")}
    return Source(category, table, str(written.get("where", "")), products, fields)


def _field(name: str, written: strict_yaml.Value, types: Mapping[str, str]) -> Field:
    if not isinstance(written, strict_yaml.Mapping):
        return ColumnField(str(written), types[str(written)])
    match dict(written):
        case {"column": column, **rest}:
            return ColumnField(str(column), types[str(column)], _texts(written, "empty_as") if rest else ())
        case {"path": path, "name": file, **rest}:
            return PathField(str(path), str(file), rest.get("folder_only") is True)
        case {"name_only": column}:
            return NameField(str(column))
        case {"domain": domain, "account": account}:
            return AccountField(str(domain), str(account))
        case {"hashes": _}:
            return HashesField({key: str(column) for key, column in _map(written, "hashes").items()})
        case {"kql": kql}:
            return ComputedField(name, str(kql), str(written.get("type", "string")))
        case {"missing": why}:
            return MissingField(str(why))
    raise written.error(name, f"{name} is not a field of a known form")


def _map(parent: strict_yaml.Mapping, key: str) -> strict_yaml.Mapping:
    value = parent[key]
    assert isinstance(value, strict_yaml.Mapping), key
    return value


def _texts(parent: strict_yaml.Mapping, key: str) -> tuple[str, ...]:
    value = parent.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()
