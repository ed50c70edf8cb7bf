"""The life of the session that is kept between questions, and what it leaves as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.kql import times
from lakehunt.kql.errors import QueryErrors
from lakehunt.lake.delta_lake import Lake
from lakehunt.live.lake import LiveLake
from lakehunt.runtime import session
from lakehunt.runtime.limits import LimitError, Limits
from tests.support.events import event, store
from tests.support.paths import PROJECT

AS_OF = times.parse_datetime("2026-03-10") or 0
COUNT = "DeviceProcessEvents | count"

OTHERS = {
    "spark.sql.session.timeZone": "Asia/Tokyo",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
    "spark.sql.analyzer.maxIterations": "100",
}
"""Settings of somebody else's session with which answers would be wrong."""


@pytest.fixture
def platform(spark: Any) -> Any:
    """The session of a platform, with such settings; it is checked that it keeps them."""
    before = {name: spark.conf.get(name, None) for name in OTHERS}
    for name, value in OTHERS.items():
        spark.conf.set(name, value)
    yield spark
    assert {name: spark.conf.get(name) for name in OTHERS} == OTHERS
    for name, value in before.items():
        if value is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, value)


class TestBesideASessionThatExists:
    def test_answers_are_kustos_and_the_session_is_left_as_it_was(self, platform: Any, lake: Lake) -> None:
        store(lake, [event(Timestamp="2026-03-01T23:30:00.1234567Z", FileName="Cmd.exe")])
        live = LiveLake(Config(lake=lake.root))
        query = "DeviceProcessEvents | extend filename = 'x' | project d = startofday(Timestamp), FileName, y = 1 / 0"
        assert live.query(query, AS_OF).rows == [["2026-03-01T00:00:00.0000000Z", "Cmd.exe", None]]
        live.close()
        assert platform.range(3).count() == 3
        assert platform.sql("SELECT current_timezone()").collect()[0][0] == "Asia/Tokyo"

    def test_commands_leave_it_as_it_was(self, platform: Any) -> None:
        own, session._Own.context = session._Own.context, None  # somebody else has started it
        try:
            made = session.start(Config(spark={"spark.sql.shuffle.partitions": "7"}))
            assert not session.is_own(made)
        finally:
            session._Own.context = own
        assert (made.conf.get("spark.sql.session.timeZone"), made.conf.get("spark.sql.ansi.enabled")) == (
            "UTC",
            "false",
        )
        assert made.conf.get("spark.sql.shuffle.partitions") == "7"
        assert platform.conf.get("spark.sql.shuffle.partitions") == "1"

    def test_what_landed_between_two_queries_is_seen(self, spark: Any, lake: Lake) -> None:
        live = LiveLake(Config(lake=lake.root))
        with pytest.raises(LakehuntError, match="no table"):
            live.query(COUNT, AS_OF)
        for landed in (1, 2, 3):
            store(lake, [event(ReportId=landed)])
            assert live.query(COUNT, AS_OF).rows == [[landed]]

    def test_it_survives_failed_queries(self, spark: Any, lake: Lake) -> None:
        store(lake, [event(), event(ReportId=2)])
        live = LiveLake(Config(lake=lake.root))
        with pytest.raises(QueryErrors, match="1:23"):
            live.query("DeviceProcessEvents | nonsense", AS_OF)
        with pytest.raises(LimitError):
            live.query("DeviceProcessEvents", AS_OF, limits=Limits(rows=1))
        assert live.query(COUNT, AS_OF).rows == [[2]]

    def test_threads_may_ask_at_once(self, spark: Any, lake: Lake) -> None:
        store(lake, [event(ReportId=n) for n in range(5)])
        live = LiveLake(Config(lake=lake.root))
        found: dict[int, Any] = {}

        def ask(least: int) -> None:
            found[least] = live.query(f"DeviceProcessEvents | where ReportId >= {least} | count", AS_OF).rows

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {n: [[5 - n]] for n in range(5)}


LIFE = """
import json, os, signal, sys, threading, time
from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.live.lake import LiveLake
from pyspark import SparkContext
from pyspark.sql import SparkSession
from tests.support.spark_settings import QUICK

told, lake = {}, sys.argv[1]

def jvm():
    return SparkContext._gateway.proc.pid if SparkContext._gateway else None

def ends(pid):
    for _ in range(600):
        if not os.path.exists(f"/proc/{pid}"):
            return True
        time.sleep(0.1)
    return False

def ask(live):
    return live.query("range x from 1 to 3 step 1 | summarize take_any(hash_sha1(tostring(x > 0))), count()").rows

def failure(of):
    try:
        of()
    except (LakehuntError, KeyboardInterrupt) as error:
        return getattr(error, "message", type(error).__name__)

live = LiveLake(Config(lake=lake, spark=QUICK), idle=3600)

plain = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
told["without Delta"] = failure(lambda: ask(live))
told["its rows"] = plain.range(3).count()
plain.stop()
handler = signal.signal(signal.SIGINT, signal.default_int_handler)

live.begin()
told["first"] = ask(live)
first = jvm()

def interrupt():
    while not SparkContext._active_spark_context.statusTracker().getActiveJobsIds():
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
told["interrupted"] = failure(lambda: live.query("range x from 1 to 1000000000000 step 1 | summarize dcount(x)"))
told["kept"] = [ask(live), jvm() == first, signal.getsignal(signal.SIGINT) is signal.default_int_handler]

os.kill(first, signal.SIGKILL)
told["after a kill"] = [ask(live), jvm() != first]

second = jvm()
brief = LiveLake(Config(lake=lake, spark=QUICK), idle=0.1)
brief.begin()
live.close()
told["used by another"] = [ask(brief), jvm() == second]
told["idle"] = [ends(second), jvm()]

other = LiveLake(Config(lake=lake, spark=QUICK | {"spark.sql.shuffle.partitions": "2"}))
with other.session.spark() as spark:
    told["other settings"] = spark.conf.get("spark.sql.shuffle.partitions")
    told["in use"] = failure(lambda: ask(live))
third = jvm()
for one in (live, brief, other):
    one.close()
told["closed"] = [ends(third), jvm()]
print(json.dumps(told))
"""


@pytest.mark.slow
def test_the_life_of_a_session(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(tmp_path / "lake")],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'pipelines'}"},
    )
    assert done.returncode == 0, done.stderr
    answer = [["88b33e4e12f75ac8bf792aebde41f1a090f3a612", 3]]  # of "True"
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "without Delta": "the Spark session of this process cannot read Delta tables",
        "its rows": 3,
        "first": answer,
        "interrupted": "KeyboardInterrupt",
        "kept": [answer, True, True],
        "after a kill": [answer, True],
        "used by another": [answer, True],
        "idle": [True, None],
        "other settings": "2",
        "in use": "Spark runs in this process with other settings, and is in use",
        "closed": [True, None],
    }
