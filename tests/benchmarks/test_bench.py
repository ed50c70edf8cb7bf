"""The benchmark itself: that it makes what it says, and that its peer asks the same as its hunts."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks import events, lake, landing, pack, peer, repeated_answers
from benchmarks.first_answer import Question
from lakehunt.hunting import compiled_hunt, engine
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.query import adhoc
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.records import defender_streaming
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import EVENT_TABLES

DAYS = events.days(20_000, count=2, rarity=40)
AS_OF = DAYS[-1].end


@pytest.fixture(scope="module")
def connection():  # type: ignore[no-untyped-def]
    return events.connect()


@pytest.fixture(scope="module")
def made(spark, connection, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """A lake that nothing has hunted in."""
    folder = tmp_path_factory.mktemp("made")
    for day in DAYS:
        lake.land(Lake(spark, str(folder / "lake")), connection, day, day.count)
    return folder / "lake"


def test_events_of_a_day_have_all_columns_and_are_the_same_each_time(connection) -> None:
    day = events.Day(3, first=500, count=400, rarity=20)
    whole = connection.sql(events.select(day)).to_arrow_table()
    part = events.connect(threads=1).sql(events.select(day, (100, 300))).to_arrow_table()
    assert whole.column_names[:73] == events.columns()
    assert whole.slice(100, 200).equals(part)


def test_events_have_what_makes_hunts_work(connection) -> None:
    day = events.Day(0, first=0, count=20_000, rarity=1_000)
    row = connection.execute(f"""
        SELECT count(DISTINCT FileName), count(DISTINCT ProcessCommandLine) / count(*),
            median(length(ProcessCommandLine)), max(length(ProcessCommandLine)),
            count(*) FILTER (FileName <> lower(FileName)) > 0,
            count(*) FILTER (CAST(CAST(Timestamp AS TIMESTAMP) AS DATE) < DATE '{day.date}') BETWEEN 1 AND 100,
            count(*) FILTER (FileName IS NULL OR ProcessCommandLine IS NULL OR DeviceId IS NULL)
        FROM ({events.select(day)})""").fetchall()[0]
    names, distinct, median, longest, mixed_case, late, missing = row
    assert (names > 300, distinct > 0.7, 80 < median < 200, 1_000 < longest < 5_000) == (True,) * 4
    assert (mixed_case, late, missing) == (True, True, 0)


def test_every_hunt_compiles_and_has_an_id_of_its_own(tmp_path: Path) -> None:
    made = pack.hunts(pack.LARGEST, days=7)
    pack.write(made, tmp_path)
    hunts, errors = hunt_file.load_folder(tmp_path)
    assert (errors, [one.id for one in hunts]) == ([], [one.id for one in made])
    assert [compiled_hunt.compile_hunt(one).hunt.name for one in hunts] == [one.name for one in made]
    assert len({one.sql for one in made}) == pack.LARGEST


def test_a_larger_pack_holds_the_smaller_one() -> None:
    assert pack.hunts(50, days=7)[:10] == pack.hunts(10, days=7)


@pytest.mark.campaign
def test_the_peer_and_lakehunt_find_the_same_in_every_shape(spark, made: Path, tmp_path: Path) -> None:
    everything, root = pack.hunts(pack.LARGEST, days=7), tmp_path / "lake"
    lake.link(made, root)
    peer.run(root, everything, AS_OF, 7, tmp_path / "peer")
    found = {one.id: peer.rows(one, tmp_path / "peer") for one in everything}
    chosen = _one_of_each_shape(everything, [one for one in everything if found[one.id]])
    assert len(chosen) == len(pack.SHAPES) + 2
    pack.write(chosen, tmp_path / "hunts")
    hunts, _ = hunt_file.load_folder(tmp_path / "hunts")
    runs = engine.run_hunts(Lake(spark, str(root)), hunts, times.from_datetime(AS_OF), lambda step: None)
    assert [run.error for run in runs if run.error] == []
    for one in chosen:
        assert peer.findings(one, root, AS_OF) == found[one.id], one.name


def _one_of_each_shape(everything: list[pack.Hunt], finding: list[pack.Hunt]) -> list[pack.Hunt]:
    """The seeds, and of each shape a hunt that finds something."""
    shapes = {one.name.split(":")[0]: one for one in finding if one not in everything[:2]}
    return [*everything[:2], *shapes.values()]


@pytest.mark.parametrize("question", repeated_answers.QUESTIONS, ids=lambda one: one.name)
def test_the_peer_answers_the_same_question(spark, made: Path, question: Question) -> None:
    as_of = times.from_datetime(AS_OF)
    answer = adhoc.query(Lake(spark, str(made)), question.kql, as_of)
    names = [column.name for column in answer.schema]
    ours = [json.dumps(dict(zip(names, row, strict=True)), sort_keys=True) for row in answer.rows]
    asked = repeated_answers.Asked(made, made / "none", AS_OF)
    with repeated_answers.duckdb(asked) as peers:
        theirs = peers.ask(question)
    assert len(ours) == len(theirs)
    if not question.part:
        assert sorted(ours) == repeated_answers._parsed(theirs)


def test_a_lake_without_its_last_day_gets_it_by_linking(made: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    lake.link(made, own, without_last_day=True)
    assert landing.stored(own) == DAYS[0].count
    lake.land_last_day(made, own)
    assert landing.stored(own) == landing.stored(made) == 20_000


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
def test_blobs_of_every_table_are_valid_events(connection, tmp_path: Path, table: EventTable) -> None:
    events.write_blobs(connection, events.Day(0, first=0, count=240, rarity=20), tmp_path, table)
    lines = [line for blob in sorted(tmp_path.rglob("PT1H.json")) for line in blob.read_bytes().splitlines()]
    parsed = defender_streaming.parse(pa.array(lines, pa.binary()), {table.category: table})
    found = parsed.tables[table.name]
    assert (len(found.positions), found.faults, parsed.unreadable) == (240, {}, {})
    assert len(set(found.events["event_id"].to_pylist())) == 240


def test_blobs_hold_every_event_as_the_service_writes_it(connection, tmp_path: Path) -> None:
    day = events.Day(0, first=0, count=240, rarity=20)
    events.write_blobs(connection, day, tmp_path / "blobs")
    blobs = sorted((tmp_path / "blobs").rglob("PT1H.json"))
    records = [json.loads(line) for blob in blobs for line in blob.read_text().splitlines()]
    assert (len(blobs), len(records)) == (24, 240)
    assert set(records[0]["properties"]) == set(events.columns()) - set(events.NOT_STREAMED)
    assert len(records[0]["properties"]["Timestamp"]) == len("2026-03-02T00:00:00.0000000Z")
    assert landing.into_parquet(tmp_path / "blobs", tmp_path / "peer.parquet")[1] == 240
