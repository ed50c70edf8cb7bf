"""The DAGs, in a real Airflow, with their jobs on a real cluster, parts of which die."""

from __future__ import annotations

import json
import random
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.airflow import Airflow
from tests.support.cluster import Cluster, delta, environment, options, spark_home
from tests.support.paths import PROJECT
from tests.support.tables import AS_OF, SAMPLES, rows, run_samples, tables
from tests.support.yarn import QUEUE, yarn

SETTINGS = {
    "landing": {"engine": "spark"},  # source and lake are folders here
    "spark": {
        "spark.sql.shuffle.partitions": "4",  # work for both workers
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",  # compiling code takes longer than answering without it
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    },
}
PROMISED = ("raw/records", "quarantine/", "events/", "findings/")
"""Tables that are the same however often a job was begun."""


@pytest.mark.campaign
@pytest.mark.slow
def test_workers_die_while_the_dags_land_and_hunt(
    airflow: Airflow, two_workers: Cluster, lake, chance: random.Random, tmp_path: Path
) -> None:
    """One in each of the three jobs, with its executor: the tables are those of a straight run on one machine."""
    on_cluster, log = tmp_path / "on_cluster", tmp_path / "log"
    log.mkdir()
    content = _content(tmp_path / "content", lake=str(on_cluster), source=str(SAMPLES), **SETTINGS)
    airflow.set(spark_submit=_spark_submit(tmp_path, *options(log)), config=str(content))
    with airflow.connection(two_workers.url, **{"deploy-mode": "client"}):
        landing = airflow.trigger("lakehunt_land")
        _kill_a_worker(airflow, two_workers, "land", chance)
        _kill_a_worker(airflow, two_workers, "validate", chance)
        assert airflow.ended("lakehunt_land", landing) == "success", airflow.log("lakehunt_land", landing)[-4000:]
        hunt = airflow.trigger("lakehunt_hunt", as_of=AS_OF)
        _kill_a_worker(airflow, two_workers, "hunt", chance)
        assert airflow.ended("lakehunt_hunt", hunt) == "success", airflow.log("lakehunt_hunt", hunt)[-4000:]
    run_samples(lake)
    _same(on_cluster, Path(lake.root))
    lost = [file for file in log.iterdir() if "SparkListenerExecutorRemoved" in file.read_text()]
    assert len(lost) == 3, "a worker was killed when its application had ended"


@pytest.mark.campaign
def test_standalone_has_no_cluster_mode_for_python(tmp_path: Path) -> None:
    """Spark refuses it, as the page on clusters says."""
    command = [str(spark_home() / "bin/spark-submit"), "--master", "spark://127.0.0.1:1", "--deploy-mode", "cluster"]
    command += [str(PROJECT / "jobs/hunt.py")]
    done = subprocess.run(command, env=environment(tmp_path), check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Cluster deploy mode is currently not supported for python applications on standalone" in done.stderr


@pytest.mark.campaign
@pytest.mark.slow
def test_yarn_runs_the_drivers_too(airflow: Airflow, lake, chance: random.Random, tmp_path: Path) -> None:
    """In cluster mode, with the jobs at a URI, and the configuration, hunts and suites in an archive that travels with
    them. YARN starts a driver that is killed again; a job that fails fails its task."""
    on_cluster, straight = tmp_path / "on_cluster", Path(lake.root)
    content = _content(tmp_path / "content", lake=str(on_cluster), source=str(SAMPLES), **SETTINGS)
    for name in ("hunts", "expectations"):
        shutil.copytree(PROJECT / name, content.parent / name)
    archive = shutil.make_archive(str(tmp_path / "content"), "gztar", content.parent)
    jobs = shutil.copytree(PROJECT / "jobs", tmp_path / "jobs")
    shutil.rmtree(content.parent)  # nothing is read from where it was made
    folder = tmp_path / "yarn"
    folder.mkdir()
    with yarn(folder) as running, airflow.connection("yarn", queue=QUEUE, **{"deploy-mode": "cluster"}):
        submit = _spark_submit(
            tmp_path, "--archives", f"{archive}#content", *_of_yarn(tmp_path), conf=running.configuration
        )
        airflow.set(spark_submit=submit, config="content/lakehunt.yaml", jobs=jobs.as_uri())
        landing = airflow.trigger("lakehunt_land")
        airflow.wait(lambda: running.containers("YarnCoarse"), 300)
        time.sleep(chance.uniform(0, 10))
        running.kill("YarnCoarse")
        assert airflow.ended("lakehunt_land", landing) == "success", running.logs()[-6000:]
        hunt = airflow.trigger("lakehunt_hunt", as_of=AS_OF)
        airflow.wait(lambda: running.containers("YarnCoarse"), 300)
        time.sleep(chance.uniform(0, 4))
        running.kill("ApplicationMaster")
        assert airflow.ended("lakehunt_hunt", hunt) == "success", running.logs()[-6000:]
        run_samples(lake)
        _same(on_cluster, straight)

        airflow.set(spark_submit=submit, config="content/none.yaml", jobs=jobs.as_uri())
        failing = airflow.trigger("lakehunt_hunt", as_of=AS_OF)
        assert airflow.ended("lakehunt_hunt", failing) == "failed"
        assert "exited with status 1" in airflow.log("lakehunt_hunt", failing)
        assert "no configuration file at content/none.yaml" in running.logs()  # which Airflow does not have


def _content(folder: Path, **configuration: object) -> Path:
    """A configuration in a folder of its own; hunts and suites are the package's."""
    folder.mkdir()
    file = folder / "lakehunt.yaml"
    file.write_text(json.dumps(configuration))
    return file


def _of_yarn(folder: Path) -> tuple[str, ...]:
    """Options of spark-submit for a YARN on this machine: Python, and Spark's jars, are where they are."""
    settings = {
        "spark.yarn.appMasterEnv.PYSPARK_PYTHON": sys.executable,
        "spark.executorEnv.PYSPARK_PYTHON": sys.executable,
        "spark.yarn.jars": f"local:{spark_home()}/jars/*",
        "spark.yarn.stagingDir": (folder / "staging").as_uri(),
    }
    room = ("--num-executors", "1", "--executor-memory", "512m", "--executor-cores", "1")
    return (*room, *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")))


def _spark_submit(folder: Path, *given: str, conf: Path | None = None) -> str:
    """The Variable: spark-submit of this environment, with Delta, and Hadoop's configuration in `conf`."""
    names = ("SPARK_HOME", "SPARK_CONF_DIR", "SPARK_LOCAL_IP", "SPARK_LOCAL_DIRS", "PYSPARK_PYTHON")
    variables = [f"{name}={environment(folder)[name]}" for name in names]
    variables += [f"HADOOP_CONF_DIR={conf}"] if conf else []
    submit = [str(spark_home() / "bin/spark-submit"), *delta(), "--driver-memory", "1g"]
    return shlex.join(["env", *variables, *submit, *given])


def _kill_a_worker(airflow: Airflow, running: Cluster, job: str, chance: random.Random) -> None:
    """Kills one of two workers while both work for a job, and starts another in its place."""
    airflow.wait(lambda: airflow.spark(job) and running.all_work(), 300)
    time.sleep(chance.uniform(0, 4))
    running.kill_worker(chance.choice(running.names))
    running.add_worker()


def _same(lake: Path, straight: Path) -> None:
    """Every table with what was landed, refused and found."""
    names = [name for name in tables(straight) if name.startswith(PROMISED)]
    assert len(names) > 5
    assert [name for name in tables(lake) if name.startswith(PROMISED)] == names
    for name in names:
        assert rows(lake, name) == rows(straight, name), name
