"""Compiles the Java classes of `lakehunt/java` at run time with Janino, Spark's compiler for generated code: no JDK is
needed, and the project contains no compiled files."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from lakehunt import java

_SOURCES = Path(java.__file__).parent


def compile_class(spark: SparkSession, name: str) -> Any:
    """The class `name` of `lakehunt/java/<name>.java`, loaded in the driver."""
    return _compiler(spark.sparkContext, name).getClassLoader().loadClass(name)


def compile_and_distribute(spark: SparkSession, name: str) -> Any:
    """The same class, loaded in the driver and added to the executors' class path: its objects can be sent to them."""
    return _compile_and_distribute(spark.sparkContext, name)  # once for all sessions of a process


@cache
def _compile_and_distribute(context: SparkContext, name: str) -> Any:
    compiler = _compiler(context, name)
    folder = Path(tempfile.mkdtemp(prefix=f"lakehunt-{name.lower()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # A unique name: Spark identifies jars by name, and two threads may get here at once.
    jar = folder / f"{folder.name}.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for class_name, code in compiler.getBytecodes().items():
            archive.writestr(f"{class_name.replace('.', '/')}.class", bytes(code))
    context._jsc.addJar(str(jar))
    return compiler.getClassLoader().loadClass(name)


def _compiler(context: SparkContext, name: str) -> Any:
    jvm: Any = context._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.Thread.currentThread().getContextClassLoader())
    compiler.cook((_SOURCES / f"{name}.java").read_text(encoding="utf-8"))
    return compiler
