"""Metrics as text: OpenMetrics 1.0, or Prometheus' older format, which is all that node_exporter reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from lakehunt.operations.metrics.metric import Family


def openmetrics(families: Iterable[Family], labels: Mapping[str, str]) -> str:
    """The metrics in OpenMetrics 1.0, with labels that all of them have."""
    return "".join(f"{line}\n" for line in [*_lines(families, labels, is_open=True), "# EOF"])


def prometheus(families: Iterable[Family], labels: Mapping[str, str]) -> str:
    """The metrics in version 0.0.4 of Prometheus' text format, in which a counter is called `..._total` throughout."""
    return "".join(f"{line}\n" for line in _lines(families, labels, is_open=False))


def _lines(families: Iterable[Family], labels: Mapping[str, str], is_open: bool) -> Iterator[str]:
    for family in families:
        if not family.samples:
            continue
        sample = series(family)
        name = family.name if is_open else sample
        yield f"# TYPE {name} {family.kind}"
        if is_open and family.unit:
            yield f"# UNIT {name} {family.unit}"
        yield f"# HELP {name} {_escaped(family.help) if is_open else family.help}"
        for one in family.samples:
            yield f"{sample}{_written({**labels, **one.labels})} {number(one.value)}"


def series(family: Family) -> str:
    """The name of a family's samples."""
    return f"{family.name}_total" if family.kind == "counter" else family.name


def number(value: float) -> str:
    """A number without an exponent, which not every reader takes."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a value of a metric")
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _written(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
