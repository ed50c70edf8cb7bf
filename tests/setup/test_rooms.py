"""The packages of lakehunt, and the arrows between them: each one imports only from packages of earlier layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lakehunt

PACKAGE = Path(lakehunt.__file__).parent

LAYERS = (
    {"core", "java"},
    {"kql", "runtime", "project"},
    {"schemas"},
    {"records"},
    {"lake", "sources", "spark"},
    {"quality", "hunting.content"},
    {"hunting.query", "landing"},
    {"hunting.incremental"},
    {"hunting.findings"},
    {"hunting"},
    {"hunting.testing", "importing", "operations", "alerts", "serving.settings"},
    {"config", "reporting"},
    {"live"},
    {"serving"},
    {"cli"},
    {"api"},
)
"""From below to above. `hunting` is what is in none of its own packages."""

PLACES = {room: place for place, layer in enumerate(LAYERS) for room in layer}
FILES = sorted(file for file in PACKAGE.rglob("*.py") if not file.is_relative_to(PACKAGE / "project" / "dags"))


def room(module: str) -> str:
    """The package of LAYERS that a module below `lakehunt` belongs to; the module itself where it is in none."""
    parts = module.split(".")
    return next((name for name in (".".join(parts[:2]), parts[0]) if name in PLACES), "")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lakehunt":
            below = (node.module or "").removeprefix("lakehunt").lstrip(".")
            yield from (f"{below}.{name.name}".lstrip(".") for name in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_package_imports_from_earlier_layers_only(file: Path) -> None:
    own = room(".".join(file.relative_to(PACKAGE).with_suffix("").parts))
    if not own:
        return  # lakehunt/__init__.py
    others = ((name, room(name)) for name in imported(file) if room(name) not in {"", own})
    wrong = {name for name, other in others if PLACES[other] >= PLACES[own]}
    assert wrong == set()


def test_every_package_has_a_layer() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders | {"config"} == {name.partition(".")[0] for name in PLACES}
