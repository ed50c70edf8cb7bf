"""Copies Delta's jars, and those that some queries need, into a folder, for machines without a network:
python scripts/gather_jars.py FOLDER [--s3]. With --s3 also those for places in S3, 640 MB.

Spark's own resolver fetches them, so a mirror set with LAKEHUNT_IVY_SETTINGS is used here too.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from lakehunt import config
from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import libraries, session, settings


def gather(folder: Path, with_s3: bool = False) -> list[Path]:
    """The jars that Spark resolved, copied into `folder`."""
    # A configured folder is the target, not a place to look for jars.
    wanted = replace(config.load(), delta_jars=None)
    if with_s3:
        wanted = replace(wanted, source="s3a://any")
    spark = session.start(wanted)  # resolves Delta's jars, unless they are cached
    rare = [jar for library in libraries.ALL for jar in libraries.resolved(spark.sparkContext, library)]
    spark.stop()
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(jar, folder)) for jar in (*settings.delta_jars(wanted), *rare)]


def main() -> int:
    folders = [argument for argument in sys.argv[1:] if argument != "--s3"]
    if len(folders) != 1:
        print(f"usage: {sys.argv[0]} FOLDER [--s3]", file=sys.stderr)
        return 2
    folder = Path(folders[0])
    try:
        jars = gather(folder, with_s3="--s3" in sys.argv)
    except LakehuntError as e:
        print(e, file=sys.stderr)
        return 1
    print(f"{len(jars)} jars in {folder}; on the other machine: export LAKEHUNT_DELTA_JARS=/path/to/{folder.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
