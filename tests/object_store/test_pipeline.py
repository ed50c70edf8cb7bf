"""Everything that Spark does, on S3: hunting, maintenance, and landing by both engines into one lake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.runtime import java
from tests.support.blobs import write_suites
from tests.support.commands import LAKEHUNT, lakehunt
from tests.support.paths import PROJECT
from tests.support.s3_landing import everything, many, waiting, watched
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, Server, put
from tests.support.spark_settings import QUICK, write_config

pytestmark = pytest.mark.campaign

AS_OF = "2026-03-10T00:00:00Z"
EXPECTED = json.loads((PROJECT / "samples/expected.json").read_text())


@pytest.fixture(scope="module", autouse=True)
def _java() -> None:
    try:
        java.found()
    except LakehuntError as none:
        pytest.skip(f"Spark cannot be started: {none}")


def test_a_lake_in_s3_from_its_first_run_to_its_maintenance(bucket: str, folder: Path, tmp_path: Path) -> None:
    samples = PROJECT / "samples/streaming"
    for file in samples.rglob("*.json"):
        put(f"{bucket}/source/{file.relative_to(samples)}", file.read_bytes())
    source, lake = f"s3://{bucket}/source", f"s3://{bucket}/lake"
    log = tmp_path / "spark.log"
    for engine in ("local", "spark"):
        (tmp_path / engine).mkdir()
        write_config(tmp_path / engine, lake=lake, landing={"engine": engine})

    def done(*arguments: str, engine: str = "local") -> str:
        config = ["--config", str(tmp_path / engine / "lakehunt.yaml")]
        process = lakehunt(*arguments, *config, LAKEHUNT_SPARK_LOG=str(log))
        assert process.returncode == 0, process.stderr
        assert SECRET_KEY not in process.stdout + process.stderr + log.read_text(errors="replace")
        return process.stdout

    said = done("run", source, "--as-of", AS_OF)
    assert "landed 446 records from 122 files" in said
    found = DeltaTable(f"s3a://{bucket}/lake/findings/all", storage_options=ObjectStore().delta_options())
    per_hunt = Counter(found.to_pyarrow_table(columns=["hunt_id"]).column("hunt_id").to_pylist())
    assert per_hunt == {hunt: len(rows) for hunt, rows in EXPECTED["hunts"].items() if rows}

    assert "landed 0 records from 0 files (122 files had not changed)" in done("land", source, engine="spark")
    assert json.loads(done("query", "DeviceProcessEvents | count", "--format", "jsonl")) == {"Count": 442}
    assert "events.device_process_events" in done("status")
    done("maintain")
    assert json.loads(done("query", "DeviceProcessEvents | count", "--format", "jsonl")) == {"Count": 442}
    assert not [file for file in folder.rglob("*") if file.is_file() and SECRET_KEY.encode() in file.read_bytes()]


def landing(source: str, root: str, engine: str, suites: Path, tmp_path: Path) -> subprocess.Popen[str]:
    """`lakehunt land` by one of the engines, as a process and the leader of a group of its own."""
    own = tmp_path / engine
    own.mkdir(exist_ok=True)
    settings = {"engine": engine, "tables": ["DeviceProcessEvents"]}
    config = write_config(own, expectations=str(suites), landing=settings)
    command = [*LAKEHUNT, "land", source, "--lake", root, "--config", str(config)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "pipelines")}
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=both, text=True, start_new_session=True)


def test_both_engines_at_once_and_one_that_is_killed(bucket: str, folder: Path, tmp_path: Path) -> None:
    suites = write_suites(tmp_path / "suites")
    source = many(bucket, 6)

    def finished(process: subprocess.Popen[str]) -> None:
        output, _ = process.communicate()
        assert process.returncode == 0, output
        assert SECRET_KEY not in output

    straight = f"s3a://{bucket}/straight"
    begun = time.perf_counter()
    finished(landing(source, straight, "spark", suites, tmp_path))
    takes = time.perf_counter() - begun
    local = f"s3a://{bucket}/local"
    finished(landing(source, local, "local", suites, tmp_path))
    assert everything(local) == everything(straight)

    both = f"s3a://{bucket}/both"
    by_spark = landing(source, both, "spark", suites, tmp_path)
    while by_spark.poll() is None and not (folder / "both/raw").exists():
        time.sleep(0.05)
    finished(landing(source, both, "local", suites, tmp_path))
    finished(by_spark)
    assert everything(both) == everything(straight)

    killed = f"s3a://{bucket}/killed"
    process = landing(source, killed, "spark", suites, tmp_path)
    time.sleep(0.7 * takes)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finished(landing(source, killed, "spark", suites, tmp_path))
    for root in (both, killed):
        assert everything(root) == everything(straight)
        assert waiting(root) == []


def test_settings_of_sparks_own_leave_everything_to_spark(bucket: str, s3: Server, tmp_path: Path) -> None:
    """With keys that only Hadoop is told, and none in the environment."""
    source, root = many(bucket, 1), f"s3a://{bucket}/lake"
    own = {"endpoint": s3.endpoint, "endpoint.region": "us-east-1", "path.style.access": "true"}
    own |= {"access.key": ACCESS_KEY, "secret.key": SECRET_KEY}
    spark = QUICK | {f"spark.hadoop.fs.s3a.{name}": value for name, value in own.items()}
    config = tmp_path / "lakehunt.yaml"
    suites = write_suites(tmp_path / "suites")
    config.write_text(json.dumps({"spark": spark, "lake": root, "expectations": str(suites)}))
    none = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = none | {"PYTHONPATH": str(PROJECT / "pipelines")}
    command = [*LAKEHUNT, "land", source, "--config", str(config)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, commands = watched(process)
    assert process.returncode == 0, said
    assert "landed 42 records from 1 files" in said
    assert len(everything(root)[0]) == 42
    assert any("java" in line for line in commands)
    assert SECRET_KEY not in "\n".join([said, *commands])
