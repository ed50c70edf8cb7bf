"""Lets Spark commit to Delta logs in local folders so that no commit of another process is lost: see
`lakehunt/java/LinkedCommits.java`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from lakehunt.runtime import janino

_CLASS = "io.delta.storage.LinkedCommits"
_PARENT = "io.delta.storage.HDFSLogStore"
_SETTING = "spark.delta.logStore.file.impl"

_FOR_ALL = "spark.delta.logStore.class"


def settings(given: Mapping[str, str]) -> dict[str, str]:
    """For a session that is being started with what is given: the class that commits. `install` has to follow. None if
    another one is to commit in all file systems, beside which Delta takes none."""
    return {} if _FOR_ALL in given else {_SETTING: _CLASS}


def install(spark: SparkSession) -> None:
    """Defines the class where Delta looks for it: in the loader of its own ones, as it does not ask the one that has
    what Janino compiled."""
    jvm: Any = spark._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    with suppress(Py4JJavaError):
        jvm.java.lang.Class.forName(_CLASS, True, loader)
        return  # by an earlier session of this JVM
    parent = jvm.java.lang.Class.forName(_PARENT, True, loader)
    methods = jvm.java.lang.invoke.MethodHandles
    place = methods.privateLookupIn(parent, methods.lookup())
    for code in janino.compiled(spark, _CLASS.rpartition(".")[2]):
        place.defineClass(code)


def are_used(spark: SparkSession) -> bool:
    """Whether the session was started with them; a platform's own session was not."""
    return spark.conf.get(_SETTING, "") == _CLASS
