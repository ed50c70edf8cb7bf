"""What the page on clusters says of Kubernetes: its manifest, what its command sends, and how spark-submit ends.

There is no cluster here: an endpoint of the tests keeps what Spark sends, and the API's schemas judge it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster import environment, spark_home
from tests.support.kubernetes import api_server
from tests.support.paths import PROJECT

VALIDATOR = "kubernetes-validate==1.37.0"
VERSIONS = ("1.30", "1.34", "1.37")

pytestmark = [pytest.mark.campaign, pytest.mark.slow]


@pytest.fixture(scope="module")
def section() -> str:
    page = (PROJECT / "docs/how-to/clusters.md").read_text()
    return page.partition("\n## Kubernetes\n")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def validator() -> Path:
    """A folder with a package that has the schemas of the API, fetched once."""
    folder = Path.home() / ".cache/lakehunt-tests" / VALIDATOR.replace("==", "-")
    if not (folder / "kubernetes_validate").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), VALIDATOR]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{VALIDATOR}, which has the schemas of the API, cannot be installed: {done.stderr[-500:]}")
    return folder


def test_the_manifest_fits_the_api(section: str, validator: Path, tmp_path: Path) -> None:
    manifest = _block(section, "yaml")
    assert [one["kind"] for one in yaml.safe_load_all(manifest)] == ["ServiceAccount", "Role", "RoleBinding"]
    assert _refusals(manifest, validator, tmp_path) == []
    assert any(
        "'verbs' is a required property" in one
        for one in _refusals(manifest.replace("verbs", "verb"), validator, tmp_path)
    )


def test_what_the_command_sends_fits_the_api(section: str, validator: Path, tmp_path: Path) -> None:
    """The driver's pod runs the job of the image, with the arguments as they were."""
    code, said, sent = _submitted(section, tmp_path)
    assert code == 0, said
    assert {one["kind"] for one in sent} == {"Pod", "Service", "ConfigMap"}
    assert _refusals(yaml.safe_dump_all(sent), validator, tmp_path) == []
    pod = next(one for one in sent if one["kind"] == "Pod")
    assert pod["spec"]["serviceAccountName"] == "lakehunt"
    container = pod["spec"]["containers"][0]
    assert container["image"] == "registry.example/lakehunt:1"
    job, configuration = "local:///opt/lakehunt/jobs/hunt.py", "/opt/lakehunt/lakehunt.yaml"
    assert container["args"][-5:] == [job, "--config", configuration, "--as-of", "2026-03-10T00:00:00Z"]
    pythons = [one["value"] for one in container["env"] if one["name"] == "PYSPARK_PYTHON"]
    assert pythons == ["/opt/lakehunt/bin/python"]  # not that of this machine, which spark-submit has been given


def test_spark_submit_ends_with_0_whatever_the_driver_does(section: str, tmp_path: Path) -> None:
    """Why the DAGs read its log: if this fails, they need no longer."""
    good, bad = _submitted(section, tmp_path), _submitted(section, tmp_path, exit_code=1)
    assert (good[0], bad[0]) == (0, 0)
    assert "phase: Succeeded" in good[1]
    assert "phase: Succeeded" not in bad[1]
    assert "phase: Failed" in bad[1]


def _submitted(section: str, folder: Path, exit_code: int = 0) -> tuple[int, str, list[dict[str, Any]]]:
    """Runs the page's command against an endpoint: its exit code, what it says, and what it sends."""
    words = shlex.split(_block(section, "bash").replace("\\\n", " "))
    assert words[0] == "spark-submit"
    with api_server(exit_code) as server:
        words[words.index("--master") + 1] = server.url
        done = subprocess.run(
            [str(spark_home() / "bin/spark-submit"), *words[1:]],
            env=environment(folder) | {"KUBECONFIG": os.devnull},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert server.sent, done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr, server.sent


def _refusals(objects: str, validator: Path, folder: Path) -> list[str]:
    """What is wrong with some objects, for any of the versions."""
    file = folder / "objects.yaml"
    file.write_text(objects)
    found: list[str] = []
    for version in VERSIONS:
        command = [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", version, str(file)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(validator)}, capture_output=True, text=True, check=False
        )
        said = (done.stdout + done.stderr).splitlines()
        wrong = [line for line in said if not line.startswith("INFO")]
        assert len(said) > len(wrong) or wrong, "nothing was validated"
        assert bool(wrong) == bool(done.returncode), said
        found += wrong
    return found


def _block(section: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]
