"""A YARN of one node: ResourceManager and NodeManager as real processes on the loopback interface."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.support.cluster import HOST, process, spark_home, told

QUEUE = "hunts"
_MODULES = tuple(f"hadoop-yarn-server-{part}" for part in ("resourcemanager", "nodemanager", "timelineservice"))
_CACHE = Path.home() / ".cache/lakehunt-tests"
_JAVA_17 = ("java.base/java.lang=ALL-UNNAMED", "java.base/java.util=ALL-UNNAMED", "java.base/java.net=ALL-UNNAMED")


@dataclass(frozen=True)
class Yarn:
    """A running one: the folder with its configuration, for HADOOP_CONF_DIR, and the one in which containers work."""

    configuration: Path
    folder: Path

    def containers(self, of: str) -> list[int]:
        """Process ids of the Java processes of containers, such as those of class `ApplicationMaster`."""
        found = subprocess.run(["pgrep", "-f", f"java .*{of}"], capture_output=True, text=True, check=False)
        return [pid for pid in map(int, found.stdout.split()) if _is_container(pid, self.folder / "local")]

    def kill(self, of: str) -> None:
        """SIGKILL to one of these."""
        os.kill(self.containers(of)[0], signal.SIGKILL)

    def logs(self) -> str:
        """What all containers have written."""
        files = sorted((self.folder / "logs").rglob("std*"))
        return "\n".join(file.read_text(errors="replace") for file in files)


@contextmanager
def yarn(folder: Path) -> Iterator[Yarn]:
    """A YARN with a queue `hunts`, whose NodeManager has registered. Whatever happens, it ends with the block."""
    classes = f"{folder / 'conf'}:{_jars()}/*"
    configuration = folder / "conf"
    configuration.mkdir()
    _write(configuration / "core-site.xml", {"hadoop.tmp.dir": str(folder / "tmp")})
    _write(configuration / "yarn-site.xml", _settings(folder))
    _write(
        configuration / "capacity-scheduler.xml",
        {
            "yarn.scheduler.capacity.root.queues": QUEUE,
            f"yarn.scheduler.capacity.root.{QUEUE}.capacity": "100",
            "yarn.scheduler.capacity.maximum-am-resource-percent": "1",
        },
    )
    (configuration / "log4j.properties").write_text(
        "log4j.rootLogger=INFO,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.out.layout=org.apache.log4j.SimpleLayout\n"
    )
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("HADOOP", "YARN", "SPARK"))}
    java = ["java", "-Xmx256m", *(word for one in _JAVA_17 for word in ("--add-opens", one)), "-cp", classes]
    with ExitStack() as running:
        manager, node = folder / "resourcemanager.log", folder / "nodemanager.log"
        server = "org.apache.hadoop.yarn.server"
        running.enter_context(process(manager, variables, *java, f"{server}.resourcemanager.ResourceManager"))
        told(manager, r"(Transitioned to active) state")
        running.enter_context(process(node, variables, *java, f"{server}.nodemanager.NodeManager"))
        told(node, r"(Registered with ResourceManager)")
        yield Yarn(configuration, folder)


def _settings(folder: Path) -> dict[str, str]:
    served = ("address", "scheduler.address", "resource-tracker.address", "admin.address", "webapp.address")
    manager = dict(zip(served, _free_ports(len(served)), strict=True))
    node = ("address", "localizer.address", "webapp.address")
    return {
        **{f"yarn.resourcemanager.{name}": f"{HOST}:{port}" for name, port in manager.items()},
        **{f"yarn.nodemanager.{name}": f"{HOST}:0" for name in node},
        "yarn.nodemanager.hostname": HOST,
        "yarn.nodemanager.local-dirs": str(folder / "local"),
        "yarn.nodemanager.log-dirs": str(folder / "logs"),
        "yarn.nodemanager.resource.memory-mb": "4096",
        "yarn.nodemanager.resource.cpu-vcores": "4",
        "yarn.nodemanager.vmem-check-enabled": "false",  # Java reserves much more than it uses
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "99.9",
        "yarn.scheduler.minimum-allocation-mb": "256",
    }


def _write(file: Path, properties: Mapping[str, str]) -> None:
    texts = (f"<name>{name}</name><value>{escape(value)}</value>" for name, value in properties.items())
    each = (f"<property>{text}</property>" for text in texts)
    file.write_text(f"<configuration>{''.join(each)}</configuration>")


def _jars() -> Path:
    """YARN's jars, of the Hadoop that Spark has, fetched once by the Ivy that is in Spark."""
    jars = spark_home() / "jars"
    version = next(jars.glob("hadoop-client-api-*.jar")).stem.removeprefix("hadoop-client-api-")
    folder = _CACHE / f"yarn-{version}"
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    module = folder / "ivy.xml"
    each = (f'<dependency org="org.apache.hadoop" name="{name}" rev="{version}" conf="default"/>' for name in _MODULES)
    module.write_text(
        '<ivy-module version="2.0"><info organisation="lakehunt" module="yarn"/>'
        '<configurations><conf name="default"/></configurations>'
        f"<dependencies>{''.join(each)}</dependencies></ivy-module>"
    )
    settings = os.environ.get("LAKEHUNT_IVY_SETTINGS")
    command = ["java", "-cp", f"{jars}/*", "org.apache.ivy.Main", "-ivy", str(module), "-types", "jar", "bundle"]
    command += ["-retrieve", f"{folder}/[artifact]-[revision](-[classifier]).[ext]", "-confs", "default"]
    command += ["-settings", settings] if settings else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"YARN {version} cannot be fetched from Maven Central:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    (folder / "complete").touch()
    return folder


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def _is_container(pid: int, folder: Path) -> bool:
    """Whether a process is a container's Java, rather than the shell that has started it."""
    try:
        process = Path(f"/proc/{pid}")
        return (process / "comm").read_text() == "java\n" and (process / "cwd").resolve().is_relative_to(folder)
    except OSError:
        return False
