"""Commands under one heading of `lakehunt --help`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from lakehunt.core import json_log

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
        click.Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            help="How a command logs on standard error; default: $LAKEHUNT_LOG_FORMAT, else text",
            envvar="LAKEHUNT_LOG_FORMAT",
            is_eager=True,
            expose_value=False,
            callback=_log_format,
        ),
    ]


def _log_format(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value == "json":
        json_log.begin()


class Section:
    """A heading and the commands below it."""

    def __init__(self, heading: str) -> None:
        self.heading = heading
        self.commands: dict[str, click.Command] = {}

    def command(
        self, name: str, is_job: bool = False, is_measured: bool | None = None
    ) -> Callable[[Callable[..., bool | None]], click.Command]:
        """Registers a function as a command. Its first argument is the configuration.

        It returns whether it succeeded; None means success. A job changes the lake, and is what schedulers run: what
        it prints is part of a log, and metrics are published after it, unless it does that by itself."""
        is_measured = is_job if is_measured is None else is_measured

        def register(function: Callable[..., bool | None]) -> click.Command:
            made = click.command(name, context_settings=HELP)(_with_configuration(function, name, is_job, is_measured))
            made.params.extend(setting_options())
            self.commands[name] = made
            return made

        return register


def _with_configuration(
    function: Callable[..., bool | None], name: str, is_job: bool, is_measured: bool
) -> Callable[..., bool | None]:
    @wraps(function)
    def command(*, config: str | None, lake: str | None, **arguments: Any) -> bool | None:
        from lakehunt import config as configuration

        json_log.of_command(name, is_job)
        loaded = configuration.load(config).with_lake(lake)
        if not is_measured or not loaded.metrics.are_on:
            return function(loaded, **arguments)
        from lakehunt.cli import measuring

        with measuring.measured(loaded, name) as outcome:
            done = function(loaded, **arguments)
            outcome.succeeded = done is not False
        return done

    return command
