"""Compiles the Java classes of `lakehunt/java` at run time with Janino, Spark's compiler for generated code: no JDK is
needed, and the project contains no compiled files."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from lakehunt import java
from lakehunt.runtime import libraries

_SOURCES = Path(java.__file__).parent


def compile_class(spark: SparkSession, name: str) -> Any:
    """The class `name` of `lakehunt/java/<name>.java`, loaded in the driver."""
    return _compile_class(spark.sparkContext, libraries.class_loader(spark), name)


@cache
def _compile_class(context: SparkContext, loader: Any, name: str) -> Any:
    return _compiler(context, name, loader).getClassLoader().loadClass(name)


def compiled(spark: SparkSession, name: str) -> dict[str, Any]:
    """The bytecode of `lakehunt/java/<name>.java` by the name of the class."""
    return dict(_compiler(spark.sparkContext, name, libraries.class_loader(spark)).getBytecodes())


def distribute(context: SparkContext, code: Mapping[str, Any], label: str) -> None:
    """Adds bytecode, by the name of the class, to the executors' class path."""
    folder = Path(tempfile.mkdtemp(prefix=f"lakehunt-{label.lower()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # A unique name: Spark identifies jars by name, and two threads may get here at once.
    jar = folder / f"{folder.name}.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for name, content in code.items():
            archive.writestr(f"{name.replace('.', '/')}.class", bytes(content))
    context._jsc.addJar(str(jar))


def compile_and_distribute(spark: SparkSession, name: str) -> Any:
    """The same class, loaded in the driver and added to the executors' class path: its objects can be sent to them."""
    return compile_together(spark, (name,))[name]


def compile_together(spark: SparkSession, names: tuple[str, ...]) -> dict[str, Any]:
    """Classes by name, loaded and distributed as above; each can use those before it, and added libraries."""
    return _compile_together(spark.sparkContext, libraries.class_loader(spark), names)  # once for all sessions


@cache
def _compile_together(context: SparkContext, loader: Any, names: tuple[str, ...]) -> dict[str, Any]:
    classes: dict[str, Any] = {}
    code: dict[str, Any] = {}
    for name in names:
        compiler = _compiler(context, name, loader)
        loader = compiler.getClassLoader()
        classes[name] = loader.loadClass(name)
        code |= dict(compiler.getBytecodes())
    distribute(context, code, names[-1])
    return classes


def _compiler(context: SparkContext, name: str, parent: Any) -> Any:
    jvm: Any = context._jvm
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(parent)
    compiler.cook((_SOURCES / f"{name}.java").read_text(encoding="utf-8"))
    return compiler
