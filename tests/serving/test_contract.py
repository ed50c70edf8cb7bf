"""What BI may rely on: the columns of a contract, their dictionary, and that both are told of a change."""

from __future__ import annotations

import re

import pytest

from lakehunt.hunting.findings import writer
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.table import CONTRACT
from lakehunt.serving.views import VIEWS
from tests.support.events import event, store
from tests.support.hunts import AS_OF, H1, common, custom, run
from tests.support.paths import PROJECT

PROMISED = {
    1: """finding_id STRING, as_of TIMESTAMP, ordinal BIGINT, hunt_id STRING, hunt_name STRING, hunt_version STRING,
          tactics ARRAY<STRING>, techniques ARRAY<STRING>,
          attack_tactics ARRAY<STRING>, attack_techniques ARRAY<STRING>,
          severity STRING, status STRING, device_id STRING, device_name STRING, account_name STRING,
          first_seen TIMESTAMP, last_seen TIMESTAMP, events BIGINT, suppressed BIGINT,
          evidence ARRAY<STRING>, window_start TIMESTAMP, window_end TIMESTAMP, result STRING""",
}
"""The columns of each contract. One that was released is never changed here: a change is the next number."""


def test_a_change_of_columns_is_a_new_contract() -> None:
    promised = {column.strip() for column in PROMISED[writer.FINDINGS_ALL.contract].replace("\n", " ").split(",")}
    assert {f"{c.name} {c.type}" for c in writer.FINDINGS_ALL.columns} == promised
    assert max(PROMISED) == writer.FINDINGS_ALL.contract


def test_the_changelog_has_every_contract() -> None:
    told = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert {int(number) for number in re.findall(r"contract (\d+) of\s+`findings\.all`", told)} == set(PROMISED)


def test_every_view_says_what_it_is() -> None:
    for view in VIEWS:
        assert view.comment
        assert all(comment for _, comment in view.columns), view.name


@pytest.mark.parametrize(
    ("tactics", "techniques", "names", "ids"),
    [
        (
            ("Defense evasion", "DefenseEvasion", "TA0002", "Ransomware"),
            ("T1059/001", " t1059.001", "odd"),
            ["Stealth", "Execution", "Ransomware"],
            ["T1059.001", "odd"],
        ),
        ((), (), [], []),
    ],
)
def test_tactics_have_one_name_however_they_are_written(
    lake: Lake, tactics: tuple[str, ...], techniques: tuple[str, ...], names: list[str], ids: list[str]
) -> None:
    store(lake, [event()])
    run(lake, custom("DeviceProcessEvents | project DeviceId", tactics=tactics, techniques=techniques))
    (found,) = common(lake)
    assert (found["tactics"], found["techniques"]) == (list(tactics), list(techniques))
    assert (found["attack_tactics"], found["attack_techniques"]) == (names, ids)


def test_a_table_says_which_contract_it_is_of(lake: Lake) -> None:
    from deltalake import DeltaTable

    store(lake, [event()])
    run(lake, H1)
    assert DeltaTable(lake.path(writer.ALL)).metadata().configuration[CONTRACT] == str(writer.FINDINGS_ALL.contract)


def test_a_table_of_an_earlier_version_comes_under_the_contract(lake: Lake) -> None:
    """It gets the columns and the number with the next run; rows of as-ofs before it stay as they are."""
    from deltalake import DeltaTable
    from pyspark.sql import functions as F

    store(lake, [event()])
    run(lake, H1, as_of="2026-03-06T00:00:00Z")
    place = lake.path(writer.ALL)
    old = lake.read(writer.ALL).drop("attack_tactics", "attack_techniques").localCheckpoint()
    old.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(place)
    lake.spark.sql(f"ALTER TABLE delta.`{place}` UNSET TBLPROPERTIES ('{CONTRACT}')")
    run(lake, H1, as_of=AS_OF)
    assert DeltaTable(place).metadata().configuration[CONTRACT] == str(writer.FINDINGS_ALL.contract)
    rows = lake.read(writer.ALL).orderBy("as_of").select("status", F.col("attack_tactics").isNull()).collect()
    assert [tuple(row) for row in rows] == [("new", True), ("recurring", False)]
