"""Runs the example notebook, as Jupyter does, in a folder with a copy of what it uses."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.support.paths import PROJECT

NOTEBOOK = PROJECT / "samples" / "hunt.ipynb"


def executed(folder: Path, notebook: Path = NOTEBOOK) -> nbformat.NotebookNode:
    """The notebook with its outputs. The lake is `demo-lake` in the folder.

    Raises CellExecutionError if a cell fails."""
    beside = folder / "samples"
    beside.mkdir(exist_ok=True)
    shutil.copy(PROJECT / "samples" / "lakehunt.yaml", beside)
    read = nbformat.read(notebook, as_version=4)
    client = NotebookClient(read, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(beside)}})
    return client.execute(env=os.environ | {"PYTHONPATH": str(PROJECT / "pipelines")})
