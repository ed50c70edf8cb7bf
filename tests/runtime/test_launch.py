"""How the JVM is started: with the settings that are given, none of which is on a command line, while other work goes
on, and by Spark's scripts where the environment says how."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.config import Config
from lakehunt.runtime import java, jvm_cache, launch, settings
from tests.support.paths import PROJECT

SETTINGS = {
    "spark.master": "local[1]",
    "spark.driver.memory": "1g",
    "spark.hadoop.fs.s3a.secret.key": "Pl4nted key='1' \\ # ü",
    "spark.hadoop.hive.server2.keystore.password": "Pl4nted-keystore",
    "spark.my.own": "Pl4nted-in-a-name-that-says-nothing",
    "spark.driver.extraJavaOptions": '-XX:TieredStopAtLevel=1 -Dstore.password="Pl4nted pass\\\\word"',
}

PROGRAM = """
import glob, json, sys
from lakehunt.config import Config
from lakehunt.runtime import session

spark = session.start(Config(spark=json.loads(sys.argv[1])))
lines = [open(file, "rb").read().decode("utf-8", "replace") for file in glob.glob("/proc/[0-9]*/cmdline")]
jvm = spark._jvm.java.lang
print(json.dumps({
    "lines": lines,
    "own": open(f"/proc/{jvm.ProcessHandle.current().pid()}/cmdline").read(),
    "conf": dict(spark.sparkContext.getConf().getAll()),
    "property": jvm.System.getProperty("store.password"),
    "codec": spark.conf.get("spark.io.compression.codec", "none"),
}))
"""


@pytest.fixture(scope="module", params=["alone", "by scripts"])
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process with these settings has, and the command lines of its JVM."""
    folder = tmp_path_factory.mktemp("started")
    by_scripts = request.param == "by scripts"
    if by_scripts:
        (folder / "spark-defaults.conf").write_text("spark.io.compression.codec zstd\n")
    read = "import sys; program, sys.argv[1] = sys.argv[1], sys.stdin.read(); exec(program)"
    done = subprocess.run(
        [sys.executable, "-c", read, PROGRAM],
        input=json.dumps(SETTINGS),
        capture_output=True,
        text=True,
        check=False,
        env=_environment(folder, by_scripts),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {
        "by_scripts": by_scripts,
        "left": [file.name for file in folder.iterdir() if file.name.startswith("lakehunt-start-")],
    }


def _environment(folder: Path, by_scripts: bool) -> dict[str, str]:
    own = {"PYTHONPATH": str(PROJECT / "pipelines"), "TMPDIR": str(folder)}
    return os.environ | own | ({"SPARK_CONF_DIR": str(folder)} if by_scripts else {})


def test_spark_within_one_jvm_hears_itself_alone() -> None:
    def listening(**spark: str) -> tuple[str | None, ...]:
        made = settings.of_own_jvm(
            Config(spark={name.replace("_", "."): value for name, value in spark.items()}), False
        )
        return tuple(made.get(f"spark.{name}") for name in ("driver.host", "driver.bindAddress", "authenticate"))

    assert listening() == listening(spark_master="local") == ("127.0.0.1", "127.0.0.1", "true")
    assert listening(spark_master="spark://10.0.0.1:7077") == (None, None, None)  # executors have to reach it
    assert listening(spark_driver_host="10.0.0.2") == ("10.0.0.2", "127.0.0.1", "true")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads command lines from /proc")
def test_no_value_of_a_setting_is_on_a_command_line(started: dict[str, Any]) -> None:
    assert "org.apache.spark.deploy.SparkSubmit" in started["own"]
    assert started["own"] in started["lines"]
    assert [line for line in started["lines"] if "Pl4nted" in line] == []


@pytest.mark.slow
def test_every_setting_has_its_value(started: dict[str, Any]) -> None:
    others = {name: value for name, value in SETTINGS.items() if name != launch.OPTIONS}
    assert {name: started["conf"].get(name) for name in others} == others
    assert started["property"] == "Pl4nted pass\\word"


@pytest.mark.slow
def test_spark_defaults_are_still_read_and_the_files_are_removed(started: dict[str, Any]) -> None:
    assert started["codec"] == ("zstd" if started["by_scripts"] else "none")
    assert ("--load-spark-defaults" in started["own"]) == started["by_scripts"]
    assert started["left"] == []


@pytest.mark.slow
def test_java_gets_what_sparks_launcher_gives_it() -> None:
    """But the module of Spark's machine learning, and what is in our file of options."""
    jars = f"{jvm_cache.spark_jars()}/*"
    command = [java.found().command, "-cp", jars, "org.apache.spark.launcher.Main"]
    command += ["org.apache.spark.deploy.SparkSubmit", "pyspark-shell"]
    home = os.environ | {"SPARK_HOME": str(jvm_cache.spark_jars().parent), "SPARK_SCALA_VERSION": "2.13"}
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=home).stdout
    given = [one for one in printed.strip("\0\n").split("\0") if one.startswith("-")]
    left_out = {"-cp", "-Xmx1g", "--add-modules=jdk.incubator.vector"}
    assert [one for one in given if one not in left_out] == list(launch.ARGUMENTS)
    assert left_out <= set(given)


BEGUN = """
import time
from lakehunt.config import Config
from lakehunt.runtime import launch

small = Config(spark={"spark.master": "local[1]", "spark.driver.memory": "512m"})
began = time.monotonic()
settings = launch.begin(small)
first = launch._Current.started.process
assert launch.begin(small) == settings
assert launch._Current.started.process is first
launch.begin(Config(spark={"spark.master": "local[1]", "spark.driver.memory": "600m"}))
assert first.poll() is not None, "of other settings"
print(launch._Current.started.process.pid, launch._Current.started.folder)
"""


@pytest.mark.slow
def test_a_jvm_that_nobody_waits_for_ends_with_the_process(tmp_path: Path) -> None:
    environment = _environment(tmp_path, by_scripts=False)
    done = subprocess.run([sys.executable, "-c", BEGUN], capture_output=True, text=True, check=True, env=environment)
    process, folder = done.stdout.split()
    assert not Path("/proc", process).exists()
    assert not Path(folder).exists()


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=4))
def test_a_properties_file_holds_any_text(settings: dict[str, str]) -> None:
    read = dict(line.split("=", 1) for line in launch.properties(settings).splitlines())
    assert {_read(name): _read(value) for name, value in read.items()} == settings


def _read(text: str) -> str:
    """A name or value as Java reads it: of its escapes, only the numbered ones are written."""
    parts = text.split("\\u")
    units = [*map(ord, parts[0])]
    for part in parts[1:]:
        units += [int(part[:4], 16), *map(ord, part[4:])]
    return b"".join(unit.to_bytes(2) for unit in units).decode("utf-16-be", "surrogatepass")
