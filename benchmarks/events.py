"""Makes DeviceProcessEvents: millions of them in a minute, the same ones for the same numbers.

An event is a function of its number: DuckDB hashes it for every choice (machine, start, identifiers). The choice of
machine is skewed, as some are far busier than others; times follow the day, with a few events that arrive late.
`hash()` is DuckDB's own, so the same version of DuckDB makes the same events."""

# The SQL is put together from this module's own constants and from numbers.
# ruff: noqa: S608

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks import programs
from lakehunt.schemas.event_table import EventColumn, EventTable
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS

FIRST_DAY = date(2026, 3, 2)
"""Day 0 of every generated lake."""

DEVICES = 5_000
SLOTS = 1 << 16
"""Resolution of the weights of starts: the rarest start of a role is one in this many."""

_ROLE_PERCENT = {"workstation": 70, "web": 8, "server": 12, "linux": 6, "mac": 4}

NOT_STREAMED = ("TimeGenerated", "TenantId", "Type", "SourceSystem")
"""Columns that only Log Analytics has."""


@dataclass(frozen=True)
class Day:
    """One day of events. `number` counts from FIRST_DAY; the day's events are `count`, and `first` is the number of the
    first one, in all of them. One event in `rarity` is suspicious."""

    number: int
    first: int
    count: int
    rarity: int

    @property
    def date(self) -> date:
        return FIRST_DAY + timedelta(days=self.number)

    @property
    def end(self) -> datetime:
        """Midnight after the day: when it is landed, and the as-of of its hunts."""
        return datetime.combine(self.date, time(), UTC) + timedelta(days=1)


def days(events: int, count: int, rarity: int) -> list[Day]:
    """Distributes `events` over `count` days; the last day has the remainder."""
    each = events // count
    sizes = [each] * (count - 1) + [events - each * (count - 1)]
    return [Day(number, number * each, size, rarity) for number, size in enumerate(sizes)]


