"""`lakehunt doctor`, on tables that another writer than Spark has made, and on machines that lack something."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from lakehunt.cli import main
from lakehunt.lake import write_lock
from tests.support.commands import LAKEHUNT, lakehunt

PLACES = ("hunts/hits", "hunts/passes", "findings/all")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for place in PLACES:
        for number in (1, 2):
            folder = tmp_path / place
            folder.mkdir(parents=True, exist_ok=True)
            pl.DataFrame({"n": [number]}).write_delta(folder, mode="append")
    return tmp_path


def data_file(table: Path) -> Path:
    return min(table.glob("*.parquet"))


def of_check(output: str, check: str) -> list[str]:
    """What was found by the checks of a name, each behind its outcome."""
    return [f"{one['outcome']}: {one['found']}" for one in json.loads(output) if one["check"] == check]


def found(capsys: pytest.CaptureFixture[str], check: str) -> list[str]:
    return of_check(capsys.readouterr().out, check)


def doctor(lake: Path, *options: str) -> int:
    return main(["doctor", "--format", "json", "--lake", str(lake), *options])


def test_a_whole_lake(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(lake) == 0
    assert found(capsys, "lake files") == ["ok: 3 tables, 6 data files: nothing damaged or gone"]
    assert {one.name for one in lake.iterdir()} == {"hunts", "findings"}


def test_what_is_gone_is_named_and_taken_out(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone, cut = data_file(lake / "findings/all"), data_file(lake / "hunts/hits")
    gone.unlink()
    size = cut.stat().st_size
    cut.write_bytes(b"PAR1")
    said = [
        f"findings.all: a data file is gone ({gone})",
        f"hunts.hits: a data file has 4 bytes instead of {size} ({cut})",
    ]
    assert doctor(lake) == 1
    assert sorted(found(capsys, "lake files")) == [f"failure: {one}" for one in said]
    assert doctor(lake, "--repair") == 0
    repaired = found(capsys, "lake files")
    assert sorted(repaired)[-2:] == [f"warning: {one}" for one in said]
    assert "ok: findings.all: 1 data files were taken out of its log" in repaired
    assert repaired[-1] == "ok: 1 tables, 1 data files: nothing damaged or gone"
    assert not (lake / "hunts/hits").exists()
    assert pl.read_delta(str(lake / "findings/all")).height == 1
    assert doctor(lake) == 0


def test_what_cannot_be_repaired_is_still_a_failure(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = max((lake / "findings/all/_delta_log").glob("*.json"))
    commit.write_bytes(b"")
    assert doctor(lake, "--repair") == 1
    said = f"findings.all: commit 1 of its log is empty ({commit})"
    assert found(capsys, "lake files") == [f"warning: {said}", f"failure: {said}"]


def test_text_says_what_to_do(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data_file(lake / "findings/all").unlink()
    assert main(["doctor", "--lake", str(lake)]) == 1
    *_, what, to_do, summary = capsys.readouterr().out.splitlines()
    assert what.startswith("failure  lake files: findings.all: a data file is gone")
    assert to_do == "         to do: docs/how-to/maintenance.md#a-damaged-lake says what to do"
    assert ": 1 failure" in summary


def test_a_damaged_log_ends_a_run_before_spark_starts(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = max((lake / "findings/all/_delta_log").glob("*.json"))
    commit.write_bytes(b"")
    assert main(["hunt", "--lake", str(lake)]) == 1
    assert f"findings.all: commit 1 of its log is empty ({commit})" in capsys.readouterr().err


def test_a_lake_without_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(tmp_path) == 1
    assert found(capsys, "lake files") == [f"failure: the lake {tmp_path} has no table"]


def test_a_lake_that_is_not_there_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "new/lake"
    assert doctor(root) == 0
    said = capsys.readouterr().out
    assert f"{root} (not there yet)" in said
    assert f"there is no lake at {root} yet" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/lake"])
def test_a_lake_cannot_be_where_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    (tmp_path / "file").touch()
    root = tmp_path / place
    assert doctor(root) == 1
    assert found(capsys, "lake") == [f"failure: {root} cannot be a folder: {tmp_path / 'file'} is a file"]


def test_a_lake_that_only_spark_reaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--format", "json", "--lake", "abfss://lake@account/lake"]) == 0
    assert found(capsys, "lake") == ["warning: only Spark reaches abfss://lake@account/lake"]


def test_a_commit_from_the_future(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = max((lake / "findings/all/_delta_log").glob("*.json"))
    ahead = time.time() + 3600
    os.utime(commit, (ahead, ahead))
    assert doctor(lake) == 0
    said = [one for one in found(capsys, "clocks") if "findings.all" in one]
    assert len(said) == 1
    assert said[0].startswith("warning: findings.all was written at a time that is 3")


def test_a_file_system_without_hard_links(
    lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    assert doctor(lake) == 1
    said = found(capsys, "lake")
    assert f"failure: {lake} has no hard links (Operation not permitted), by which Spark commits to tables" in said


@pytest.mark.slow
def test_spark_starts_and_reaches_the_lake(tmp_path: Path) -> None:
    place = tmp_path.as_uri()  # of which only Spark knows what it is
    done = lakehunt("doctor", "--spark", "--format", "json", "--lake", place)
    assert done.returncode == 0, done.stderr
    took, *rest = of_check(done.stdout, "Spark starts")
    assert re.fullmatch(r"ok: in [0-9.]+ s", took)
    assert rest == ["ok: it writes and reads a Delta table", f"ok: it writes and reads in {place}"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.campaign
def test_what_spark_says_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = lakehunt("doctor", "--spark", "--format", "json", "--lake", f"{tmp_path.as_uri()}/file")
    assert done.returncode == 1
    assert of_check(done.stdout, "Spark starts")[-1].startswith("failure: Spark failed: ")
    assert of_check(done.stdout, "lake files") != []


# Machines that lack something


def test_without_java(lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/no/java")
    assert doctor(lake) == 1
    checks = {one["check"]: one for one in json.loads(capsys.readouterr().out)}
    assert checks["Java"]["found"] == "no Java found at JAVA_HOME=/no/java"
    assert "pip install 'lakehunt[java]'" in checks["Java"]["to_do"]
    assert checks["lake files"]["outcome"] == "ok"


def test_variables_that_start_another_spark(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://somewhere")
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "spark"))
    assert doctor(lake) == 1
    remote, home = found(capsys, "Spark")[1:]
    assert remote == "failure: SPARK_REMOTE=sc://somewhere: Lakehunt cannot use Spark Connect"
    assert home == f"failure: SPARK_HOME={tmp_path / 'spark'} has no Spark"
    (tmp_path / "spark/jars").mkdir(parents=True)
    (tmp_path / "spark/jars/spark-core_2.13-4.0.1.jar").touch()
    assert doctor(lake) == 1
    assert "has spark-core_2.13-4.0.1.jar, pyspark is 4.1" in found(capsys, "Spark")[2]


def test_jars_of_another_delta(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    monkeypatch.setenv("LAKEHUNT_DELTA_JARS", str(jars))
    assert doctor(lake) == 1
    assert found(capsys, "jars") == [f"failure: no delta-spark jar in {jars}"]
    (jars / "delta-spark_4.1_2.13-4.3.0.jar").touch()
    (jars / "io.delta_delta-storage-4.4.0.jar").touch()
    assert doctor(lake) == 1
    assert found(capsys, "jars")[1:] == [f"failure: delta-spark_4.1_2.13-4.4.0.jar is not in {jars}"]


def test_more_memory_than_there_is(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "lakehunt.yaml"
    config.write_text("spark: {spark.driver.memory: 4t}\n")
    assert doctor(lake, "--config", str(config)) == 1
    assert found(capsys, "memory")[0].startswith("failure: 4096.0 GB for Spark (spark.driver.memory), this ")
    config.write_text("spark: {spark.driver.memory: much}\n")
    assert doctor(lake, "--config", str(config)) == 1
    assert found(capsys, "memory") == ["failure: spark.driver.memory is 'much'"]


def apart(lake: Path, check: str, before: str, *namespaces: str, **environment: str) -> list[str]:
    """What a check finds in namespaces of its own, after shell commands that change them."""
    command = " ".join(map(shlex.quote, [*LAKEHUNT, "doctor", "--format", "json", "--lake", str(lake)]))
    wrapped = ["unshare", *namespaces, "--", "sh", "-ec", f"{before}\nexec {command}"]
    env = os.environ | environment
    done = subprocess.run(wrapped, env=env, capture_output=True, text=True, check=False)
    if not done.stdout:
        pytest.skip(f"no namespaces here: {done.stderr.strip()}")
    assert done.returncode == 1
    return of_check(done.stdout, check)


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


@on_linux
def test_a_lake_that_is_read_only(lake: Path) -> None:
    (said,) = apart(lake, "lake", f"mount --bind -o ro {lake} {lake}", "--mount")
    assert said == f"failure: {lake} cannot be written by user {os.getuid()}: Read-only file system"


@on_linux
def test_temporary_files_that_cannot_be_executed(lake: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    config = tmp_path / "lakehunt.yaml"
    config.write_text(f"spark: {{spark.driver.extraJavaOptions: -Djava.io.tmpdir={folder}}}\n")
    mount = f"mount -t tmpfs -o noexec,size=1m tmpfs {folder}"
    said = apart(lake, "temporary files", mount, "--mount", LAKEHUNT_CONFIG=str(config))
    assert said[-1].startswith(f"failure: {folder} is mounted noexec")


@on_linux
def test_a_host_without_an_address(lake: Path) -> None:
    said = apart(lake, "host name", "hostname no-such-host.invalid", "--uts")
    assert said == ["failure: no-such-host.invalid has no address, so Spark cannot start"]


@on_linux
def test_a_machine_without_loopback(lake: Path) -> None:
    said = apart(lake, "host name", "true", "--net")
    assert said[0] == "failure: the loopback interface does not work: Network is unreachable"


@on_linux
def test_a_user_without_an_entry(lake: Path) -> None:
    said = apart(lake, "user", "true", "--user", "--map-user=54321")
    assert said == ["failure: user 54321 has no entry in /etc/passwd, so Hadoop cannot log in"]


def test_hits_are_not_moved_while_a_command_writes(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data_file(lake / "hunts/hits").unlink()
    with write_lock.shared(str(lake)):
        assert doctor(lake, "--repair") == 1
    said = f"hits have to be computed again, but another command is writing to the lake {lake}"
    assert f"failure: {said}" in found(capsys, "lake files")
    assert (lake / "hunts/hits").exists()
