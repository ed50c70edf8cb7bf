"""`lakehunt completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lakehunt.cli.context import PROGRAM
from lakehunt.cli.section import HELP, Section

SECTION = Section("Completion")


@click.command("completion", context_settings=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print the script that completes commands, options and hunts.

    For bash: eval "$(lakehunt completion bash)" in ~/.bashrc."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())


SECTION.commands["completion"] = completion  # it needs no configuration
