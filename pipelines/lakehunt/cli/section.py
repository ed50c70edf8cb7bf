"""Commands under one heading of `lakehunt --help`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def setting_options() -> list[click.Parameter]:
    """The options that every command accepts, before or after its name."""
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            help="Configuration file; default: $LAKEHUNT_CONFIG, else ./lakehunt.yaml",
        ),
        click.Option(["--lake"], metavar="DIR", help="Folder or URI of the lake; default: the configuration's"),
    ]


class Section:
    """A heading and the commands below it."""

    def __init__(self, heading: str) -> None:
        self.heading = heading
        self.commands: dict[str, click.Command] = {}

    def command(self, name: str, is_job: bool = False) -> Callable[[Callable[..., bool | None]], click.Command]:
        """Registers a function as a command. Its first argument is the configuration.

        It returns whether it succeeded; None means success. A job changes the lake, and is what schedulers run: metrics
        are published after it, if the configuration says where."""

        def register(function: Callable[..., bool | None]) -> click.Command:
            made = click.command(name, context_settings=HELP)(_with_configuration(function, name if is_job else None))
            made.params.extend(setting_options())
            self.commands[name] = made
            return made

        return register


def _with_configuration(function: Callable[..., bool | None], job: str | None) -> Callable[..., bool | None]:
    @wraps(function)
    def command(*, config: str | None, lake: str | None, **arguments: Any) -> bool | None:
        from lakehunt import config as configuration

        loaded = configuration.load(config).with_lake(lake)
        if job is None or not loaded.metrics.are_on:
            return function(loaded, **arguments)
        from lakehunt.cli import measuring

        with measuring.measured(loaded, job) as outcome:
            done = function(loaded, **arguments)
            outcome.succeeded = done is not False
        return done

    return command
