"""Spark's settings for many small queries, as tests have them: what pays for large tables costs more than it gives."""

from __future__ import annotations

import json
from pathlib import Path

QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For a process that ends soon: compiles early rather than well, and collects garbage on one core."""

LASTING_JVM = "-XX:+UseSerialGC"
"""For the session of many tests: dearer at first, but the fifth time hunts ran they took less (12.5 s of CPU, not 14.4,
measured once on a busy machine)."""

QUICK = {
    "spark.master": "local[2]",
    "spark.driver.memory": "2g",
    "spark.driver.extraJavaOptions": QUICK_JVM,
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.lakehunt.codegen": "never",
}


def write_config(folder: Path, **sections: object) -> Path:
    """A lakehunt.yaml with these settings, for a process that a test starts and whose subject is not their defaults."""
    file = folder / "lakehunt.yaml"
    file.write_text(json.dumps({"spark": QUICK} | sections))
    return file
