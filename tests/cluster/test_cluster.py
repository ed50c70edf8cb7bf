"""The same answer on a real cluster: standalone master and workers on loopback, the jobs by spark-submit."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.kql import times
from lakehunt.quality.data_docs import DataDocs
from lakehunt.runtime import java, settings
from tests.support.cluster import Cluster, cluster, run, spark_home, submit
from tests.support.paths import PROJECT
from tests.support.spark_settings import QUICK_JVM

SOURCE = PROJECT / "samples/streaming"
AS_OF = "2026-03-10T00:00:00Z"
JOBS = (("land", SOURCE), ("validate",), ("hunt", "--as-of", AS_OF))
SETTINGS = """
landing:
  engine: spark   # source and lake are folders here
spark:
  spark.sql.shuffle.partitions: 4   # work for both workers
  spark.sql.adaptive.enabled: false
  spark.sql.codegen.wholeStage: false   # compiling code takes longer than answering without it
  spark.sql.codegen.factoryMode: NO_CODEGEN
"""

OF_A_RUN = {"landed_at", "validated_at", "started_at", "seconds", "run_id", "pass_id", "bytes_read"}
OF_A_PASS = {"hunts/passes": {"bytes"}}
"""Columns that differ from run to run. The same events take more bytes or fewer, in another order or in more files."""


@pytest.fixture(scope="module", autouse=True)
def _java() -> None:
    try:
        java.found()
    except LakehuntError as none:
        pytest.skip(f"a cluster's processes cannot be started: {none}")


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with cluster(folder, workers=2) as running:
        yield running


@pytest.mark.campaign
def test_a_cluster_finds_what_one_machine_finds(two_workers: Cluster, lake, tmp_path: Path) -> None:
    on_cluster, alone = tmp_path / "on_cluster", Path(lake.root)
    configuration, log = tmp_path / "lakehunt.yaml", tmp_path / "log"
    configuration.write_text(SETTINGS)
    log.mkdir()
    for job, *arguments in JOBS:
        command = (PROJECT / f"jobs/{job}.py", "--lake", on_cluster, "--config", configuration, *arguments)
        submit(*command, options=_options(two_workers, log), folder=tmp_path)
    _on_one_machine(lake)

    assert _tables(on_cluster) == _tables(alone)
    for table in _tables(alone):
        assert _rows(on_cluster, table) == _rows(alone, table), table
    expected = json.loads((PROJECT / "samples/expected.json").read_text())
    assert _rows(on_cluster, "events/device_process_events").total() == expected["landing"]["events"]
    for hunt, findings in expected["hunts"].items():
        assert _rows(on_cluster, f"findings/{hunt}").total() == len(findings)

    applications = sorted(log.iterdir())
    assert len(applications) == len(JOBS)
    for application in applications:
        assert set(_tasks_by_worker(application)) == two_workers.workers


def test_settings_reach_spark(tmp_path: Path) -> None:
    """What spark-submit is told comes before the configuration, which comes before Lakehunt's own choice; and none of
    them before what answers depend on."""
    (tmp_path / "lakehunt.yaml").write_text(
        "spark:\n"
        "  spark.master: local[7]\n"
        "  spark.hadoop.fs.s3a.endpoint: https://s3.example\n"
        "  spark.sql.files.maxPartitionBytes: 64m\n"
        "  spark.sql.shuffle.partitions: 3\n"
        "  spark.sql.ansi.enabled: true\n"
    )
    script = Path(__file__).with_name("settings.py")
    told = ("--master", "local[1]", "--conf", "spark.sql.shuffle.partitions=5", "--name", "nightly")
    submitted = json.loads(submit(script, options=told, folder=tmp_path).splitlines()[-1])
    alone = json.loads(run([sys.executable, script], tmp_path).splitlines()[-1])

    assert submitted["endpoint"] == alone["endpoint"] == "https://s3.example"
    names = ("spark.master", "spark.app.name", "spark.sql.shuffle.partitions", "spark.sql.ansi.enabled")
    assert [submitted["spark"][name] for name in names] == ["local[1]", "nightly", "5", "false"]
    assert [alone["spark"][name] for name in names] == ["local[7]", "lakehunt", "3", "false"]
    assert submitted["spark"]["spark.sql.files.maxPartitionBytes"] == "64m"


def test_the_documentation_names_the_packages_that_fit() -> None:
    clusters, stores = ((PROJECT / f"docs/how-to/{page}.md").read_text() for page in ("clusters", "object-stores"))
    hadoop = next((spark_home() / "jars").glob("hadoop-client-api-*.jar")).stem.removeprefix("hadoop-client-api-")
    assert settings.delta_package() in clusters
    assert settings.delta_package() in stores
    assert f"org.apache.hadoop:hadoop-aws:{hadoop}" in stores
    assert f"org.apache.hadoop:hadoop-azure:{hadoop}" in stores


def _options(running: Cluster, log: Path) -> tuple[object, ...]:
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": QUICK_JVM,
        "spark.executor.extraJavaOptions": QUICK_JVM,
        # All executors are there before the first task, so that each of them gets some.
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": log.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }
    room = ("--master", running.url, "--executor-memory", "1g", "--total-executor-cores", "2")
    return (*room, *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")))


def _on_one_machine(lake) -> None:  # type: ignore[no-untyped-def]
    """What the jobs do, in the session of these tests: local mode, two cores."""
    from lakehunt.hunting import engine
    from lakehunt.hunting.content import hunt_file
    from tests.support.landing import ingest, promote

    def ignore(_: str) -> None: ...

    ingest(lake, str(SOURCE), datetime.now(UTC), ignore)
    promote(lake, Config().expectations, DataDocs(), ignore)
    hunts, _ = hunt_file.load_folder(Config().hunts)
    as_of = times.parse_datetime(AS_OF)
    assert as_of is not None
    engine.run_hunts(lake, hunts, as_of, ignore)


def _tables(lake: Path) -> list[str]:
    return sorted(str(log.parent.relative_to(lake)) for log in lake.glob("*/*/_delta_log"))


def _rows(lake: Path, table: str) -> Counter[str]:
    """Every row of a table, and how often it is there, without what differs from run to run."""
    rows = DeltaTable(lake / table).to_pyarrow_table().to_pylist()
    left_out = OF_A_RUN | OF_A_PASS.get(table, set())
    kept = ({name: value for name, value in row.items() if name not in left_out} for row in rows)
    return Counter(json.dumps(row, default=str, sort_keys=True) for row in kept)


def _tasks_by_worker(log: Path) -> dict[str, int]:
    """How many tasks the executors of each worker have finished, as Spark's event log has it."""
    workers: dict[str, str] = {}
    finished: dict[str, int] = defaultdict(int)
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerExecutorAdded":
            page: str = event["Executor Info"]["Log Urls"]["stdout"]
            workers[event["Executor ID"]] = page.partition("/logPage")[0]
        elif event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "Success":
            finished[workers[event["Task Info"]["Executor ID"]]] += 1
    return finished
