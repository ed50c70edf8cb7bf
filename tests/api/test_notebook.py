"""The example notebook, run by a kernel with Spark of its own."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from tests.support.notebooks import NOTEBOOK, executed
from tests.support.samples import land


def shown(notebook: nbformat.NotebookNode) -> list[list[tuple[str, str]]]:
    """What each cell of code shows, without the time that it took."""
    return [
        [
            (kind, re.sub(r"\d+\.\d\d s", "0.00 s", content))
            for output in cell.outputs
            for kind, content in sorted((output.get("data") or {output.output_type: output.get("text", "")}).items())
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
def test_it_shows_what_is_stored_in_it(tmp_path: Path) -> None:
    land(tmp_path / "demo-lake")
    stored = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(stored)
    assert shown(executed(tmp_path)) == shown(stored)
    table, tree = (dict(shown(stored)[place])["text/html"] for place in (1, 4))
    assert "timespan" in table
    assert 'class="tree"' in tree
