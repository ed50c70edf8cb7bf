"""Spark and delta-rs commit to the same tables in S3 at once, and no commit is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.table import TableColumn
from tests.support.paths import PROJECT
from tests.support.scratch_tables import scratch_table

pytestmark = pytest.mark.campaign

NUMBERS = scratch_table("some.numbers", TableColumn("n", "BIGINT", "A number"), TableColumn("by", "STRING", "By whom"))

OF_DELTA_RS, OF_SPARK = 40, 15

BY_SPARK = """
import sys
from lakehunt.config import Config
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import session
from tests.object_store.test_commits import NUMBERS, OF_SPARK
from tests.support.spark_settings import QUICK

spark = session.start(Config(lake=sys.argv[1], spark=QUICK))
lake = Lake(spark, sys.argv[1])
who = sys.argv[2]
if who == "store":
    session, jvm = spark._jsparkSession, spark._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(session, lake.path(NUMBERS.name))
    path = jvm.org.apache.hadoop.fs.Path(log.logPath(), f"{1:020}.json")
    lines = lambda text: jvm.scala.jdk.javaapi.CollectionConverters.asScala(jvm.java.util.List.of(text).iterator())
    conf = spark._jsc.hadoopConfiguration()
    for text in ("{}", sys.argv[3]):
        try:
            log.store().write(path, lines(text), False, conf)
            print("written")
        except Exception as error:
            print(error.java_exception.getClass().getName())
else:
    print("begin", flush=True)
    sys.stdin.readline()
    for number in range(OF_SPARK):
        lake.append(NUMBERS, lake.local(NUMBERS, [(number, who)]))
    print(lake.read(NUMBERS.name).count())
spark.stop()
"""


def spark_process(*arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "pipelines")])}
    command = [sys.executable, "-c", BY_SPARK, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)


def append_many(root: str, who: str) -> None:
    tables = LocalTables(root)
    for number in range(OF_DELTA_RS):
        tables.append(NUMBERS, [(number, who)])


def rows(root: str) -> list[tuple[str, int]]:
    return sorted((row["by"], row["n"]) for row in LocalTables(root).rows(NUMBERS).to_pylist())


def test_two_sparks_and_delta_rs_at_once_lose_no_commit(bucket: str) -> None:
    root = f"s3a://{bucket}/lake"
    LocalTables(root).ensure(NUMBERS)
    with spark_process(root, "a spark") as one, spark_process(root, "another spark") as other:
        sparks = (one, other)
        for spark in sparks:  # all begin at the same time
            assert spark.stdout is not None
            assert spark.stdout.readline() == "begin\n"
        mine = multiprocessing.get_context("spawn").Process(target=append_many, args=(root, "delta-rs"))
        mine.start()
        for spark in sparks:
            assert spark.stdin is not None
            spark.stdin.write("\n")
            spark.stdin.flush()
        mine.join()
        for spark in sparks:
            spark.communicate()
    assert [mine.exitcode, *(spark.returncode for spark in sparks)] == [0, 0, 0]
    wanted = [("a spark", n) for n in range(OF_SPARK)] + [("another spark", n) for n in range(OF_SPARK)]
    assert rows(root) == sorted(wanted + [("delta-rs", n) for n in range(OF_DELTA_RS)])
    assert LocalTables(root).version(NUMBERS.name) == 2 * OF_SPARK + OF_DELTA_RS


def test_a_commit_whose_version_is_taken_is_refused(bucket: str, folder: Path) -> None:
    """By what Spark commits with; the same content is what a request left that was sent again."""
    root = f"s3a://{bucket}/lake"
    LocalTables(root).append(NUMBERS, [(1, "delta-rs")])
    commit = folder / "lake/some/numbers/_delta_log" / f"{1:020}.json"
    before = commit.read_text()
    commit.write_text(before.rstrip("\n") + "\n")
    with spark_process(root, "store", before.rstrip("\n")) as spark:
        said, _ = spark.communicate()
    assert said.splitlines() == ["java.nio.file.FileAlreadyExistsException", "written"]
    assert commit.read_text() == before.rstrip("\n") + "\n"


def test_what_one_writer_has_taken_another_one_has_not(bucket: str) -> None:
    root = f"s3a://{bucket}/lake"
    LocalTables(root).ensure(NUMBERS)
    with multiprocessing.get_context("spawn").Manager() as manager:
        taken: Any = manager.list()
        processes = [
            multiprocessing.get_context("spawn").Process(target=take_many, args=(root, 15, taken)) for _ in range(2)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert sorted(taken) == [False] * 15 + [True] * 15
    assert [n for _, n in rows(root)] == list(range(15))


def take_many(root: str, count: int, taken: Any) -> None:
    tables = LocalTables(root)
    for number in range(count):
        taken.append(tables.append_unless(NUMBERS, [(number, "it")], [("n", "=", number)]))


def test_a_table_is_declared_in_s3_as_in_a_folder(bucket: str, folder: Path, tmp_path: Path) -> None:
    LocalTables(f"s3://{bucket}/lake").ensure(NUMBERS)
    LocalTables(str(tmp_path / "lake")).ensure(NUMBERS)
    declared = []
    for root in (folder / "lake", tmp_path / "lake"):
        log = root / "some/numbers/_delta_log" / f"{0:020}.json"
        actions = {name: value for line in log.read_text().splitlines() for name, value in json.loads(line).items()}
        kept = {key: value for key, value in actions["metaData"].items() if key not in {"id", "createdTime"}}
        declared.append((actions["protocol"], kept))
    assert declared[0] == declared[1]
