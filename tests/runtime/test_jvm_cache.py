"""What is kept so that the next JVM starts sooner, and that nothing depends on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import java, jvm_cache, settings

JAVA = "openjdk 17"
PACKAGE = "io.delta:delta-spark_4.1_2.13:4.4.0"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "lakehunt"


def jar(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("")
    return folder / name


# Jars


def test_jars_that_were_fetched_are_known_without_those_that_spark_has(cache: Path, tmp_path: Path) -> None:
    assert jvm_cache.known_jars(PACKAGE) == []
    names = ("io.delta_delta-spark_4.1_2.13-4.4.0.jar", "io.delta_delta-storage-4.4.0.jar")
    own = [jar(tmp_path, name) for name in names]
    spark = [jar(tmp_path, name) for name in ("org.slf4j_slf4j-api-1.0.0.jar", "parquet-column-0.1.jar")]
    jvm_cache.remember_jars(PACKAGE, [*spark, *own])
    assert jvm_cache.known_jars(PACKAGE) == own
    assert jvm_cache.known_jars(PACKAGE + "1") == []
    own[0].unlink()
    assert jvm_cache.known_jars(PACKAGE) == []  # the resolver has to be asked again


def test_the_resolver_is_asked_where_the_configuration_wants_more(cache: Path, tmp_path: Path) -> None:
    jvm_cache.remember_jars(settings.delta_package(), [jar(tmp_path, "delta-spark_4.1_2.13-4.4.0.jar")])
    assert settings.delta_jars(Config())
    assert settings.delta_jars(Config(spark={"spark.jars.packages": "org.apache.hadoop:hadoop-aws:3.4.2"})) == []


def test_jars_for_s3_are_needed_where_a_place_is_there(cache: Path, tmp_path: Path) -> None:
    in_s3 = Config(lake="s3a://lakes/one")
    delta, s3 = jar(tmp_path, "delta-spark_4.1_2.13-4.4.0.jar"), jar(tmp_path, "hadoop-aws-3.4.2.jar")
    jvm_cache.remember_jars(settings.delta_package(), [delta])
    assert settings.delta_jars(in_s3) == []
    assert settings.packages(in_s3) == f"{settings.delta_package()},org.apache.hadoop:hadoop-aws:3.4.2"
    jvm_cache.remember_jars(settings.packages(in_s3), [delta, s3])
    assert settings.delta_jars(in_s3) == [delta, s3]
    assert settings.delta_jars(Config()) == [delta]
    s3.unlink()
    with pytest.raises(LakehuntError, match="a place in S3 needs hadoop-aws, which is not in"):
        settings.delta_jars(replace(in_s3, delta_jars=tmp_path))


# Options


def test_an_archive_is_made_once_and_then_used(cache: Path) -> None:
    assert jvm_cache.options(JAVA, "", [], learning=False) == jvm_cache.COLLECTOR
    first = jvm_cache.options(JAVA, "-Dx=y", [], learning=True)
    found = re.fullmatch(rf"{re.escape(jvm_cache.COLLECTOR)} -XX:ArchiveClassesAtExit=(\S+) -Dx=y", first)
    assert found
    archive = Path(found[1])
    assert archive.parent == cache
    assert jvm_cache.options(JAVA, "", [], learning=True) == jvm_cache.COLLECTOR  # one is being made
    archive.write_bytes(jvm_cache._MAGIC)
    for learning in (True, False):
        assert jvm_cache.options(JAVA, "", [], learning) == f"{jvm_cache.COLLECTOR} -XX:SharedArchiveFile={archive}"
    assert "Archive" in jvm_cache.options("openjdk 21", "", [], learning=True)  # another Java, another archive


def test_one_that_was_not_finished_is_made_again(cache: Path) -> None:
    jvm_cache.options(JAVA, "", [], learning=True)
    (mark,) = cache.glob("*.making")
    long_ago = time.time() - jvm_cache.GIVEN_UP - 1
    os.utime(mark, (long_ago, long_ago))
    assert "ArchiveClassesAtExit" in jvm_cache.options(JAVA, "", [], learning=True)


def test_a_changed_jar_wants_another_archive(cache: Path, tmp_path: Path) -> None:
    delta = jar(tmp_path, "delta-spark.jar")
    made = jvm_cache.options(JAVA, "", [delta], learning=True)
    os.utime(delta, (1, 1))
    assert jvm_cache.options(JAVA, "", [delta], learning=True) not in (made, jvm_cache.COLLECTOR)


def archive(options: str) -> Path:
    """The archive that these options make."""
    found = re.search(r"ArchiveClassesAtExit=(\S+)", options)
    assert found
    return Path(found[1])


@pytest.mark.parametrize("content", [b"", b"\0" * 5000])
def test_one_whose_making_was_cut_short_is_made_again(cache: Path, content: bytes) -> None:
    """Java writes its beginning last."""
    cut = archive(jvm_cache.options(JAVA, "", [], learning=True))
    cut.write_bytes(content)
    assert jvm_cache.options(JAVA, "", [], learning=False) == jvm_cache.COLLECTOR
    cut.with_suffix(".making").unlink()  # or it is old enough
    assert archive(jvm_cache.options(JAVA, "", [], learning=True)) == cut
    assert not cut.exists()


def test_one_that_has_lost_its_end_is_made_again(cache: Path) -> None:
    made = archive(jvm_cache.options(JAVA, "", [], learning=True))
    made.write_bytes(jvm_cache._MAGIC + b"classes")
    assert "SharedArchiveFile" in jvm_cache.options(JAVA, "", [], learning=False)
    os.truncate(made, 6)
    assert jvm_cache.options(JAVA, "", [], learning=False) == jvm_cache.COLLECTOR
    long_ago = time.time() - jvm_cache.GIVEN_UP - 1
    os.utime(made.with_suffix(".making"), (long_ago, long_ago))
    assert archive(jvm_cache.options(JAVA, "", [], learning=True)) == made


@pytest.mark.parametrize("shared", ["file", "folder"])
def test_one_that_others_can_write_is_not_loaded(cache: Path, shared: str) -> None:
    made = archive(jvm_cache.options(JAVA, "", [], learning=True))
    made.write_bytes(jvm_cache._MAGIC)
    assert "SharedArchiveFile" in jvm_cache.options(JAVA, "", [], learning=False)
    (made if shared == "file" else cache).chmod(0o777)
    assert jvm_cache.options(JAVA, "", [], learning=False) == jvm_cache.COLLECTOR


def test_there_are_few_archives(cache: Path) -> None:
    for number in range(jvm_cache.MOST + 3):
        options = jvm_cache.options(f"{JAVA}.{number}", "", [], learning=True)
        archive(options).write_bytes(jvm_cache._MAGIC)
        os.utime(archive(options), (time.time() - 100 + number,) * 2)
    left = sorted(cache.glob("*.jsa"), key=os.path.getmtime)
    assert len(left) == jvm_cache.MOST
    assert archive(options) == left[-1]


def test_a_runtime_without_an_archive_of_its_own_gets_one(cache: Path, tmp_path: Path) -> None:
    """As the one of the wheel: Java would make none on top of nothing."""
    command = jar(tmp_path / "runtime/bin", "java")
    command.write_text(
        '#!/bin/sh\nfor one; do case $one in *SharedArchiveFile=*) echo "$1" > "${one#*=}";; esac; done\n'
    )
    command.chmod(0o755)
    made = jvm_cache.options(f"{command}\n{JAVA}", "", [], learning=True)
    base = archive(made).with_suffix(".base")
    assert made.split()[1] == f"-XX:SharedArchiveFile={base}"
    assert base.read_text() == "-Xshare:dump\n"
    jar(tmp_path / "runtime/lib/server", "classes.jsa")
    assert "SharedArchiveFile" not in jvm_cache.options(f"{command}\nanother", "", [], learning=True)


def test_what_belongs_to_an_archive_goes_with_it(cache: Path) -> None:
    names = ["classes-0123.jsa", "classes-0123.base", "classes-0123.making"]
    kept = [jar(cache, name) for name in ("classes-4567.jsa", "classes-4567.base")]
    old = [jar(cache, name) for name in names]
    long_ago = time.time() - jvm_cache.UNUSED - 1
    for file in (*old, kept[1]):  # a base is not touched when it is used
        os.utime(file, (long_ago, long_ago))
    jvm_cache.options(JAVA, "", [], learning=True)
    assert [file.exists() for file in (*old, *kept)] == [False, False, False, True, True]


def test_an_archive_that_nobody_uses_goes(cache: Path) -> None:
    old = jar(cache, "classes-0123456789abcdef.jsa")
    long_ago = time.time() - jvm_cache.UNUSED - 1
    os.utime(old, (long_ago, long_ago))
    jvm_cache.options(JAVA, "", [], learning=True)
    assert not old.exists()


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("-XX:+UseSerialGC", "-XX:ArchiveClassesAtExit=... -XX:+UseSerialGC"),
        ("-XX:SharedArchiveFile=/x.jsa", f"{jvm_cache.COLLECTOR} -XX:SharedArchiveFile=/x.jsa"),
        ("-Xshare:off -XX:+UseZGC", "-Xshare:off -XX:+UseZGC"),
    ],
)
def test_options_that_are_given_are_not_contradicted(cache: Path, given: str, made: str) -> None:
    assert re.sub(r"AtExit=\S+", "AtExit=...", jvm_cache.options(JAVA, given, [], learning=True)) == made


@pytest.mark.parametrize(
    ("given", "brief"),
    [
        ("", "-XX:TieredStopAtLevel=1"),
        ("-Da=b", "-XX:TieredStopAtLevel=1 -Da=b"),
        ("-XX:-TieredCompilation", "-XX:-TieredCompilation"),
    ],
)
def test_a_brief_jvm_compiles_quickly_unless_it_is_told_how(
    cache: Path, monkeypatch: pytest.MonkeyPatch, given: str, brief: str
) -> None:
    monkeypatch.setattr(java, "found", lambda: java.Java("/none", "", 17))
    config = Config(spark={settings.OPTIONS: given} if given else {})
    made = [settings.of_own_jvm(config, learning=False, brief=is_brief)[settings.OPTIONS] for is_brief in (True, False)]
    assert made == [f"-Xss4m {jvm_cache.COLLECTOR} {options}".strip() for options in (brief, given)]


def test_without_a_folder_that_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(jar(tmp_path, "file")))
    jvm_cache.remember_jars(PACKAGE, [])
    assert jvm_cache.known_jars(PACKAGE) == []
    assert jvm_cache.options(JAVA, "", [], learning=True) == jvm_cache.COLLECTOR


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers run that are started under any number of a user."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    jvm_cache.remember_jars(PACKAGE, [])
    assert jvm_cache.known_jars(PACKAGE) == []
    assert jvm_cache.options(JAVA, "", [], learning=True) == jvm_cache.COLLECTOR


def test_a_folder_with_a_space_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """spark-submit would take the option apart."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a folder"))
    assert jvm_cache.options(JAVA, "", [], learning=True) == jvm_cache.COLLECTOR