def connect(threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A database in memory that knows the machines, the starts and the macros that `select` uses."""
    connection = duckdb.connect(config={"threads": threads})
    connection.execute("SET TimeZone = 'UTC'")
    # Joins as they are written, events first: the events stay in their order, whatever the optimizer thinks.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    rows = [programs.row(number, start) for number, start in enumerate(programs.STARTS)]
    for name, table in {"starts": pa.Table.from_pylist(rows), "slots": _slots()}.items():
        connection.register("incoming", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
        connection.unregister("incoming")
    connection.execute(_MACROS)
    connection.execute(_MACHINES)
    return connection


def columns() -> list[str]:
    """The names of the 73 columns, in the order of the schema."""
    return [column.name for column in DEVICE_PROCESS_EVENTS.columns]


def select(day: Day, part: tuple[int, int] | None = None) -> str:
    """The day's events, or those from `part[0]` up to before `part[1]` (counted in the day), as SQL.

    The columns of the schema in its order, then `n` (the event's number) and `exported_at`."""
    low, high = part or (0, day.count)
    listed = ",\n    ".join(f"{_COLUMNS[name]} AS {name}" for name in columns())
    return f"""
WITH numbered AS (
    SELECT n, {_random(0)} AS a, {_random(1)} AS b, {_random(2)} AS c, {_random(3)} AS d,
           ({_random(4)} % {day.rarity}) = 0 AS is_rare
    FROM range({day.first + low}, {day.first + high}) AS numbers(n)
), placed AS (
    SELECT *, CAST(floor({DEVICES} * pow((a % 1000000) / 1e6, 2.5)) AS INTEGER) AS machine,
        -- Numbers follow the clock, but for the half per cent of a day that events overtake each other.
        (n - {day.first} + 0.5) / {day.count} * 0.995 + (b % 1000000) / 1e6 * 0.005 AS share
    FROM numbered
), timed AS (
    SELECT *,
        make_timestamp(CAST(epoch_us(TIMESTAMP '{day.date} 00:00:00') AS BIGINT)
            -- Four times as many events at noon as at midnight; two in a thousand arrive up to six hours late.
            + CAST(86399999999 * least(0.9999999, share + 0.6 / (2 * pi()) * sin(2 * pi() * share)) AS BIGINT)
            - CASE WHEN c % 500 = 0 THEN CAST(d % 21600000000 AS BIGINT) ELSE 0 END) AS moment
    FROM placed
), joined AS (
    SELECT * FROM timed
    JOIN machines USING (machine)
    JOIN slots ON slots.slot = CASE
        WHEN is_rare AND role < 3 THEN {len(programs.ROLES) * SLOTS} + CAST(d % {_rare_starts()} AS INTEGER)
        ELSE role * {SLOTS} + CAST((b >> 20) % {SLOTS} AS INTEGER) END
    JOIN starts USING (start)
)
SELECT
    {listed},
    n,
    CAST(moment AS TIMESTAMPTZ) + to_seconds(60 + CAST(a % 240 AS INTEGER)) AS exported_at
FROM joined"""


def write_blobs(
    connection: duckdb.DuckDBPyConnection, day: Day, folder: Path, table: EventTable = DEVICE_PROCESS_EVENTS
) -> None:
    """The day's events as the Streaming API delivers them: a blob of JSON lines for every hour.

    Events of a table other than DeviceProcessEvents have its columns, and the same values where both have a column."""
    streamed = [column for column in table.columns if column.name not in NOT_STREAMED]
    properties = ", ".join(f"{column.name} := {_json_value(table, column)}" for column in streamed)
    for hour, part in enumerate(_hours(day.count)):
        blob = folder / f"y={day.date:%Y}" / f"m={day.date:%m}" / f"d={day.date:%d}" / f"h={hour:02}" / "m=00"
        blob.mkdir(parents=True, exist_ok=True)
        record = f"""
            SELECT {_text_of("exported_at")} AS time, 'b1f0c2a4-5d5e-4c37-9f0e-2a6b1f4d8e90' AS tenantId,
                'Publish' AS operationName, '{table.category}' AS category,
                struct_pack({properties}) AS properties, 'DefaultTenant' AS Tenant,
                {_text_of("exported_at - INTERVAL 20 SECOND")} AS _TimeReceivedBySvc
            FROM ({select(day, part)})"""
        connection.execute(f"COPY ({record}) TO '{blob / 'PT1H.json'}' (FORMAT json)")


def _hours(count: int) -> Iterator[tuple[int, int]]:
    edges = [count * hour // 24 for hour in range(25)]
    return itertools.pairwise(edges)


def _json_value(table: EventTable, column: EventColumn) -> str:
    if column.name in table.known_values and table != DEVICE_PROCESS_EVENTS:
        return f"'{table.known_values[column.name][0]}'"
    if column.name not in _COLUMNS:
        return _FILLED[column.type]
    return _text_of(column.name) if column.type == "datetime" else column.name


def _text_of(moment: str) -> str:
    """A time as the service writes it, with seven digits."""
    return f"strftime(CAST({moment} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f') || '0Z'"


def _random(choice: int) -> str:
    return f"hash(n * 8 + {choice})"


def _rare_starts() -> int:
    return sum(start.suspicious for start in programs.STARTS)


def _slots() -> pa.Table:
    """The start of each slot: SLOTS slots for each role in turn, then one for each suspicious start."""
    starts: list[int] = []
    for role in programs.ROLES:
        known = [(n, s) for n, s in enumerate(programs.STARTS) if s.role == role and not s.suspicious]
        total, passed, filled = sum(s.weight for _, s in known), 0.0, 0
        for number, start in known:
            passed += start.weight
            upto = round(SLOTS * passed / total)
            starts.extend([number] * (upto - filled))
            filled = upto
    starts.extend(n for n, s in enumerate(programs.STARTS) if s.suspicious)
    return pa.table({"slot": pa.array(range(len(starts)), pa.int32()), "start": pa.array(starts, pa.int32())})


def _role_of(number: str) -> str:
    """The role of a number from 0 to 99, as SQL."""
    cases, below = [], 0
    for role, percent in _ROLE_PERCENT.items():
        below += percent
        cases.append(f"WHEN {number} < {below} THEN {programs.ROLES.index(role)}")
    return f"CASE {' '.join(cases)} END"


_MACHINES = f"""
CREATE TABLE machines AS
SELECT *,
    sha1(device_name) AS device_id,
    user || '@contoso.example' AS upn,
    'S-1-5-21-1004336348-1177238915-682003330-' || (1100 + machine) AS sid,
    md5(user) AS user_digest
FROM (
    SELECT CAST(i AS INTEGER) AS machine, {_role_of("hash(i) % 100")} AS role,
        (['ws', 'web', 'srv', 'lnx', 'mac'])[role + 1] || '-' || lpad(CAST(i AS VARCHAR), 5, '0')
            || '.contoso.example' AS device_name,
        (['Workstations', 'Servers', 'Servers', 'Linux', 'Workstations'])[role + 1] AS machine_group,
        (['alex', 'kim', 'sam', 'robin', 'jo', 'lee', 'noor', 'mika'])[1 + CAST(hash(i + 7) % 8 AS INTEGER)] || i AS user
    FROM range({DEVICES}) AS machines(i)
)"""  # noqa: E501

_MACROS = r"""
CREATE MACRO dashed(h) AS
    substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' || substr(h, 13, 4) || '-' || substr(h, 17, 4) || '-'
    || substr(h, 21, 12);
CREATE MACRO filled(kind, salt, n, user) AS CASE kind
    WHEN '' THEN ''
    WHEN 'number' THEN CAST(hash(n * 8 + salt) % 90000 AS VARCHAR)
    WHEN 'micros' THEN CAST(hash(n * 8 + salt) % 900000000000000 AS VARCHAR)
    WHEN 'hex' THEN printf('%08x', hash(n * 8 + salt) % 4294967296)
    WHEN 'guid' THEN dashed(md5(CAST(n * 8 + salt AS VARCHAR)))
    WHEN 'octet' THEN CAST(hash(n * 8 + salt) % 255 AS VARCHAR)
    WHEN 'port' THEN CAST(1024 + hash(n * 8 + salt) % 60000 AS VARCHAR)
    WHEN 'user' THEN user
    WHEN 'url' THEN 'https://cdn' || (hash(n * 8 + salt) % 40) || '.example.net/get/'
        || printf('%08x', hash(n * 8 + salt) % 4294967296) || '?v=' || (hash(n + salt) % 100)
    WHEN 'document' THEN 'C:\Users\' || user || '\OneDrive - Contoso\Projects\'
        || printf('%08x', hash(n * 8 + salt) % 65536) || '\Report ' || (hash(n + salt) % 90000) || '.docx'
    -- One to four thousand characters, as an encoded script has.
    WHEN 'base64' THEN to_base64(encode(array_to_string(
        [md5(CAST(n * 128 + i AS VARCHAR)) FOR i IN range(24 + CAST(hash(n + salt) % 70 AS BIGINT))], '')))
    ELSE error('unknown kind of place: ' || kind) END;
CREATE MACRO of_account(account, ofuser, system, apppool, root, other) AS CASE account
    WHEN 'user' THEN ofuser WHEN 'system' THEN system WHEN 'apppool' THEN apppool WHEN 'root' THEN root ELSE other END;
"""

_ACCOUNT = {
    "Domain": "of_account(account, 'contoso', 'nt authority', 'iis apppool', machine_name, 'contoso')",
    "Name": "of_account(account, user, 'system', 'pool' || (machine % 7), 'root', 'svc-' || account)",
    "Sid": "of_account(account, sid, 'S-1-5-18', 'S-1-5-82-' || (3006700000 + machine % 7), '0', sid || '7')",
    "Upn": "of_account(account, upn, NULL, NULL, NULL, NULL)",
    "ObjectId": "of_account(account, dashed(user_digest), NULL, NULL, NULL, NULL)",
}
_ACCOUNT["Domain"] = _ACCOUNT["Domain"].replace("machine_name", "split_part(device_name, '.', 1)")

_LOGON = "of_account(account, CAST(100000 + hash(machine, n // 50000) % 90000000 AS BIGINT), 999, 998, 0, 997)"
_LEVEL = "CASE WHEN role > 2 THEN NULL ELSE of_account(account, 'Medium', 'System', 'High', NULL, 'High') END"
_ELEVATION = (
    "CASE WHEN role > 2 THEN 'None' ELSE"
    " of_account(account, 'TokenElevationTypeLimited', 'TokenElevationTypeDefault', 'TokenElevationTypeDefault',"
    " 'None', 'TokenElevationTypeFull') END"
)
_SESSION = "CASE WHEN account = 'user' AND role = 0 THEN 1 ELSE 0 END"
_COMMAND = (
    "text0 || filled(kind0, 0, n, user) || text1 || filled(kind1, 1, n, user) || text2 || filled(kind2, 2, n, user)"
    " || text3"
)

_FILLED = {
    "string": "'value of ' || DeviceName",
    "int": "CAST(n % 65536 AS INTEGER)",
    "long": "ProcessId",
    "bool": "n % 2 = 0",
    "datetime": """strftime(CAST(ProcessCreationTime AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f') || '0Z'""",
    "dynamic": """'[{"Name":"' || AccountName || '","Of":"' || DeviceName || '"}]'""",
}
"""Of each Kusto type, what a column holds that DeviceProcessEvents does not have."""

_BEFORE_ITS_PARENT = "CAST(moment - to_seconds(CAST(40001 + c % 400000 AS BIGINT)) AS TIMESTAMPTZ)"

_COLUMNS = {
    "Timestamp": "CAST(moment AS TIMESTAMPTZ)",
    "DeviceId": "device_id",
    "DeviceName": "device_name",
    "ActionType": "'ProcessCreated'",
    "FileName": "name",
    "FolderPath": "path",
    "SHA1": "sha1",
    "SHA256": "CASE WHEN c % 10 < 4 THEN NULL ELSE sha256 END",  # as documented, often missing
    "MD5": "md5",
    "FileSize": "size",
    "ProcessVersionInfoCompanyName": "company",
    "ProcessVersionInfoProductName": "product",
    "ProcessVersionInfoProductVersion": "version",
    "ProcessVersionInfoInternalFileName": "internal",
    "ProcessVersionInfoOriginalFileName": "original",
    "ProcessVersionInfoFileDescription": "description",
    "ProcessId": "CAST(4 * (1 + b % 8000) AS BIGINT)",
    "ProcessCommandLine": _COMMAND,
    "ProcessIntegrityLevel": _LEVEL,
    "ProcessTokenElevation": _ELEVATION,
    "ProcessCreationTime": "CAST(moment - to_microseconds(CAST(a % 90000 AS BIGINT)) AS TIMESTAMPTZ)",
    **{f"Account{part}": value for part, value in _ACCOUNT.items()},
    "LogonId": _LOGON,
    **{f"InitiatingProcessAccount{part}": value for part, value in _ACCOUNT.items()},
    "InitiatingProcessLogonId": _LOGON,
    "InitiatingProcessIntegrityLevel": _LEVEL,
    "InitiatingProcessTokenElevation": _ELEVATION,
    "InitiatingProcessSHA1": "parent_sha1",
    "InitiatingProcessSHA256": "CASE WHEN c % 10 < 4 THEN NULL ELSE parent_sha256 END",
    "InitiatingProcessMD5": "parent_md5",
    "InitiatingProcessFileName": "parent_name",
    "InitiatingProcessFileSize": "parent_size",
    "InitiatingProcessVersionInfoCompanyName": "parent_company",
    "InitiatingProcessVersionInfoProductName": "parent_product",
    "InitiatingProcessVersionInfoProductVersion": "parent_version",
    "InitiatingProcessVersionInfoInternalFileName": "parent_internal",
    "InitiatingProcessVersionInfoOriginalFileName": "parent_original",
    "InitiatingProcessVersionInfoFileDescription": "parent_description",
    "InitiatingProcessId": "CAST(4 * (1 + (b >> 16) % 8000) AS BIGINT)",
    "InitiatingProcessCommandLine": "parent_text0 || filled(parent_kind0, 3, n // 20, user) || parent_text1",
    "InitiatingProcessCreationTime": "CAST(moment - to_seconds(CAST(1 + c % 40000 AS BIGINT)) AS TIMESTAMPTZ)",
    "InitiatingProcessFolderPath": "CASE WHEN role > 2 THEN parent_path ELSE lower(parent_path) END",
    "InitiatingProcessParentId": "CAST(4 * (1 + (b >> 32) % 8000) AS BIGINT)",
    "InitiatingProcessParentFileName": "grandparent",
    "InitiatingProcessParentCreationTime": _BEFORE_ITS_PARENT,
    "InitiatingProcessSignerType": "CASE WHEN parent_company = 'Microsoft Corporation' THEN 'OsVendor' END",
    "InitiatingProcessSignatureStatus": "CASE WHEN role > 2 THEN 'Unknown' ELSE 'Valid' END",
    "ReportId": "CAST(1 + n % 900000 AS BIGINT)",
    "AppGuardContainerId": "''",
    "AdditionalFields": "''",
    "InitiatingProcessSessionId": _SESSION,
    "IsInitiatingProcessRemoteSession": "role = 2 AND account = 'build'",
    "InitiatingProcessRemoteSessionDeviceName": "CAST(NULL AS VARCHAR)",
    "InitiatingProcessRemoteSessionIP": "CAST(NULL AS VARCHAR)",
    "CreatedProcessSessionId": _SESSION,
    "IsProcessRemoteSession": "role = 2 AND account = 'build'",
    "ProcessRemoteSessionDeviceName": "CAST(NULL AS VARCHAR)",
    "ProcessRemoteSessionIP": "CAST(NULL AS VARCHAR)",
    "TimeGenerated": "CAST(moment AS TIMESTAMPTZ)",
    "TenantId": "CAST(NULL AS VARCHAR)",
    "Type": "CAST(NULL AS VARCHAR)",
    "SourceSystem": "CAST(NULL AS VARCHAR)",
    "MachineGroup": "machine_group",
    "ProcessUniqueId": "CAST(hash(n * 8 + 5) % 100000000000000 AS VARCHAR)",
    "InitiatingProcessUniqueId": "CAST(hash(n // 20 * 8 + 6) % 100000000000000 AS VARCHAR)",
}
