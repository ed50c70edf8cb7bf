"""Every kind of channel, with a receiver that is really there."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from standardwebhooks import Webhook

from lakehunt import config
from lakehunt.alerts import ocsf
from lakehunt.alerts.alert import FAILURE, Alert, as_text, visible
from lakehunt.alerts.channels import Channel, ChannelError
from lakehunt.core.errors import LakehuntError
from tests.support.alerts import AT, Receiver, alert, device, receiver

SECRET = "whsec_bGFrZWh1bnQtaXMtdGVzdGVkLXdpdGgtdGhpcw=="


@pytest.fixture
def soc() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def channels(folder: Path, written: str) -> list[Channel]:
    file = folder / "lakehunt.yaml"
    file.write_text(f"alerts:\n  channels:\n    {written}\n")
    return list(config.load(str(file)).alerts.channels)


def test_a_webhook_is_signed_as_the_standard_says(
    tmp_path: Path, soc: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOC_SECRET", SECRET)
    (channel,) = channels(tmp_path, f"soc: {{webhook: '{soc.url}', secret: env:SOC_SECRET}}")
    channel.deliver(alert())
    channel.deliver(alert())
    (headers, body), (again, _) = soc.posts
    told: Any = Webhook(SECRET).verify(body, headers)
    assert (told["version"], told["kind"], told["as_of"]) == (1, "findings", "2026-03-10T00:00:00Z")
    assert told["devices"][0]["commands"] == ["cmd.exe /c whoami"]
    assert told["id"] == headers["webhook-id"] == again["webhook-id"]
    with pytest.raises(Exception, match="signature"):
        Webhook(SECRET).verify(body + b" ", headers)


def test_a_receiver_that_does_not_take_it(tmp_path: Path, soc: Receiver) -> None:
    (channel,) = channels(tmp_path, f"soc: {{webhook: '{soc.url}?token=hidden'}}")
    soc.answer = 503
    with pytest.raises(ChannelError, match="answered 503"):
        channel.deliver(alert())
    (gone,) = channels(tmp_path, "soc: {webhook: 'http://127.0.0.1:1/?token=hidden'}")
    with pytest.raises(ChannelError, match="no answer") as told:
        gone.deliver(alert())
    assert "hidden" not in str(told.value)
    (unset,) = channels(tmp_path, "soc: {webhook: 'env:NOT_SET'}")
    with pytest.raises(ChannelError, match="has no NOT_SET"):
        unset.deliver(alert())


def test_an_email(tmp_path: Path) -> None:
    class Inbox:
        def __init__(self) -> None:
            self.mails: list[bytes] = []

        async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
            self.mails.append(envelope.content)
            return "250 OK"

    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        address = (
            f"mailto://127.0.0.1:{port}/?from=hunts@contoso.example&to=soc@contoso.example&mode=insecure&smtp=127.0.0.1"
        )
        (channel,) = channels(tmp_path, f"mail: {{notify: '{address}'}}")
        channel.deliver(alert(device(command="cmd.exe <b>&amp; \u202eexe.x")))
    finally:
        server.stop()
    mail = message_from_bytes(inbox.mails[0], policy=default)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Web shells: 1 new finding" in mail["subject"]
    assert "cmd.exe <b>&amp; \\u202eexe.x" in body.get_content()


def test_ocsf_is_what_the_schema_says(tmp_path: Path, soc: Receiver) -> None:
    file, web = channels(tmp_path, f"siem: {{ocsf: out.ndjson}}\n    web: {{ocsf: '{soc.url}'}}")
    told = alert(device("a", "f1", "f2"), device(None, "f3"))
    file.deliver(told)
    file.deliver(told)
    web.deliver(told)
    lines = [json.loads(line) for line in (tmp_path / "out.ndjson").read_text().splitlines()]
    assert lines == list(ocsf.detection_findings(told)) * 2
    assert json.loads(soc.posts[0][1]) == lines[:2]
    for record in lines[:2]:
        model = DetectionFinding.model_validate(record).model_dump(mode="json", exclude_unset=True)
        # The models lack `evidences[].process`, which the schema has since 1.1, and spell no other attribute otherwise.
        for evidence in record["evidences"]:
            evidence.pop("process")
        assert model == record
    assert [(r["finding_info"]["uid"], r["severity_id"], r["count"]) for r in lines[:2]] == [("f1", 4, 2), ("f3", 4, 1)]
    assert [a.get("tactic", a.get("technique"))["uid"] for a in lines[0]["finding_info"]["attacks"]] == [
        "TA0001", "TA0011", "T1190", "T1505"]  # fmt: skip


def test_ocsf_names_tactics_and_techniques_however_a_hunt_writes_them() -> None:
    told = replace(alert(device("a", "f1")), tactics=("Defense evasion", "C2", "Mischief"), techniques=("t1059.001",))
    (record,) = ocsf.detection_findings(told)
    assert [{k: v for k, v in a.items() if k != "version"} for a in record["finding_info"]["attacks"]] == [
        {"tactic": {"uid": "TA0005", "name": "Stealth"}},
        {"tactic": {"uid": "TA0011", "name": "Command and Control"}},
        {
            "technique": {"uid": "T1059", "name": "Command and Scripting Interpreter"},
            "sub_technique": {"uid": "T1059.001", "name": "PowerShell"},
        },
    ]


def test_text_for_people() -> None:
    told = as_text(alert(device("a", "f1", "f2")))
    assert told == (
        "ATT&CK: InitialAccess, CommandAndControl, T1190, T1505.003\n"
        "As of 2026-03-10 00:00 UTC\n"
        "\n"
        "a (apppool): 2 findings of 7 events, 2026-03-09 12:30:00 to 12:30:00\n"
        "    cmd.exe /c whoami\n"
        "\n"
        "Evidence: lakehunt findings --hunt 0b9c1c7e --as-of 2026-03-10T00:00:00Z"
    )
    assert as_text(Alert(FAILURE, "Hunt failed: x", AT, text="why")) == "why\nAs of 2026-03-10 00:00 UTC"
    assert visible("a\nb\x1b[31m\u202e") == "a\\u000ab\\u001b[31m\\u202e"
    assert visible("x" * 7000) == "x" * 500 + "... (7000 characters)"


def test_an_id_is_of_what_is_told() -> None:
    told = alert(device("a", "f1"))
    assert replace(told, title="other").id == told.id
    assert alert(device("a", "f2")).id != told.id


@pytest.mark.parametrize(
    ("written", "told"),
    {
        "soc: {}": r":3:.*soc needs one of webhook, notify, ocsf",
        "soc: {webhook: a, notify: b}": r":3:.*needs one of",
        "soc: {webhook: ''}": r":3:.*webhook must be text",
        "soc: {webhok: a}": r":3:.*unknown key 'webhok'",
        "soc: {ocsf: a, kinds: [failure]}": r":3:.*cannot send",
        "soc: x": r":3:.*is not a valid channel",
    }.items(),
)
def test_errors_name_their_line(tmp_path: Path, written: str, told: str) -> None:
    with pytest.raises(LakehuntError, match=told):
        channels(tmp_path, written)


@pytest.mark.parametrize("evidence", ["see {hunt}", "see {", "see {0}", "see {hunt_id.name}"])
def test_evidence_that_cannot_be_filled_in(tmp_path: Path, evidence: str) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(f"alerts:\n  evidence: '{evidence}'\n")
    with pytest.raises(LakehuntError, match=r":2:.*cannot be filled in"):
        config.load(str(file))
