"""Lookups: files of a team behind the functions and tables that Sentinel and Defender fill by themselves. Imports no
Spark.

    lookups:
      watchlists:
        NetworkAddresses: {path: lookups/networks.csv, search_key: IPAddress}
      ThreatIntelIndicators: lookups/indicators.json
      FileProfile: lake
      geo_info_from_ip_address: lookups/GeoLite2-City.mmdb

Each is a table of a query's plan, whose name no query can write. hunting/query/lookup_data.py reads them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lakehunt.core import object_store, strict_yaml
from lakehunt.kql.lookup_names import FILE_ID, FILE_PROFILE, GEO_IP, NETWORKS, PROFILES, watchlist_table
from lakehunt.kql.types import BY_NAME, DATETIME, STRING, Column, Schema

CSV, JSON, DELTA, MMDB, LAKE = "csv", "json", "delta", "mmdb", "lake"

_SUFFIXES = {".csv": CSV, ".json": JSON, ".jsonl": JSON, ".ndjson": JSON, ".mmdb": MMDB}
WATCHLISTS = "watchlists"
_KEYS = ("path", "format", "columns", "search_key")

ITEM_ID, UPDATED, SEARCH_KEY = "_DTItemId", "LastUpdatedTimeUTC", "SearchKey"


def _schema(text: str) -> Schema:
    """Columns written as `name name: type; name: type`."""
    return tuple(
        Column(name, BY_NAME[kind.strip()])
        for group in text.split(";")
        for names, _, kind in [group.partition(":")]
        for name in names.split()
    )


TABLES: Mapping[str, Schema] = {
    "ThreatIntelIndicators": _schema(
        "AdditionalFields: dynamic; AzureTenantId: string; Confidence: int; Created: datetime; Data: dynamic;"
        "Id: string; IsActive IsDeleted: bool; LastUpdateMethod: string; Modified: datetime;"
        "ObservableKey ObservableValue Pattern: string; Revoked: bool; Source SourceSystem Tags TenantId: string;"
        "TimeGenerated: datetime; Type: string; ValidFrom ValidUntil: datetime; WorkspaceId: string"
    ),
    "ThreatIntelligenceIndicator": _schema(
        "Action: string; Active: bool; ActivityGroupNames AdditionalInformation: string; ConfidenceScore: real;"
        "Description DiamondModel DomainName EmailEncoding EmailLanguage EmailRecipient EmailSenderAddress"
        " EmailSenderName EmailSourceDomain EmailSourceIpAddress EmailSubject EmailXMailer: string;"
        "ExpirationDateTime: datetime; ExternalIndicatorId: string; FileCompileDateTime FileCreatedDateTime: datetime;"
        "FileHashType FileHashValue FileMutexName FileName FilePacker FilePath: string; FileSize: int;"
        "FileType IndicatorId IndicatorProvider: string; KillChainActions KillChainC2 KillChainDelivery"
        " KillChainExploitation KillChainReconnaissance KillChainWeaponization: bool;"
        "KnownFalsePositives MalwareNames NetworkCidrBlock: string; NetworkDestinationAsn: int;"
        "NetworkDestinationCidrBlock NetworkDestinationIP: string; NetworkDestinationPort: int; NetworkIP: string;"
        "NetworkPort NetworkProtocol NetworkSourceAsn: int; NetworkSourceCidrBlock NetworkSourceIP: string;"
        "NetworkSourcePort: int; PassiveOnly: bool; SourceSystem Tags TenantId: string; ThreatSeverity: int;"
        "ThreatType: string; TimeGenerated: datetime; TrafficLightProtocolLevel Type Url UserAgent: string"
    ),
}
"""Tables of Sentinel that a file can stand for, with the documented columns."""

PROFILE: Schema = _schema(
    "SHA1 SHA256 MD5: string; FileSize: long; GlobalPrevalence: int; GlobalFirstSeen GlobalLastSeen: datetime;"
    "Signer Issuer SignerHash: string; IsCertificateValid IsRootSignerMicrosoft: bool; SignatureState: string;"
    "IsExecutable: bool; ThreatName Publisher SoftwareName ProfileAvailability: string"
)
"""The columns that FileProfile adds, as documented."""

GEO: Schema = _schema("bucket first last: string; info: dynamic")
"""A network of a GeoIP file: its first and last address, and what is known of it; see hunting/query/geo_networks.py."""

PLACE: Schema = _schema("network country state city: string; latitude longitude: real")
"""A network as a test of a hunt gives it."""


@dataclass(frozen=True)
class Lookup:
    """A lookup: the name of its table in plans, its columns, and the file or Delta table that it is read from.

    `shown` is its place under `lookups`, for errors; `search_key` the column of a watchlist that is its SearchKey."""

    table: str
    shown: str
    columns: Schema
    format: str
    path: str = ""
    search_key: str = ""

    @property
    def row_columns(self) -> Schema:
        """The columns of a row as a test of a hunt gives it: those of a row of its file."""
        if self.table == NETWORKS:
            return PLACE
        made = (ITEM_ID, UPDATED, SEARCH_KEY) if self.search_key else (FILE_ID,)
        own = tuple(c for c in self.columns if c.name not in made)
        is_made = bool(self.search_key) and self.search_key in made
        return (*own, Column(self.search_key, STRING)) if is_made else own


def read(section: strict_yaml.Mapping, base: Path) -> dict[str, Lookup]:
    """The lookups of the configuration, by the names of their tables. Relative files count from `base`.

    Raises YamlError with the position of an invalid entry."""
    found = []
    for name in section:
        if name == WATCHLISTS:
            found += _watchlists(section, base)
        elif name in _KINDS:
            found.append(_one(section, name, base))
        else:
            known = ", ".join((WATCHLISTS, *_KINDS))
            raise section.error(name, f"lookups: unknown key {name!r}", f"known keys: {known}")
    return {one.table: one for one in found}


_KINDS: Mapping[str, tuple[str, Schema, tuple[str, ...]]] = {
    **{name: (name, columns, (CSV, JSON, DELTA)) for name, columns in TABLES.items()},
    FILE_PROFILE: (PROFILES, (Column(FILE_ID, STRING), *PROFILE), (CSV, JSON, DELTA, LAKE)),
    GEO_IP: (NETWORKS, GEO, (MMDB,)),
}
"""What each key of the section stands for: its table, the table's columns, and the formats that it can have."""


