"""Suites: Great Expectations' JSON files, validated as far as possible before anything is written.

    {"name": "device_process_events", "expectations": [
      {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "Timestamp"},
       "severity": "critical", "meta": {"notes": "why", "on_failure": "quarantine"}}]}

`severity` is what a failure means for the batch: `critical` refuses it, `warning` warns, `info` is recorded.
`on_failure: quarantine` first applies the rule to each row: only the rows that violate it go to quarantine.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehunt.core.errors import LakehuntError

SEVERITIES = ("critical", "warning", "info")
_KEYS = {"type", "kwargs", "severity", "meta"}


@dataclass(frozen=True)
class Expectation:
    """One expectation, as written in its suite."""

    type: str
    kwargs: dict[str, Any]
    severity: str
    notes: str
    quarantines: bool

    @property
    def column(self) -> str | None:
        return self.kwargs.get("column")

    @property
    def title(self) -> str:
        """A short title without data values: `FileSize: values to be between (min_value=0)`."""
        arguments = [(key, value) for key, value in self.kwargs.items() if key != "column"]
        listed = ", ".join(f"{key}={value}" for key, value in arguments if not isinstance(value, list))
        return f"{title(self.type, self.column)}{f' ({listed})' if listed else ''}"

    def as_json(self, position: int) -> dict[str, Any]:
        """The JSON form that Great Expectations reads, with the position that identifies its result."""
        meta = {"notes": self.notes, "position": position}
        return {"type": self.type, "kwargs": self.kwargs, "severity": self.severity, "meta": meta}


@dataclass(frozen=True)
class Suite:
    """The rules for one table, in order."""

    name: str
    file: Path
    notes: str
    expectations: tuple[Expectation, ...]


def title(type_: str, column: str | None) -> str:
    """An expectation without its arguments: `FileSize: values to be between`."""
    words = type_.removeprefix("expect_").removeprefix("column_").replace("_", " ")
    return f"{column}: {words}" if column else words


def load(file: Path, columns: Collection[str]) -> Suite:
    """The suite in `file`, for a table with these columns.

    Raises LakehuntError, which names the file and the expectation, for an unreadable file and for an unknown key,
    severity or column. Unknown types are found by `suite_validator.SuiteValidator`."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_no_duplicates)
    except OSError as e:
        raise LakehuntError(f"cannot read the suite {file}: {e.strerror}", "name its folder as `expectations`") from e
    except ValueError as e:
        raise LakehuntError(f"{file} is not a JSON file: {e}", "see docs/how-to/expectations.md") from e
    if not isinstance(document, dict) or not isinstance(document.get("expectations"), list):
        what = f"{file}: a suite is an object with a list of `expectations`"
        raise LakehuntError(what, "see docs/how-to/expectations.md")
    meta = document.get("meta") or {}
    written = enumerate(document["expectations"], start=1)
    expectations = tuple(_expectation(item, f"{file}, expectation {number}", columns) for number, item in written)
    return Suite(str(document.get("name") or file.stem), file, str(meta.get("notes", "")), expectations)


def _expectation(item: object, place: str, columns: Collection[str]) -> Expectation:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or not isinstance(item.get("kwargs"), dict):
        raise LakehuntError(f"{place}: needs a `type` and `kwargs`", "see docs/how-to/expectations.md")
    place = f"{place} ({item['type']})"
    kwargs, meta, severity = item["kwargs"], item.get("meta") or {}, item.get("severity", "critical")
    if unknown := sorted(set(item) - _KEYS):
        raise LakehuntError(f"{place}: unknown key {unknown[0]!r}", f"known keys: {', '.join(sorted(_KEYS))}")
    if severity not in SEVERITIES:
        raise LakehuntError(f"{place}: unknown severity {severity!r}", f"one of {', '.join(SEVERITIES)}")
    if not isinstance(meta, dict) or meta.get("on_failure") not in (None, "quarantine"):
        raise LakehuntError(f"{place}: `on_failure` can only be `quarantine`", "leave it out to judge batches only")
    for name in named_columns(kwargs):
        if name not in columns:
            hint = "names are case-sensitive; see docs/reference/tables.md"
            raise LakehuntError(f"{place}: no column {name!r}", hint)
    return Expectation(item["type"], kwargs, severity, str(meta.get("notes", "")), "on_failure" in meta)


def named_columns(kwargs: dict[str, Any]) -> list[Any]:
    lists = [name for key in ("column_list", "column_set") for name in kwargs.get(key) or []]
    return [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs] + lists


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise ValueError(f"key {min(twice)!r} occurs twice")
    return dict(pairs)
