"""A pass for many hunts: its code, and hunts of all sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import pack
from lakehunt.hunting import compiled_hunt
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.incremental import prefilter
from lakehunt.hunting.incremental.predicates import RowPredicate, RowPredicates, extract_row_predicates
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql.binding import bind
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.spark.functions import CATALOG
from tests.support.events import event, store

T, C = "DeviceProcessEvents", "ProcessCommandLine"


def made(filters: list[prefilter.HuntFilter | Exception]) -> list[prefilter.HuntFilter]:
    found = [one for one in filters if isinstance(one, prefilter.HuntFilter)]
    assert len(found) == len(filters)
    return found


def predicates(condition: str) -> tuple[RowPredicate, ...]:
    found = extract_row_predicates(bind(f"{T} | where {condition}", KQL_TABLES, CATALOG))
    assert isinstance(found, RowPredicates)
    return found.tables[T].alternatives


def hits(lake: Lake, conditions: list[str]) -> dict[int, list[int]]:
    """The places of the hunts with these conditions that an event is a hit of, by its ReportId."""
    context = EVENTS_ONLY.context(lake, 0)
    filters = made(prefilter.hunt_filters(DEVICE_PROCESS_EVENTS, [*map(predicates, conditions)], context))
    found = prefilter.apply_prefilters(lake.read(DEVICE_PROCESS_EVENTS.events.name), filters).frame
    return {row.ReportId: sorted(row[prefilter.HUNTS]) for row in found.select("ReportId", prefilter.HUNTS).collect()}


@pytest.mark.slow
@pytest.mark.compiled
def test_two_thousand_hunts_in_one_pass(lake: Lake) -> None:
    """Of every three hunts, one is decided by a keyword, one asks for a number besides, and one for a number only.
    The 1,000 events have the keyword of one hunt each."""
    store(lake, [event(ReportId=n, ProcessCommandLine=f"run k{n}k") for n in range(1000)])
    conditions = [
        [f"{C} has 'k{n}k'", f"{C} has 'k{n}k' and ReportId >= 100", f"ReportId == {n}"][n % 3] for n in range(2000)
    ]
    found = hits(lake, conditions)
    assert found == {n: [n] for n in range(1000) if n % 3 != 1 or n >= 100}


@pytest.mark.slow
def test_hunts_of_hundreds_of_conditions(lake: Lake) -> None:
    store(
        lake,
        [event(ReportId=n, ProcessCommandLine=text) for n, text in enumerate(["w599", "w1 w2", "", "w3", "w4", "w9"])],
    )
    numbers = range(600)
    conditions = [
        " or ".join(f"{C} has 'w{n}'" for n in numbers),
        " and ".join(f"{C} !has 'w{n}'" for n in numbers if n != 3),
        " or ".join(f"({C} has 'w{n}' and {C} has 'w{n + 1}')" for n in numbers),
        " or ".join(f"({C} has 'w{n}' and ReportId == {n})" for n in numbers),
        f"{C} == 'w1' or (" * 200 + f"{C} == 'w9'" + ")" * 200,
    ]
    assert hits(lake, conditions) == {0: [0], 1: [0, 2, 3], 2: [1], 3: [0, 1, 3], 4: [0, 3], 5: [0, 4]}


def test_a_predicate_is_met_as_a_whole(lake: Lake) -> None:
    """A hunt that reads events twice: what is left of one of its predicates does not do for the keywords of another."""
    store(lake, [event(ReportId=n, ProcessCommandLine=text) for n, text in enumerate(["ab", "cd"])])
    ab, cd = predicates(f"{C} has 'ab' and ReportId > 5"), predicates(f"{C} has 'cd' and ReportId >= 0")
    filters = made(prefilter.hunt_filters(DEVICE_PROCESS_EVENTS, [[*ab, *cd]], EVENTS_ONLY.context(lake, 0)))
    found = prefilter.apply_prefilters(lake.read(DEVICE_PROCESS_EVENTS.events.name), filters).frame
    assert [row.ReportId for row in found.collect()] == [1]


@pytest.mark.compiled
@pytest.mark.parametrize("count", [10, 200])
def test_events_are_read_by_code_that_the_jvm_compiles(spark: Any, lake: Lake, tmp_path: Path, count: int) -> None:
    """Spark uses no method past a limit: it would copy every event, with all its columns, before it is asked."""
    table = DEVICE_PROCESS_EVENTS
    pack.write(pack.hunts(count, days=7), tmp_path / "hunts")
    hunts, _ = hunt_file.load_folder(tmp_path / "hunts")
    splits = [extract_row_predicates(compiled_hunt.compile_hunt(one).plan) for one in hunts]
    found = [one.tables[table.name] for one in splits if isinstance(one, RowPredicates)]
    alternatives = [one.alternatives for one in found]
    frame, context = lake.read(table.events.name), EVENTS_ONLY.context(lake, 0)
    prefiltered = prefilter.apply_prefilters(frame, made(prefilter.hunt_filters(table, alternatives, context)))
    plan = prefiltered.frame._jdf.queryExecution().executedPlan()
    debug = getattr(spark._jvm.org.apache.spark.sql.execution.debug, "package$")
    stages = getattr(debug, "MODULE$").codegenStringSeq(plan)
    read = [stage for stage in map(stages.apply, range(stages.size())) if "FileScan" in stage._1()]
    read = [stage for stage in read if "CollectMetrics" not in stage._1()]  # what is above asks few events
    assert len(alternatives) == count
    assert read, "Spark's plan has no stage that reads files"
    assert all(0 < stage._3().maxMethodCodeSize() < 8000 for stage in read)
