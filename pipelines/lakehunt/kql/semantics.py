"""Semantic versions of KQL's functions and operators, so that results of older semantics are not reused.

`semantics.json` has the version of each name whose results have changed; others have version 1. A hunt's fingerprint
(`Hunt.digest`) includes the versions of the names that its query uses, so a change of `split` recomputes the hits of
hunts with `split` only. `make semantics` raises versions: see docs/decisions/0020-semantics-version.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGE = "language"
"""The name for what every query uses: literals, types, names, how events are read and prefiltered."""

INPUTS = frozenset({"AdditionalFields", "{{StartTimeISO}}", "{{EndTimeISO}}"})
"""Names that are neither functions nor operators: columns that are read differently than before, and placeholders that
mean something else. Their versions are raised by hand."""

FILE = Path(__file__).with_name("semantics.json")

VERSIONS: Mapping[str, int] = json.loads(FILE.read_text("utf-8"))


def versions_used(query: str) -> list[str]:
    """`name = version` for each name used in a formatted query whose version is not 1, sorted."""
    return [f"{name} = {version}" for name, version in sorted(VERSIONS.items()) if version != 1 and uses(query, name)]


def uses(query: str, name: str) -> bool:
    """Whether a query may use a function or an operator: its name occurs in the text.

    A column or a string with that name counts, too, which at worst causes one needless rescan of events. Nothing is
    missed: if an operator uses a function internally (`search` uses `has`), their versions change together."""
    if name == LANGUAGE:
        return True
    return name in query and _word(name).search(query) is not None


@cache
def _word(name: str) -> re.Pattern[str]:
    before = r"(?<!\w)" if name[0].isalnum() else ""
    after = r"(?!\w)" if name[-1].isalnum() else ""
    return re.compile(before + re.escape(name) + after)
