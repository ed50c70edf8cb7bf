"""How much of a file landing takes: the `landing` section of the configuration. Imports no Spark.

landing:
  longest_line: 32MB     # a file with a longer line is refused, and the others land
  unpacked_file: 8GB     # so is a compressed file that unpacks to more
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lakehunt.core import strict_yaml

_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"([1-9][0-9]{0,5}) ?(KB|MB|GB)")
_MOST = {"longest_line": 512 << 20, "unpacked_file": 1 << 50}
"""The largest values: a line is held in memory, several times."""


@dataclass(frozen=True)
class FileLimits:
    """Bounds in bytes, for each file."""

    longest_line: int = 32 << 20
    unpacked_file: int = 8 << 30


def read(value: object, base: Path) -> FileLimits:
    """Reads the section of the configuration.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected a mapping of longest_line and unpacked_file")
    return FileLimits(**{key: _size(value, key) for key in value})


def _size(section: strict_yaml.Mapping, key: str) -> int:
    if key not in _MOST:
        raise section.error(key, f"landing: unknown key {key!r}", f"known keys: {', '.join(_MOST)}")
    entry = section[key]
    match = _SIZE.fullmatch(entry) if isinstance(entry, str) else None
    size = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < size <= _MOST[key]:
        most = f"{_MOST[key] >> 20}MB"
        raise section.error(key, f"landing: {key} is {entry!r}", f"write a size such as 64MB, at most {most}")
    return size
