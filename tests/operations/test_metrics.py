"""Metrics: what ledgers say, as text that Prometheus' own parsers read, and by StatsD. No Spark."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from lakehunt import cli
from lakehunt.config import load
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.lake.small_tables import LocalTables
from lakehunt.operations.metrics import catalog, publishing, statsd, text
from lakehunt.operations.metrics.ledgers import Ledgers
from lakehunt.operations.metrics.metric import Family, Sample
from lakehunt.operations.metrics.settings import MetricsSettings
from lakehunt.schemas.alert_tables import SENT
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.hunt_tables import LATE, PASSES, RUNS
from lakehunt.schemas.landing_tables import BATCHES, REFUSED_FILES
from tests.support.blobs import blob, record
from tests.support.ledger_rows import append

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HUNT = Hunt("0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a01", 'a "quoted" \\ name', "DeviceProcessEvents", query_frequency=HOUR)
OTHER = Hunt("0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a02", "fine", "DeviceProcessEvents", query_frequency=HOUR)
CHANNEL = {"channel": "soc", "kind": "findings", "as_of": NOW}


@pytest.fixture
def lake(tmp_path: Path) -> LocalTables:
    made = LocalTables(str(tmp_path / "lake"))
    append(
        made,
        BATCHES,
        batch(1, NOW - HOUR, 10, 7, 2, 1),
        batch(2, NOW, 5, 4, 1, 0),
        batch(2, NOW, 3, 0, 0, 0, "refused", "DeviceNetworkEvents"),
    )
    lags = (timedelta(seconds=30), timedelta(seconds=90), timedelta(minutes=10))
    of_batch = [{"batch": 2, "landed_at": NOW, "Timestamp": NOW - lag, "event_date": NOW.date()} for lag in lags]
    append(made, DEVICE_PROCESS_EVENTS.events, {**of_batch[0], "batch": 1, "Timestamp": NOW - 50 * HOUR}, *of_batch)
    return made


def batch(
    number: int,
    at: datetime,
    delivered: int,
    events: int,
    quarantined: int,
    duplicates: int,
    outcome: str = "settled",
    table: str | None = None,
) -> dict[str, Any]:
    counts = {"delivered": delivered, "events": events, "quarantined": quarantined, "duplicates": duplicates}
    return {"batch": number, "landed_at": at, **counts, "outcome": outcome, "event_table": table}


def run(number: int, hunt: Hunt, at: datetime, outcome: str, **others: Any) -> dict[str, Any]:
    id_ = f"{at:%Y%m%dT%H%M%S%f}Z-{number:08}"
    own = {"run_id": id_, "hunt_id": hunt.id, "hunt_name": hunt.name, "hunt_version": hunt.digest, "as_of": at}
    return {**own, "started_at": at, "outcome": outcome, **others}


def ledgers(lake: LocalTables, now: datetime = NOW) -> Ledgers:
    return Ledgers(lake, [HUNT, OTHER], HuntingSettings(), now)


def values(families: Any) -> dict[str, dict[tuple[str, ...], float]]:
    """Values of samples by the metric's name and the values of their labels."""
    return {
        family.name.removeprefix("lakehunt_"): {tuple(one.labels.values()): one.value for one in family.samples}
        for family in families
    }


def collected(lake: LocalTables, now: datetime = NOW) -> dict[str, dict[tuple[str, ...], float]]:
    return values(publishing.State().refreshed(ledgers(lake, now)).families())


def test_what_landed(lake: LocalTables) -> None:
    append(lake, REFUSED_FILES, {"file": "a", "reason": "why", "noted_at": NOW, "bytes": 1, "modified_at": NOW})
    found = collected(lake)
    assert found["records_landed"] == {("DeviceProcessEvents",): 15, ("DeviceNetworkEvents",): 3}
    assert found["records_promoted"] == {
        ("DeviceProcessEvents", "event"): 11,
        ("DeviceProcessEvents", "quarantined"): 3,
        ("DeviceProcessEvents", "duplicate"): 1,
    }
    assert (found["refused_batches"], found["refused_files"]) == ({(): 1}, {(): 1})
    assert found["last_landing_timestamp_seconds"]["DeviceProcessEvents",] == NOW.timestamp()
    assert found["newest_event_timestamp_seconds"] == {("DeviceProcessEvents",): NOW.timestamp() - 30}
    # of the newest batch: 30, 90 and 600 seconds
    assert found["landing_lag_median_seconds"] == {("DeviceProcessEvents",): 90}
    assert found["landing_lag_max_seconds"] == {("DeviceProcessEvents",): 600}
    assert found["table_rows"]["events.device_process_events",] == 4


