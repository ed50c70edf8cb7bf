"""The command line as a user meets it, as far as no Spark is needed: help, usage, exit codes, what is printed where."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from lakehunt import cli
from lakehunt.cli.app import SECTIONS, lakehunt
from tests.support import commands
from tests.support.paths import PROJECT

RUNS_PRINTED = ("runs", "telemetry", "exclusions", "findings", "query", "check", "test", "import", "status", "evidence")
"""Commands that print rows."""


def test_check_needs_no_jvm_and_little_time() -> None:
    started = time.perf_counter()
    done = commands.lakehunt("check", **commands.WITHOUT_JAVA)
    assert time.perf_counter() - started < 10  # a generous bound: it takes half a second on an idle machine
    assert done.returncode == 0, done.stderr
    assert "Webserver Executing Suspicious Applications, 5 columns" in done.stdout
    assert "2 hunts compile, 0 do not" in done.stderr


def test_check_reports_every_error_at_its_place_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = PROJECT / "hunts" / "webserver-executing-suspicious-applications.yaml"
    shutil.copy(good, tmp_path / "good.yaml")
    lines = good.read_text().replace("1a9dfc1d", "2a9dfc1d").replace("FileName in~", "FileNam in~").splitlines()
    (tmp_path / "bad.yaml").write_text("\n".join(lines))
    (tmp_path / "worse.yaml").write_text("id: 1\nid: 2\n")
    assert cli.main(["check", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    line = next(i for i, text in enumerate(lines, 1) if "| where FileNam in~" in text)
    column = lines[line - 1].index("FileNam") + 1
    assert f"{tmp_path / 'bad.yaml'}:{line}:{column}: error: there is no column 'FileNam'" in printed.err
    assert "did you mean 'FileName'?" in printed.err
    assert f"{tmp_path / 'worse.yaml'}:2:1:" in printed.err
    assert "good.yaml" in printed.out


def test_check_as_json_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [
        {"id": "a", "query": "DeviceProcessEvents | summarize n = count() by DeviceId"},
        {"id": 2, "query": "DeviceProcessEvents\n| where Nope == 1"},
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(map(json.dumps, requests))))
    assert cli.main(["check", "--jsonl"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"id": "a", "schema": [{"name": "DeviceId", "type": "string"}, {"name": "n", "type": "long"}]},
        {
            "id": 2,
            "error": {"kind": "semantic", "message": "there is no column 'Nope'", "line": 2, "column": 9},
        },
    ]


@pytest.mark.parametrize(
    "query",
    [
        "DeviceProcessEvents | where FileName matches regex '" + "(" * 5_000 + "a" + ")" * 5_000 + "'",
        "DeviceProcessEvents | where " + "not(" * 5_000 + "true" + ")" * 5_000,
        "print " + "-" * 5_000 + "1",
        "let f = () { f() }; print f()",
        "print x = '\ud83d'",
    ],
    ids=["groups", "conditions", "signs", "recursion", "half a pair"],
)
def test_a_query_that_is_refused_does_not_keep_the_next_one_from_its_answer(
    query: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [{"id": 1, "query": query}, {"id": 2, "query": "print n = 1"}]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(map(json.dumps, requests))))
    assert cli.main(["check", "--jsonl"]) == 0
    refused, answered = map(json.loads, capsys.readouterr().out.splitlines())
    assert refused["error"]["kind"] in {"syntax", "semantic", "unsupported"}
    assert (refused["id"], refused["error"]["line"]) == (1, 1)
    assert answered == {"id": 2, "schema": [{"name": "n", "type": "long"}]}


def test_a_line_that_is_not_a_request(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"id": 1, "query": "print 1"}\nnonsense\n'))
    assert cli.main(["check", "--jsonl"]) == 1
    printed = capsys.readouterr()
    assert "line 2 is not a request" in printed.err
    assert len(printed.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 0, "Usage: lakehunt [OPTIONS] COMMAND"),
        (["chekc"], 2, "lakehunt: there is no command 'chekc'\n  hint: did you mean 'check'?\n"),
        (["--nonsense"], 2, "lakehunt: no such option"),
        (["check", "--nonsense"], 2, "  hint: lakehunt check --help\n"),
        (["run"], 2, "no SOURCE to land"),
        (["run", "x", "--as-of", "yesterday"], 2, "'yesterday' is not a valid time; write 2026-03-10"),
        (["run", "x", "--as-of", "2026-03-10T00:00:00.0000001Z"], 2, "finer than a microsecond"),
        (["query"], 2, "give one of KQL, --file and --jsonl"),
        (["query", "print 1", "-f", "x.kql"], 2, "give one of KQL, --file and --jsonl"),
        (["query", "print 1", "--jsonl"], 2, "give one of KQL, --file and --jsonl"),
        (["query", "-f", "nowhere.kql"], 1, "nowhere.kql cannot be read: No such file or directory"),
        (["query", "print 1", "--period", "soon"], 2, "'soon' is not a valid timespan; write 7d or 12h"),
        (["query", "print 1", "--format", "xml"], 2, "'xml' is not one of 'table', 'vertical', 'json'"),
        (["runs", "--last", "0"], 2, "0 is not in the range x>=1"),
        (["forget"], 2, "name a --device or an --account"),
        (["forget", "--device", " "], 2, "an empty value would match records that name nobody"),
        (["hunt", "--exclusions", "never"], 2, "'never' is not one of 'current', 'as-run'"),
        (["--format", "json", "serve"], 2, "serve prints no rows, so it has no --format"),
        (["check", "--json", "--jsonl"], 2, "--jsonl answers standard input"),
        (["check", "nowhere.yaml"], 1, "nowhere.yaml"),
        (["check", "--config", "nowhere.yaml"], 1, "no configuration file at nowhere.yaml"),
        (["--config", "nowhere.yaml", "check"], 1, "no configuration file at nowhere.yaml"),
        (["check", "--config", "s3a://b/lakehunt.yaml"], 1, "where the driver runs, not a URI: s3a://b/lakehunt.yaml"),
        (["--config", "first.yaml", "check", "--config", "second.yaml"], 1, "no configuration file at second.yaml"),
        (["hunt", "--hunt", "nope"], 1, "there is no hunt nope"),
        (["hunt", "--exclusions", "as-run", "nope"], 1, "there is no hunt nope"),
        (["hunt", "--exclusions", "then", "nope"], 1, "there is no hunt nope"),  # a former spelling
        (["evidence", "--full", "nonsense"], 2, "'nonsense'"),  # another one
        (["hunt", "nope"], 1, "there is no hunt nope"),
        (["--help"], 0, "COMMAND"),
        (["run", "--help"], 0, "--as-of"),
        (["--version"], 0, "lakehunt 0."),
    ],
)
def test_usage(args: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(args) == code
    printed = capsys.readouterr()
    assert message in printed.out + printed.err
    assert (printed.out != "") == (code == 0)


def test_help_lists_every_command_under_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    printed = capsys.readouterr().out
    for section in SECTIONS:
        below = printed.partition(f"\n{section.heading}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in below.splitlines() if line[2] != " "] == list(section.commands)


@pytest.mark.parametrize("name", lakehunt.commands)
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every default in words, every option with what it is for, and the settings that all commands share."""
    assert cli.main([name, "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert not any(word.isdigit() and len(word) > 8 for word in printed.replace("]", " ").split())
    options = [one for one in lakehunt.commands[name].params if isinstance(one, click.Option)]
    assert all(one.help for one in options if not one.hidden)
    by_name = {option: one for one in options for option in one.opts}
    if "--as-of" in by_name:
        assert "default: " in (by_name["--as-of"].help or "")
    if name != "completion":
        assert {"--lake", "--config"} <= set(by_name)


@pytest.mark.parametrize("name", RUNS_PRINTED)
def test_rows_are_printed_in_the_same_forms(name: str) -> None:
    (form,) = [one for one in lakehunt.commands[name].params if one.name == "form"]
    assert isinstance(form.type, click.Choice)
    assert list(form.type.choices)[-6:] == ["table", "vertical", "json", "jsonl", "csv", "csv-exact"]


@pytest.mark.parametrize("name", ["hunt", "runs", "findings", "report", "explain", "test"])
def test_hunts_are_chosen_in_the_same_way(name: str) -> None:
    params = lakehunt.commands[name].params
    assert [one.name for one in params if one.name in {"named", "hunt"}] == ["named", "hunt"]


def test_a_wrong_configuration_is_reported_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lakehunt.yaml").write_text("lake: here\nlaek: there\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check"]) == 1
    assert "lakehunt.yaml:2:1: unknown key 'laek'" in capsys.readouterr().err


def test_no_java_is_one_clear_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = commands.lakehunt("findings", "--lake", tmp_path / "lake", JAVA_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "no Java found" in done.stderr
    assert "install Java 17 or 21" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_query_is_compiled_before_spark_starts(tmp_path: Path) -> None:
    """Without Java: what does not compile is refused for its own sake."""
    text = "DeviceProcessEvents\n| where FileNam == 'x'"
    (tmp_path / "q.kql").write_text(text)
    for arguments, name in (
        (["-f", tmp_path / "q.kql"], tmp_path / "q.kql"),
        (["-"], "<stdin>"),
        ([], "<stdin>"),
        ([text], "<query>"),
    ):
        done = commands.lakehunt("query", *arguments, text=text, **commands.WITHOUT_JAVA)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            f"{name}:2:9: error: there is no column 'FileNam'",
            "    | where FileNam == 'x'",
            "            ^^^^^^^",
            "    hint: did you mean 'FileName'?",
        ]


@pytest.mark.parametrize(
    "query",
    ["print x = 1", "DeviceProcessEvents | project d = dynamic({'a': 1}) | evaluate bag_unpack(d)"],
)
def test_a_query_that_compiles_or_needs_the_data_starts_spark(query: str) -> None:
    done = commands.lakehunt("query", query, **commands.WITHOUT_JAVA)
    assert done.returncode == 1
    assert "no Java found" in done.stderr


def test_a_reader_that_leaves_is_no_traceback() -> None:
    """More is printed than a pipe holds."""
    printing = (
        "import sys; sys.argv = ['lakehunt', 'check', '--jsonl']; from lakehunt.cli import main; sys.exit(main())"
    )
    requests = "\n".join(json.dumps({"id": n, "query": "DeviceProcessEvents"}) for n in range(100))
    with subprocess.Popen(
        [sys.executable, "-c", printing],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=PROJECT,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(requests)
        process.stdin.close()
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1


def test_an_interrupt_is_told_in_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(file: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lakehunt.config.load", interrupted)
    assert cli.main(["check"]) == 130
    assert capsys.readouterr().err == "lakehunt: interrupted; the same command again continues from here\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    assert "_LAKEHUNT_COMPLETE" in capsys.readouterr().out


def test_hunts_are_completed(tmp_path: Path) -> None:
    (tmp_path / "h.yaml").write_text("id: 1B9C1C7E-7f0b-4a5e-9a3e-0d8b8f5b7a10\nname: 'Shells'\nquery: print 1\n")
    (tmp_path / "lakehunt.yaml").write_text("hunts: .\n")
    done = commands.lakehunt(
        cwd=tmp_path, _LAKEHUNT_COMPLETE="fish_complete", COMP_WORDS="lakehunt hunt 1b9", COMP_CWORD="1b9"
    )
    assert "1b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10\tShells" in done.stdout


def test_new_says_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hunts").mkdir()
    config = tmp_path / "my lakehunt.yaml"
    config.write_text("hunts: hunts\n")
    assert cli.main(["new", "Encoded PowerShell", "--config", str(config)]) == 0
    printed = capsys.readouterr()
    hunt = tmp_path / "hunts" / "encoded-powershell.yaml"
    assert printed.out.splitlines() == [str(hunt), str(hunt.with_suffix(".tests.yaml"))]
    assert printed.err.splitlines()[-2:] == [
        f"next: lakehunt check {hunt} --config '{config}'",
        f"      lakehunt test 'Encoded PowerShell' --config '{config}'",
    ]
    assert "EXAMPLE" in hunt.read_text()


@pytest.mark.parametrize("command", [["--help"], ["check"]])
def test_a_full_disk_behind_standard_output_is_one_line(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        environment = os.environ | {"PYTHONPATH": str(PROJECT / "pipelines")}
        done = subprocess.run(
            [*commands.LAKEHUNT, *command], stdout=full, stderr=subprocess.PIPE, text=True, cwd=PROJECT, check=False,
            env=environment,
        )  # fmt: skip
    said = "lakehunt: No space left on device (standard output, or a connection)"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, said)
    assert "Traceback" not in done.stderr
