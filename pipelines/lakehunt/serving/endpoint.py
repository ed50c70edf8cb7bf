"""`lakehunt serve`: Spark's Thrift server over the lake, for the JDBC and ODBC drivers of Hive and Spark.

It runs in Lakehunt's own session, on the same tables. It listens on the loopback interface by default, and elsewhere
only if clients have to authenticate. statement_gate.py defines which statements are allowed, sql_catalog.py which
tables clients see."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import janino
from lakehunt.runtime.error_text import in_one_line
from lakehunt.runtime.limits import Limits
from lakehunt.serving import sql_catalog, statement_gate
from lakehunt.serving.sql_catalog import SqlCatalog

_HADOOP = "spark.hadoop."
_METHOD = "hive.server2.authentication"
_TLS = "hive.server2.use.SSL"
_KEYSTORE = ("hive.server2.keystore.path", "hive.server2.keystore.password")

METHODS: Mapping[str, tuple[str, ...]] = {
    "LDAP": ("hive.server2.authentication.ldap.url", _TLS, *_KEYSTORE),
    "KERBEROS": (f"{_METHOD}.kerberos.principal", f"{_METHOD}.kerberos.keytab"),
}
"""Authentication methods and the settings that each needs. With LDAP clients send passwords, so it needs TLS."""

_READ_OF_LDAP = ("url", "baseDN", "Domain", "userDNPattern")
"""What Spark's server reads of LDAP's settings. Hive has more, with which only a part of the directory may connect."""

_OVERRIDING_VARIABLES = ("HIVE_SERVER2_THRIFT_BIND_HOST", "HIVE_SERVER2_THRIFT_PORT")
"""Environment variables that override every setting of Hive's server."""

DEFAULTS = {
    # Large results are fetched partition by partition, not collected in memory before the first row is sent.
    "spark.sql.thriftServer.incrementalCollect": "true",
    # A statement with a larger part of a result fails.
    "spark.driver.maxResultSize": "512m",
    # Statements share the cores: a small one does not wait for the last task of a large one that came before.
    "spark.scheduler.mode": "FAIR",
}
"""Defaults, which the configuration may override."""

_FAIR = """<allocations>
  <pool name="default"><schedulingMode>FAIR</schedulingMode><weight>1</weight><minShare>0</minShare></pool>
</allocations>"""
"""All statements are in one pool of Spark's scheduler; without this, it runs them one after the other."""

REQUIRED = {
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.hive.thriftServer.singleSession": "false",
    # `SELECT '${env:PASSWORD}'` would reveal the environment of the server's process.
    "spark.sql.variable.substitute": "false",
    # A second guard against paths as tables, beside the gate.
    "spark.sql.runSQLOnFiles": "false",
}
"""Settings that the gate relies on; they override the configuration."""

_ANY_SETTING = "|".join(name.replace(".", r"\.") for name in statement_gate.SETTINGS)


