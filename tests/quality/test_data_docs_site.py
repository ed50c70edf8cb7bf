"""Data Docs that people open: they fetch nothing, hold no value of the data, stay as long as they are to."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lakehunt import config
from lakehunt.core.errors import LakehuntError
from lakehunt.lake.delta_lake import Lake
from lakehunt.quality import data_docs_site
from lakehunt.quality.data_docs import DataDocs
from lakehunt.quality.results import ExpectationResult, documents
from lakehunt.quality.suites import Expectation
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.quality_tables import VALIDATIONS
from tests.support.blobs import NOW, blob, record, write_suites
from tests.support.landing import ingest, promote

SECRET = "hunter2-planted"
WARNS = {
    "type": "expect_column_values_to_be_in_set",
    "kwargs": {"column": "FileName", "value_set": ["fine.exe"]},
    "severity": "warning",
}


COUNTS = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "events", "min_value": 0},
    "severity": "info",
}


def ignore(_: str) -> None:
    pass


@pytest.fixture
def docs(tmp_path: Path) -> DataDocs:
    return DataDocs(tmp_path / "docs", keep=timedelta(days=10_000))


def land(lake: Lake, tmp_path: Path, docs: DataDocs, name: str, **properties: object) -> object:
    blob(tmp_path / "source", record(**properties) + "\n", name)
    ingest(lake, str(tmp_path / "source"), NOW, ignore)
    [outcome] = promote(lake, write_suites(tmp_path / "suites", (WARNS,), (COUNTS,)), docs, ignore).batches
    return outcome.page


def test_pages_of_earlier_batches_stay_until_they_are_too_old(lake: Lake, tmp_path: Path, docs: DataDocs) -> None:
    folder = tmp_path / "docs"
    bad = land(lake, tmp_path, docs, "1.json", FileName=SECRET, ProcessCommandLine=SECRET)
    good = land(lake, tmp_path, docs, "2.json", FileName="fine.exe")
    assert (bad, good) == (str(folder / "index.html"), None)
    assert "href" not in (folder / "index.html").read_text()  # pages of what is not refused are left to a later run

    rows = lake.few(BATCHES)
    failed = [row for row in lake.few(VALIDATIONS) if not row["success"]]
    data_docs_site.publish(docs, [], rows, failed, NOW)
    index = (folder / "index.html").read_text()
    links = re.findall(r'href="([^"]+)"', index)
    assert sorted(links) == [
        f"batch-{n}/{suite}.html" for n in (1, 2) for suite in ("device_process_events", "landing")
    ]
    assert "warning: FileName: values to be in set, 1 of 1 rows" in index
    for page in [folder / link for link in links] + [folder / "index.html"]:
        text = page.read_text()
        assert not re.findall(r"<script|<link|@import|url\(|src=|https?:", text)
        assert SECRET not in text
        assert "<title>" in text

    data_docs_site.publish(DataDocs(folder, keep=timedelta(days=1)), [], rows, [], NOW + timedelta(days=2))
    assert [page.name for page in folder.rglob("*")] == ["index.html"]
    assert "batch-1" not in (folder / "index.html").read_text()


def batch(
    number: int, at: datetime, *counts: int, outcome: str = "settled", table: str | None = None
) -> dict[str, object]:
    names = ("delivered", "events", "quarantined", "duplicates")
    whose = {"batch": number, "landed_at": at, "outcome": outcome, "event_table": table}
    return whose | dict(zip(names, counts, strict=True))


def failure(suite: str, expectation: str, severity: str = "warning") -> dict[str, object]:
    what = {"batch": 1, "suite": suite, "position": 1, "expectation": expectation, "column": "ActionType"}
    counts = {"unexpected_count": 1, "element_count": 4, "observed": None}
    return what | counts | {"severity": severity, "notes": "Why."}


def test_a_batch_says_what_failed_in_which_table(docs: DataDocs, tmp_path: Path) -> None:
    rows = [
        batch(1, NOW, 1, 0, 1, 0, table=""),
        batch(1, NOW, 4, 0, 0, 0, outcome="refused", table=None),  # as earlier versions wrote it
        batch(1, NOW, 3, 3, 0, 0, table="DeviceFileEvents"),
    ]
    failed = [
        failure("device_process_events", "expect_column_values_to_not_be_null", "critical"),
        failure("device_file_events", "expect_column_values_to_be_in_set"),
        failure("landing", "expect_column_max_to_be_between"),
    ]
    data_docs_site.publish(docs, [], rows, failed, NOW)
    page = (tmp_path / "docs/index.html").read_text()
    by_day, by_batch = (
        [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in part.split("</tr>")[1:-1]]
        for part in page.split("By batch")
    )
    assert by_day == ["2024-05-02 1 8 3 0 1 12.50 1"]
    assert by_batch == [
        (
            "1 2024-05-02 12:00 DeviceFileEvents 3 3 0 0 settled"
            " warning: ActionType: values to be in set, 1 of 4 rows. Why."
            " warning for the whole batch: ActionType: max to be between, 1 of 4 rows. Why."
        ),
        "DeviceProcessEvents 4 0 0 0 refused critical: ActionType: values to not be null, 1 of 4 rows. Why.",
        "none 1 0 0 1 settled",
    ]


def test_days_add_up(docs: DataDocs, tmp_path: Path) -> None:
    rows = [batch(1, NOW, 10, 8, 1, 1), batch(2, NOW, 10, 0, 0, 0, outcome="refused")]
    rows.append(batch(3, NOW + timedelta(days=1), 100, 80, 20, 0))
    data_docs_site.publish(docs, [], rows, [], NOW)
    text = re.sub(r"<[^>]+>|\s+", " ", (tmp_path / "docs/index.html").read_text())
    table = " ".join(text.split("By day of landing")[1].split("By batch")[0].split())
    assert table.endswith("Refused 2024-05-03 1 100 80 0 20 20.00 2024-05-02 2 20 8 1 1 5.00 1")


def results(met: bool) -> list[dict[str, object]]:
    rule = Expectation("expect_table_row_count_to_be_between", {"min_value": 1}, "warning", "why", False)
    one = ExpectationResult("events", 1, rule, met, {"observed_value": int(met)})
    return list(documents(1, [one], NOW))


def test_a_page_is_rendered_of_kept_results_by_whoever_comes_next(docs: DataDocs, tmp_path: Path) -> None:
    rows = [batch(1, NOW, 10, 10, 0, 0), batch(2, NOW, 0, 0, 0, 0)]
    folder = tmp_path / "docs"
    data_docs_site.publish(docs, [(1, one) for one in results(met=True)], rows, [], NOW, later=True)
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*")) == [
        "batch-1/events.json",
        "index.html",
    ]
    assert "href" not in (folder / "index.html").read_text()
    # A call that is not to leave pages renders those that were left, too.
    data_docs_site.publish(docs, [(2, one) for one in results(met=False)], rows, [], NOW)
    pages = ["batch-1/events.html", "batch-2/events.html"]
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*")) == [*pages, "index.html"]
    assert re.findall(r'href="([^"]+)"', (folder / "index.html").read_text()) == pages[::-1]
    texts = [(folder / page).read_text() for page in pages]
    assert ["Status: Succeeded" in " ".join(re.sub(r"<[^>]+>", "", text).split()) for text in texts] == [True, False]
    assert ["Batch 1: events" in texts[0], "Batch 2: events" in texts[1]] == [True, True]
    assert not re.findall(r"<script|<link|@import|url\(|src=|https?:", "".join(texts))


def test_the_section_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(json.dumps({"data_docs": {"folder": "docs", "url": "https://d.example/x/", "keep": "7d"}}))
    docs = config.load(str(file)).data_docs
    assert docs == DataDocs(tmp_path / "docs", "https://d.example/x/", timedelta(days=7))
    assert docs.link("batch-1/landing.html") == "https://d.example/x/batch-1/landing.html"
    assert DataDocs().within("s3a://bucket/lake").folder is None
    assert DataDocs().within(str(tmp_path)).folder == tmp_path / "quality/data_docs"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("data_docs: {keep: 7}", "lakehunt.yaml:1:13: data_docs: keep is 7"),
        ("data_docs: {keeps: 7d}", "lakehunt.yaml:1:13: data_docs: unknown key 'keeps'"),
        ("data_docs: [1]", "lakehunt.yaml:1:1: data_docs: expected a mapping"),
    ],
)
def test_a_bad_section_is_named(tmp_path: Path, section: str, message: str) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(section)
    with pytest.raises(LakehuntError, match=re.escape(message)):
        config.load(str(file))
