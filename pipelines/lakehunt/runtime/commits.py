"""Lets Spark commit to Delta logs so that no commit of another process is lost: in local folders
(`lakehunt/java/LinkedCommits.java`) and in S3 (`lakehunt/java/ConditionalCommits.java`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from lakehunt.core import object_store
from lakehunt.runtime import janino

_PARENT = "io.delta.storage.HDFSLogStore"
_IN_FOLDERS = ("spark.delta.logStore.file.impl", "io.delta.storage.LinkedCommits")
_IN_S3 = ("spark.delta.logStore.s3a.impl", "io.delta.storage.ConditionalCommits")
_FOR_ALL = "spark.delta.logStore.class"


def settings(given: Mapping[str, str]) -> dict[str, str]:
    """For a session that is being started with what is given: the classes that commit. `install` has to follow. None if
    another one is to commit in all file systems, beside which Delta takes none."""
    return {} if _FOR_ALL in given else dict((_IN_FOLDERS, _IN_S3))


def install(spark: SparkSession) -> None:
    """Defines the classes that the session was started with where Delta looks for them: in the loader of its own ones,
    as it does not ask the one that has what Janino compiled. Executors of a cluster, which read the histories of
    tables, are sent the classes."""
    jvm: Any = spark._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for setting, name in (_IN_FOLDERS, _IN_S3):
        if spark.conf.get(setting, "") == name:
            _define(spark, jvm, loader, name)


def _define(spark: SparkSession, jvm: Any, loader: Any, name: str) -> None:
    is_alone = (spark.sparkContext.master or "").partition("[")[0] == "local"
    is_defined = _has(jvm, loader, name)  # by an earlier session of this JVM
    if is_alone and is_defined:
        return
    file = name.rpartition(".")[2]
    compiled = janino.compiled(spark, file)
    if not is_defined:
        parent = jvm.java.lang.Class.forName(_PARENT, True, loader)
        methods = jvm.java.lang.invoke.MethodHandles
        place = methods.privateLookupIn(parent, methods.lookup())
        for code in compiled.values():
            place.defineClass(code)
    if not is_alone:
        janino.distribute(spark.sparkContext, compiled, file)


def _has(jvm: Any, loader: Any, name: str) -> bool:
    with suppress(Py4JJavaError):
        jvm.java.lang.Class.forName(name, True, loader)
        return True
    return False


def are_safe(spark: SparkSession, root: str) -> bool:
    """Whether this session commits to tables below `root` as delta-rs does: a platform's own session does not."""
    setting, name = _IN_S3 if object_store.is_s3(root) else _IN_FOLDERS
    return spark.conf.get(setting, "") == name
