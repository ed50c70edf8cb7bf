"""Recognises files that hold no records of the Streaming API, but something else that people export from Defender."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD = 4096
"""How many bytes at the beginning of a file are looked at."""

_BOM = rb"(?:\xef\xbb\xbf)?"
_ONE_A_LINE = "Lakehunt lands one record a line"


@dataclass(frozen=True)
class _Form:
    """A form of files, recognised by how they begin."""

    begins: re.Pattern[bytes]
    name: str
    advice: str


def _form(begins: bytes, name: str, advice: str) -> _Form:
    return _Form(re.compile(begins, re.DOTALL), name, advice)


def _json(begins: bytes, name: str, jq: str) -> _Form:
    return _form(_BOM + rb"\s*" + begins, name, f"{_ONE_A_LINE}: jq -c '{jq}' FILE > records.json")


_ENVELOPE = '{category: "AdvancedHunting-DeviceProcessEvents", properties: .}'

_FORMS = (
    _form(rb"Obj\x01", "an Avro file, as Event Hubs Capture writes it", "write the records in its Body, one a line"),
    _form(rb"PAR1", "a Parquet file", "write its rows as JSON, one record a line"),
    _form(rb"PK\x03\x04", "a zip archive", "unpack it, and land the files in it"),
    _form(rb"BZh[1-9]1AY", "a bzip2 file", "give it a name that ends in .bz2"),
    _form(rb"\x28\xb5\x2f\xfd", "a Zstandard file", "give it a name that ends in .zst"),
    _form(rb"\xfd7zXZ\x00|7z\xbc\xaf\x27\x1c", "an xz or 7z archive", "unpack it, and land the files in it"),
    _form(rb".{257}ustar", "a tar archive", "unpack it, and land the files in it"),
    _form(
        rb"\xff\xfe|\xfe\xff|(?:[^\x00]\x00){16}|(?:\x00[^\x00]){16}",
        "text in UTF-16",
        "records are UTF-8: iconv -f UTF-16 -t UTF-8 FILE > records.json",
    ),
    _json(rb'\{\s*"records"\s*:\s*\[', "messages of Event Hubs, each with several records", ".records[]"),
    _json(
        rb'\{\s*"(?:Stats|Schema|Results)"\s*:', "an answer of the Advanced Hunting API", f".Results[] | {_ENVELOPE}"
    ),
    _json(
        rb'\{\s*"(?:@odata\.(?:context|type)|schema|results)"\s*:',
        "an answer of Microsoft Graph (runHuntingQuery)",
        f".results[] | {_ENVELOPE}",
    ),
    _json(
        rb'\{\s*"tables"\s*:\s*\[',
        "an answer of the Log Analytics API",
        f".tables[0] | [.columns[].name] as $names | .rows[] | [$names, .] | transpose | "
        f"map({{(.[0]): .[1]}}) | add | {_ENVELOPE}",
    ),
    _json(rb"\[\s*(?:\{|$)", "a JSON array", ".[]"),
    _json(rb"\{\s*?\n", "JSON objects that are spread over several lines", "."),
    _json(
        rb'\{(?=[^\n]*"(?:Timestamp|TimeGenerated)"\s*:)(?![^\n]*"properties"\s*:)',
        "events without their envelope (category, properties)",
        _ENVELOPE,
    ),
    _form(
        _BOM + rb'(?:"?[A-Za-z_]\w*(?: \[UTC\])?"?,){2,}"?[A-Za-z_]\w*(?: \[UTC\])?"?\r?\n',
        "a CSV file, as the portal exports it",
        "its times and values are rewritten for people: fetch the same events by the Advanced Hunting API, as JSON",
    ),
    _form(_BOM + rb"\s*<[?!A-Za-z]", "an XML or HTML document", "fetch the events as JSON"),
)


def other_form(head: bytes) -> str | None:
    """What a file that begins like this is instead of records, and how to land it; None if it may hold records."""
    found = next((form for form in _FORMS if form.begins.match(head)), None)
    return None if found is None else f"is {found.name}. {found.advice[0].upper()}{found.advice[1:]}"