@dataclass(frozen=True)
class Address:
    """Where the endpoint listens: a name or address of this machine, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it: all addresses of the host are loopback addresses."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def check(address: Address, config: Config) -> None:
    """Checks that the endpoint may listen there; needs no Spark.

    Raises UsageError for an address that is not this machine's, and for one that other machines can reach if no
    authentication is configured; LakehuntError if the port is taken."""
    for name in _OVERRIDING_VARIABLES:
        if name in os.environ:
            raise UsageError(f"the variable {name} would decide where the endpoint listens", "unset it")
    try:
        if not address.is_loopback:
            _check_authentication(address, config.spark)
        check_free(address)
    except socket.gaierror as error:
        raise UsageError(
            f"no address of this machine: {address.host} ({error.strerror})", "name one: --host"
        ) from error


def _check_authentication(address: Address, settings: Mapping[str, str]) -> None:
    method = settings.get(_HADOOP + _METHOD, "NONE").upper()
    if method not in METHODS:
        raise UsageError(
            f"other machines can reach {address.host}, and clients need not prove who they are",
            f"configure {_HADOOP}{_METHOD}: {' or '.join(METHODS)} (docs/how-to/sql.md), or serve on 127.0.0.1",
        )
    for name in METHODS[method]:
        value = settings.get(_HADOOP + name, "")
        if not value or (name == _TLS and value.lower() != "true"):
            raise UsageError(
                f"other machines can reach {address.host}, and {method} is configured without {name}",
                f"set {_HADOOP}{name} (docs/how-to/sql.md), or serve on 127.0.0.1",
            )
    if method == "LDAP":
        _check_ldap(address, settings)


def _check_ldap(address: Address, settings: Mapping[str, str]) -> None:
    prefix = f"{_HADOOP}{_METHOD}.ldap."
    for name, value in settings.items():
        if name.startswith(prefix) and value and name.removeprefix(prefix) not in _READ_OF_LDAP:
            raise UsageError(
                f"Spark's server does not read {name.removeprefix(_HADOOP)}: everybody in the directory could connect",
                f"remove it; {_METHOD}.ldap.baseDN or .userDNPattern can say which part of the directory may connect",
            )
    for url in settings[f"{prefix}url"].split():
        place = urlsplit(url)
        if place.scheme.lower() != "ldaps" and not _is_loopback(place.hostname):
            raise UsageError(
                f"{url} would get the passwords of clients without encryption, and other machines can reach "
                f"{address.host}",
                f"set {prefix}url to an address that starts with ldaps://",
            )


def _is_loopback(host: str | None) -> bool:
    try:
        return host is None or Address(host, 0).is_loopback
    except socket.gaierror:
        return False


def check_free(address: Address) -> None:
    """Raises LakehuntError if something else listens there."""
    family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
    try:
        socket.create_server((address.host, address.port), family=family).close()
    except OSError as error:
        raise LakehuntError(
            f"cannot listen on {address}: {error.strerror}", "choose another --port or --host"
        ) from error


@contextmanager
def prepared(config: Config) -> Iterator[Config]:
    """The configuration of the serving session, with a temporary folder for the server's files."""
    folder = tempfile.mkdtemp(prefix="lakehunt-serve-")
    Path(folder, "local").mkdir()
    pools = Path(folder, "pools.xml")
    pools.write_text(_FAIR)
    defaults = DEFAULTS | {"spark.scheduler.allocation.file": str(pools)}
    places = {
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        f"{_HADOOP}hive.exec.scratchdir": f"{folder}/scratch",
        f"{_HADOOP}hive.exec.local.scratchdir": f"{folder}/local",
        f"{_HADOOP}hive.downloaded.resources.dir": f"{folder}/resources",
        f"{_HADOOP}hive.server2.logging.operation.log.location": f"{folder}/operations",
    }
    try:
        seconds = {"spark.sql.thriftServer.queryTimeout": f"{config.limits.sql_seconds}s"}
        yield replace(config, spark=defaults | dict(config.spark) | REQUIRED | seconds | places)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(
    lake: Lake,
    address: Address,
    limits: Limits,
    refresh: float,
    say: Progress,
    on_ready: Callable[[Address], None],
) -> None:
    """Serves clients until the process gets SIGINT or SIGTERM.

    `on_ready` is called once clients can connect. Every `refresh` seconds new tables of the lake are added.
    Raises LakehuntError if the lake has no findings, or the server does not start or stops by itself."""
    say("looking for tables")
    names = SqlCatalog(lake)
    names.make()
    say("starting the server")
    with (
        stop_signal() as stop,
        statement_gate.installed(lake.spark, sql_catalog.SCHEMAS),
        _listening(lake, address, limits),
        _cancelling(lake, limits.sql_seconds) as watch,
    ):
        on_ready(address)
        refreshed = time.monotonic()
        while not stop.wait(_WATCHED):
            _check_alive(lake)
            watch.check()
            if time.monotonic() - refreshed >= refresh:
                _refresh(names, say)
                refreshed = time.monotonic()
        say("stopping")


_WATCHED = 1
"""Seconds after which the end of Spark is noticed."""


def _check_alive(lake: Lake) -> None:
    """Raises LakehuntError if Spark has ended: whatever supervises the process starts it again."""
    with suppress(Py4JError, OSError):
        try:
            if not lake.spark.sparkContext._jsc.sc().isStopped():
                return
        except Py4JJavaError:  # it answers, if only that it is short of memory
            return
    hint = "start it again; spark.driver.memory in the configuration gives Spark more memory"
    raise LakehuntError("Spark has ended, and with it the server", hint)


def _refresh(names: SqlCatalog, say: Progress) -> None:
    try:
        for name in names.refresh():
            say(f"added {name}")
    except (Py4JError, PySparkException, LakehuntError, OSError) as error:
        # The store may be reachable again next time. If Spark has ended, `_check_alive` says so.
        say(f"could not look for new tables: {in_one_line(error)}")


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set. Spark's own SIGINT handler would cancel the queries of clients."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _listening(lake: Lake, address: Address, limits: Limits) -> Iterator[None]:
    jvm: Any = lake.spark._jvm
    hadoop: Any = lake.spark._jsc.hadoopConfiguration()
    # Set here, they override hive-site.xml, spark-submit and the configuration.
    for name, value in {
        "hive.server2.thrift.bind.host": address.host,
        "hive.server2.thrift.port": str(address.port),
        "hive.server2.transport.mode": "binary",
        "hive.server2.enable.doAs": "false",
        "hive.variable.substitute": "false",
        "hive.server2.thrift.max.worker.threads": str(limits.sql_connections),
    }.items():
        hadoop.set(name, value)
    for key, value in lake.spark.sparkContext.getConf().getAll():
        if key.startswith(_HADOOP + _METHOD):  # the LDAP client reads system properties, not this configuration
            jvm.System.setProperty(key.removeprefix(_HADOOP), value)
    # When a driver lists tables, Hive starts an in-memory metastore, which logs into the working directory.
    jvm.System.setProperty("derby.stream.error.file", f"{hadoop.get('hive.exec.local.scratchdir')}/derby.log")
    thriftserver = jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
    try:
        server = thriftserver.startWithSparkSession(lake.spark._jsparkSession, False)
    except Py4JError as error:
        raise LakehuntError(f"the server did not start: {in_one_line(error)}", "see docs/how-to/sql.md") from error
    try:
        # Connections that bring any other Hive setting are refused.
        server.getHiveConf().setModifiableWhiteListRegex(_ANY_SETTING)
        _limit_statements(lake, server, limits)
        _close_idle_connections(server, limits.sql_idle_seconds)
        yield
    finally:
        with suppress(Py4JError, OSError):  # if Spark has ended, so has the server
            server.stop()


