"""Where metrics go: the `metrics` section of the configuration. Imports no Spark.

metrics:
  file: /var/lib/prometheus/node-exporter/lakehunt.prom   # written after every run; .prom: for node_exporter
  statsd: localhost:8125                                  # sent by UDP after every run
  labels: {lake: prod}                                    # of every metric
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lakehunt.core import strict_yaml

KEYS = ("file", "statsd", "labels")

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+):(?P<port>\d{1,5})")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True)
class MetricsSettings:
    """The section of the configuration. Without a file and an address nothing is collected."""

    file: Path | None = None
    statsd: tuple[str, int] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def are_on(self) -> bool:
        return self.file is not None or self.statsd is not None


def read(value: object, base: Path) -> MetricsSettings:
    """Reads the section of the configuration.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError(f"expected a mapping of {', '.join(KEYS)}")
    if unknown := [key for key in value if key not in KEYS]:
        raise value.error(unknown[0], f"metrics: unknown key {unknown[0]!r}", f"known keys: {', '.join(KEYS)}")
    return MetricsSettings(
        base / _file(value) if "file" in value else None,
        _statsd(value) if "statsd" in value else None,
        _labels(value) if "labels" in value else {},
    )


def _file(section: strict_yaml.Mapping) -> str:
    written = section["file"]
    if not isinstance(written, str) or not written or "\0" in written or "://" in written:
        raise section.error("file", f"metrics: file is {written!r}", "write a file of this machine")
    return written


def _statsd(section: strict_yaml.Mapping) -> tuple[str, int]:
    written = section["statsd"]
    found = _ADDRESS.fullmatch(written) if isinstance(written, str) else None
    if found is None or not 0 < int(found["port"]) < 2**16:
        raise section.error("statsd", f"metrics: statsd is {written!r}", "write host:port, such as localhost:8125")
    return found["host"].strip("[]"), int(found["port"])


def _labels(section: strict_yaml.Mapping) -> dict[str, str]:
    written = section["labels"]
    if not isinstance(written, strict_yaml.Mapping):
        hint = "write names with texts, such as {lake: prod}"
        raise section.error("labels", "metrics: labels is not a mapping", hint)
    for name in written:
        if not _LABEL.fullmatch(name) or not isinstance(written[name], str):
            hint = "write names of letters, digits and _, each with a text, such as {lake: prod}"
            raise section.error("labels", f"metrics: {name!r} is not a valid label", hint)
    return dict(written)  # type: ignore[arg-type]
