"""What a metric is, and how it is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

PREFIX = "lakehunt_"
UNITS = ("seconds", "bytes")

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True)
class Sample:
    """A value of a metric, with its labels."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric(Generic[T]):
    """A metric, and the function that reads its samples from a `T`. The name of a counter is without `_total`."""

    name: str
    kind: Kind
    help: str
    read: Callable[[T], Iterable[Sample]]

    @property
    def unit(self) -> str:
        """The unit, with which the name ends; empty for numbers of things."""
        return next((unit for unit in UNITS if self.name.endswith(f"_{unit}")), "")


@dataclass(frozen=True)
class Family:
    """A metric with its samples."""

    name: str
    kind: Kind
    help: str
    unit: str
    samples: tuple[Sample, ...]


class Declared(Generic[T]):
    """Metrics that are read from the same thing, each declared by a decorator above the function that reads it."""

    def __init__(self) -> None:
        self.metrics: list[Metric[T]] = []

    def counter(self, name: str, text: str) -> Callable[[Callable[[T], Iterable[Sample]]], None]:
        """Only grows; `name` is without the prefix and `_total`."""
        return self._declared(name, "counter", text)

    def gauge(self, name: str, text: str) -> Callable[[Callable[[T], Iterable[Sample]]], None]:
        """Any number; `name` is without the prefix."""
        return self._declared(name, "gauge", text)

    def _declared(self, name: str, kind: Kind, text: str) -> Callable[[Callable[[T], Iterable[Sample]]], None]:
        def declare(read: Callable[[T], Iterable[Sample]]) -> None:
            self.metrics.append(Metric(PREFIX + name, kind, text, read))

        return declare

    def families(self, of: T) -> Iterator[Family]:
        """All metrics with their samples, in the order in which they are declared."""
        for one in self.metrics:
            yield Family(one.name, one.kind, one.help, one.unit, tuple(one.read(of)))
