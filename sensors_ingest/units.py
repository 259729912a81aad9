"""Units as sources write them, and how a value in one of them becomes a value in the canonical unit of its quantity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sensors_ingest.readings import CANONICAL_UNITS

# Canonical unit → unit as written (also the three-letter codes of UN/CEFACT, which NGSI-LD uses) → factor and shift:
# canonical value = value × factor + shift.
CONVERSIONS: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "degC": {
        **dict.fromkeys(("degC", "°C", "C", "Cel", "CEL", "celsius", "degree celsius", "degree Celsius"), (1.0, 0.0)),
        **dict.fromkeys(("degF", "°F", "FAH"), (5 / 9, -160 / 9)),
        **dict.fromkeys(("K", "KEL"), (1.0, -273.15)),
    },
    "percent": {**dict.fromkeys(("percent", "%", "%RH", "P1"), (1.0, 0.0)), "ratio": (100.0, 0.0), "C62": (100.0, 0.0)},
    "cm": {
        **dict.fromkeys(("cm", "CMT"), (1.0, 0.0)),
        **dict.fromkeys(("m", "MTR"), (100.0, 0.0)),
        **dict.fromkeys(("mm", "MMT"), (0.1, 0.0)),
    },
    "mm": {
        **dict.fromkeys(("mm", "MMT", "l/m2"), (1.0, 0.0)),
        **dict.fromkeys(("cm", "CMT"), (10.0, 0.0)),
        **dict.fromkeys(("m", "MTR"), (1000.0, 0.0)),
    },
    "m/s": {
        **dict.fromkeys(("m/s", "MTS"), (1.0, 0.0)),
        **dict.fromkeys(("km/h", "KMH"), (1 / 3.6, 0.0)),
        **dict.fromkeys(("kn", "KNT"), (1852 / 3600, 0.0)),
    },
    "kWh": {
        **dict.fromkeys(("kWh", "KWH"), (1.0, 0.0)),
        **dict.fromkeys(("MWh", "MWH"), (1000.0, 0.0)),
        **dict.fromkeys(("Wh", "WHR"), (0.001, 0.0)),
    },
    "m3": {**dict.fromkeys(("m3", "m³", "MTQ"), (1.0, 0.0)), **dict.fromkeys(("l", "L", "LTR"), (0.001, 0.0))},
    "V": {**dict.fromkeys(("V", "VLT"), (1.0, 0.0)), **dict.fromkeys(("mV", "2Z"), (0.001, 0.0))},
    "ppm": {**dict.fromkeys(("ppm", "59"), (1.0, 0.0))},
    "dB(A)": {**dict.fromkeys(("dB(A)", "dBA"), (1.0, 0.0))},
}


@dataclass(frozen=True)
class Scale:
    """What one quantity of a feed is here.

    ``said`` is the feed's name for it, ``default_unit`` the unit of values that come without one. ``sentinels`` are the
    values, in the feed's unit, that mean "no value"; ``lowest`` and ``highest`` what its sensor can measure, in the
    canonical unit.
    """

    said: str
    quantity: str
    default_unit: str | None = None
    sentinels: Sequence[float] = ()
    lowest: float | None = None
    highest: float | None = None

    def __post_init__(self) -> None:
        if self.quantity not in CANONICAL_UNITS:
            raise ValueError(f"quantity '{self.quantity}' is none of {', '.join(CANONICAL_UNITS)}")
        if self.default_unit is not None and self.default_unit not in self.conversions:
            known = ", ".join(self.conversions)
            raise ValueError(f"unit '{self.default_unit}' of {self.said} is none of {known}")

    @property
    def unit(self) -> str:
        """The canonical unit."""
        return CANONICAL_UNITS[self.quantity]

    @property
    def conversions(self) -> dict[str, tuple[float, float]]:
        """Every unit in which the quantity may come."""
        return CONVERSIONS.get(self.unit, {self.unit: (1.0, 0.0)})
