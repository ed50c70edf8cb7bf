"""Recognises texts in packs that are not whole queries: templates, and steps to append to another query."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"//[^\n]*")
_TEMPLATE = re.compile(
    r"\b(?:paste|insert|put|place|type|write|enter) (?:your|the|a) (?:[\w-]+ ){0,2}quer(?:y|ies) here\b"
    r"|<\s*(?:paste |insert )?your [\w -]{0,40}query[\w -]{0,40}>",
    re.IGNORECASE,
)


def reason(query: str) -> str:
    """Why a text is not a whole query; '' if it may be one."""
    if found := _TEMPLATE.search(query):
        return f"a template: {found[0]!r}"
    if _COMMENT.sub("", query).lstrip().startswith("|"):
        return "steps to append to another query: it begins with `|`"
    return ""
