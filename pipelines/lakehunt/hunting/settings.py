"""When hunts are asked: the `hunting` section of the configuration. Imports no Spark.

hunting:
  frequency: 1d     # of a hunt without `queryFrequency`: from 5m to 14d
  catch_up: 288     # as-ofs of a hunt that were missed and are still asked: the newest ones; a day of every 5 minutes
  late: 7d          # as-ofs up to this far back are asked again when events of their windows land late; 0: never
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from lakehunt.core import strict_yaml
from lakehunt.hunting.content.period import allowed_frequency, parse_period

_KEYS = ("frequency", "catch_up", "late")
_MOST = 100_000
"""As-ofs: nearly a year of every 5 minutes."""


@dataclass(frozen=True)
class HuntingSettings:
    """The section of the configuration."""

    frequency: timedelta = timedelta(days=1)
    catch_up: int = 288
    late: timedelta = timedelta(days=7)


def read(value: object, base: Path) -> HuntingSettings:
    """Reads the section of the configuration.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError(f"expected a mapping of {', '.join(_KEYS)}")
    if unknown := [key for key in value if key not in _KEYS]:
        raise value.error(unknown[0], f"hunting: unknown key {unknown[0]!r}", f"known keys: {', '.join(_KEYS)}")
    settings = HuntingSettings()
    if "frequency" in value:
        settings = replace(settings, frequency=_frequency(value))
    if "catch_up" in value:
        settings = replace(settings, catch_up=_count(value, "catch_up"))
    if "late" in value:
        settings = replace(settings, late=_late(value))
    return settings


def _late(section: strict_yaml.Mapping) -> timedelta:
    written = section["late"]
    if written in (0, "0") and not isinstance(written, bool):
        return timedelta(0)
    try:
        return parse_period(written if isinstance(written, str) else "")
    except ValueError:
        hint = "write a length of time such as 7d or PT12H, or 0"
        raise section.error("late", f"hunting: late is {written!r}", hint) from None


def _frequency(section: strict_yaml.Mapping) -> timedelta:
    written = section["frequency"]
    try:
        frequency = parse_period(written if isinstance(written, str) else "")
        if allowed_frequency(frequency) != frequency:
            raise ValueError
    except ValueError:
        hint = "write a length of time between 5m and 14d, such as 1d or PT1H"
        raise section.error("frequency", f"hunting: frequency is {written!r}", hint) from None
    return frequency


def _count(section: strict_yaml.Mapping, key: str) -> int:
    value = section[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST:
        raise section.error(key, f"hunting: {key} is {value!r}", f"write a whole number from 1 to {_MOST}, such as 288")
    return value
