"""The DAG files: what they may import, and that a setting reaches a job as it is."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakehunt.runtime import session

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


def test_its_delta_is_the_one_that_is_installed(tasks: Any) -> None:
    assert f"spark-submit --packages {session.delta_package()}" == tasks.SPARK_SUBMIT


def test_without_a_connection_the_command_is_as_written(tasks: Any) -> None:
    command = "env 'A=b c' spark-submit --conf spark.log.level=INFO"
    assert tasks.words(command, connections()).splitlines() == shlex.split(command)


def test_a_connection_chooses_the_cluster(tasks: Any) -> None:
    extra = {"deploy-mode": "cluster", "queue": "hunts", "conf": {"spark.executor.memory": "4g"}}
    words = tasks.words("spark-submit", connections(host="spark://master", port=7077, extra_dejson=extra))
    assert words.split("\n") == [
        *("spark-submit", "--master", "spark://master:7077", "--deploy-mode", "cluster", "--queue", "hunts"),
        *("--conf", "spark.executor.memory=4g", "--conf", "spark.log.level=WARN"),
    ]
    assert tasks.words("spark-submit", connections(host="yarn")).split("\n")[1:3] == ["--master", "yarn"]


@pytest.mark.parametrize(
    "name", ["spark.hadoop.fs.s3a.secret.key", "spark.ssl.keyPassword", "spark.authenticate.secret"]
)
def test_a_setting_that_spark_would_log_with_its_secret_is_refused(tasks: Any, name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(name)) as refused:
        tasks.words("spark-submit", connections(extra_dejson={"conf": {name: "planted"}}))
    assert "planted" not in str(refused.value)
