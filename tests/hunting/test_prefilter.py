"""What of a condition many hunts share: text that is folded once for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import pack
from lakehunt.hunting import compiled_hunt
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.incremental import prefilter
from lakehunt.hunting.incremental.predicates import RowPredicates, extract_row_predicates
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql import plan as p
from lakehunt.kql.binding import bind
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.spark.functions import CATALOG


@pytest.mark.parametrize(
    ("condition", "function", "constant"),
    [
        ('ProcessCommandLine has "LSASS"', "has_cs", "lsass"),
        ('ProcessCommandLine !contains "LSASS"', "!contains_cs", "lsass"),
        ('ProcessCommandLine =~ "ΟΔΟΣ"', "==", "οδοσ"),
        ('tolower(ProcessCommandLine) contains "LSASS"', "contains_cs", "lsass"),
        ('tolower(ProcessCommandLine) startswith "lsass"', "startswith_cs", "lsass"),
    ],
)
def test_searches_in_any_case_are_of_folded_text(condition: str, function: str, constant: str) -> None:
    folded = prefilter.folded(_term(condition))
    assert isinstance(folded, p.Call)
    where, what = folded.args
    assert folded.function == function
    assert isinstance(where, p.ColumnRef)
    assert where.name == "$$folded ProcessCommandLine"
    assert isinstance(what, p.Const)
    assert what.value == constant


@pytest.mark.parametrize(
    "condition",
    [
        'tolower(ProcessCommandLine) == "lsass"',  # the final sigma is a letter of its own here
        'toupper(ProcessCommandLine) contains "LSASS"',
        'strcat(ProcessCommandLine, "!") contains "LSASS"',
        "ProcessCommandLine has FileName",
    ],
)
def test_other_conditions_stay_as_they_are(condition: str) -> None:
    term = _term(condition)
    assert prefilter.folded(term) == term


def _term(condition: str) -> p.Expr:
    split_ = extract_row_predicates(bind(f"DeviceProcessEvents | where {condition}", KQL_TABLES, CATALOG))
    assert isinstance(split_, RowPredicates)
    (term,) = split_.tables["DeviceProcessEvents"].alternatives[0].conditions
    return term


@pytest.mark.compiled
@pytest.mark.parametrize("count", [10, 200])
def test_events_are_read_by_code_that_the_jvm_compiles(spark: Any, lake: Lake, tmp_path: Path, count: int) -> None:
    """Spark uses no method past a limit: it would copy every event, with all its columns, before it is asked."""
    table = DEVICE_PROCESS_EVENTS
    pack.write(pack.hunts(count, days=7), tmp_path / "hunts")
    hunts, _ = hunt_file.load_folder(tmp_path / "hunts")
    splits = [extract_row_predicates(compiled_hunt.compile_hunt(one).plan) for one in hunts]
    found = [one.tables[table.name] for one in splits if isinstance(one, RowPredicates)]
    predicates = [one.alternatives for one in found]
    frame, context = lake.read(table.events.name), EVENTS_ONLY.context(lake, 0)
    prefiltered = prefilter.apply_prefilters(table, frame, predicates, context)
    plan = prefiltered.frame._jdf.queryExecution().executedPlan()
    debug = getattr(spark._jvm.org.apache.spark.sql.execution.debug, "package$")
    stages = getattr(debug, "MODULE$").codegenStringSeq(plan)
    read = [stage for stage in map(stages.apply, range(stages.size())) if "FileScan" in stage._1()]
    read = [stage for stage in read if "CollectMetrics" not in stage._1()]  # what is above asks few events
    assert len(predicates) == count
    assert read, "Spark's plan has no stage that reads files"
    assert all(0 < stage._3().maxMethodCodeSize() < 8000 for stage in read)
