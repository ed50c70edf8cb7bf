"""What the names and contents of a Delta log tell about lost files; test_damaged_lake.py damages real tables."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.lake import damage, write_lock
from tests.support.paths import PROJECT

COMMIT = json.dumps({"commitInfo": {"operation": "WRITE"}}) + "\n" + json.dumps({"add": {"path": "a\u2028b"}}) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of hunts.hits, without commits."""
    made = tmp_path / "hunts/hits/_delta_log"
    made.mkdir(parents=True)
    return made


def commits(log: Path, *versions: int) -> None:
    for version in versions:
        (log / f"{version:020}.json").write_text(COMMIT)


def wrong(log: Path) -> list[str]:
    return [one.what for one in damage.damaged_logs(str(log.parents[2]))]


def test_nothing_is_wrong_with_whole_logs(log: Path) -> None:
    assert wrong(log) == []  # of a run that was killed before the first commit
    commits(log, 0, 1, 2)
    assert wrong(log) == []


def test_commits_before_a_checkpoint_are_not_needed(log: Path) -> None:
    commits(log, 8, 11, 12)
    (log / f"{10:020}.checkpoint.parquet").write_bytes(b"PAR1...PAR1")
    (log / f"{8:020}.crc").touch()
    assert wrong(log) == []


def test_commits_that_are_gone(log: Path) -> None:
    commits(log, 1, 3)
    (log / f"{4:020}.crc").touch()
    assert wrong(log) == [f"commit {version} of its log is gone" for version in (0, 2, 4)]


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "is empty"), (COMMIT.encode()[:-9], "is cut"), (b"\xff", "is cut")]
)
def test_commits_that_are_not_whole(log: Path, content: bytes, what: str) -> None:
    commits(log, 0, 1)
    (log / f"{1:020}.json").write_bytes(content)
    assert wrong(log) == [f"commit 1 of its log {what}"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1..."])
def test_a_checkpoint_that_is_not_whole(log: Path, content: bytes) -> None:
    commits(log, 10)
    (log / f"{10:020}.checkpoint.parquet").write_bytes(content)
    assert wrong(log) == ([] if content == b"PAR1" else ["checkpoint 10 of its log is cut"])


def test_data_without_a_log(log: Path) -> None:
    (log.parent / "part-0.parquet").touch()
    assert wrong(log) == ["its log is gone"]


def test_an_object_store_and_a_lake_that_is_not_there_yet(tmp_path: Path) -> None:
    assert damage.check_before_run("s3a://bucket/lake") == []
    assert damage.check_before_run(str(tmp_path / "new")) == []


def test_a_temporary_file_that_is_gone_when_it_is_looked_at_is_no_damage(log: Path) -> None:
    """A writer renames its file between the listing and the look at its size: here, a link that leads nowhere."""
    commits(log, 0, 1)
    (log / f".{2:020}.json.tmp").symlink_to(log / "renamed")
    assert wrong(log) == []


def test_a_run_that_commits_meanwhile_is_no_damage(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits(log, 0)
    (log / f"{1:020}.crc").touch()
    monkeypatch.setattr(damage.time, "sleep", lambda seconds: commits(log, 1))
    assert damage.check_before_run(str(log.parents[2])) == []


# Hits are moved only while nobody writes


@pytest.fixture
def lake(log: Path) -> Path:
    """A lake whose hits have lost their newest commit."""
    commits(log, 0)
    (log / f"{1:020}.crc").touch()
    return log.parents[2]


def test_hits_are_not_moved_below_a_command_that_writes(lake: Path) -> None:
    with write_lock.shared(str(lake)):
        with pytest.raises(LakehuntError) as raised:
            damage.check_before_run(str(lake))
        with write_lock.shared(str(lake)):  # others that write go on
            pass
    assert "hits have to be computed again (hunts.hits: commit 1 of its log is gone" in raised.value.message
    assert f"but another command is writing to the lake {lake}" in raised.value.message
    assert (lake / "hunts/hits/_delta_log").is_dir()
    (notice,) = damage.check_before_run(str(lake))
    assert "the old ones are in" in notice
    assert not (lake / "hunts/hits").exists()


def test_a_lock_ends_with_its_process(lake: Path) -> None:
    script = f"""
from lakehunt.lake import write_lock
with write_lock.shared({str(lake)!r}):
    print("held", flush=True)
    input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, **pipes) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"held\n"
        with pytest.raises(LakehuntError, match="another command is writing"):
            damage.check_before_run(str(lake))
        writer.kill()
    assert len(damage.check_before_run(str(lake))) == 1


def test_of_two_commands_that_see_the_damage_one_moves_hits(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one gets its lock only when the first one has moved them, and has made a new table."""
    alone = write_lock.alone

    @contextmanager
    def overtaken(root: str, purpose: str) -> Iterator[None]:
        monkeypatch.setattr(write_lock, "alone", alone)
        assert len(damage.check_before_run(root)) == 1
        (lake / "hunts/hits/_delta_log").mkdir(parents=True)
        commits(lake / "hunts/hits/_delta_log", 0)
        with alone(root, purpose):
            yield

    monkeypatch.setattr(write_lock, "alone", overtaken)
    assert damage.check_before_run(str(lake)) == []
    assert (lake / "hunts/hits/_delta_log" / f"{0:020}.json").is_file()


def test_a_lake_without_a_lock(tmp_path: Path) -> None:
    """An object store, and a lake that is not there yet."""
    for root in ("s3a://bucket/lake", str(tmp_path / "new")):
        with write_lock.shared(root):
            pass
    assert list(tmp_path.iterdir()) == []
