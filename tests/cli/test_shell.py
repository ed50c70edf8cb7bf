"""The shell fed from a file, in the session of the tests, and on a terminal of its own, with one JVM."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from benchmarks import processes
from lakehunt.cli import main
from lakehunt.lake.delta_lake import Lake
from tests.support.events import event, store
from tests.support.paths import PROJECT

AS_OF = "2026-03-02"
ESCAPE = "evil.exe \x1b]0;owned\x07\x1b[2J"
WAIT = 240
"""Seconds that a busy machine may take to start Spark."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    lake = Lake(spark, str(folder / "lake"))
    store(
        lake,
        [
            event(FileName="cmd.exe", ProcessCommandLine=ESCAPE, ProcessId=7),
            event(FileName="whoami.exe", ProcessId=8, Timestamp="2026-03-01T13:00:00Z"),
        ],
    )
    (folder / "hunts").mkdir()
    (folder / "lakehunt.yaml").write_text("lake: lake\nhunts: hunts\nspark: {spark.driver.memory: 1g}\n")
    return folder


# From a file

SCRIPT = f"""\
// how many
DeviceProcessEvents
| count

.as-of 2026-03-01T12:30:00Z
.format jsonl
DeviceProcessEvents | project FileName;
.as-of {AS_OF}
DeviceProcessEvents
| where Nope == 1

print )
| take 1

.nope
.schema Nope
.period 1h
DeviceProcessEvents | project ProcessId, ProcessCommandLine | where ProcessId == 7

.period all
let id = 7;

DeviceProcessEvents | where ProcessId == id | project FileName;
.quit
never asked
"""


def test_a_script(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(SCRIPT))
    code = main(["shell", "--as-of", AS_OF, "--config", str(project / "lakehunt.yaml")])
    ran = capsys.readouterr()
    lines = ran.out.splitlines()
    assert lines[:3] == ["Count", "─────", "    2"]
    assert re.fullmatch(r"\(1 row, [0-9.]+ s\)", lines[3])
    assert lines[4:] == [
        "as of 2026-03-01T12:30:00Z",
        "format jsonl",
        '{"FileName": "cmd.exe"}',
        "as of 2026-03-02",
        "period 01:00:00",
        "period all",
        '{"FileName": "cmd.exe"}',
    ]
    errors = ran.err
    assert "<stdin>:10:9: error: there is no column 'Nope'" in errors
    assert "    | where Nope == 1\n            ^^^^" in errors
    assert "<stdin>:12:" in errors
    assert "there is no command .nope" in errors
    assert "there is no table 'Nope'" in errors
    assert "never" not in errors
    assert code == 1


def test_a_script_without_errors(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("print x = 1\n\n.quit\n"))
    options = ["--config", str(project / "lakehunt.yaml"), "--format", "csv"]
    assert main(["shell", *options]) == 0
    assert capsys.readouterr().out == "x\n1\n"


# On a terminal