def test_what_hunts_did(lake: LocalTables) -> None:
    killed = run(3, HUNT, NOW - 25 * HOUR, "started")
    running = run(4, HUNT, NOW - HOUR, "started")
    append(
        lake,
        RUNS,
        run(1, HUNT, NOW - 30 * HOUR, "started"),
        run(1, HUNT, NOW - 30 * HOUR, "succeeded", seconds=1.5, findings=4, reason="due", too_late=2),
        run(2, HUNT, NOW - 29 * HOUR, "failed", seconds=0.5, error="why", reason="due"),
        run(5, OTHER, NOW - 29 * HOUR, "failed", error="why"),
        run(6, OTHER, NOW - 28 * HOUR, "succeeded", seconds=1, findings=1, reason="late"),
        killed,
        running,
    )
    append(lake, LATE, {"hunt_id": OTHER.id, "change": "added", "run_id": run(6, OTHER, NOW, "")["run_id"]})
    append(lake, PASSES, {"events": 7, "bytes": None, "seconds": 2.5}, {"events": 4, "bytes": 9, "seconds": 0.5})
    found = collected(lake)
    runs = {key: value for key, value in found["hunt_runs"].items() if value}
    assert runs == {
        ("succeeded", "due"): 1,
        ("failed", "due"): 1,
        ("failed", "asked"): 1,
        ("succeeded", "late"): 1,
        ("killed", "asked"): 1,
    }
    assert len(found["hunt_runs"]) == 16  # also those that did not happen yet: a rate needs a first value
    assert (found["hunt_run_seconds"][()], found["findings"][()], found["too_late_events"][()]) == (3, 5, 2)
    assert found["late_findings"] == {("added",): 1, ("removed",): 0}
    assert found["hunt_failed"] == {(HUNT.id, HUNT.name): 1, (OTHER.id, OTHER.name): 0}
    assert found["scanned_events"] == {("DeviceProcessEvents",): 11}
    assert (found["scanned_bytes"]["DeviceProcessEvents",], found["scan_seconds"]["DeviceProcessEvents",]) == (9, 3)


def test_the_as_of_that_a_hunt_waits_for(lake: LocalTables) -> None:
    # HUNT was asked at 08:00, so 09:00 is the earliest as-of that it was not asked at. OTHER was asked at noon.
    append(
        lake,
        RUNS,
        run(1, HUNT, NOW - 4 * HOUR, "succeeded", reason="due"),
        run(2, OTHER, NOW, "succeeded", reason="due"),
    )
    due = collected(lake)["hunt_due_timestamp_seconds"]
    assert {name: datetime.fromtimestamp(at, UTC).hour for (_, name), at in due.items()} == {HUNT.name: 9, "fine": 13}


def test_alerts(lake: LocalTables) -> None:
    append(
        lake,
        SENT,
        {**CHANNEL, "key": "f1", "alert_id": "a", "sent_at": NOW},
        {**CHANNEL, "key": "f2", "alert_id": "a", "sent_at": NOW},  # of the same message
        {**CHANNEL, "key": "f3", "alert_id": "b", "sent_at": None},
        {**CHANNEL, "key": "f4", "alert_id": "c", "sent_at": None},
        {**CHANNEL, "key": "f4", "alert_id": "d", "sent_at": NOW},  # the second attempt
    )
    found = collected(lake)
    assert found["alerts_sent"] == {("soc", "findings"): 2}
    assert found["rejected_alert_items"] == {("soc",): 1}


def test_a_lake_that_is_not_there_has_metrics_all_the_same(tmp_path: Path) -> None:
    found = collected(LocalTables(str(tmp_path / "nothing")))
    assert (found["refused_batches"], found["findings"], found["records_landed"]) == ({(): 0}, {(): 0}, {})


def test_no_counter_falls_when_rows_expire(lake: LocalTables, tmp_path: Path) -> None:
    settings = MetricsSettings(tmp_path / "lakehunt.prom")
    append(
        lake,
        RUNS,
        run(1, HUNT, NOW - 900 * HOUR, "succeeded", findings=2),
        run(2, HUNT, NOW - HOUR, "succeeded", findings=3),
    )
    append(lake, SENT, {**CHANNEL, "key": "f1", "alert_id": "a", "sent_at": NOW - 900 * HOUR})

    def counted(now: datetime) -> tuple[float, float]:
        publishing.refresh(settings, lake.root, ledgers(lake, now))
        publishing.publish(settings, lake.root, "hunt", True, 1, now)
        found = values(parse_prometheus((tmp_path / "lakehunt.prom").read_text()))
        return found["findings"][()], found["alerts_sent"]["soc", "findings"]

    assert counted(NOW) == (5, 1)
    assert counted(NOW + HOUR) == (5, 1)  # nothing is counted twice
    lake.delete(RUNS.name, [("started_at", "<", NOW - 800 * HOUR)])
    lake.delete(SENT.name, [("sent_at", "<", NOW - 800 * HOUR)])
    append(lake, RUNS, run(3, HUNT, NOW + HOUR, "succeeded", findings=10))
    assert counted(NOW + 2 * HOUR) == (15, 1)
    assert counted(NOW + 100 * HOUR) == (15, 1)  # the end of the log that is counted anew was moved
    lake.delete(RUNS.name, [("started_at", "<", NOW + 2 * HOUR)])
    assert counted(NOW + 101 * HOUR) == (15, 1)


