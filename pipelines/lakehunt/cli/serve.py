"""`lakehunt serve`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from lakehunt.cli import context, options
from lakehunt.cli.section import Section

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.serving.endpoint import Address

SECTION = Section("SQL clients")


@SECTION.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of this machine to listen on")
@click.option("--port", type=options.PORT, default=10000, show_default=True, help="Port to listen on")
@click.option(
    "--refresh",
    metavar="SECONDS",
    type=options.COUNT,
    default=60,
    show_default=True,
    help="How often to look for tables of new hunts",
)
def serve(config: Config, host: str, port: int, refresh: int) -> None:
    """Answer SQL clients (JDBC, ODBC) over findings, events and views, until it is stopped."""
    from lakehunt.serving import endpoint

    address = endpoint.Address(host, port)
    endpoint.check(address, config)
    with (
        endpoint.prepared(config) as serving,
        context.progress() as say,
        context.lake(serving) as lake,
    ):
        endpoint.serve(lake, address, config.limits, refresh, say, lambda at: _print(at, serving.spark))


def _print(address: Address, settings: Mapping[str, str]) -> None:
    """Prints how to connect, unbuffered, as scripts wait for these lines."""
    url = f"jdbc:hive2://{address}/default{_of_connection(settings)}"
    click.echo(f"serving at {url}")
    click.echo(f"  beeline -u '{url}' -n \"$USER\" -e 'SHOW TABLES IN bi'")


def _of_connection(settings: Mapping[str, str]) -> str:
    """The parameters of the JDBC URL besides host and port."""
    principal = settings.get("spark.hadoop.hive.server2.authentication.kerberos.principal")
    encrypted = settings.get("spark.hadoop.hive.server2.use.SSL", "").lower() == "true"
    return ";ssl=true" * encrypted + (f";principal={principal}" if principal else "")
