"""The same answer on a real cluster: standalone master and workers on loopback, the jobs by spark-submit."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from lakehunt.runtime import settings
from tests.support.cluster import Cluster, options, run, spark_home, submit
from tests.support.paths import PROJECT
from tests.support.tables import AS_OF, SAMPLES, rows, run_samples, tables

JOBS = (("land", SAMPLES), ("validate",), ("hunt", "--as-of", AS_OF))
SETTINGS = """
landing:
  engine: spark   # source and lake are folders here
spark:
  spark.sql.shuffle.partitions: 4   # work for both workers
  spark.sql.adaptive.enabled: false
  spark.sql.codegen.wholeStage: false   # compiling code takes longer than answering without it
  spark.sql.codegen.factoryMode: NO_CODEGEN
"""


@pytest.mark.campaign
def test_a_cluster_finds_what_one_machine_finds(two_workers: Cluster, lake, tmp_path: Path) -> None:
    on_cluster, alone = tmp_path / "on_cluster", Path(lake.root)
    configuration, log = tmp_path / "lakehunt.yaml", tmp_path / "log"
    configuration.write_text(SETTINGS)
    log.mkdir()
    for job, *arguments in JOBS:
        command = (PROJECT / f"jobs/{job}.py", "--lake", on_cluster, "--config", configuration, *arguments)
        submit(*command, options=("--master", two_workers.url, *options(log)), folder=tmp_path)
    run_samples(lake)

    assert tables(on_cluster) == tables(alone)
    for table in tables(alone):
        assert rows(on_cluster, table) == rows(alone, table), table
    expected = json.loads((PROJECT / "samples/expected.json").read_text())
    assert rows(on_cluster, "events/device_process_events").total() == expected["landing"]["events"]
    for hunt, findings in expected["hunts"].items():
        assert rows(on_cluster, f"findings/{hunt}").total() == len(findings)

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
