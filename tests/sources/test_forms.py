"""What a file is that holds no records: known by how it begins."""

from __future__ import annotations

import json
import re

import pytest

from lakehunt.sources.forms import other_form
from tests.support.blobs import record

EVENT = {"Timestamp": "2024-05-02T11:00:00Z", "DeviceId": "d1"}
FORMS: dict[str, tuple[bytes, str]] = {
    "avro": (b"Obj\x01\x04\x16avro.schema", "Avro"),
    "parquet": (b"PAR1\x15\x04", "Parquet"),
    "zip": (b"PK\x03\x04\x14\0", "zip archive"),
    "bzip2": (b"BZh91AY&SY", r"bzip2 file. Give it a name that ends in .bz2"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04", "Zstandard"),
    "7z": (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    "tar": (b"PT1H.json".ljust(257, b"\0") + b"ustar\0", "tar archive"),
    "UTF-16 with a mark": (("\ufeff" + record()).encode("utf-16-le"), "UTF-16"),
    "UTF-16, big-endian, without a mark": (record().encode("utf-16-be"), "UTF-16"),
    "Event Hubs": (f'{{"records": [{record()}]}}\n'.encode(), r"jq -c '\.records\[\]'"),
    "Advanced Hunting API": (
        json.dumps({"Stats": {}, "Schema": [], "Results": [EVENT]}).encode(),
        r"Advanced Hunting API. .* jq -c '\.Results\[\] \| \{category",
    ),
    "the same over many lines": (
        json.dumps({"Schema": [], "Results": [EVENT]}, indent=2).encode(),
        "Advanced Hunting API",
    ),
    "Graph": (json.dumps({"@odata.context": "x", "schema": [], "results": [EVENT]}).encode(), "Microsoft Graph"),
    "Graph without its context": (json.dumps({"schema": [], "results": [EVENT]}).encode(), "Microsoft Graph"),
    "Log Analytics": (b'{"tables":[{"name":"PrimaryResult","columns":[', "Log Analytics API"),
    "array": (f"[{record()},\n{record()}]".encode(), r"JSON array. .* jq -c '\.\[\]'"),
    "array with one on each line": (f"[\n{record()},\n{record()}\n]".encode(), "JSON array"),
    "array after a mark": (b"\xef\xbb\xbf [\r\n{", "JSON array"),
    "indented": (json.dumps(json.loads(record()), indent=1).encode(), "several lines"),
    "bare events": (json.dumps(EVENT).encode() + b"\n", "without their envelope"),
    "CSV": (b'\xef\xbb\xbfTimestamp,DeviceId,"DeviceName",FileName\r\n"May 2, 2024 11:00 AM",d1', "CSV"),
    "CSV of Sentinel": (b'"TimeGenerated [UTC]",DeviceId,FileName\n', "CSV"),
    "a page": (b"<!DOCTYPE html><html>", "HTML"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_another_form_is_named(form: str) -> None:
    head, name = FORMS[form]
    verdict = other_form(head)
    assert verdict is not None
    assert re.search(name, verdict), verdict


@pytest.mark.parametrize(
    "head",
    [
        record().encode(),
        record()[:20].encode(),
        b"\xef\xbb\xbf" + record().encode(),
        b"{",
        b"[1]\n",
        b"nope\n",
        b"",
        b"\n\n" + record().encode(),
        b"\xff{\r\nnope\n",
        b"{not JSON}\n",
        record(Timestamp=None, FileName='"Timestamp": , Results').encode(),
        b'{"properties": {"Timestamp": "2024-05-02T11:00:00Z"}}',
    ],
)
def test_what_may_hold_records_is_not_another_form(head: bytes) -> None:
    assert other_form(head) is None
