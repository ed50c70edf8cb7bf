"""Java libraries that few queries need: added to the running session when one does.

Spark's resolver fetches them, as it does Delta's jars, so they come from the same mirror and are cached beside them.
With `delta_jars` they are expected in that folder, where `make jars` puts them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from lakehunt.core.errors import LakehuntError


@dataclass(frozen=True)
class Library:
    """A Maven coordinate, and a class of it, by which it is found on the class path."""

    coordinate: str
    class_name: str


S2 = Library("com.google.geometry:s2-geometry:2.0.0", "com.google.common.geometry.S2Point")
H3 = Library("com.uber:h3:4.4.0", "com.uber.h3core.H3Core")

ALL = (S2, H3)


def class_loader(spark: SparkSession) -> Any:
    """The class loader of the driver that sees what was added to the session."""
    return spark._jsparkSession.sharedState().jarClassLoader()


def add(spark: SparkSession, library: Library) -> None:
    """Makes the classes of a library known to the driver and the executors, unless they are.

    Raises LakehuntError if it cannot be fetched."""
    _add(spark.sparkContext, class_loader(spark), library)


@cache
def _add(context: SparkContext, loader: Any, library: Library) -> None:
    try:
        loader.loadClass(library.class_name)
    except Py4JJavaError:
        for jar in resolved(context, library):
            context._jsc.addJar(str(jar))
            loader.addURL(context._jvm.java.io.File(str(jar)).toURI().toURL())  # type: ignore[union-attr]


def resolved(context: SparkContext, library: Library) -> list[Path]:
    """The library's jar, fetched if it is not cached. What it depends on is part of Spark."""
    jvm: Any = context._jvm
    place = jvm.java.net.URI.create(f"ivy://{library.coordinate}?transitive=false")
    try:
        found = jvm.org.apache.spark.util.DependencyUtils.resolveMavenDependencies(place)
    except Py4JJavaError as e:
        raise LakehuntError(
            f"Spark could not fetch the jar of {library.coordinate}, which this query needs",
            "behind a mirror: set LAKEHUNT_IVY_SETTINGS (or spark.jars.ivySettings) to an ivysettings.xml that names "
            "it; without a network: put the jar into the folder of LAKEHUNT_DELTA_JARS (docs/how-to/offline.md)",
        ) from e
    return [Path(found.apply(number)) for number in range(found.size())]
