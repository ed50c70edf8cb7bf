"""What Spark printed is kept if a command fails, and bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt.runtime import spark_log
from lakehunt.runtime.spark_log import SparkLog


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SparkLog:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(spark_log.VARIABLE, raising=False)
    made = SparkLog()
    made.file.write_text("Setting default log level\n")
    made.started()
    return made


def test_nothing_is_kept_if_spark_reported_nothing(log: SparkLog) -> None:
    assert log.kept() is None
    log.close()
    assert not log.file.exists()


def test_the_log_of_a_failure_is_kept_for_its_user(log: SparkLog, tmp_path: Path) -> None:
    log.file.write_text("Setting default log level\nERROR Executor: Exception in task\n")
    kept = log.kept()
    log.close()
    assert kept is not None
    assert kept.parent == tmp_path / "cache/lakehunt/logs"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().endswith("ERROR Executor: Exception in task\n")


def test_nobody_else_reads_what_spark_prints(log: SparkLog) -> None:
    """Spark's errors may hold values of events, and addresses as they were configured."""
    assert log.file.stat().st_mode & 0o777 == 0o600


def test_a_log_is_never_a_file_that_was_there(log: SparkLog, tmp_path: Path) -> None:
    assert SparkLog().file != log.file
    assert log.file.parent == tmp_path


def test_what_a_former_command_of_the_process_left_is_not_kept(log: SparkLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_log._Current, "log", log)
    log.file.write_text("Setting default log level\nERROR Executor: Exception in task\n")
    assert spark_log.of_failure() is not None
    spark_log.command_started()
    assert spark_log.of_failure() is None


def test_a_long_log_keeps_its_beginning_and_its_end(log: SparkLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_log, "FIRST", 4)
    monkeypatch.setattr(spark_log, "LAST", 3)
    log.file.write_bytes(b"Setting default log level\n" + b"x" * 100 + b"end")
    kept = log.kept()
    assert kept is not None
    assert kept.read_bytes() == b"Sett\n... 122 bytes are left out ...\nend"


def test_a_kept_log_has_no_credential_of_an_address(log: SparkLog) -> None:
    log.file.write_text("Setting default log level\nERROR FileSystem: cannot open s3a://key:Pl4nted@bucket/table\n")
    kept = log.kept()
    assert kept is not None
    assert kept.read_text().endswith("cannot open s3a://[redacted]@bucket/table\n")


def test_only_the_newest_logs_are_kept(log: SparkLog, tmp_path: Path) -> None:
    folder = tmp_path / "cache/lakehunt/logs"
    folder.mkdir(parents=True)
    for day in range(10, 25):
        (folder / f"spark-202601{day}T000000Z-1.log").touch()
    with log.file.open("a") as more:
        more.write("ERROR\n")
    kept = log.kept()
    names = sorted(one.name for one in folder.iterdir())
    assert kept is not None
    assert names == [*(f"spark-202601{day}T000000Z-1.log" for day in range(16, 25)), kept.name]


def test_a_log_that_the_user_named_stays_there(log: SparkLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(spark_log.VARIABLE, str(tmp_path / "own.log"))
    own = SparkLog()
    own.file.write_text("ERROR\n")
    assert own.kept() == tmp_path / "own.log"
    own.close()
    assert own.file.exists()
