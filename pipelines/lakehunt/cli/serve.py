"""`lakehunt serve`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from lakehunt.cli import context, options
from lakehunt.cli.section import Section
from lakehunt.core.errors import UsageError

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.serving.endpoint import Address

SECTION = Section("SQL and Kusto clients")

SQL_PORT, KUSTO_PORT = 10000, 8082
REFRESH = 60


@SECTION.command("serve")
@click.option("--kusto", is_flag=True, help="Answer clients that speak Kusto instead, over events, findings and views")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of this machine to listen on")
@click.option("--port", type=options.PORT, help=f"Port to listen on; default: {SQL_PORT}, with --kusto {KUSTO_PORT}")
@click.option(
    "--refresh",
    metavar="SECONDS",
    type=options.COUNT,
    help=f"How often to look for tables of new hunts; default: {REFRESH}. Not with --kusto, which has none",
)
def serve(config: Config, kusto: bool, host: str, port: int | None, refresh: int | None) -> None:
    """Answer SQL clients (JDBC, ODBC), or Kusto's, over findings, events and views, until it is stopped."""
    from lakehunt.serving import endpoint

    if kusto:
        if refresh is not None:
            raise UsageError("--refresh is about the tables of SQL clients", "leave it out with --kusto")
        _serve_kusto(config, endpoint.Address(host, port or KUSTO_PORT))
        return
    address = endpoint.Address(host, port or SQL_PORT)
    endpoint.check(address, config)
    with (
        endpoint.prepared(config) as serving,
        context.progress() as say,
        context.lake(serving) as lake,
    ):
        endpoint.serve(lake, address, config.limits, refresh or REFRESH, say, lambda at: _print(at, serving.spark))


def _serve_kusto(config: Config, address: Address) -> None:
    from lakehunt.serving import kusto
    from lakehunt.serving.kusto import access

    kusto.check_installed()
    checked = access.check(address, config.kusto)
    context.check_place(config)
    with context.progress() as say:
        from lakehunt.serving.kusto import server

        server.serve(config, address, checked, say, lambda at: _print_kusto(at, config, checked.token is not None))


def _print_kusto(address: Address, config: Config, token: bool) -> None:
    """Prints how to connect, unbuffered, as scripts wait for these lines."""
    url = f"http{'s' * (config.kusto.certificate is not None)}://{address}"
    click.echo(f"serving at {url}, database {config.kusto.database}")
    bearer = ' -H "Authorization: Bearer $TOKEN"' * token
    body = '{"csl": "DeviceProcessEvents | count"}'
    click.echo(f"  curl {url}/v2/rest/query{bearer} -H 'Content-Type: application/json' -d '{body}'")


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
