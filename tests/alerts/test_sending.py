"""Each finding once to each channel, whatever fails in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehunt.alerts import sending
from lakehunt.alerts.alert import FAILURE, FINDINGS, WARNING, Alert, LateLanding, as_text
from lakehunt.alerts.channels import KINDS, AlertSettings, Channel, ChannelError
from lakehunt.alerts.ocsf import detection_findings
from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.delta_lake import Lake
from lakehunt.quality.volume import DayVolume
from lakehunt.runtime.limits import Limits
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.table import Table
from tests.support.events import event, store
from tests.support.hunts import ticks

HUNT = Hunt(
    "0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10",
    "Shells",
    "DeviceProcessEvents | where FileName =~ 'CMD.exe' | summarize count() by DeviceId, DeviceName",
    tactics=("Execution",),
)
FAILING = Hunt("1b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", "Failing", "Nothing | where password == 'hidden-secret'")
AS_OF = ticks("2026-03-02T00:00:00Z")
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)


class Inbox:
    """A channel that keeps what it is told, unless it is `closed`."""

    def __init__(self, name: str, kinds: tuple[str, ...] = KINDS) -> None:
        self.closed = False
        self.told: list[Alert] = []
        self.channel = Channel(name, kinds, self.take)

    def take(self, alert: Alert) -> None:
        if self.closed:
            raise ChannelError("closed", "open it")
        self.told.append(alert)

    def taken(self) -> list[Alert]:
        told, self.told = self.told, []
        return told


@pytest.mark.slow
def test_each_finding_once(lake: Lake) -> None:
    soc, mail = Inbox("soc"), Inbox("mail", (FINDINGS,))
    alerts = AlertSettings((soc.channel, mail.channel), "see {hunt_id} at {as_of}")

    def send(as_of: int) -> list[str | None]:
        return [one.error for one in sending.send(lake, alerts, as_of, NOW, lambda _: None)]

    def run(as_of: int, *hunts: Hunt) -> None:
        engine.run_hunts(lake, hunts, as_of, lambda _: None)

    secret = r"net use \\srv\c$ /user:contoso\anna Pa55word!"
    store(lake, [event(), event(ReportId=2, Timestamp="2026-03-01T13:00:00Z", ProcessCommandLine=secret)])
    run(AS_OF, HUNT)
    mail.closed = True
    assert send(AS_OF) == [None, "closed\n  hint: open it"]
    (told,) = soc.taken()
    (device,) = told.devices
    assert (told.kind, told.title) == (FINDINGS, "Shells: 1 new finding on 1 device")
    assert (told.tactics, told.evidence) == (("Execution",), f"see {HUNT.id} at 2026-03-02T00:00:00Z")
    assert (device.device_name, device.accounts, device.events) == ("web01.contoso.example", ("apppool",), 2)
    assert device.first_seen == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert device.commands == ("cmd.exe /c whoami", r"net use \\srv\c$ /user:contoso\anna [redacted]")

    mail.closed = False
    assert send(AS_OF) == [None]  # the one who was not told
    assert ([one.id for one in mail.taken()], soc.taken()) == ([told.id], [])
    run(AS_OF, HUNT)
    assert send(AS_OF) == []  # a re-run tells nothing twice

    # Another device is news, the first one is recurring; a failure and a refused batch are told, too.
    store(lake, [event(ReportId=3, DeviceId="d2", DeviceName="b", Timestamp="2026-03-02T12:00:00Z")])
    why = "Timestamp: 5 of 5 rows are not"
    refused = [(7, NOW, 5, 0, 0, 0, "refused", why, [], table) for table in (None, "DeviceInfo", "DeviceEvents")]
    lake.append(BATCHES, lake.local(BATCHES, refused))
    run(AS_OF + TICKS_PER_DAY, HUNT, FAILING)
    assert send(AS_OF + TICKS_PER_DAY) == [None] * 6
    news, failure, warning, *others = soc.taken()
    assert [[one.device_id for one in news.devices], failure.kind, warning.kind] == [["d2"], FAILURE, WARNING]
    assert failure.title == "Hunt failed: Failing"
    assert "there is no table 'Nothing'" in failure.text
    assert "hidden-secret" not in failure.text
    assert (warning.title, warning.text) == ("Batch 7 was refused: hunts do not see its 5 records", why)
    assert [one.title for one in others] == [
        "Batch 7 of DeviceEvents was refused: hunts do not see its 5 records",
        "Batch 7 of DeviceInfo was refused: hunts do not see its 5 records",
    ]
    assert [one.keys for one in mail.taken()] == [news.keys]

    # A backfill finds the first device a day earlier: it was told.
    store(lake, [event(ReportId=4, Timestamp="2026-02-28T12:00:00Z")])
    run(AS_OF - TICKS_PER_DAY, HUNT)
    assert send(AS_OF - TICKS_PER_DAY) == []
    told_rows = lake.read(sending.SENT.name)
    by_channel = told_rows.where(f"kind = '{FINDINGS}' AND sent_at IS NOT NULL").groupBy("channel").count().collect()
    assert sorted(map(tuple, by_channel)) == [("mail", 2), ("soc", 2)]


@pytest.mark.slow
def test_what_a_channel_did_not_take_is_told_by_the_next_run(lake: Lake) -> None:
    """Of another day, on which the finding is recurring; a day that was not told on purpose is not."""
    soc, mail = Inbox("soc"), Inbox("mail")
    alerts = AlertSettings((soc.channel, mail.channel))

    def send(as_of: int) -> list[bool]:
        return [one.error is None for one in sending.send(lake, alerts, as_of, NOW, lambda _: None)]

    store(lake, [event(), event(ReportId=2, DeviceId="older", Timestamp="2026-02-27T12:00:00Z")])
    engine.run_hunts(
        lake, [HUNT], AS_OF - 2 * TICKS_PER_DAY, lambda _: None
    )  # a backfill: finds the older one, tells nobody
    engine.run_hunts(lake, [HUNT, FAILING], AS_OF, lambda _: None)
    soc.closed = True
    assert send(AS_OF) == [False, False, True, True]
    assert send(AS_OF) == [False, False]  # and is still due
    engine.run_hunts(lake, [HUNT], AS_OF + TICKS_PER_DAY, lambda _: None)
    soc.closed = False
    assert send(AS_OF + TICKS_PER_DAY) == [True, True]
    assert [(one.title, one.as_of) for one in soc.taken()] == [
        ("Shells: 1 new finding on 1 device", times.to_datetime(AS_OF)),
        ("Hunt failed: Failing", times.to_datetime(AS_OF)),
    ]
    assert send(AS_OF + 2 * TICKS_PER_DAY) == []
    assert len(mail.taken()) == 2


@pytest.mark.slow
def test_late_findings_once(lake: Lake) -> None:
    """By the alerts of the as-of whose run has found them, as late; not what was never told on purpose, nor to a
    channel that knows them from another as-of, nor what is no finding any more. One that rejects them is told again."""
    soc, mail = Inbox("soc"), Inbox("mail")
    alerts = AlertSettings((soc.channel, mail.channel))
    daily = Hunt(HUNT.id, HUNT.name, HUNT.query.replace("| where", "| where Timestamp > ago(1d) and", 1))

    def run(as_of: int) -> None:
        assert [
            one.error
            for one in engine.run_hunts(lake, [daily], as_of, lambda _: None, late=timedelta(days=7))
            if one.error
        ] == []

    def send(as_of: int) -> list[bool]:
        return [one.error is None for one in sending.send(lake, alerts, as_of, NOW, lambda _: None)]

    store(lake, [event()])
    run(AS_OF)  # and tells nobody
    late = [event(DeviceId=name, DeviceName=name, Timestamp=f"2026-03-01T{hour}:00:00Z") for name, hour in LATE_ONES]
    store(lake, [*late, event(DeviceId="today", Timestamp="2026-03-02T12:00:00Z")])
    run(AS_OF + TICKS_PER_DAY)
    known, gone = (
        lake.read("findings.all").where(f"device_id = '{name}'").collect()[0].finding_id for name in ("known", "gone")
    )
    sent = ("soc", FINDINGS, known, "before", times.to_datetime(AS_OF - 13 * TICKS_PER_DAY), NOW)
    lake.append(sending.SENT, lake.local(sending.SENT, [sent]))
    lake.delete("findings.all", [("finding_id", "=", gone)])
    mail.closed = True
    assert send(AS_OF + TICKS_PER_DAY) == [True, True, False, False]
    told, of_today = soc.taken()
    assert (told.title, told.as_of, told.late) == ("Shells: 1 late finding on 1 device", times.to_datetime(AS_OF), True)
    assert [(one.device_id, one.late) for one in told.devices] == [
        ("late", LateLanding(*(datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (13, 13, 14))))
    ]
    text = as_text(told)
    assert "As of 2026-03-02 00:00 UTC, asked again because events landed late" in text
    assert "    happened 2026-03-01 13:00:00, landed 2026-03-01 14:00:00 UTC" in text
    assert (of_today.late, [one.device_id for one in of_today.devices]) == (False, ["today"])
    assert next(detection_findings(told))["unmapped"]["late"] == {
        "first_seen_time": 1772370000000, "last_seen_time": 1772370000000, "landed_at_time": 1772373600000}  # fmt: skip

    mail.closed = False
    run(AS_OF + 2 * TICKS_PER_DAY)
    assert send(AS_OF + 2 * TICKS_PER_DAY) == [True, True]
    assert [(one.late, [device.device_id for device in one.devices]) for one in mail.taken()] == [
        (True, ["known", "late"]), (False, ["today"])]  # fmt: skip
    for days in range(3):
        run(AS_OF + days * TICKS_PER_DAY)
        send(AS_OF + days * TICKS_PER_DAY)
    # Now that somebody has asked for alerts of the first day: its own finding, and the one that is there again.
    for taken in (soc.taken(), mail.taken()):
        assert [(one.late, [device.device_id for device in one.devices]) for one in taken] == [
            (False, ["device-1"]), (True, ["gone"])]  # fmt: skip


def test_a_hunt_that_fails_when_it_is_asked_again(lake: Lake) -> None:
    """By the alerts of the as-of whose run asked again: once, and no more if it has succeeded since."""
    soc, late_to_it = Inbox("soc"), Inbox("late to it")
    daily = Hunt(HUNT.id, HUNT.name, HUNT.query.replace("| where", "| where Timestamp > ago(1d) and", 1))

    def run(as_of: int, rows: int | None) -> list[str | None]:
        limits = Limits() if rows is None else Limits(rows=rows)
        runs = engine.run_hunts(lake, [daily], as_of, lambda _: None, limits=limits, late=timedelta(days=7))
        return [one.error for one in runs]

    def send(inbox: Inbox, as_of: int) -> list[Alert]:
        sending.send(lake, AlertSettings((inbox.channel,)), as_of, NOW, lambda _: None)
        return [alert for alert in inbox.taken() if alert.kind == FAILURE]

    store(lake, [event()])
    assert run(AS_OF, None) == [None]
    store(lake, [event(DeviceId=name, Timestamp="2026-03-01T13:00:00Z") for name in ("b", "c")])
    succeeded, failed = run(AS_OF + TICKS_PER_DAY, 2)
    assert succeeded is None
    assert failed is not None
    (told,) = send(soc, AS_OF + TICKS_PER_DAY)
    assert (told.title, told.as_of) == ("Hunt failed: Shells", times.to_datetime(AS_OF))
    assert "2 rows" in (told.text or "")
    assert send(soc, AS_OF + TICKS_PER_DAY) == []
    assert run(AS_OF + TICKS_PER_DAY, None) == [None, None]
    assert send(late_to_it, AS_OF + TICKS_PER_DAY) == []


LATE_ONES = (("late", 13), ("known", 14), ("gone", 15))


@pytest.mark.slow
def test_of_a_device_only_the_finding_that_was_not_told(lake: Lake) -> None:
    """Two findings of one device, of which a channel knows one: it is told of the other alone, and counts one."""
    soc = Inbox("soc")
    each = Hunt(HUNT.id, HUNT.name, f"{HUNT.query}, ProcessCommandLine")
    store(lake, [event(), event(ReportId=2, ProcessCommandLine="cmd.exe /c hostname")])
    engine.run_hunts(lake, [each], AS_OF, lambda _: None)
    known = lake.read("findings.all").where("result LIKE '%whoami%'").collect()[0].finding_id
    sent = ("soc", FINDINGS, known, "before", times.to_datetime(AS_OF), NOW)
    lake.append(sending.SENT, lake.local(sending.SENT, [sent]))
    sending.send(lake, AlertSettings((soc.channel,)), AS_OF, NOW, lambda _: None)
    (told,) = soc.taken()
    assert told.title == "Shells: 1 new finding on 1 device"
    assert [device.commands for device in told.devices] == [("cmd.exe /c hostname",)]
    assert known not in told.keys


@pytest.mark.slow
def test_telemetry_that_dries_up_is_told_once(lake: Lake) -> None:
    soc, quiet = Inbox("soc"), Inbox("quiet", (FINDINGS,))
    day = DayVolume(times.to_datetime(AS_OF), 0, 100.0, 31, None, warnings=("events: less than 1 (it is 0). Why.",))
    for _ in range(2):
        sending.send(lake, AlertSettings((soc.channel, quiet.channel)), AS_OF, NOW, lambda _: None, day)
    (told,) = soc.taken()
    assert (told.kind, told.text) == (WARNING, "0 events\nevents: less than 1 (it is 0). Why.")
    assert told.title == "Telemetry of the day to 2026-03-02T00:00:00Z is not as usual"
    assert quiet.taken() == []


def test_command_lines_of_any_event_table(lake: Lake) -> None:
    """The one of the process that acted, where events start no process; none of a report about a device."""
    network, info = (BY_NAME[name].events for name in ("DeviceNetworkEvents", "DeviceInfo"))
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    seen = {"event_date": at.date(), "Timestamp": at}
    some(lake, network, seen | {"event_id": "n", "InitiatingProcessCommandLine": "curl 203.0.113.7"})
    some(lake, info, seen | {"event_id": "i", "DeviceName": "web01"})
    finding = {"as_of": times.to_datetime(AS_OF), "hunt_id": HUNT.id, "hunt_name": "Connections", "status": "new"} | {
        "tactics": [], "techniques": [], "events": 1, "first_seen": at, "last_seen": at, "result": "{}"}  # fmt: skip
    some(
        lake,
        FINDINGS_ALL,
        finding | {"finding_id": "1", "device_id": "a", "evidence": ["n"]},
        finding | {"finding_id": "2", "device_id": "b", "evidence": ["i"]},
    )
    soc = Inbox("soc")
    sending.send(lake, AlertSettings((soc.channel,), ""), AS_OF, NOW, lambda _: None)
    (told,) = soc.taken()
    assert [(one.device_id, one.commands) for one in told.devices] == [
        ("a", ("curl 203.0.113.7",)), ("b", ())]  # fmt: skip


def some(lake: Lake, table: Table, *rows: dict[str, Any]) -> None:
    lake.append(table, lake.local(table, [tuple(row.get(name) for name in table.column_names) for row in rows]))
