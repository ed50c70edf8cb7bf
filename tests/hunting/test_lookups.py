"""Watchlists, indicators, FileProfile and GeoIP: files of the configuration that a query reads as of its run."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lakehunt.config import load
from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import reader
from lakehunt.hunting.incremental.predicates import RowPredicates, extract_row_predicates
from lakehunt.hunting.query.adhoc import query
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import plan as p
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas import lookups
from lakehunt.schemas.event_tables import BY_NAME as EVENT_TABLES_BY_NAME
from tests.support.events import connection, event, store
from tests.support.hunts import ticks

NOW = ticks("2026-03-07T00:00:00Z")


def catalog(folder: Path, **section: Any) -> TableCatalog:
    """The tables of a configuration with this section `lookups`, whose files are in the folder."""
    return TableCatalog(lookups=lookups.read(strict_yaml.load(json.dumps(section)), folder))


def rows(lake: Lake, text: str, tables: TableCatalog, as_of: int = NOW) -> list[list[Any]]:
    return query(lake, text, as_of, tables=tables).rows


def ignore(_: str) -> None:
    pass


class TestConfiguration:
    def test_each_lookup_has_a_table_with_its_columns(self, tmp_path: Path) -> None:
        (tmp_path / "nets.csv").write_text("\ufeffIPAddress,Owner of it\n10.0.0.1,me\n")
        file = tmp_path / "lakehunt.yaml"
        file.write_text(
            "lookups:\n"
            "  watchlists:\n"
            "    Nets: nets.csv\n"
            "    Far: {path: 's3a://b/far.csv', columns: [Name, IP], search_key: IP}\n"
            "  ThreatIntelIndicators: ti.jsonl\n"
            "  FileProfile: lake\n"
            "  geo_info_from_ip_address: geo.mmdb\n"
        )
        found = load(str(file)).lookups
        assert list(found) == [
            "_GetWatchlist('Nets')",
            "_GetWatchlist('Far')",
            "ThreatIntelIndicators",
            "FileProfile()",
            "geo_info_from_ip_address()",
        ]
        nets, far, indicators, profile, geo = found.values()
        assert [c.name for c in nets.columns] == [
            *("_DTItemId", "LastUpdatedTimeUTC", "SearchKey"),
            *("IPAddress", "Owner of it"),
        ]
        assert (nets.search_key, nets.format, nets.path) == ("IPAddress", "csv", str(tmp_path / "nets.csv"))
        assert (far.search_key, far.path) == ("IP", "s3a://b/far.csv")
        assert ("ObservableValue", "string") in [(c.name, c.type.name) for c in indicators.columns]
        assert (indicators.format, profile.format, geo.format) == ("json", "lake", "mmdb")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("lookups: x", "1:1: lookups: expected watchlists"),
            ("lookups:\n  Nothing: x.csv", "2:3: lookups: unknown key 'Nothing'"),
            ("lookups:\n  watchlists:\n    A: {path: x.csv, key: IP}", "3:22: lookups: unknown key 'key'"),
            ("lookups:\n  watchlists:\n    A: {columns: [x]}", "3:5: lookups: A needs a path"),
            ("lookups:\n  watchlists:\n    A: {path: x.csv, columns: x}", "expected columns as a list of names"),
            ("lookups:\n  watchlists:\n    A: {path: x, columns: [a], search_key: b}", "has no column 'b'"),
            ("lookups:\n  FileProfile: x.mmdb", "2:3: lookups: FileProfile cannot be read from mmdb"),
            ("lookups:\n  ThreatIntelIndicators: {path: x, format: xml}", "'xml' is not a known format"),
        ],
    )
    def test_an_invalid_entry(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "lakehunt.yaml"
        file.write_text(text)
        with pytest.raises(LakehuntError) as raised:
            load(str(file))
        assert message in str(raised.value)

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("_GetWatchlist('No') | take 1", "there is no watchlist 'No'", "lookups: watchlists"),
            ("_GetWatchlist('A') | project Naem", "there is no column 'Naem'", "Name"),
            (
                "DeviceProcessEvents | invoke FileProfile(SHA1) | where GlobalPrevalence < 9",
                "FileProfile asks a Microsoft service",
                "FileProfile: lake",
            ),
            ("print geo_info_from_ip_address('1.2.3.4')", "needs a GeoIP file", "lookups: geo_info_from_ip_address"),
            ("ThreatIntelIndicators | count", "there is no table 'ThreatIntelIndicators'", ""),
        ],
    )
    def test_what_is_missing_is_said_with_the_key_to_add(
        self, tmp_path: Path, text: str, message: str, hint: str
    ) -> None:
        tables = catalog(tmp_path, watchlists={"A": {"path": "a.csv", "columns": ["Name"]}})
        with pytest.raises(QueryErrors) as raised:
            tables.bind(text)
        (error,) = raised.value.errors  # and none for what would have come of it
        assert message in error.message
        assert hint in error.hint


def test_tables_behind_functions_are_not_read_by_wildcards(tmp_path: Path) -> None:
    tables = catalog(tmp_path, FileProfile="lake", watchlists={"A": {"path": "a.csv", "columns": ["Name"]}})
    for text in ("union * | count", "search 'x'", "find where DeviceId == 'a' project DeviceName"):
        scans = {part.table for part in p.walk(tables.bind(text)) if isinstance(part, p.Scan)}
        assert "DeviceProcessEvents" in scans
        assert scans <= {*EVENT_TABLES_BY_NAME}
    with pytest.raises(QueryErrors, match="there is no table 'Nothing'") as raised:
        tables.bind("Nothing | count")
    assert "FileProfile" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["search FileName == 'x.exe'", "find where FileName == 'x.exe'", "find FileName:'x.exe' project DeviceName"]
)
def test_a_condition_on_a_column_that_only_some_tables_have(tmp_path: Path, text: str) -> None:
    """Before, it was refused: there was no such column in the other tables."""
    scans = {part.table for part in p.walk(catalog(tmp_path).bind(text)) if isinstance(part, p.Scan)}
    with_name = {t.name for t in EVENT_TABLES_BY_NAME.values() if "FileName" in t.column_names}
    assert {"DeviceProcessEvents", "DeviceFileEvents"} <= with_name < {*EVENT_TABLES_BY_NAME}
    assert scans == ({*EVENT_TABLES_BY_NAME} if text.startswith("search") else with_name)


class TestWatchlists:
    def test_a_csv_file(self, lake: Lake, tmp_path: Path) -> None:
        """All columns are strings, and SearchKey is the column that the configuration names."""
        (tmp_path / "a.csv").write_text('Name,IP,"Note, long"\nweb,10.0.0.1,"a ""b""\nc"\ndb,010,\n')
        tables = catalog(tmp_path, watchlists={"Nets": {"path": "a.csv", "search_key": "IP"}})
        found = rows(lake, "_GetWatchlist('Nets') | project SearchKey, Name, ['Note, long'] | sort by Name", tables)
        assert found == [["10.0.0.1", "web", 'a "b"\nc'], ["010", "db", ""]]
        assert not Path(lake.root, "lookups").exists()  # a query writes nothing
        ids = rows(lake, "_GetWatchlist('Nets') | project _DTItemId, LastUpdatedTimeUTC", tables)
        assert len({row[0] for row in ids}) == 2
        assert {row[1] for row in ids} == {None}

    @pytest.mark.parametrize(
        "text",
        [
            '[{"Name": "web", "IP": "10.0.0.1"},\n {"Name": "db", "Port": 5432}]',
            '{"Name": "web", "IP": "10.0.0.1"}\n{"Name": "db", "Port": 5432}\n',
        ],
    )
    def test_a_json_file(self, lake: Lake, tmp_path: Path, text: str) -> None:
        (tmp_path / "a.json").write_text(text)
        tables = catalog(tmp_path, watchlists={"Nets": "a.json"})
        found = rows(lake, "_GetWatchlist('Nets') | project SearchKey, IP, Port | sort by SearchKey asc", tables)
        assert found == [["db", "", "5432"], ["web", "10.0.0.1", ""]]

    def test_as_a_list_and_in_a_lookup(self, lake: Lake, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("File,Owner\na.exe,ann\n")
        tables = catalog(tmp_path, watchlists={"Files": "a.csv"})
        store(lake, [event(Timestamp="2026-03-06T10:00:00Z", FileName=name) for name in ("a.exe", "b.exe")])
        listed = "let L = _GetWatchlist('Files') | project SearchKey; DeviceProcessEvents | where FileName in (L)"
        assert rows(lake, f"{listed} | project FileName", tables) == [["a.exe"]]
        joined = "DeviceProcessEvents | lookup (_GetWatchlist('Files')) on $left.FileName == $right.File"
        assert rows(lake, f"{joined} | project FileName, Owner | sort by FileName asc", tables) == [
            ["a.exe", "ann"],
            ["b.exe", ""],
        ]
        assert rows(lake, "_GetWatchlistAlias() | project WatchlistAlias", tables) == [["Files"]]

    def test_a_column_that_is_gone_is_named(self, lake: Lake, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("Other\n1\n")
        tables = catalog(tmp_path, watchlists={"A": {"path": "a.csv", "columns": ["Name"]}})
        with pytest.raises(LakehuntError, match=r"watchlists\.A .*there is no column Name"):
            rows(lake, "_GetWatchlist('A') | project Name", tables)

    def test_a_delta_table_as_of_a_version(self, lake: Lake, tmp_path: Path) -> None:
        place = str(tmp_path / "table")
        lake.spark.sql("SELECT 'a' AS Name, 1 AS N, ARRAY('x', 'y') AS L").write.format("delta").save(place)
        tables = catalog(tmp_path, watchlists={"A": {"path": place, "columns": ["Name", "N", "L"]}})
        assert rows(lake, "_GetWatchlist('A') | project Name, N, L", tables) == [["a", "1", '["x","y"]']]


class TestIndicators:
    def test_columns_have_their_documented_types(self, lake: Lake, tmp_path: Path) -> None:
        row = {
            "TimeGenerated": "2026-03-06T00:00:00Z",
            "ObservableKey": "ipv4-addr:value",
            "ObservableValue": "10.0.0.1",
        }
        row |= {"Confidence": 80, "IsActive": True, "Data": {"labels": [{"n": 1}]}, "Unknown": 1}
        (tmp_path / "ti.jsonl").write_text(json.dumps(row) + "\n")
        tables = catalog(tmp_path, ThreatIntelIndicators="ti.jsonl")
        text = (
            "ThreatIntelIndicators | project ObservableValue, Confidence + 1, IsActive, Data.labels[0].n,"
            " isnull(ValidUntil), Pattern"
        )
        assert rows(lake, text, tables) == [["10.0.0.1", 81, True, 1, True, ""]]

    def test_a_registered_table_of_the_name_comes_first(self, tmp_path: Path) -> None:
        from lakehunt.kql.types import STRING, Column
        from lakehunt.schemas.registered_tables import RegisteredTable

        own = RegisteredTable("ThreatIntelIndicators", (Column("Mine", STRING),), "x")
        given = lookups.read(strict_yaml.load('{"ThreatIntelIndicators": "ti.json"}'), tmp_path)
        assert TableCatalog({own.name: own}, lookups=given).schemas[own.name] == own.columns


class TestVersions:
    def hunt(self) -> Hunt:
        return Hunt(
            "1",
            "listed",
            "DeviceProcessEvents | where FileName endswith '.exe'"
            " | where FileName in ((_GetWatchlist('A') | project SearchKey)) | project FileName",
            Path("a.yaml"),
        )

    def found(self, lake: Lake, tables: TableCatalog, as_of: int) -> list[str]:
        (run,) = engine.run_hunts(lake, [self.hunt()], as_of, ignore, tables)
        assert run.error is None
        (latest,) = reader.latest_findings(lake, [self.hunt()], as_of)
        return sorted(row["result"]["FileName"] for row in latest.rows)

    def test_a_run_that_is_repeated_reads_what_the_first_one_read(self, lake: Lake, tmp_path: Path) -> None:
        store(lake, [event(Timestamp="2026-03-04T10:00:00Z", FileName=name) for name in ("a.exe", "b.exe")])
        file, tables = tmp_path / "a.csv", catalog(tmp_path, watchlists={"A": {"path": "a.csv", "columns": ["Name"]}})
        file.write_text("Name\na.exe\n")
        first, second = NOW, NOW + TICKS_PER_DAY
        assert self.found(lake, tables, first) == ["a.exe"]
        file.write_text("Name\nb.exe\n")
        assert self.found(lake, tables, second) == ["b.exe"]
        file.unlink()
        kept = sorted(Path(lake.root, "lookups").iterdir())
        assert self.found(lake, tables, first) == ["a.exe"]
        assert rows(lake, "_GetWatchlist('A') | project Name", tables, second) == [["b.exe"]]
        assert len(kept) == 2
        # Between two runs the content was that of the first one, and so it was before.
        listed = "_GetWatchlist('A') | project Name"
        assert rows(lake, listed, tables, first + TICKS_PER_DAY // 2) == [["a.exe"]]
        assert rows(lake, listed, tables, first - TICKS_PER_DAY) == [["a.exe"]]
        with pytest.raises(LakehuntError, match=r"lookup watchlists\.A .*cannot be read"):
            rows(lake, listed, tables, second + TICKS_PER_DAY)

    def test_events_are_not_chosen_by_a_lookup_when_they_land(self, tmp_path: Path) -> None:
        """A later content may list others."""
        tables = catalog(tmp_path, geo_info_from_ip_address="x.mmdb", watchlists={"A": {"path": "a", "columns": ["x"]}})
        text = (
            "DeviceProcessEvents | where FileName == 'a' and FileName in (_GetWatchlist('A'))"
            " and tostring(geo_info_from_ip_address(DeviceName).country) == 'x'"
        )
        found = extract_row_predicates(tables.bind(text))
        assert isinstance(found, RowPredicates)
        assert [len(one.conditions) for one in found.tables["DeviceProcessEvents"].alternatives] == [1]


class TestFileProfile:
    def test_prevalence_in_the_lake(self, lake: Lake, tmp_path: Path) -> None:
        """Each file with its devices, as a process and as the one that started it; what a service knows is empty."""
        sha = "A" * 40
        seen = [
            event(Timestamp="2026-03-01T10:00:00Z", DeviceId="1", FileName="a.exe", SHA1=sha, FileSize=7),
            event(
                Timestamp="2026-03-05T10:00:00Z",
                DeviceId="2",
                FileName="b.exe",
                SHA1="",
                InitiatingProcessSHA1=sha.lower(),
            ),
            event(Timestamp="2026-03-06T10:00:00Z", DeviceId="2", FileName="c.exe", SHA1=sha.lower()),
            event(Timestamp="2026-03-08T10:00:00Z", DeviceId="3", FileName="later.exe", SHA1=sha),
        ]
        store(lake, seen)
        tables = catalog(tmp_path, FileProfile="lake")
        text = (
            "DeviceProcessEvents | where FileName in ('a.exe', 'b.exe') | invoke FileProfile('SHA1', 1000)"
            " | sort by FileName asc | project FileName, GlobalPrevalence, GlobalFirstSeen, GlobalLastSeen, Signer,"
            " IsCertificateValid, ProfileAvailability"
        )
        assert rows(lake, text, tables) == [
            ["a.exe", 2, "2026-03-01T10:00:00.0000000Z", "2026-03-06T10:00:00.0000000Z", "", None, "Available"],
            ["b.exe", None, None, None, "", None, "Missing"],
        ]

    def test_prevalence_in_all_event_tables(self, lake: Lake, tmp_path: Path) -> None:
        """A library that was loaded on one device, and written to disk on two; a process known by what it connected to;
        a file whose certificate alone was reported."""
        dll, tool, signed = "a" * 40, "b" * 40, "c" * 40
        at = "2026-03-0{}T10:00:00Z".format
        store(lake, [{"Timestamp": at(3), "DeviceId": "1", "SHA1": dll, "FileName": "x.dll"}], "DeviceImageLoadEvents")
        store(lake, [{"Timestamp": at(2), "DeviceId": d, "SHA1": dll} for d in ("1", "2")], "DeviceFileEvents")
        store(lake, [connection(Timestamp=at(4), DeviceId="7", InitiatingProcessSHA1=tool)], "DeviceNetworkEvents")
        store(lake, [{"Timestamp": at(5), "DeviceId": "8", "SHA1": signed}], "DeviceFileCertificateInfo")
        store(lake, [{"Timestamp": at(5), "DeviceId": "8"}], "DeviceInfo")  # has no files
        text = (
            f"datatable(n: long, SHA1: string)[1, '{dll}', 2, '{tool}', 3, '{signed}', 4, '{'d' * 40}']"
            " | invoke FileProfile() | sort by n asc | project n, GlobalPrevalence, GlobalFirstSeen"
        )
        assert rows(lake, text, catalog(tmp_path, FileProfile="lake")) == [
            [1, 2, "2026-03-02T10:00:00.0000000Z"],
            [2, 1, "2026-03-04T10:00:00.0000000Z"],
            [3, 1, "2026-03-05T10:00:00.0000000Z"],
            [4, None, None],
        ]

    def test_a_file_of_profiles(self, lake: Lake, tmp_path: Path) -> None:
        """Found by SHA1 or SHA256, whatever the case; columns that the row has keep their values."""
        one, two = "a" * 40, "B" * 64
        (tmp_path / "p.csv").write_text(
            f"SHA1,SHA256,GlobalPrevalence,Signer,IsCertificateValid,FileSize\n{one.upper()},{two},12,Contoso,true,5\n"
        )
        tables = catalog(tmp_path, FileProfile="p.csv")
        text = (
            "datatable(SHA1: string, xSHA256: string, FileSize: long)"
            f"['{one}', '', 1, '', '{two.lower()}', 2, '', '', 3] | invoke FileProfile({{}})"
            " | sort by FileSize asc | project FileSize, GlobalPrevalence, Signer, IsCertificateValid, SHA256"
        )
        known, nothing = [12, "Contoso", True, two], [None, "", None, ""]
        assert rows(lake, text.format(""), tables) == [[1, *known], [2, *nothing], [3, *nothing]]
        assert rows(lake, text.format("xSHA256, 100"), tables) == [[1, *nothing], [2, *known], [3, *nothing]]

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            ("FileProfile(Nothing)", "there is no column 'Nothing'"),
            ("FileProfile(ProcessId)", "needs a hash, 'ProcessId' is a long"),
            ("FileProfile(SHA1, 'x')", "a number of rows"),
        ],
    )
    def test_a_wrong_call(self, tmp_path: Path, call: str, message: str) -> None:
        with pytest.raises(QueryErrors, match=message):
            catalog(tmp_path, FileProfile="lake").bind(f"DeviceProcessEvents | invoke {call}")


def city(country: str, state: str = "", name: str = "", at: tuple[float, float] | None = None) -> dict[str, Any]:
    record: dict[str, Any] = {"country": {"iso_code": "XX", "names": {"en": country, "de": "-"}}}
    if state:
        record["subdivisions"] = [{"names": {"en": state}}]
    if name:
        record["city"] = {"names": {"en": name}}
    if at:
        record["location"] = {"latitude": at[0], "longitude": at[1], "time_zone": "UTC"}
    return record


NETWORKS = {
    "20.53.0.0/16": city("Australia", "New South Wales", "Sydney", (-33.8715, 151.2006)),
    "20.54.0.0/15": city("Ireland"),
    "198.51.100.0/25": city("Nowhere", name="Half"),
    "198.51.100.128/32": {"registered_country": {"names": {"en": "Other"}}},
    "2a03:2880::/29": city("United States", "Florida", "Boca Raton", (26.3594, -80.0771)),
    "2a03:2888::/64": city("Small"),
    "2c0f::/16": city("Wide"),
}


@pytest.fixture(scope="module")
def geo(tmp_path_factory: pytest.TempPathFactory) -> TableCatalog:
    folder = tmp_path_factory.mktemp("geo")
    writer = MMDBWriter(6, "GeoLite2-City", ipv4_compatible=True)
    for network, record in NETWORKS.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(folder / "geo.mmdb"))
    return catalog(folder, geo_info_from_ip_address="geo.mmdb")


SYDNEY = {
    "country": "Australia",
    "state": "New South Wales",
    "city": "Sydney",
    "latitude": -33.8715,
    "longitude": 151.2006,
}
BOCA = {
    "country": "United States",
    "state": "Florida",
    "city": "Boca Raton",
    "latitude": 26.3594,
    "longitude": -80.0771,
}


class TestGeo:
    def test_addresses(self, lake: Lake, geo: TableCatalog) -> None:
        """The first two rows are the examples of Kusto's documentation."""
        wanted = {
            "20.53.203.50": SYDNEY,
            "2a03:2880:f12c:83:face:b00c::25de": BOCA,
            "::ffff:20.53.203.50": SYDNEY,
            "20.53.0.0": SYDNEY,
            "20.52.255.255": None,
            "20.54.0.0": {"country": "Ireland"},
            "20.55.255.255": {"country": "Ireland"},
            "20.56.0.0": None,
            "198.51.100.127": {"country": "Nowhere", "city": "Half"},
            "198.51.100.128": None,
            "198.51.100.129": None,
            "2a03:2887:ffff:ffff:ffff:ffff:ffff:ffff": BOCA,
            "2a03:2888::ffff:1": {"country": "Small"},
            "2a03:2888:0:1::": None,
            "2c0f:ffff::1": {"country": "Wide"},
            "2c10::1": None,
            "10.0.0.1": None,
            "": None,
            "not an address": None,
            "20.53.203.50/24": None,
            "20.53.203.500": None,
        }
        given = ", ".join(json.dumps(address) for address in wanted)
        text = f"datatable(a: string)[{given}] | extend g = geo_info_from_ip_address(a)"
        assert dict(rows(lake, text, geo)) == wanted

    def test_in_every_place_of_a_query(self, lake: Lake, geo: TableCatalog) -> None:
        text = (
            "datatable(a: string, b: string)['20.53.1.1', '20.54.1.1', '20.53.1.2', 'x', '20.54.9.9', '20.53.1.1']"
            " | where tostring(geo_info_from_ip_address(a).country) != ''"
            " | summarize n = count(), c = dcount(tostring(geo_info_from_ip_address(b).country))"
            " by country = tostring(geo_info_from_ip_address(a).country)"
            " | sort by country asc"
        )
        assert rows(lake, text, geo) == [["Australia", 2, 2], ["Ireland", 1, 1]]
        assert rows(lake, "print geo_info_from_ip_address('20.53.1.1').city", geo) == [["Sydney"]]

    def test_it_takes_a_string(self, geo: TableCatalog) -> None:
        with pytest.raises(QueryErrors, match="takes one address, a string"):
            geo.bind("print geo_info_from_ip_address(1)")

    def test_a_file_of_another_kind(self, lake: Lake, tmp_path: Path) -> None:
        (tmp_path / "geo.mmdb").write_bytes(b"no database")
        tables = catalog(tmp_path, geo_info_from_ip_address="geo.mmdb")
        with pytest.raises(
            LakehuntError, match=r"lookup geo_info_from_ip_address \(.*geo.mmdb\): it is not a file of MaxMind's format"
        ):
            rows(lake, "print geo_info_from_ip_address('20.53.1.1')", tables)


def test_the_networks_of_the_test_are_networks() -> None:
    assert all(ip_network(network) for network in NETWORKS)