class Terminal:
    """A shell on a terminal, of which what was printed is kept, without the terminal's own sequences."""

    def __init__(self, folder: Path) -> None:
        state = {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": str(PROJECT / "pipelines"), "TERM": "xterm"}
        environment = {**os.environ, **state, "PAGER": "cat", "PROMPT_TOOLKIT_NO_CPR": "1"}
        arguments = ["-m", "lakehunt.cli", "shell", "--as-of", AS_OF]
        self.process = pexpect.spawn(
            sys.executable,
            arguments,
            cwd=str(folder),
            env=environment,
            dimensions=(40, 160),
            encoding="utf-8",
            timeout=WAIT,
        )
        self.process.delaybeforesend = 0.2
        self.prompt()

    def prompt(self) -> str:
        """Waits for the prompt; what was printed before it."""
        self.process.expect("lakehunt>")
        return plain(self.process.before)

    def ask(self, text: str, end: str = r"rows?, [0-9.]+ s\)|error:|lakehunt:") -> str:
        """Types a text and two times Enter; what is printed up to its end."""
        self.process.send(text + "\r\r")
        self.process.expect(end)
        return plain(self.process.before + self.process.after)

    def command(self, text: str, end: str) -> str:
        self.process.send(text + "\r")
        self.process.expect(end)
        return plain(self.process.before + self.process.after)

    def is_idle(self) -> bool:
        """Whether Spark uses little of a core within a minute: what was cancelled took a whole one, for hours."""
        for _ in range(30):
            before = self._processor_seconds()
            time.sleep(2)
            if self._processor_seconds() - before < 0.5:
                return True
        return False

    def _processor_seconds(self) -> float:
        return sum(processes.processor_seconds(self.process.pid).values())

    def end(self) -> None:
        self.process.close(force=True)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r", "", text)


@pytest.fixture(scope="module")
def terminal(project: Path) -> Iterator[Terminal]:
    shell = Terminal(project)
    yield shell
    shell.end()


def test_one_can_type_before_spark_has_started(terminal: Terminal) -> None:
    shown = terminal.command(".as-of", "as of 2026-03-02")
    assert "error" not in shown


def test_a_query_of_several_lines(terminal: Terminal) -> None:
    terminal.process.send("DeviceProcessEvents\r| where FileName == 'whoami.exe'\r")
    shown = terminal.ask("| project FileName, ProcessId")
    assert "whoami.exe │         8" in shown
    assert "1 row, " in shown


def test_what_was_recorded_cannot_command_the_terminal(terminal: Terminal) -> None:
    terminal.process.send("DeviceProcessEvents | where ProcessId == 7 | project ProcessCommandLine;\r")
    terminal.process.expect(r"1 row, [0-9.]+ s\)")
    assert r"evil.exe \x1b]0;owned\x07\x1b[2J" in terminal.process.before
    assert "owned\x07" not in terminal.process.before


def test_an_error_has_its_place_and_the_session_goes_on(terminal: Terminal) -> None:
    assert "<query>:1:29: error:" in terminal.ask("DeviceProcessEvents | where Nope == 1")
    terminal.process.expect(r"\^\^\^\^")
    assert "1 row" in terminal.ask("print x = 1")


def test_ctrl_c_cancels_a_query_and_keeps_the_session(terminal: Terminal) -> None:
    terminal.process.send("range x from 1 to 100000000000 step 1 | summarize sum(x % 7);\r")
    terminal.process.expect("Ctrl-C cancels[^\n]*?0:00:0[1-9]")  # in colours of their own
    terminal.process.sendintr()
    terminal.process.expect("lakehunt: cancelled")
    assert "1 row" in terminal.ask("print x = 2")
    assert terminal.is_idle(), "Spark's job goes on"


def test_ctrl_c_discards_what_was_typed(terminal: Terminal) -> None:
    terminal.process.send("nonsense")
    terminal.process.sendintr()
    assert "1 row" in terminal.ask("print x = 3")


def test_tab_completes(terminal: Terminal) -> None:
    terminal.process.send("DeviceProcessEv")
    terminal.process.expect("table")  # beside the candidate
    terminal.process.send("\t | count;\r")
    terminal.process.expect(r"1 row, ")


def test_explain_and_save(terminal: Terminal, project: Path) -> None:
    terminal.ask("DeviceProcessEvents | where FileName == 'whoami.exe' | project DeviceId, ProcessId")
    shown = terminal.command(".explain", "Scan DeviceProcessEvents")
    assert "reads 3 columns of DeviceProcessEvents: DeviceId, FileName, ProcessId" in shown
    terminal.command(".save Who am I", "next: lakehunt check")
    hunt = (project / "hunts/who-am-i.yaml").read_text()
    assert 'name: "Who am I"' in hunt
    assert "  DeviceProcessEvents | where FileName == 'whoami.exe' | project DeviceId, ProcessId\n" in hunt
    tests = (project / "hunts/who-am-i.tests.yaml").read_text()
    assert 'FileName: "whoami.exe"' in tests
    assert "AccountName" not in tests  # which the query does not read
    assert "is there already" in terminal.command(".save Who am I", "choose another name")
    assert "1 row" in terminal.command(".hunt who am i", r"1 row, [0-9.]+ s\)")


def test_history_is_kept_and_ctrl_d_leaves(terminal: Terminal, project: Path) -> None:
    terminal.prompt()  # a Ctrl-D before it is a line's end, which the terminal drops when the prompt takes over
    terminal.process.sendeof()
    terminal.process.expect(pexpect.EOF)
    terminal.process.wait()
    assert terminal.process.exitstatus == 0
    kept = (project / "state/lakehunt/history").read_text()
    assert "+DeviceProcessEvents\n+| where FileName == 'whoami.exe'\n+| project FileName, ProcessId\n" in kept
