"""Java sources of the project, compiled by Janino, Spark's own compiler for the code of queries, when they are needed:
nobody needs a JDK, and no compiled file lies in the project."""

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


def compile_class(spark: SparkSession, source: Path) -> Any:
    """The class of a file, by the file's name, as the driver knows it."""
    return _compiler(spark.sparkContext, source).getClassLoader().loadClass(source.stem)


def compile_and_distribute(spark: SparkSession, source: Path) -> Any:
    """The same, known to executors, too: objects of it can be sent to them."""
    return _compile_and_distribute(spark.sparkContext, source)  # once for all sessions of a process


@cache
def _compile_and_distribute(context: SparkContext, source: Path) -> Any:
    compiler = _compiler(context, source)
    folder = Path(tempfile.mkdtemp(prefix=f"lakehunt-{source.stem.lower()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    jar = folder / f"{folder.name}.jar"  # Spark knows jars by their names: two threads may come here at once
    with zipfile.ZipFile(jar, "w") as archive:
        for name, code in compiler.getBytecodes().items():
            archive.writestr(f"{name.replace('.', '/')}.class", bytes(code))
    context._jsc.addJar(str(jar))
    return compiler.getClassLoader().loadClass(source.stem)


def _compiler(context: SparkContext, source: Path) -> Any:
    jvm: Any = context._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(jvm.Thread.currentThread().getContextClassLoader())
    compiler.cook(source.read_text(encoding="utf-8"))
    return compiler
