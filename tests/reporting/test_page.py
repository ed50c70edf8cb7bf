"""The page as text: what it says, and that nothing an attacker wrote is anything but text."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from lakehunt.core.printable import printable
from lakehunt.reporting import charts, page, report_data
from lakehunt.reporting.redacted_report import without_secrets
from lakehunt.reporting.report_data import Details, Period, Quality, Report
from tests.support.reports import DEVICE, END, HOSTILE, TICKS, details, finding, hunt, ran, report

VOID = {"meta", "link", "input", "img", "br", "hr"}
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "h1", "h2", "h3", "h4", "p", "a"),
    *("b", "i", "bdi", "span", "code", "div", "ul", "ol", "li", "dl", "dt", "dd", "form", "label", "input", "select"),
    *("option", "output", "button", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "figure"),
    *("figcaption", "script", "svg", "g", "rect", "path", "text"),
}


class Reader(HTMLParser):
    """All elements with their attributes, and the text inside of each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        if tag not in VOID:
            self.open.append(len(self.texts) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self.open[-1]][0] == tag, f"</{tag}> closes what it has not opened"
        if tag not in {"i", "bdi", "code"}:
            self.handle_data(" ")  # as a reader sees it: what follows stands apart
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for number in self.open:
            self.texts[number] += data

    def of(self, tag: str, class_: str = "") -> list[str]:
        there = zip(self.elements, self.texts, strict=True)
        classes = [((attrs.get("class") or "").split(), name, text) for (name, attrs), text in there]
        return [text for has, name, text in classes if name == tag and (not class_ or class_ in has)]


@pytest.fixture(scope="module")
def text() -> str:
    return page.render(report(), END)


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def test_only_elements_of_the_template_are_there(read: Reader) -> None:
    assert {tag for tag, _ in read.elements} <= KNOWN
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert [tag for tag, _ in read.elements].count("title") == 1 + titles_of_bars(read)
    assert read.open == []


def titles_of_bars(read: Reader) -> int:
    return sum(tag == "rect" and "reactive" in (attrs.get("class") or "") for tag, attrs in read.elements) - len(
        read.of("g", "legend")
    )


def test_no_element_has_a_handler_a_style_or_an_address_elsewhere(read: Reader) -> None:
    for tag, attrs in read.elements:
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "src", "action", "srcdoc"}, (tag, name)
            if name == "href":
                assert (value or "").startswith("#"), value


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(read: Reader) -> None:
    [policy] = [attrs["content"] for _, attrs in read.elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in str(policy).split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": digest(read.of("script")),
        "style-src": digest(read.of("style")),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def digest(texts: list[str]) -> str:
    [text] = texts
    whole = text.removesuffix(" ")  # the reader's own
    return f"'sha256-{base64.b64encode(hashlib.sha256(whole.encode()).digest()).decode()}'"


def test_a_hostile_command_line_is_there_whole_as_text(read: Reader) -> None:
    assert read.of("code", "whole") == [printable(HOSTILE), "ping -n 1 host"]
    assert len(HOSTILE) > 7_000
    assert f"{printable(DEVICE)} " in read.of("span", "where")
    assert printable(HOSTILE) in read.of("dd")[0]


def test_no_hidden_character_is_left(text: str) -> None:
    lines = text.splitlines()
    assert list(map(printable, lines)) == lines


def test_the_tree(read: Reader) -> None:
    first = " ".join(read.of("ul", "tree")[1].split())
    assert first == (
        "w3wp.exe (10) told 2026-03-09 00:00:00 w3wp.exe -ap pool"
        " cmd.exe (20) finding 2026-03-10 00:00:00 apppool ping -n 1 host"
        " whoami.exe (30) 2026-03-10 00:00:01 whoami"
    )
    assert "… (7," in read.of("ul", "tree")[0]


def said(read: Reader, class_: str) -> list[str]:
    return [" ".join(one.split()) for tag in ("a", "p", "td", "div", "li") for one in read.of(tag, class_)]


def test_what_it_counts(read: Reader) -> None:
    assert said(read, "total") == [
        *("3 findings", "2 new", "2 devices", "2 hunts ran", "1 failed", "5 suppressed", "bad telemetry"),
    ]
    assert "2 of its events are no longer in the lake." in said(read, "warn")
    assert "7 more events are not shown here." in said(read, "quiet")


def test_hunts_and_what_failed(read: Reader) -> None:
    rows = [" ".join(row.split()) for row in read.of("tr")]
    assert "Ping </title> High 1 0 1 failed: no <column>" in rows
    assert "Web shells High 2 2 1 1,234 5 succeeded" in rows
    assert "Never ran High 0 0 0 has not run" in rows


def test_of_many_hunts_those_that_found_nothing_are_folded() -> None:
    given = report()
    quiet = [hunt(f"Quiet {n:02d}", f"{n:08d}-0000-4000-8000-000000000000", ran(matched=n)) for n in range(60)]
    read = Reader(page.render(replace(given, hunts=[*quiet, *given.hunts]), END))
    [folded] = [text for text in read.of("details") if "found nothing" in text]
    assert "60 more hunts ran and found nothing" in " ".join(folded.split())
    assert all(one.name in folded for one in quiet)
    assert not any(name in folded for name in ("Web shells", "Ping", "Never ran"))
    rows = [" ".join(row.split()) for row in read.of("tr")]
    assert [row.split()[0] for row in rows if row.endswith(("succeeded", "not run", "column>"))][:3] == [
        "Ping",
        "Web",
        "Never",
    ]
    assert "T1505.003 Server Software Component: Web Shell 2 61" in " ".join(rows)
    named = next(row for row in rows if row.startswith("T1505.003"))
    assert named.endswith("Quiet 06; Quiet 07 and 53 more")


def test_attack(read: Reader) -> None:
    assert any("by the names of MITRE ATT&CK\u00ae 19.2 for Enterprise" in text for text in said(read, "quiet"))
    tactics = said(read, "found") + said(read, "hunted")
    assert tactics == [
        *("Execution 3 findings 2 hunts", "Command and Control 3 findings 2 hunts"),
        "Impact 0 findings 1 hunt",
    ]
    rows = [" ".join(row.split()) for row in read.of("tr")]
    assert "T1505.003 Server Software Component: Web Shell 2 1 Web shells" in rows
    assert "T9999 1 1 Ping </title>" in rows


def test_telemetry(read: Reader) -> None:
    rows = [" ".join(row.split()) for row in read.of("tr")]
    assert "2026-03-10 00:00:00 90 90 1.50 events: less <than> 1" in rows
    assert "2026-03-09 00:00:00 0" in rows
    refused = "Batch 4 of DeviceInfo was refused, hunts do not see its 1,200 records: FileName: <in> set"
    assert refused in said(read, "bad")
    assert "critical: Timestamp: values to not be null, in 1 batch" in said(read, "bad")


def test_an_empty_report() -> None:
    nothing = Report(Period(TICKS, TICKS), [], [], Quality())
    read = Reader(page.render(nothing, END))
    assert "Nothing was found. " in read.of("p")
    assert "As of 2026-03-10 00:00:00 UTC." in " ".join(read.of("p", "quiet")[0].split())


def test_what_is_too_much_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_data, "MOST_FINDINGS", 1)
    read = Reader(page.render(report(), END))
    assert len(read.of("details")) == 1
    assert "2 more are counted only." in " ".join(read.of("p", "warn")[0].split())


