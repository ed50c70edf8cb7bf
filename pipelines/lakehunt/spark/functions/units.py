"""`convert_length` and its family. Source: learn.microsoft.com/kusto/query/scalar-functions (conversion functions).

Only units that are defined by an exact number are here, and those that an answer of the engine shows: of the others it
is not known with how many digits it reckons (its acre-foot has six)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import Constant
from lakehunt.kql.types import REAL, STRING
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar

_PREFIXES = {
    "Nano": 1e-9,
    "Micro": 1e-6,
    "Milli": 1e-3,
    "Centi": 1e-2,
    "Deci": 1e-1,
    "Deca": 10.0,
    "Hecto": 100.0,
    "Kilo": 1e3,
    "Mega": 1e6,
    "Giga": 1e9,
    "Tera": 1e12,
}


def _metric(unit: str, size: float, *prefixes: str) -> dict[str, float]:
    """A unit and some of its multiples: `Meter`, `Kilometer`."""
    return {unit: size} | {prefix + unit.lower(): _PREFIXES[prefix] * size for prefix in prefixes}


FOOT = 0.3048
POUND = 0.45359237
INCH = FOOT / 12
GRAVITY = 9.80665
BRITISH_THERMAL_UNIT = 1055.05585262

_LENGTHS = _metric("Meter", 1.0, "Nano", "Micro", "Milli", "Centi", "Deci", "Deca", "Hecto", "Kilo") | {
    "Angstrom": 1e-10,
    "Inch": INCH,
    "Microinch": INCH * 1e-6,
    "Mil": INCH * 1e-3,
    "Hand": INCH * 4,
    "Foot": FOOT,
    "Yard": FOOT * 3,
    "Fathom": FOOT * 6,
    "Chain": FOOT * 66,
    "Shackle": FOOT * 90,
    "Mile": FOOT * 5280,
    "NauticalMile": 1852.0,
}

_SPEEDS = {
    f"{length}Per{period}": _LENGTHS[length] / seconds
    for period, seconds in (("Second", 1.0), ("Minute", 60.0), ("Hour", 3600.0))
    for length in (
        *("Nanometer", "Micrometer", "Millimeter", "Centimeter", "Decimeter", "Meter", "Kilometer"),
        *("Inch", "Foot", "Yard", "Mile"),
    )
    if (length, period) not in {("Nanometer", "Hour"), ("Micrometer", "Hour"), ("Decimeter", "Hour")}
    and (length != "Mile" or period == "Hour")
} | {"Knot": 1852.0 / 3600}

FACTORS: dict[str, dict[str, float]] = {
    "angle": _metric("Radian", 1.0, "Nano", "Micro", "Milli", "Centi", "Deci")
    | _metric("Degree", math.pi / 180, "Nano", "Micro", "Milli")
    | {
        "Arcminute": math.pi / 180 / 60,
        "Arcsecond": math.pi / 180 / 3600,
        "Gradian": math.pi / 200,
        "Revolution": math.pi * 2,
    },
    "energy": _metric("Joule", 1.0, "Milli", "Kilo", "Mega", "Giga")
    | _metric("WattHour", 3600.0)
    | {f"{p}wattHour": 3600.0 * _PREFIXES[p] for p in ("Kilo", "Mega", "Giga", "Tera")}
    | {f"{p}wattDay": 86400.0 * _PREFIXES[p] for p in ("Kilo", "Mega", "Giga", "Tera")}
    | {"WattDay": 86400.0, "Erg": 1e-7, "BritishThermalUnit": BRITISH_THERMAL_UNIT}
    | {f"{p}britishThermalUnit": BRITISH_THERMAL_UNIT * _PREFIXES[p] for p in ("Kilo", "Mega", "Giga")}
    | _metric("Calorie", 4.184, "Kilo", "Mega"),
    "force": _metric("Newton", 1.0, "Micro", "Milli", "Deca", "Kilo", "Mega")
    | {"Dyn": 1e-5, "KilogramForce": GRAVITY, "KiloPond": GRAVITY, "TonneForce": GRAVITY * 1000},
    "length": _LENGTHS,
    "mass": _metric("Gram", 1e-3, "Nano", "Micro", "Milli", "Centi", "Deci", "Deca", "Hecto", "Kilo")
    | {"Tonne": 1e3, "Kilotonne": 1e6, "Megatonne": 1e9}
    | {"Pound": POUND, "Kilopound": POUND * 1e3, "Megapound": POUND * 1e6, "ShortTon": POUND * 2000},
    "speed": _SPEEDS,
    "volume": _metric("Liter", 1e-3, "Micro", "Milli", "Centi", "Deci", "Deca", "Hecto", "Kilo", "Mega")
    | {f"Cubic{name}": _LENGTHS[name] ** 3 for name in ("Meter", "Kilometer", "Hectometer", "Decimeter", "Centimeter")}
    | {f"Cubic{name}": _LENGTHS[name] ** 3 for name in ("Millimeter", "Micrometer")}
    | {"HectocubicMeter": 100.0, "KilocubicMeter": 1000.0, "AcreFoot": 1 / 0.000810714},
}
"""The size of each unit, in the first one of its kind."""


def _known(units: Iterable[str], name: str | None) -> str:
    if name is None or name not in units:
        raise LakehuntError(f"the unit '{name}' is not supported", f"one of {', '.join(units)}")
    return name


def _enter(kind: str, units: dict[str, float]) -> None:
    @scalar(f"convert_{kind}", REAL, Constant(STRING), Constant(STRING), returns=REAL)
    def convert(value: Column, source: str | None, target: str | None) -> Column:
        return value * F.lit(units[_known(units, source)]) / F.lit(units[_known(units, target)])


for _kind, _units in FACTORS.items():
    _enter(_kind, _units)

TEMPERATURES: dict[str, tuple[float, float]] = {
    "Kelvin": (1.0, 0.0),
    "DegreeCelsius": (1.0, 273.15),
    "DegreeFahrenheit": (5 / 9, 459.67 * 5 / 9),
    "DegreeRankine": (5 / 9, 0.0),
    "MillidegreeCelsius": (1e-3, 273.15),
}
"""Each scale's degree and zero, in kelvins."""


@scalar("convert_temperature", REAL, Constant(STRING), Constant(STRING), returns=REAL)
def convert_temperature(value: Column, source: str | None, target: str | None) -> Column:
    size, zero = TEMPERATURES[_known(TEMPERATURES, source)]
    to_size, to_zero = TEMPERATURES[_known(TEMPERATURES, target)]
    return (value * F.lit(size) + F.lit(zero - to_zero)) / F.lit(to_size)