def test_without_a_file_the_state_is_in_the_cache(
    lake: LocalTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = MetricsSettings(statsd=("127.0.0.1", 9))
    publishing.refresh(settings, lake.root, ledgers(lake))
    publishing.publish(settings, lake.root, "land", True, 1, NOW)
    publishing.publish(settings, lake.root, "land", True, 1, NOW)
    found = values(publishing.current(settings, lake.root, ledgers(lake)))
    assert found["command_runs"]["land", "succeeded"] == 2
    assert values(publishing.current(settings, "another", ledgers(lake)))["command_runs"] == {}


@pytest.mark.parametrize("state", ["", "{", '{"cut": null}', '{"cut": 5, "counted": 1, "collected": 1, "commands": 1}'])
def test_a_state_that_cannot_be_read_is_made_anew(lake: LocalTables, tmp_path: Path, state: str) -> None:
    settings = MetricsSettings(tmp_path / "lakehunt.prom")
    (tmp_path / ".lakehunt.prom.state").write_text(state)
    publishing.refresh(settings, lake.root, ledgers(lake))
    publishing.publish(settings, lake.root, "land", True, 1, NOW)
    assert "lakehunt_records_landed_total" in (tmp_path / "lakehunt.prom").read_text()


def test_commands_of_this_machine_are_counted(tmp_path: Path) -> None:
    settings = MetricsSettings(tmp_path / "lakehunt.prom")
    publishing.publish(settings, "lake", "land", True, 1.25, NOW)
    publishing.publish(settings, "lake", "land", False, 2.5, NOW + HOUR)
    publishing.publish(settings, "lake", "hunt", True, 3, NOW)
    found = values(parse_prometheus((tmp_path / "lakehunt.prom").read_text()))
    assert found["command_runs"] == {
        ("land", "succeeded"): 1,
        ("land", "failed"): 1,
        ("hunt", "succeeded"): 1,
        ("hunt", "failed"): 0,
    }
    assert found["command_last_success_timestamp_seconds"]["land",] == NOW.timestamp()
    assert found["command_last_run_timestamp_seconds"]["land",] == (NOW + HOUR).timestamp()
    assert found["command_last_run_seconds"] == {("land",): 2.5, ("hunt",): 3}


# Text


def test_both_formats_are_read_alike(lake: LocalTables) -> None:
    state = publishing.State().refreshed(ledgers(lake)).after_command("land", True, 1, NOW)
    families = [one for one in state.families() if one.samples]
    labels = {"lake": "a\nb"}
    opened = list(parse_openmetrics(text.openmetrics(families, labels)))
    older = list(parse_prometheus(text.prometheus(families, labels)))
    for read in (opened, older):
        assert [(one.name, one.type, one.documentation) for one in read] == [
            (one.name, one.kind, one.help) for one in families
        ]
        assert [[(s.labels, s.value) for s in one.samples] for one in read] == [
            [({**labels, **s.labels}, pytest.approx(s.value, abs=1e-6)) for s in one.samples] for one in families
        ]
    assert {one.name: one.unit for one in opened} == {one.name: one.unit for one in families}
    assert {one.unit for one in families} == {"", "seconds", "bytes"}


def test_names_follow_the_conventions_of_prometheus() -> None:
    for one in (*catalog.LAKE.metrics, *catalog.LOGS.metrics, *catalog.COMMANDS.metrics):
        assert one.name.startswith("lakehunt_")
        assert not one.name.endswith("_total")  # the text adds it
        assert not one.help.endswith(".")
    names = [one.name for one in (*catalog.LAKE.metrics, *catalog.LOGS.metrics, *catalog.COMMANDS.metrics)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0"), (1e15, "1000000000000000"), (1e-7, "0"), (0.1, "0.1"), (-2.50, "-2.5")]
)
def test_numbers_have_no_exponent(value: float, written: str) -> None:
    assert text.number(value) == written


# StatsD


def test_statsd_has_a_line_for_each_sample() -> None:
    families = [
        Family("lakehunt_findings", "counter", "Findings", "", (Sample(5),)),
        Family("lakehunt_hunt_failed", "gauge", "Whether", "", (Sample(1, {"hunt": "a|b, c:d#e\n"}),)),
    ]
    assert list(statsd.lines(families, {"lake": "prod"})) == [
        "lakehunt.findings_total:5|g|#lake:prod",
        "lakehunt.hunt_failed:1|g|#lake:prod,hunt:a_b_c_d_e_",
    ]
    assert list(statsd.lines(families[:1], {})) == ["lakehunt.findings_total:5|g"]


def test_datagrams_are_small_and_lose_nothing() -> None:
    written = [f"lakehunt.n{number}:1|g" for number in range(500)]
    sent = list(statsd.datagrams(written))
    assert max(map(len, sent)) <= statsd.LARGEST
    assert [line for one in sent for line in one.decode().split("\n")] == written


def test_a_job_publishes_its_metrics(tmp_path: Path) -> None:
    blob(tmp_path / "source", f"{record()}\n{record(ProcessId='7')}\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        config = tmp_path / "lakehunt.yaml"
        address = f"127.0.0.1:{server.getsockname()[1]}"
        config.write_text(f"lake: lake\nmetrics: {{file: out.prom, statsd: '{address}', labels: {{lake: test}}}}\n")
        assert cli.main(["land", str(tmp_path / "source"), "--config", str(config)]) == 0
        received = server.recv(65_536).decode().split("\n")
    found = values(parse_prometheus((tmp_path / "out.prom").read_text()))
    assert found["records_landed"] == {("test", "DeviceProcessEvents"): 2}
    assert found["records_promoted"]["test", "DeviceProcessEvents", "quarantined"] == 1
    assert found["command_runs"]["test", "land", "succeeded"] == 1
    assert "lakehunt.records_landed_total:2|g|#lake:test,table:DeviceProcessEvents" in received
    assert cli.main(["land", str(tmp_path / "nowhere"), "--config", str(config)]) == 1
    found = values(parse_prometheus((tmp_path / "out.prom").read_text()))
    assert found["command_runs"]["test", "land", "failed"] == 1
    assert found["records_landed"] == {("test", "DeviceProcessEvents"): 2}


def test_metrics_that_cannot_be_written_do_not_fail_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob(tmp_path / "source", f"{record()}\n")
    config = tmp_path / "lakehunt.yaml"
    config.write_text("lake: lake\nmetrics: {file: no/such/folder/out.prom}\n")
    assert cli.main(["land", str(tmp_path / "source"), "--config", str(config)]) == 0
    assert "no metrics: No such file or directory" in capsys.readouterr().err


def test_metrics_are_printed_as_openmetrics(
    lake: LocalTables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["metrics", "--lake", lake.root]) == 0
    found = values(parse_openmetrics(capsys.readouterr().out))
    assert found["records_landed"]["DeviceProcessEvents",] == 15


# Settings


def test_settings(tmp_path: Path) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text("metrics: {file: a/b.prom, statsd: '[::1]:8125', labels: {lake: prod}}\n")
    assert load(str(file)).metrics == MetricsSettings(tmp_path / "a/b.prom", ("::1", 8125), {"lake": "prod"})
    file.write_text("lake: lake\n")
    assert not load(str(file)).metrics.are_on


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("5", "metrics: expected a mapping of file, statsd, labels"),
        ("{files: a}", "metrics: unknown key 'files'"),
        ("{file: s3://a/b}", "metrics: file is 's3://a/b'"),
        ("{statsd: localhost}", "metrics: statsd is 'localhost'"),
        ("{statsd: 'localhost:70000'}", "metrics: statsd is 'localhost:70000'"),
        ("{labels: 5}", "metrics: labels is not a mapping"),
        ("{labels: {a-b: c}}", "metrics: 'a-b' is not a valid label"),
    ],
)
def test_settings_that_are_wrong_have_their_line(tmp_path: Path, section: str, said: str) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(f"lake: lake\nmetrics: {section}\n")
    with pytest.raises(LakehuntError) as error:
        load(str(file))
    assert said in str(error.value)
    assert "lakehunt.yaml:2" in str(error.value)


def test_the_state_is_json_without_the_lakes_data(lake: LocalTables, tmp_path: Path) -> None:
    settings = MetricsSettings(tmp_path / "lakehunt.prom")
    publishing.refresh(settings, lake.root, ledgers(lake))
    assert set(json.loads((tmp_path / ".lakehunt.prom.state").read_text())) == {
        "cut", "counted", "collected", "commands",
    }  # fmt: skip