_SILENCE = 120
"""Seconds after which a look at Spark's jobs is given up: a JVM that runs out of memory may fail to answer, ever."""

_FAREWELL = 10
"""Seconds that such a look may take at the end."""


@dataclass
class _Watch:
    """When Spark's jobs were last looked at."""

    looked: float

    def check(self) -> None:
        """Raises LakehuntError if Spark does not answer: nothing would limit its statements any more."""
        if time.monotonic() - self.looked > _SILENCE:
            hint = "start it again; spark.driver.memory in the configuration gives Spark more memory"
            raise LakehuntError(f"Spark has not answered for {_SILENCE} s", hint)


@contextmanager
def _cancelling(lake: Lake, seconds: int) -> Iterator[_Watch]:
    """Cancels each Spark job that runs for longer. Spark's own limit of time (queryTimeout) no longer counts once a
    statement delivers rows, but most of the work may be done only then (see DEFAULTS).

    Cancels all jobs before memory is used up: after that, connections of clients would end without a reason."""
    ended, watch = threading.Event(), _Watch(time.monotonic())
    heap = janino.compile_class(lake.spark, "HeapUse").newInstance()
    arguments = (lake.spark.sparkContext, heap, seconds, ended, watch)
    thread = threading.Thread(target=_cancel_jobs, args=arguments, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join(_FAREWELL)


FULL = 0.9
"""Share of the heap that may be in use after a collection."""


def _cancel_jobs(context: Any, heap: Any, seconds: int, ended: threading.Event, watch: _Watch) -> None:
    tracker = context.statusTracker()
    started: dict[int, float] = {}
    while not ended.wait(1):
        # If Spark is short of memory, the next call may succeed; if it has ended, `serve` sees it.
        with suppress(Py4JError, OSError):
            now = time.monotonic()
            started = {job: started.get(job, now) for job in tracker.getActiveJobsIds()}
            is_full = heap.share() > FULL
            for job, since in started.items():
                if is_full:
                    why = "the server was short of memory: ask for less, or raise spark.driver.memory"
                    context._jsc.sc().cancelJob(job, why)
                elif now - since >= seconds:
                    context._jsc.sc().cancelJob(job, f"it took longer than {seconds} s, limits.sql_seconds")
            if is_full:
                heap.collect()
        watch.looked = time.monotonic()


def _limit_statements(lake: Lake, server: Any, limits: Limits) -> None:
    """Puts Statements.java in the place of what has the statements of clients."""
    statements = janino.compile_class(lake.spark, "Statements").newInstance()
    statements.limit(limits.sql_rows, limits.sql_statements, limits.sql_user_statements, limits.sql_seconds)
    sessions = _field(_service(server, "CLIService"), "sessionManager")
    for name in ("operationManager", "sparkSqlOperationManager"):
        _declared(sessions, name).set(sessions, statements)


def _service(server: Any, name: str) -> Any:
    """A part of Hive's server, by the name of its class or the end of it."""
    (found,) = (one for one in server.getServices() if one.getClass().getSimpleName().removeprefix("SparkSQL") == name)
    return found


def _close_idle_connections(server: Any, seconds: int) -> None:
    """Lets reading from a client time out, which ends its connection and session. Hive's server waits for ever, and has
    no setting for it."""
    service = _service(server, "ThriftBinaryCLIService")
    deadline = time.monotonic() + _STARTING
    while (listening := _field(service, "server")) is None:  # a thread is about to create it
        if time.monotonic() > deadline:
            raise LakehuntError("the server did not start listening", "see docs/how-to/sql.md")
        time.sleep(0.1)
    transport = _field(listening, "serverTransport_")
    _declared(transport, "clientTimeout_").setInt(transport, min(seconds * 1000, 2**31 - 1))


_STARTING = 60
"""Seconds that the server may take to create its socket."""


def _field(of: Any, name: str) -> Any:
    return _declared(of, name).get(of)


def _declared(of: Any, name: str) -> Any:
    """A private field of a Java object, of its class or of one above."""
    kind = of.getClass()
    while kind is not None:
        for field in kind.getDeclaredFields():
            if field.getName() == name:
                field.setAccessible(True)
                return field
        kind = kind.getSuperclass()
    raise LakehuntError(f"Spark's server has no {name}", "use the version of Spark that Lakehunt requires")
