"""What a project begins with, and `lakehunt init`, which copies it: hunts, suites, DAGs, jobs, a configuration.

In a checkout these are links to the folders at its top; in a wheel they are copies. Without a configuration the hunts
and suites here are the ones that run.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lakehunt.core.errors import LakehuntError

FOLDER = Path(__file__).parent
HUNTS = FOLDER / "hunts"
EXPECTATIONS = FOLDER / "expectations"
SAMPLES = FOLDER / "samples" / "streaming"

_CONTENT = ("lakehunt.yaml", "hunts", "expectations", "dags", "jobs")
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def create(folder: Path, with_samples: bool = False) -> list[Path]:
    """Writes a project into `folder`, which is made if it is not there, and returns what was written.

    `with_samples` adds `samples/`, a week of invented telemetry in which both hunts find something.
    Raises LakehuntError, having written nothing, where one of the files or folders is there already or the folder
    cannot be written to."""
    names = (*_CONTENT, "samples") if with_samples else _CONTENT
    if folder.exists() and not folder.is_dir():
        raise LakehuntError(f"{folder} is a file", "name a folder")
    present = [name for name in names if (folder / name).exists()]
    if present:
        raise LakehuntError(f"{folder} has {', '.join(present)} already", "name a new folder, or move them away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".lakehunt-", dir=folder) as made:
            for name in names:
                _copy(FOLDER / name, Path(made) / name)
            return [(Path(made) / name).rename(folder / name) for name in names]
    except OSError as error:
        raise LakehuntError(f"{folder} cannot be written: {error.strerror or error}", "name another folder") from error


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=_IGNORED)
    else:
        shutil.copyfile(source, target)
