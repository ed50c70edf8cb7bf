"""How long the lake keeps rows: the `retention` section of the configuration. Imports no Spark.

retention:
  raw: 90d            # days; kinds that are not named are kept for ever
  events: 400d
  vacuum_hours: 168   # how long unreferenced files are kept
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lakehunt.core import strict_yaml
from lakehunt.schemas import registry

VACUUM_HOURS = 7 * 24
"""Delta's default. A job that runs longer than this may lose files that it still reads."""

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


@dataclass(frozen=True)
class Retention:
    """Days that rows of each kind are kept; a kind that is not named is kept for ever."""

    days: Mapping[str, int] = field(default_factory=dict)
    vacuum_hours: int = VACUUM_HOURS

    def of(self, kind: str) -> int | None:
        """Days to keep rows of this kind; None: for ever. Hits are kept as long as the events they are copies of."""
        return self.days.get(kind, self.days.get("events") if kind == "hits" else None)

    def oldest(self, kind: str, now: datetime) -> datetime | None:
        """Rows of this kind are kept from this instant (UTC) on; None: all are."""
        days = self.of(kind)
        return None if days is None else now.astimezone(UTC) - timedelta(days=days)


def read(value: object) -> Retention:
    """Reads the section of the configuration.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected kinds of rows, each with how long they are kept")
    days: dict[str, int] = {}
    hours = VACUUM_HOURS
    for key, entry in value.items():
        if key in registry.retention_kinds():
            days[key] = whole_days(value, key, "retention")
        elif key == "vacuum_hours":
            hours = _hours(value, key, entry)
        else:
            known = ", ".join((*registry.retention_kinds(), "vacuum_hours"))
            raise value.error(key, f"retention: unknown key {key!r}", f"known keys: {known}")
    if "runs" in days and days["runs"] < days.get("findings", days["runs"] + 1):
        raise value.error(
            "runs",
            "retention: runs are kept for less time than findings",
            "runs record which findings to clear: keep them at least as long",
        )
    return Retention(days, hours)


def whole_days(section: strict_yaml.Mapping, key: str, named: str) -> int:
    """The value, in days, of an entry of the section `named`. Raises YamlError with its line if it is invalid."""
    value = section[key]
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise section.error(key, f"{named}: {key} is {value!r}", "write whole days, such as 90d")
    return int(match[1])


def _hours(section: strict_yaml.Mapping, key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise section.error(key, f"retention: {key} is {value!r}", "write a whole number of hours, such as 168")
    return value
