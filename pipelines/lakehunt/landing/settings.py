"""What is landed, and by what: the `landing` section of the configuration. Imports no Spark.

landing:
  engine: auto           # local: processes of this machine; spark; auto: local if it can reach the source and the lake
  tables: [DeviceProcessEvents, DeviceNetworkEvents]   # the event tables that are landed; default: all
  longest_line: 32MB     # a file with a longer line is refused, and the others land
  unpacked_file: 8GB     # so is a compressed file that unpacks to more
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from lakehunt.core import strict_yaml
from lakehunt.schemas.event_tables import BY_NAME

_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"([1-9][0-9]{0,5}) ?(KB|MB|GB)")
_MOST = {"longest_line": 512 << 20, "unpacked_file": 1 << 50}
"""The largest values: a line is held in memory, several times."""

AUTO, LOCAL, SPARK = ENGINES = ("auto", "local", "spark")
_KEYS = ("engine", "tables", *_MOST)


@dataclass(frozen=True)
class FileLimits:
    """Bounds in bytes, for each file."""

    longest_line: int = 32 << 20
    unpacked_file: int = 8 << 30


@dataclass(frozen=True)
class Settings:
    """The section of the configuration."""

    limits: FileLimits = field(default_factory=FileLimits)
    engine: str = AUTO
    tables: tuple[str, ...] = tuple(BY_NAME)
    """KQL names."""


def read(value: object, base: Path) -> Settings:
    """Reads the section of the configuration.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError(f"expected a mapping of {', '.join(_KEYS)}")
    if unknown := [key for key in value if key not in _KEYS]:
        raise value.error(unknown[0], f"landing: unknown key {unknown[0]!r}", f"known keys: {', '.join(_KEYS)}")
    limits = FileLimits(**{key: _size(value, key) for key in value if key in _MOST})
    settings = Settings(limits)
    if "engine" in value:
        if value["engine"] not in ENGINES:
            message = f"landing: {value['engine']!r} is not an engine"
            raise value.error("engine", message, f"engines: {', '.join(ENGINES)}")
        settings = replace(settings, engine=str(value["engine"]))
    if "tables" in value:
        settings = replace(settings, tables=_tables(value))
    return settings


def _tables(section: strict_yaml.Mapping) -> tuple[str, ...]:
    names = section["tables"]
    if not isinstance(names, list) or not names:
        raise section.error("tables", "landing: tables is not a list of event tables", f"tables: {', '.join(BY_NAME)}")
    for name in names:
        if name not in BY_NAME:
            raise section.error("tables", f"landing: {name!r} is not an event table", f"tables: {', '.join(BY_NAME)}")
    return tuple(dict.fromkeys(map(str, names)))


def _size(section: strict_yaml.Mapping, key: str) -> int:
    entry = section[key]
    match = _SIZE.fullmatch(entry) if isinstance(entry, str) else None
    size = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < size <= _MOST[key]:
        most = f"{_MOST[key] >> 20}MB"
        raise section.error(key, f"landing: {key} is {entry!r}", f"write a size such as 64MB, at most {most}")
    return size
