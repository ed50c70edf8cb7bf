"""The magics of `%load_ext lakehunt`, in a shell of IPython beside the tests' own session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import lakehunt
from lakehunt.config import Config
from lakehunt.lake.delta_lake import Lake
from tests.support.events import event, store


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell with the extension, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))
    made = InteractiveShell.instance()
    made.extension_manager.load_extension("lakehunt")
    yield made
    made.extension_manager.unload_extension("lakehunt")
    InteractiveShell.clear_instance()


@pytest.fixture
def asked(shell: InteractiveShell, spark: Any, lake: Lake) -> InteractiveShell:
    """The shell, with two events to ask for."""
    store(lake, [event(), event(ReportId=2, Timestamp="2026-03-03T12:00:00Z")])
    shell.user_ns["here"] = lakehunt.open(lake.root, config=Config())
    shell.run_line_magic("lakehunt", "open here")
    return shell


def raised(shell: InteractiveShell, magic: str, line: str) -> str:
    with pytest.raises(lakehunt.UsageError) as error:
        shell.run_line_magic(magic, line)
    return str(error.value)


def test_a_cell_is_asked_and_its_result_assigned(asked: InteractiveShell) -> None:
    line = '--as-of "2026-03-02 00:00" -o found --rows 7'
    found = asked.run_cell_magic("kql", line, "DeviceProcessEvents\n| where FileName != '{x}$y'\n| count")
    assert found.rows == [[1]]
    assert found.most == 7
    assert asked.user_ns["found"] is found


def test_a_line_is_asked(asked: InteractiveShell) -> None:
    assert asked.run_line_magic("kql", "DeviceProcessEvents | where ReportId >= 1 | count").rows == [[2]]
    query = "-o x --period=36h --as-of 2026-03-04 DeviceProcessEvents | where FileName startswith '-c' or ReportId > 1"
    assert len(asked.run_line_magic("kql", query)) == 1
    assert len(asked.user_ns["x"]) == 1


def test_another_lake(asked: InteractiveShell, tmp_path: Path) -> None:
    assert asked.run_line_magic("kql", "--lake here print x = 1").rows == [[1]]
    with pytest.raises(lakehunt.LakehuntError, match="no table"):
        asked.run_line_magic("kql", f"--lake {tmp_path / 'nothing'} DeviceProcessEvents")
    asked.run_line_magic("lakehunt", "open")
    assert asked.run_line_magic("kql", "print x = 2").rows == [[2]]


def test_what_is_wrong_is_said_with_the_usage(shell: InteractiveShell) -> None:
    assert "usage: kql" in raised(shell, "kql", "--nonsense 1 print 1")
    assert "%lakehunt" in raised(shell, "lakehunt", "nonsense")
    assert "not the name of a variable" in raised(shell, "kql", "-o 1x print 1")


def test_errors_have_no_traceback(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert not shell.run_cell("%%kql\nDeviceProcessEvents\n| where FileNam == 1").success
    said = capsys.readouterr().out
    assert "QueryErrors: 2:9: " in said
    assert "^^^^^^^" in said
    assert "Traceback" not in said


def test_the_query_of_a_hunt_becomes_a_cell(shell: InteractiveShell) -> None:
    shell.run_line_magic("lakehunt", "query 'Webserver Executing Suspicious Applications'")
    assert shell.rl_next_input.startswith("%%kql\n")
    assert "DeviceProcessEvents" in shell.rl_next_input


def test_it_can_be_unloaded(shell: InteractiveShell) -> None:
    shell.extension_manager.unload_extension("lakehunt")
    assert "kql" not in shell.magics_manager.magics["cell"]
    shell.extension_manager.load_extension("lakehunt")
    assert "kql" in shell.magics_manager.magics["cell"]


def completed(shell: InteractiveShell, text: str) -> list[str]:
    """What the shell offers at the end of a text."""
    with provisionalcompleter():
        return [one.text for one in shell.Completer.completions(text, len(text))]


def test_queries_are_completed_in_cells_and_on_lines(shell: InteractiveShell) -> None:
    assert "DeviceProcessEvents" in completed(shell, "%%kql --as-of 2026-03-10\nDevicePro")
    assert completed(shell, "%%kql\nDeviceProcessEvents\n| project here = FileName, x = 1\n| where he") == ["here"]
    assert "summarize" in completed(shell, "%kql -o x DeviceProcessEvents | summ")
    assert "has_any_ipv4(" in completed(shell, "x = %kql print has_any_ip")
    assert "DeviceProcessEvents" not in completed(shell, "DevicePro")


def test_hunts_are_completed(shell: InteractiveShell) -> None:
    assert completed(shell, "%lakehunt query 1a9dfc1d") == ["1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239"]
