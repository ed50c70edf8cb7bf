"""The versions of what KQL's functions and operators mean here, so that results of an older meaning are not reused.

`semantics.json` holds the version of each name whose results have changed; any other has version 1. A hunt's version
(`Hunt.digest`) includes those of the names that its query uses, so a change of `split` renews the hits of hunts with
`split`, and of no others. `make semantics` raises the versions:
see docs/decisions/0020-semantics-version.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

LANGUAGE = "language"
"""What every query uses: literals, types, names, how events are read and prefiltered."""

FILE = Path(__file__).with_name("semantics.json")

VERSIONS: Mapping[str, int] = json.loads(FILE.read_text("utf-8"))


def versions_used(query: str) -> list[str]:
    """`name = version` for each name in a formatted query that has another version than 1, sorted."""
    return [f"{name} = {version}" for name, version in sorted(VERSIONS.items()) if version != 1 and uses(query, name)]


def uses(query: str, name: str) -> bool:
    """Whether a query may use a function or an operator: it is written somewhere in the text.

    A column or a string that happens to hold the name counts, too. That costs a second reading of events, once, and
    misses nothing: what an operator uses without naming it (`search` uses `has`) changes with it."""
    if name == LANGUAGE:
        return True
    before = r"(?<!\w)" if name[0].isalnum() else ""
    after = r"(?!\w)" if name[-1].isalnum() else ""
    return re.search(before + re.escape(name) + after, query) is not None
