"""The page in a real browser: that no attack in it runs and, in the campaign, what is shown, searched and sorted.

Needs a Chromium or Chrome on the path; skipped without one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehunt.core.printable import printable
from lakehunt.reporting import page as pages
from tests.support.browser import Page, browser
from tests.support.reports import END, HOSTILE, report

pytestmark = pytest.mark.slow

HOSTILE_ONE, RECURRING, WITHOUT_EVENTS = "1", "2", "12c"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "report.html"
    made.write_text(pages.render(report(), END), encoding="utf-8")
    return made


def listed(tab: Page) -> list[str]:
    """The findings that are shown, in their order: the last digits of their ids."""
    shown = "[...document.querySelectorAll('.finding')].filter(one => one.offsetHeight > 0).map(one => one.id)"
    return [re.sub("f-0*", "", id_) for id_ in tab.evaluate(shown)]


def text(tab: Page, selector: str) -> Any:
    return tab.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent")


def test_nothing_that_an_attacker_wrote_runs(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.evaluate("document.title") == "Lakehunt report, as of 2026-03-10 00:00:00"
    assert text(tab, "code.whole") == printable(HOSTILE)
    assert tab.evaluate("document.querySelectorAll('script, img, iframe, object, link').length") == 1
    assert tab.evaluate("performance.getEntriesByType('resource').length") == 0


def test_the_policy_stops_what_gets_past_the_escaping(tab: Page, file: Path) -> None:
    """As if the template had let a script, a handler and a style through."""
    attack = "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    style = "<style>body { display: none }</style>"
    broken = file.with_name("broken.html")
    broken.write_text(file.read_text().replace("<main>", f"<main>{attack}{style}"))
    tab.open(broken)
    assert tab.evaluate("document.title").startswith("Lakehunt report")
    assert tab.evaluate("getComputedStyle(document.body).display") == "block"

    without = file.with_name("without.html")  # so that the test above can fail
    without.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", broken.read_text()))
    tab.open(without)
    assert tab.evaluate("document.title") == "pwned"
    assert tab.evaluate("getComputedStyle(document.body).display") == "none"


def test_the_pages_own_style_and_script_are_let_in(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.evaluate("document.documentElement.className") == "scripted"
    assert tab.evaluate("getComputedStyle(document.querySelector('.hostile')).unicodeBidi") == "isolate"
    assert tab.evaluate("getComputedStyle(document.querySelector('.chart .bar rect')).fill") not in {"", "rgb(0, 0, 0)"}


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", [HOSTILE_ONE, RECURRING, WITHOUT_EVENTS]),
        ("#status=new", [HOSTILE_ONE, WITHOUT_EVENTS]),
        ("#severity=Low", [RECURRING]),
        ("#device=id-1", [HOSTILE_ONE]),
        ("#hunt=2a9dfc1d-6dd2-42e5-81ef-fb90f3d96239", [RECURRING]),
        ("#day=2026-03-10", [WITHOUT_EVENTS]),
        ("#q=GPJ.exe+pwned", [HOSTILE_ONE]),
        ("#q=nowhere", []),
        ("#sort=-events", [RECURRING, HOSTILE_ONE, WITHOUT_EVENTS]),
        ("#sort=name&status=new", [HOSTILE_ONE, WITHOUT_EVENTS]),
        ("#sort=nonsense&device=nobody", [HOSTILE_ONE, RECURRING, WITHOUT_EVENTS]),
    ],
)
def test_a_view_is_in_the_address(tab: Page, file: Path, fragment: str, expected: list[str]) -> None:
    tab.open(file, fragment)
    assert listed(tab) == expected
    assert text(tab, "#shown") == ("3" if len(expected) == 3 else f"{len(expected)} of 3")


@pytest.mark.campaign
def test_a_finding_is_opened_by_its_id(tab: Page, file: Path) -> None:
    tab.open(file, f"#f-{2:064x}")
    assert tab.evaluate("[...document.querySelectorAll('.finding[open]')].map(one => one.id)") == [f"f-{2:064x}"]


@pytest.mark.campaign
def test_search_filter_and_sort_by_hand(tab: Page, file: Path) -> None:
    tab.open(file)
    tab.evaluate("document.querySelector('input[name=q]').focus()")
    tab.call("Input.insertText", text="PING")
    assert listed(tab) == [RECURRING]
    assert tab.evaluate("location.hash") == "#q=PING"
    tab.evaluate("document.querySelector('button[type=reset]').click()")
    tab.evaluate("new Promise(done => setTimeout(done, 50))")
    assert listed(tab) == [HOSTILE_ONE, RECURRING, WITHOUT_EVENTS]
    by_events = "document.querySelector('button[data-sort=events]')"
    tab.evaluate(f"{by_events}.click()")
    assert listed(tab) == [RECURRING, HOSTILE_ONE, WITHOUT_EVENTS]
    tab.evaluate(f"{by_events}.click()")
    assert listed(tab) == [WITHOUT_EVENTS, HOSTILE_ONE, RECURRING]
    assert tab.evaluate(f"{by_events}.getAttribute('aria-pressed')") == "true"
    tab.evaluate("document.querySelector('#hunts a[href^=\"#hunt=2a9\"]').click()")
    tab.evaluate("new Promise(done => setTimeout(done, 50))")
    assert listed(tab) == [RECURRING]


@pytest.mark.campaign
@pytest.mark.parametrize("width", [390, 1_400])
def test_nothing_is_wider_than_the_screen(tab: Page, file: Path, width: int) -> None:
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 500)
    tab.open(file)
    tab.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.documentElement.clientWidth") in range(width - 20, width + 1)
