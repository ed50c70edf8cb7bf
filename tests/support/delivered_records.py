"""Records of process events with what each one is: faults and good ones, ids, and random ones."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from hypothesis import strategies as st

from lakehunt.records.defender_streaming import MAX_RECORD_BYTES
from tests.support.blobs import record

FAULTS: dict[str, tuple[str | bytes, list[str]]] = {
    "text where a long belongs": (record(ProcessId="7"), ["ProcessId: expected a long, found a string (7)"]),
    "1.0 is no long": (
        record(ProcessId=1.0),
        ["ProcessId: expected a long, found a number that is not a 64-bit integer (1)"],
    ),
    "beyond int64": (
        record(LogonId=2**63),
        ["LogonId: expected a long, found a number that is not a 64-bit integer (9223372036854775808)"],
    ),
    "boolean as text": (
        record(IsProcessRemoteSession="true"),
        ["IsProcessRemoteSession: expected a boolean, found a string (true)"],
    ),
    "every reason, and no command line in one": (
        record(FileName=5, ProcessCommandLine=6, DeviceName=[1]),
        [
            "DeviceName: expected a string, found an array",
            "FileName: expected a string, found an integer (5)",
            "ProcessCommandLine: expected a string, found an integer",
        ],
    ),
    "long values are cut": (
        record(ProcessId="x" * 50),
        [f"ProcessId: expected a long, found a string ({'x' * 40}…)"],
    ),
    "AdditionalFields as a number": (
        record(AdditionalFields=5),
        ["AdditionalFields: expected text, an object or an array, found an integer"],
    ),
    "another table": (
        record(category="AdvancedHunting-DeviceNetworkEvents"),
        ["category is AdvancedHunting-DeviceNetworkEvents, not AdvancedHunting-DeviceProcessEvents"],
    ),
    "not JSON": ("nope", ["not JSON, or a key occurs twice"]),
    "cut off": (record()[:-5], ["not JSON, or a key occurs twice"]),
    "rest after the object": (record() + " x", ["not JSON, or a key occurs twice"]),
    "two objects on a line": (record() + record(), ["not JSON, or a key occurs twice"]),
    "object and a bracket": (record() + "] x", ["not JSON, or a key occurs twice"]),
    "object and an element": (record() + ",1] x", ["not JSON, or a key occurs twice"]),
    "a key twice": ('{"a": 1, "a": 2}', ["not JSON, or a key occurs twice"]),
    "raw NUL": (record(FileName="?").replace("?", "\0"), ["not JSON, or a key occurs twice"]),
    "array": ("[1]", ["not a JSON object: an array"]),
    "just null": ("null", ["not a JSON object: null"]),
    "no properties": ('{"time": "2024-05-02T11:05:00Z"}', ["properties: missing"]),
    "properties as text": (
        '{"category": "AdvancedHunting-DeviceProcessEvents", "properties": "{}"}',
        ["properties: expected an object, found a string"],
    ),
    "not UTF-8": (b'{"a": "\xff"}', ["not UTF-8"]),
    "too large": (
        record(FileName="x" * MAX_RECORD_BYTES),
        [f"record of {len(record(FileName='')) + MAX_RECORD_BYTES} bytes is larger than 16777216"],
    ),
} | {
    f"Timestamp {text}": (
        record(Timestamp=text),
        [f"Timestamp: expected a UTC time like 2024-01-31T23:59:59.1234567Z, found a string ({text})"],
    )
    for text in (
        "2021-02-30T00:00:00Z",
        "2021-01-01T25:00:00Z",
        "2021-01-01T00:00:60Z",
        "2021-01-01T00:00:00",
        "2021-01-01T00:00:00+01:00",
        "2021-01-01 00:00:00Z",
        "2021-01-01T00:00:00.12345678Z",
        "0000-01-01T00:00:00Z",
        "",
    )
}

GOOD: dict[str, str] = {
    "plain": record(),
    "other envelope": json.dumps({**json.loads(record()), "time": "2024-05-03T00:00:00Z", "Tenant": "x"}),
    "keys in another order": json.dumps(
        {
            "properties": {"DeviceId": "d1", "Timestamp": "2024-05-02T11:00:00.1234567Z"},
            **{k: v for k, v in json.loads(record()).items() if k != "properties"},
        }
    ),
    "null": record(FileName=None),
    "empty": record(FileName=""),
    "NUL as an escape": record(ProcessCommandLine="a\0b"),
    "tick": record(Timestamp="2024-05-02T11:00:00.1234568Z"),
    "six digits": record(Timestamp="2024-05-02T11:00:00.123456Z"),
    "no fraction": record(Timestamp="2024-05-02T11:00:00Z"),
    "before 1970": record(Timestamp="1969-12-31T23:59:59.9999999Z"),
    "fields as text": record(AdditionalFields='{"b": 1.0}'),
    "fields as object": record(AdditionalFields={"b": 1.0, "a": [None, "x"]}),
    "fields as array": record(AdditionalFields=[1]),
    "unknown": record(New={"x": 1}, Another=None),
    "numbers": record(ProcessId=-(2**63), IsProcessRemoteSession=False),
    "filled by the source": record(TimeGenerated="2024-05-02T11:00:01Z", Type="Mine"),
}

Event = tuple[str, str]
"""One more property of a record: its name and its value as JSON."""

STORED: dict[str, tuple[str, str]] = {
    "plain": (
        record(),
        "12e8912ce4ab27804ae7fc44253d1dc33ff579e281ff8061b54353120f4cd7a4",
    ),
    "null": (
        record(FileName=None),
        "12e8912ce4ab27804ae7fc44253d1dc33ff579e281ff8061b54353120f4cd7a4",
    ),
    "times": (
        record(Timestamp="1969-12-31T23:59:59.9999999Z", ProcessCreationTime="2024-05-02T11:00:00Z"),
        "3ff63c2e3f57a02daa29b965259c8a44411d7c9a4554430076bb7ff082b55d14",
    ),
    "the last instant": (
        record(Timestamp="9999-12-31T23:59:59.9999999Z"),
        "ccddaac7242bc97a62b66bf40b963b9164ff349ca647634bfff87bc909646868",
    ),
    "characters": (
        record(FileName="é😀\u2028", ProcessCommandLine='a\0"\\b?\ufffd'),
        "5cff63fd24d1099dc455bca726fb8ec27c1eafd8e96abd77e37f5502a8397a67",
    ),
    "a pair of escapes": (
        record(FileName="@").replace("@", r"\ud83d\ude00"),
        "237436607b48f09c5e71c730276cacb83b1f7296f0408ed2559d758c455ef0a9",
    ),
    "numbers": (
        record(ProcessId=-(2**63), ReportId=0, IsProcessRemoteSession=False),
        "ee14e6b032fd11d6adf875fc0af4d9de1fab9481f2a4dcd23bdd1dff5a6e3dd0",
    ),
    "fields as text": (
        record(AdditionalFields='{"b": 1.0, "c": "\\ud83d"}'),
        "daf80f32ee7a88a2dcec1f0489f20283420640478ebb3f409d20e802331764ec",
    ),
    "text that is not JSON": (
        record(AdditionalFields="not json {"),
        "8ec99b1b33b8987f36018c57c7c32ebd5cf311775e2db5d4412b13e11028a7d7",
    ),
    "fields as object": (
        record(AdditionalFields={"k": "x😀é", "b": 1.0, "a": [None, "x", 0.0001, 12345678901234567890, True, 1.5]}),
        "46d701636f53522589a449e59444b1f05f5f79ece17914d8f85901c76cf07589",
    ),
    "fields as array": (
        record(AdditionalFields=[1, {}]),
        "645762eac9a04f7a9ccbe9ae51b1ed45c014e18b340266f72f9b29e76635c0be",
    ),
    "unknown properties": (
        record(New={"x": 1, "a": [1.5, "😀", None]}, Another=None, Score=0.5, Big=10**30),
        "3fc30d02140db9d3719c102d28f03c1d4bf3aee29fd751c015e311a49faff972",
    ),
    "filled by the source": (
        record(TimeGenerated="2024-05-02T11:00:01Z", Type="Mine"),
        "c49df9fad6d92d281accce80c9f40fedf59a22a755e9d69909e49741cb2c7ee4",
    ),
    "another envelope": (
        json.dumps({**json.loads(record()), "time": "x", "Tenant": 1.0}),
        "12e8912ce4ab27804ae7fc44253d1dc33ff579e281ff8061b54353120f4cd7a4",
    ),
}
"""Records with the id that their events have in lakes that exist."""

TEXTS = st.text(st.characters(codec=None) | st.sampled_from("\ud83d\udc00\ude00\ufffd?\0\\u"), max_size=5)
NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1",
        "1.0",
        "1.00",
        "1e0",
        "10e-1",
        "1.5",
        "1.50",
        "15e-1",
        "100",
        "1e2",
        "1E2",
        "1E+2",
        "100.0",
        "0.0001",
        "1e-4",
        "1.0E-4",
        "1e400",
        "2e400",
        "9007199254740993",
        "9007199254740993.0",
        "0.1",
        "0.1000000000000000055",
        "123456789012345678901234567890123456789012",
        "123456789012345678901234567890123456789013",
    ]
)
SCALARS = st.sampled_from(["true", "false", '"1"', '"Infinity"']) | NUMBERS | TEXTS.map(json.dumps)
NESTED = st.lists(SCALARS, max_size=2).map(lambda items: f"[{','.join(items)}]") | st.tuples(TEXTS, SCALARS).map(
    lambda pair: f"{{{json.dumps(pair[0])}:{pair[1]}}}"
)
EVENTS: st.SearchStrategy[Event] = (
    st.tuples(st.sampled_from(["FileName", "ProcessCommandLine", "AdditionalFields"]), TEXTS.map(json.dumps))
    | st.tuples(st.just("AdditionalFields"), NESTED)
    | st.tuples(st.just("New"), SCALARS | NESTED)
    | st.tuples(TEXTS, st.just("1"))
    | st.tuples(st.just("ProcessId"), st.sampled_from(["0", "-0", "7", "-7"]))
)
TICKS = st.integers(0, (datetime.max - datetime.min) // timedelta(microseconds=1) * 10 + 9)


def with_property(event: Event) -> str:
    """A record with one more property."""
    return record(FileName="\1").replace('"FileName": "\\u0001"', f"{json.dumps(event[0])}: {event[1]}")


def delivered(event: Event) -> tuple[bytes, str]:
    """What a property says, to the UTF-16 unit and to the digit."""
    value = json.loads(
        event[1], parse_int=lambda digits: ("number", digits), parse_float=lambda digits: ("number", digits)
    )
    return event[0].encode("utf-16", "surrogatepass"), repr(value)


HALVES = {
    r"a\ud83d": "a\ufffd",
    r"\uDC00b": "\ufffdb",
    r"\ud83d\ude00": "😀",
    r"\ud83d\uD83D\ude00": "\ufffd😀",
    r"\ud83d\ude00\ude00": "😀\ufffd",
    r"\ude00\ud83d": "\ufffd\ufffd",
    r"\\ud83d": r"\ud83d",
    r"\\\ud83d": "\\\ufffd",
}
"""How a text is written in a record, and how it is stored."""

NESTED_FIELDS = (
    r'{"z": ["\ud83d\ude00 é \ud83d", 1.50, 1E5, -0, null, true], "a\udc00": {"\t\u001b\"\\\/": {}}, "e": []}'
)
OTHERS: dict[str, str | bytes] = {
    **{text: with_property(("FileName", f'"{text}"')) for text in HALVES},
    "nested": with_property(("AdditionalFields", NESTED_FIELDS)),
    # Stored, one of the two would hide the other.
    "stored alike": with_property(("N", '1, "@": 2')).replace('"N"', r'"N\ud83d"').replace("@", r"N\udc00"),
    "a control character": with_property(("FileName", '"\1\\ud83d"')),
    "half a pair in UTF-8": b'{"a": "\xed\xa0\xbd"}',
}
