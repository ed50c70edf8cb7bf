"""The DAG files: what they may import, and that a setting reaches a job as it is."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakehunt.runtime import settings

DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture(scope="module")
def tasks() -> Any:
    """The module that the DAGs share, as Airflow imports it."""
    sys.path.insert(0, str(DAGS))
    try:
        import lakehunt_tasks
    finally:
        sys.path.remove(str(DAGS))
    return lakehunt_tasks


def connections(**fields: Any) -> Any:
    found = SimpleNamespace(**{"host": None, "port": None, "extra_dejson": {}, **fields}) if fields else None
    return SimpleNamespace(get=lambda name, default: found if name == "lakehunt_spark" else default)


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda file: file.stem)
def test_it_imports_neither_spark_nor_lakehunt(file: Path) -> None:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    ours = {"airflow", "lakehunt_tasks"}
    assert {name.split(".")[0] for name in imported} <= set(sys.stdlib_module_names) | ours


def test_they_load_from_a_folder_that_holds_nothing_else(tmp_path: Path) -> None:
    """As git-sync or a managed Airflow has them: without jobs beside them, and without Spark or Lakehunt installed."""
    folder = shutil.copytree(DAGS, tmp_path / "synced", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import json, sys\n"
        "sys.modules.update(dict.fromkeys(['pyspark', 'delta', 'lakehunt', 'jobs']))  # importing them fails\n"
        "from airflow.dag_processing.dagbag import BundleDagBag\n"
        "bag = BundleDagBag(sys.argv[1], bundle_path=sys.argv[1])\n"
        "tasks = {name: sorted(dag.task_dict) for name, dag in bag.dags.items()}\n"
        "print(json.dumps([tasks, bag.import_errors]))\n"
    )
    own = {"AIRFLOW_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        {
            "lakehunt_land": ["land", "landed", "validate"],
            "lakehunt_hunt": ["hunt"],
            "lakehunt_backfill": ["hunt"],
            "lakehunt_maintain": ["maintain"],
        },
        {},
    ]


def test_jobs_are_beside_the_dags_or_where_the_variable_says(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tasks.jobs("") == str(DAGS.parent / "jobs")
    assert tasks.jobs("s3a://bucket/jobs/") == "s3a://bucket/jobs"
    monkeypatch.setattr(tasks, "JOBS", Path("/nowhere/jobs"))
    assert tasks.jobs("local:///opt/lakehunt/jobs") == "local:///opt/lakehunt/jobs"
    with pytest.raises(ValueError, match=r"lakehunt_jobs: not set, and there is no folder /nowhere/jobs"):
        tasks.jobs("")


def test_its_delta_is_the_one_that_is_installed(tasks: Any) -> None:
    assert f"spark-submit --packages {settings.delta_package()}" == tasks.SPARK_SUBMIT


def test_without_a_connection_the_command_is_as_written(tasks: Any) -> None:
    command = "env 'A=b c' spark-submit --conf spark.log.level=INFO"
    assert tasks.words(command, connections()).splitlines() == shlex.split(command)


def test_a_connection_chooses_the_cluster(tasks: Any) -> None:
    extra = {"deploy-mode": "cluster", "queue": "hunts", "conf": {"spark.executor.memory": "4g"}}
    words = tasks.words("spark-submit", connections(host="spark://master", port=7077, extra_dejson=extra))
    assert words.split("\n") == [
        *("spark-submit", "--master", "spark://master:7077", "--deploy-mode", "cluster", "--queue", "hunts"),
        *("--conf", "spark.log.level=WARN"),
    ]
    assert tasks.words("spark-submit", connections(host="yarn")).split("\n")[1:3] == ["--master", "yarn"]


@pytest.mark.parametrize(
    ("master", "mode", "command", "expected"),
    [
        ("k8s://https://kubernetes:6443", "cluster", "spark-submit", True),
        ("k8s://https://kubernetes:6443", "client", "spark-submit", False),
        ("yarn", "cluster", "spark-submit", False),
        (None, None, "spark-submit --master k8s://https://kubernetes --deploy-mode cluster", True),
        (None, None, "spark-submit --master=k8s://https://kubernetes --deploy-mode=cluster", True),
        (None, None, "spark-submit", False),
    ],
)
def test_where_the_driver_is_a_pod(
    tasks: Any, master: str | None, mode: str | None, command: str, expected: bool
) -> None:
    found = connections(host=master, extra_dejson={"deploy-mode": mode}) if master else connections()
    assert tasks.on_kubernetes(command, found) is expected


@pytest.mark.parametrize(
    ("says", "code", "ends"),
    [
        ("phase: Succeeded", 0, None),
        ("phase: Failed", 0, "returned a non-zero exit code 1"),
        ("", 0, "returned a non-zero exit code 1"),
        ("phase: Succeeded", 3, "returned a non-zero exit code 3"),
    ],
)
def test_a_driver_on_kubernetes_has_to_have_succeeded(
    tasks: Any, tmp_path: Path, says: str, code: int, ends: str | None
) -> None:
    """Spark's spark-submit returns 0 there, whatever becomes of the driver."""
    stand_in = tmp_path / "submit"
    stand_in.write_text(f"#!/bin/sh\necho '\t {says}' >&2\necho finished\nexit {code}\n")
    stand_in.chmod(0o755)
    task = tasks.spark_submit("maintain")
    task.env = {"JOBS": "/jobs", "SPARK_SUBMIT": str(stand_in), "ON_KUBERNETES": "yes"}
    context = {"conn": connections(), "ti": None}
    if ends is None:
        task.execute(context)
    else:
        with pytest.raises(Exception, match=ends):
            task.execute(context)