_COMMAND = """
from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import session
spark = session.start(Config(spark={"spark.master": "local[1]"}), learning=True)
spark.range(3).write.format("delta").save(r"%s")
print(spark.read.format("delta").load(r"%s").count())
runtime = spark._jvm.java.lang.management.ManagementFactory.getRuntimeMXBean()
print([one for one in runtime.getInputArguments() if ".jsa" in one])
spark.stop()
"""


@pytest.mark.slow
def test_a_jvm_that_was_started_before(cache: Path, tmp_path: Path) -> None:
    """The first archives its classes after its end, the next one starts from them; both read and write Delta."""

    def started(name: str) -> list[str]:
        lake = tmp_path / name
        code = _COMMAND % (lake, lake)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    session_jars = settings.delta_jars(Config())
    if not session_jars:
        assert started("zeroth") == ["3", "[]"]  # the resolver is asked
    count, options = started("first")
    assert (count, "ArchiveClassesAtExit" in options) == ("3", True)
    deadline = time.monotonic() + 120
    while not list(cache.glob("*.jsa")) or _open_files(cache):
        assert time.monotonic() < deadline, "no archive was made"
        time.sleep(0.5)
    count, options = started("second")
    assert (count, "SharedArchiveFile" in options) == ("3", True)
    (made,) = cache.glob("*.jsa")
    assert made.read_bytes()[:4] == jvm_cache._MAGIC
    half = made.read_bytes()[: made.stat().st_size // 2]
    made.unlink()  # as the second may not have ended
    made.write_bytes(half)  # of which Java would crash
    assert started("third") == ["3", "[]"]


def _open_files(folder: Path) -> list[str]:
    """Files of the folder that a process has open."""
    links = [link for link in Path("/proc").glob("[0-9]*/fd/*") if os.access(link.parent, os.R_OK)]
    found = []
    for link in links:
        try:
            found.append(str(link.readlink()))
        except OSError:
            continue
    return [file for file in found if file.startswith(str(folder))]