def test_findings_whose_details_are_gone_are_still_listed() -> None:
    assert len(Reader(page.render(replace(report(), details={}), END)).of("details")) == 3
    assert report().details_of(finding(99)) == Details({})


def test_the_same_report_is_the_same_page(text: str) -> None:
    assert page.render(report(), END) == text


def test_a_report_to_hand_on_has_no_secrets() -> None:
    """In no command line, value or error; the rest of a command stays."""
    secret = "Pl4nted-S3cret"
    command = rf"net use \\srv\c$ /user:admin {secret}"
    given = report()
    kept = {key: details(command) for key in given.details}
    failed = hunt("Failed", "4a9dfc1d-6dd2-42e5-81ef-fb90f3d96239", ran(outcome="failed", error=f"password={secret}"))
    given = replace(given, details=kept, hunts=[*given.hunts, failed])
    handed_on = page.render(without_secrets(given), END)
    assert page.render(given, END).count(secret) > 3 * len(kept)  # twice in the row, once in the tree, and the error
    assert secret not in handed_on
    assert r"net use \\srv\c$ /user:admin [redacted]" in handed_on
    assert "password=[redacted]" in handed_on
    assert "are left out." in Reader(handed_on).of("p", "quiet")[0]
    assert "are left out." not in page.render(given, END)


def test_charts_have_a_bar_for_each_day_and_status() -> None:
    some = [finding(1), finding(2), finding(30, is_new=False), finding(31, hunt_name="<b>", hunt_id="other")]
    bars = re.findall(r"<title>(.*?)</title>", charts.by_status(some))
    assert sorted(bars) == ["2026-03-08: 1 new", "2026-03-08: 1 recurring", "2026-03-09: 2 new"]
    assert sorted(re.findall(r"<title>(.*?)</title>", charts.by_hunt(some))) == [
        "2026-03-08: 1 &lt;b&gt;",
        "2026-03-08: 1 Web shells",
        "2026-03-09: 2 Web shells",
    ]
    assert charts.by_hunt([]) == ""


def test_charts_of_long_ranges_and_many_hunts() -> None:
    some = [
        finding(n, last_seen=END - timedelta(days=n), hunt_id=f"h{n % 9}", hunt_name=f"hunt {n % 9}")
        for n in range(400)
    ]
    assert charts.by_status(some).count("<title>") == charts.MOST_DAYS
    names = {title.split(maxsplit=2)[2] for title in re.findall(r"<title>(.*?)</title>", charts.by_hunt(some))}
    assert names == {"hunt 0", "hunt 1", "hunt 2", "hunt 3", "hunt 4", "other hunts"}
