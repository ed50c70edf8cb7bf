"""`lakehunt init`, and the wheel: what is installed works without a checkout."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from lakehunt import cli, project
from lakehunt.core.errors import LakehuntError
from tests.support.paths import PROJECT

CONTENT = ["dags", "expectations", "hunts", "jobs", "lakehunt.yaml"]


def test_a_project_has_what_the_checkout_has(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "project"
    assert sorted(path.name for path in project.create(folder)) == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == CONTENT
    for name in ("hunts", "expectations", "dags", "jobs"):
        files = sorted(p.relative_to(PROJECT) for p in (PROJECT / name).rglob("*") if p.suffix not in {"", ".pyc"})
        assert files
        assert filecmp.cmpfiles(PROJECT, folder, files, shallow=False) == (files, [], [])
    assert not list(folder.rglob("__pycache__"))


def test_samples_are_added_when_asked_for(tmp_path: Path) -> None:
    project.create(tmp_path, with_samples=True)
    assert len(list((tmp_path / "samples" / "streaming").rglob("*.json"))) == len(
        list((PROJECT / "samples" / "streaming").rglob("*.json"))
    )


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "hunts").mkdir()
    with pytest.raises(LakehuntError, match="has hunts already"):
        project.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["hunts"]


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LakehuntError, match="is a file"):
        project.create(tmp_path / "file")


def test_the_next_steps_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["init", str(tmp_path / "mine")]) == cli.SUCCESS
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{tmp_path}/mine/lakehunt.yaml",
        *(f"{tmp_path}/mine/{name}/" for name in ("hunts", "expectations", "dags", "jobs")),
    ]
    assert f"cd {tmp_path}/mine" in printed.err
    assert "lakehunt run SOURCE" in printed.err


def test_hunts_that_come_with_the_package_are_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "Odd Shells"]) == cli.FAILURE
    assert "lakehunt init DIR" in capsys.readouterr().err
    assert cli.main(["new", "Odd Shells", "--into", str(tmp_path)]) == cli.SUCCESS


@pytest.mark.slow
def test_the_wheel_finds_in_the_samples_what_a_checkout_finds(tmp_path: Path) -> None:
    """Installed in an environment of its own, outside of the checkout, whose dependencies are this one's."""
    python = _environment_with_the_wheel(tmp_path)
    lakehunt = python.with_name("lakehunt")
    home = tmp_path / "home"
    subprocess.run([lakehunt, "init", home, "--samples"], cwd=tmp_path, env=_bare(), check=True)
    assert _run(lakehunt, ["check"], home) == "2 hunts compile, 0 do not\n"
    settings = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    with (home / "lakehunt.yaml").open("a") as file:
        file.write(f"  spark.driver.extraJavaOptions: {settings}\n  spark.sql.shuffle.partitions: 1\n")
    subprocess.run(
        [lakehunt, "run", "samples/streaming", "--as-of", "2026-03-10"], cwd=home, env=_bare(), check=True, timeout=600
    )
    from deltalake import DeltaTable

    found = DeltaTable(home / "lake/findings/all").to_pyarrow_table(columns=["hunt_id"])["hunt_id"].to_pylist()
    assert {hunt: found.count(hunt) for hunt in found} == {
        "1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239": 16,
        "7fdc5f4a-700d-4713-abfc-181f02968726": 2,
    }


def _environment_with_the_wheel(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels, environment = folder / "wheels", folder / "environment"
    offline = ["--no-index", "--no-deps"]
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", wheels, PROJECT], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    (wheel,) = wheels.glob("lakehunt-*.whl")
    subprocess.run([*pip, "--python", python, "install", *offline, wheel], check=True)
    libraries = next(environment.glob("lib/python*/site-packages"))
    # Its dependencies, but not the checkout: that is known by a file of this environment that is not read there.
    (libraries / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    where = subprocess.run(
        [python, "-c", "import lakehunt; print(lakehunt.__file__)"],
        cwd=folder, env=_bare(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert Path(where).is_relative_to(environment)
    return python


def _bare() -> dict[str, str]:
    """The environment without what would lead to the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LAKEHUNT"))}


def _run(lakehunt: Path, arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        [lakehunt, *arguments], cwd=folder, env=_bare(), capture_output=True, text=True, check=True
    )  # fmt: skip
    return done.stderr