def _one(section: strict_yaml.Mapping, name: str, base: Path) -> Lookup:
    table, columns, formats = _KINDS[name]
    if section[name] == LAKE and LAKE in formats:
        return Lookup(table, name, columns, LAKE)
    path, form = _place(section, name, ("path", "format"), base)
    if form not in formats:
        raise section.error(
            name, f"lookups: {name} cannot be read from {form}", f"name a file of one of: {', '.join(formats)}"
        )
    return Lookup(table, name, columns, form, path)


def _place(section: strict_yaml.Mapping, name: str, keys: tuple[str, ...], base: Path) -> tuple[str, str]:
    """The file and its format, of an entry that is a path or has one."""
    entry = section[name]
    if isinstance(entry, strict_yaml.Mapping):
        unknown = next((key for key in entry if key not in keys), None)
        if unknown is not None:
            raise entry.error(unknown, f"lookups: unknown key {unknown!r}", f"known keys: {', '.join(keys)}")
        path, form = entry.get("path"), entry.get("format")
    else:
        path, form = entry, None
    if not isinstance(path, str) or not path.strip():
        raise section.error(name, f"lookups: {name} needs a path", "see docs/how-to/lookups.md")
    formats = (CSV, JSON, DELTA, MMDB)
    if form is not None and form not in formats:
        raise section.error(name, f"lookups: {form!r} is not a known format", f"formats: {', '.join(formats)}")
    place = object_store.one_spelling(path) if "://" in path else str(base / path)
    return place, str(form or _SUFFIXES.get(Path(path).suffix.lower(), DELTA))


def _watchlists(section: strict_yaml.Mapping, base: Path) -> list[Lookup]:
    named = section[WATCHLISTS]
    if not isinstance(named, strict_yaml.Mapping):
        raise section.error(WATCHLISTS, "lookups: watchlists: expected a name for each", "see docs/how-to/lookups.md")
    return [_watchlist(named, name, base) for name in named]


def _watchlist(named: strict_yaml.Mapping, name: str, base: Path) -> Lookup:
    path, form = _place(named, name, _KEYS, base)
    if form == MMDB:
        raise named.error(name, f"lookups: watchlist {name} cannot be read from mmdb", "name a CSV, JSON or Delta file")
    entry = named[name]
    given = entry if isinstance(entry, strict_yaml.Mapping) else None
    names = _declared(given, name) if given is not None and "columns" in given else _columns_of(path, form)
    key = str(given["search_key"]) if given is not None and given.get("search_key") else next(iter(names), "")
    if names and key not in names:
        raise named.error(
            name, f"lookups: watchlist {name} has no column {key!r} for its search_key", f"columns: {', '.join(names)}"
        )
    own = tuple(Column(column, STRING) for column in names if column not in (ITEM_ID, UPDATED, SEARCH_KEY))
    columns = (Column(ITEM_ID, STRING), Column(UPDATED, DATETIME), Column(SEARCH_KEY, STRING), *own) if names else ()
    return Lookup(watchlist_table(name), f"{WATCHLISTS}.{name}", columns, form, path, key)


def _declared(entry: strict_yaml.Mapping, name: str) -> list[str]:
    columns = entry["columns"]
    if not isinstance(columns, list) or not columns or not all(isinstance(one, str) and one for one in columns):
        what = f"lookups: watchlist {name}: expected columns as a list of names"
        raise entry.error("columns", what, "write for example columns: [IPAddress, Owner]")
    return [str(column) for column in columns]


def _columns_of(path: str, form: str) -> list[str]:
    """The columns that a file on this machine has; none if it cannot be read, or is elsewhere."""
    with suppress(OSError, ValueError):
        if form == CSV:
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                return [name for name in next(csv.reader(file), []) if name]
        if form == JSON:
            return list(dict.fromkeys(name for row in _objects(Path(path).read_text("utf-8-sig")) for name in row))
    return []


def _objects(text: str) -> list[dict[str, object]]:
    """The objects of a JSON array, or of a text with one object a line."""
    whole = text.lstrip()
    rows = json.loads(whole) if whole.startswith("[") else [json.loads(line) for line in text.splitlines() if line]
    return [row for row in rows if isinstance(row, dict)]
