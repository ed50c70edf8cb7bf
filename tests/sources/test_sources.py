"""A source is a module with an entry point: landing finds it by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.ingest import ingest
from lakehunt.landing.promote import promote
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from lakehunt.schemas.landing_tables import QUARANTINE
from lakehunt.sources import base

NOW = datetime(2024, 5, 2, 12, tzinfo=UTC)

BARE = '''\
"""Events without an envelope, one JSON object a line, in files that end in .ndjson."""
from pyspark.sql import functions as F

from lakehunt.sources import defender_streaming as streaming

NAME = "bare_events"
TABLES = streaming.TABLES
is_complete, with_envelope = streaming.is_complete, streaming.with_envelope


def _wrapped(text):
    return F.concat(F.lit('{"category": "%s", "properties": ' % TABLES[0].category), text, F.lit("}"))


def find(spark, source):
    return [blob for blob in streaming.find(spark, source) if blob.path.endswith(".ndjson")]


def parse(rows):
    text = {"delivered": F.col("text"), "text": _wrapped(F.col("text"))}
    parsed = streaming.parse(rows.withColumns(text | {"category": F.lit(TABLES[0].category)}))
    return parsed.withColumn("text", F.col("delivered")).drop("delivered")


def holds_event(text):
    return streaming.holds_event(_wrapped(text))


def fields(text, names):
    return streaming.fields(_wrapped(text), names)
'''


@pytest.fixture
def bare_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution that brings the source `bare_events`, as pip would install it."""
    (tmp_path / "bare_events_source.py").write_text(BARE)
    info = tmp_path / "bare_events-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bare-events\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{base.GROUP}]\nbare_events = bare_events_source\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    base.installed.cache_clear()
    yield
    base.installed.cache_clear()


def test_a_source_of_its_own_distribution_is_found(bare_events: None) -> None:
    assert [*base.installed()] == ["bare_events", "defender_streaming"]
    assert base.named("bare_events").NAME == "bare_events"


def test_sources_are_called_as_they_call_themselves_and_deliver_known_tables() -> None:
    for name, source in base.installed().items():
        assert name == source.NAME
        assert source.TABLES
        assert set(source.TABLES) <= set(EVENT_TABLES)
    assert base.named().NAME == base.DEFAULT == "defender_streaming"


def test_an_unknown_source_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(LakehuntError, match="there is no source 'syslog'\n  hint: installed: defender_streaming"):
        base.named("syslog")


def test_landing_reads_what_another_source_delivers(lake: Lake, tmp_path: Path, bare_events: None) -> None:
    source, suites = tmp_path / "source", tmp_path / "suites"
    source.mkdir()
    event = {"Timestamp": "2024-05-02T11:00:00.1234567Z", "DeviceId": "d1", "FileName": "a.exe"}
    (source / "day.ndjson").write_text(json.dumps(event) + "\n" + json.dumps(event | {"FileName": 7}) + "\n")
    (source / "notes.txt").write_text("left alone\n")
    suites.mkdir()
    for name in (DEVICE_PROCESS_EVENTS.suite, "landing.json"):
        (suites / name).write_text(json.dumps({"name": Path(name).stem, "expectations": []}))

    delivery = ingest(lake, str(source), NOW, lambda _: None, "bare_events")
    assert (delivery.delivered, delivery.files_read) == (2, 1)
    (batch,) = promote(lake, suites, DataDocs(), lambda _: None, "bare_events").batches
    assert (batch.events, batch.quarantined) == (1, 1)
    (stored,) = lake.read(DEVICE_PROCESS_EVENTS.events.name).select("DeviceId", "FileName").collect()
    assert tuple(stored) == ("d1", "a.exe")
    (refused,) = lake.read(QUARANTINE.name).select("reasons", "text").collect()
    assert refused.reasons == ["FileName: expected a string, found an integer (7)"]
    assert json.loads(refused.text) == event | {"FileName": 7}
