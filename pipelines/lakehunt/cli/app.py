"""The command line: `lakehunt COMMAND`. Exit code 0: all went well, 1: something failed, 2: bad usage.

Command modules import nothing heavy at module level, so that `check` is fast."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from lakehunt.cli import (
    completion,
    content,
    context,
    diagnostics,
    doctor,
    findings,
    hunts,
    options,
    query,
    serve,
    watch,
)
from lakehunt.cli.exits import FAILURE, INTERRUPTED, SUCCESS, USAGE
from lakehunt.cli.section import HELP, Section, setting_options
from lakehunt.core import json_log
from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.runtime import launch, spark_log

SECTIONS: tuple[Section, ...] = (
    watch.SECTION,  # that of the pipeline
    hunts.SECTION,
    findings.SECTION,
    query.SECTION,
    content.SECTION,
    doctor.SECTION,  # that of operations
    serve.SECTION,
    completion.SECTION,
)
"""In the order of `lakehunt --help`."""


class _Lakehunt(click.Group):
    """The group of all commands: help by section, and error handling."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in SECTIONS:
            with formatter.section(section.heading):
                formatter.write_dl([(name, one.get_short_help_str(limit=90)) for name, one in section.commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            similar = difflib.get_close_matches(args[0], self.commands, n=1)
            hint = f"did you mean {similar[0]!r}?" if similar else "`lakehunt --help` lists the commands"
            raise UsageError(f"there is no command {args[0]!r}", hint)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> int:
        code = FAILURE
        spark_log.command_started()
        try:
            code = self._invoke(ctx)
        finally:
            launch.discard()
            if code == FAILURE and (log := spark_log.of_failure()):
                click.echo(f"lakehunt: Spark's log of this command is kept in {log}", err=True)
        return code

    def _invoke(self, ctx: click.Context) -> int:
        try:
            return FAILURE if super().invoke(ctx) is False else SUCCESS
        except LakehuntError as error:
            diagnostics.report(error)
            return USAGE if isinstance(error, UsageError) else FAILURE
        except BrokenPipeError:  # the reader closed the pipe, as `| head` does
            _discard_output()
            return FAILURE
        except KeyboardInterrupt:
            return _interrupted()


@click.group(
    cls=_Lakehunt,
    commands={name: command for section in SECTIONS for name, command in section.commands.items()},
    invoke_without_command=True,
    context_settings=HELP,
    subcommand_metavar="COMMAND [ARGUMENTS]...",
)
@click.option("--format", "form", type=click.Choice(options.ALL_FORMATS), help="How a command prints its rows")
@click.version_option(package_name="lakehunt", message="lakehunt %(version)s")
@click.pass_context
def lakehunt(ctx: click.Context, /, form: str | None, **settings: Any) -> None:
    """Threat hunts in KQL, on your own lake.

    --config, --lake and --format may be given before the command or after it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        return
    command = lakehunt.commands[ctx.invoked_subcommand]
    if form is not None and all(one.name != "form" for one in command.params):
        raise UsageError(f"{ctx.invoked_subcommand} prints no rows, so it has no --format")
    given = {name: value for name, value in {**settings, "form": form}.items() if value is not None}
    ctx.default_map = {ctx.invoked_subcommand: given}


lakehunt.params.extend(setting_options())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    sys.excepthook = diagnostics.traceback_of
    try:
        code = lakehunt.main(None if argv is None else list(argv), prog_name=context.PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        diagnostics.report(_usage_error(error))
        return error.exit_code
    except click.Abort:  # interrupted before the command started
        return _interrupted()
    except OSError as error:  # such as a full disk, or one behind standard output
        _discard_output()
        place = error.filename or "standard output, or a connection"
        diagnostics.report(LakehuntError(f"{error.strerror or error} ({place})"))
        return FAILURE
    except Exception:
        if not json_log.is_on():
            raise  # which `traceback_of` prints
        json_log.LOG.exception("an error that nothing expected")
        return FAILURE
    finally:
        json_log.end()
    return int(code)


def _discard_output() -> None:
    """Nothing can be written any more: what is left would fail again at the end of the process."""
    with suppress(AttributeError, OSError):  # if it is closed, or is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted() -> int:
    click.echo("lakehunt: interrupted; the same command again continues from here", err=True)
    return INTERRUPTED


def _usage_error(error: click.ClickException) -> LakehuntError:
    """Click's errors about arguments, worded like all other errors."""
    message = error.format_message().rstrip(".")
    at = getattr(error, "ctx", None)
    hint = f"{at.command_path} --help" if at else ""
    return LakehuntError(message[:1].lower() + message[1:], hint)