@pytest.mark.parametrize(
    "name", ["spark.hadoop.fs.s3a.secret.key", "spark.ssl.keyPassword", "spark.authenticate.secret"]
)
def test_a_setting_that_airflow_would_show_with_its_secret_is_refused(tasks: Any, name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(name)) as refused:
        tasks.words("spark-submit", connections(extra_dejson={"conf": {name: "planted"}}))
    assert "planted" not in str(refused.value)


def test_settings_of_the_connection_reach_spark_submit_in_a_private_file(
    tasks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line every user of the machine could read them. The stand-in writes down what it is given."""
    stand_in, log = tmp_path / "submit", tmp_path / "log"
    program = [
        f"#!{sys.executable}",
        "import os, sys",
        f"log = open({str(log)!r}, 'w')",
        "print(sys.argv[1:], file=log)",
    ]
    program += ["file = sys.argv[sys.argv.index('--properties-file') + 1]"]
    program += ["print(oct(os.stat(os.path.dirname(file)).st_mode), open(file).read(), file=log)"]
    stand_in.write_text("\n".join(program))
    stand_in.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = connections(host="yarn", extra_dejson={"conf": {"spark.my.own": "Planted"}})
    task = tasks.spark_submit("land")
    task.env = {"JOBS": "/jobs", "SPARK_SUBMIT": tasks.words(str(stand_in), found)}
    task.execute({"conn": found, "ti": None})
    arguments, kept = log.read_text().split("\n", 1)
    assert "Planted" not in arguments
    assert "'--load-spark-defaults', '/jobs/land.py'" in arguments
    escaped = "".join(f"\\u{ord(c):04x}" for c in "Planted")
    assert kept.startswith("0o40700 ")
    assert f"={escaped}" in kept
    assert not list(tmp_path.glob("lakehunt-*"))


def test_settings_in_two_files_are_refused(tasks: Any) -> None:
    found = connections(extra_dejson={"conf": {"spark.executor.memory": "4g"}})
    with pytest.raises(ValueError, match="use one"):
        tasks.words("spark-submit --properties-file /etc/spark.properties", found)
