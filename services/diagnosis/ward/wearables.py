"""How wearables measure and send: noise, gaps, clocks, late and duplicate samples, units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shared import codes

HR, RR, SPO2 = codes.HEART_RATE.code, codes.RESPIRATORY_RATE.code, codes.OXYGEN_SATURATION.code
TEMPERATURE, STEPS, HRV = codes.BODY_TEMPERATURE.code, codes.STEPS.code, codes.HEART_RATE_VARIABILITY.code
SYSTOLIC, DIASTOLIC = codes.SYSTOLIC_BLOOD_PRESSURE.code, codes.DIASTOLIC_BLOOD_PRESSURE.code
CODES = (HR, SPO2, RR, TEMPERATURE, SYSTOLIC, DIASTOLIC, STEPS, HRV)


@dataclass(frozen=True)
class Channel:
    """How a wearable measures one vital sign."""

    interval_h: float
    resolution: float
    noise: float
    """Standard deviation of one measurement."""
    artefact: float
    """Standard deviation of what movement adds."""
    low: float
    high: float
    """Of the sensor's range."""


CHANNELS: dict[str, Channel] = {
    HR: Channel(0.22, 1, 2.5, 35, 25, 230),
    SPO2: Channel(0.33, 1, 0.6, 9, 60, 100),
    RR: Channel(0.5, 1, 1.0, 8, 4, 60),
    TEMPERATURE: Channel(1.2, 0.1, 0.10, 1.5, 33, 42.5),
    SYSTOLIC: Channel(3.0, 1, 4.0, 25, 60, 240),
    DIASTOLIC: Channel(3.0, 1, 3.0, 18, 30, 140),
    STEPS: Channel(1.0, 1, 0.0, 0, 0, 5000),
    HRV: Channel(1.0, 1, 4.0, 30, 3, 200),
}
LOSABLE = (HR, SPO2, RR)
"""Signs that read zero where the sensor has lost the skin."""


@dataclass(frozen=True)
class Spelling:
    """Under which code, in which unit and with how many decimals a device sends one sign."""

    code: str
    unit: str
    decimals: int


@dataclass(frozen=True)
class Clock:
    """What one device's clock shows: true time + offset + drift · (days since the case, negative before it)."""

    offset_s: float = 0.0
    """Error at the case time; positive: the clock is ahead."""
    drift_s_per_day: float = 0.0

    def shown_s(self, times_h: NDArray[np.float64]) -> NDArray[np.int64]:
        """True hours relative to the case -> whole seconds relative to the case, as the device says."""
        shown = times_h * 3600 + self.offset_s + self.drift_s_per_day * times_h / 24
        return np.rint(shown).astype(np.int64)


@dataclass(frozen=True)
class Clocks:
    """How far the clocks of one make are off. Always under an hour: what lies further ahead no service takes."""

    synchronised_sd_s: float = 20.0
    """Of clocks that are set over the network."""
    wrong: float = 0.25
    """Share of clocks that are not."""
    wrong_s: tuple[float, float] = (60.0, 900.0)
    drift_sd_s_per_day: float = 2.0

    def draw(self, rng: np.random.Generator) -> Clock:
        """One device's clock; always the same number of random numbers."""
        slip, wrong, far, side, drift = (
            rng.normal(),
            rng.random(),
            rng.uniform(*self.wrong_s),
            rng.random(),
            rng.normal(),
        )
        offset = (far if side < 0.5 else -far) if wrong < self.wrong else self.synchronised_sd_s * slip
        return Clock(float(offset), float(self.drift_sd_s_per_day * drift))


@dataclass(frozen=True)
class Device:
    """One make of wearable."""

    name: str
    density: tuple[float, float] = (0.6, 1.5)
    """Samples for one of `CHANNELS`; drawn for each device from this range."""
    intervals: Mapping[str, float] = field(default_factory=dict)
    """Code -> factor on the interval of its channel, where it is not 1."""
    noise: float = 1.0
    """Factor on the noise of every channel."""
    motion: float = 0.012
    """Share of samples that movement disturbs."""
    lost: float = 0.001
    """Share of samples of `LOSABLE` signs that read zero."""
    frozen: float = 0.05
    """Probability, for each sign, of one spell in which the device repeats itself."""
    frozen_h: tuple[float, float] = (0.5, 2.0)
    gaps: tuple[int, int] = (2, 5)
    """Fewest and most holes: charging and forgetting."""
    gap_h: tuple[float, float] = (0.5, 4.0)
    spelling: Mapping[str, Spelling] = field(default_factory=dict)
    """Code -> how it is sent, where it is not the canonical code and unit."""
    clocks: Clocks = Clocks()


Mixture = tuple[tuple[float, Device], ...]
"""(weight, device); weights sum to one."""


@dataclass(frozen=True)
class Oximetry:
    """Pulse oximetry by skin: it reads dark skin too high, and is less sure of it (Sjoding et al., NEJM 2020)."""

    bias: Mapping[int, tuple[float, float]] = field(default_factory=lambda: {5: (1.0, 2.4), 6: (1.4, 3.0)})
    """Fitzpatrick type -> least and most percentage points added, one number for each patient."""
    noise: Mapping[int, float] = field(default_factory=lambda: {5: 1.3, 6: 1.5})
    """Fitzpatrick type -> factor on the noise."""

    def draw(self, rng: np.random.Generator, skin_type: int) -> tuple[float, float]:
        """(percentage points added, factor on the noise); always one random number."""
        low, high = self.bias.get(skin_type, (0.0, 0.0))
        return low + (high - low) * float(rng.random()), self.noise.get(skin_type, 1.0)


@dataclass(frozen=True)
class Wearable:
    """How the ward's wearables measure and send."""

    profile: str
    sites: Mapping[str, Mixture]
    elsewhere: Mixture
    """At sites that are not named."""
    oximetry: Oximetry = Oximetry()
    late: float = 0.03
    """Share of samples that arrive after newer ones."""
    late_h: float = 1.5
    """By how much, on average."""
    duplicate: float = 0.02
    """Share of samples sent twice."""
    confused: float = 0.05
    """Share of devices that confuse units."""
    wrong_unit: float = 0.06
    """Of its temperatures (Fahrenheit called Celsius) and saturations (fractions called per cent), the share."""

    def draw(self, rng: np.random.Generator, site: str) -> Device:
        """The device of one patient; always one random number."""
        mixture = self.sites.get(site, self.elsewhere)
        at = int(np.searchsorted(np.cumsum([weight for weight, _ in mixture]), rng.random(), side="right"))
        return mixture[min(at, len(mixture) - 1)][1]

    def changed(self, profile: str, change: Callable[[Device], Device]) -> Wearable:
        """The same mixture of devices, each changed."""

        def _changed(mixture: Mixture) -> Mixture:
            return tuple((weight, change(device)) for weight, device in mixture)

        sites = {site: _changed(mixture) for site, mixture in self.sites.items()}
        return replace(self, profile=profile, sites=sites, elsewhere=_changed(self.elsewhere))


FAHRENHEIT = {TEMPERATURE: Spelling("8331-1", "[degF]", 1)}
"""Oral temperature, as American thermometers give it."""
FRACTIONS = {
    SPO2: Spelling("2708-6", "1", 2),
    SYSTOLIC: Spelling(SYSTOLIC, "kPa", 1),
    DIASTOLIC: Spelling(DIASTOLIC, "kPa", 1),
    HRV: Spelling(HRV, "s", 3),
}
WATCH = Device("watch")
PATCH = Device("patch", density=(0.8, 1.5), motion=0.008, gaps=(2, 3))
RING = Device("ring", density=(0.6, 1.2), intervals={STEPS: 1.3})
IMPERIAL_WATCH = replace(WATCH, name="imperial-watch", spelling=FAHRENHEIT)
SI_WATCH = replace(WATCH, name="si-watch", spelling=FRACTIONS)

STANDARD_WEARABLE = Wearable(
    "standard",
    sites={
        "harbour": ((0.75, WATCH), (0.25, PATCH)),
        "hill": ((0.50, WATCH), (0.30, RING), (0.20, IMPERIAL_WATCH)),
        "meadow": ((0.50, WATCH), (0.38, PATCH), (0.12, SI_WATCH)),
    },
    elsewhere=((1.0, WATCH),),
)
"""Mostly clean data; one device in ten has other units, one clock in four is more than a minute off."""


def _noisy(device: Device) -> Device:
    return replace(
        device, density=(0.4, 1.0), noise=2.0, motion=0.06, lost=0.012, frozen=0.3, gaps=(4, 9), gap_h=(1.0, 6.0)
    )


def _skewed(device: Device) -> Device:
    return replace(device, clocks=Clocks(60.0, 0.85, (300.0, 2700.0), 40.0))


NOISY_WEARABLE = replace(STANDARD_WEARABLE.changed("noisy", _noisy), confused=0.15)
"""Loose straps: twice the noise, five times the movement, long holes."""
SKEWED_CLOCKS = replace(STANDARD_WEARABLE.changed("skewed-clocks", _skewed), late=0.15, late_h=4.0, duplicate=0.10)
"""Most clocks are 5 to 45 minutes off and drift; samples come late and twice."""
NEW_SITE_WEARABLE = Wearable(
    "new-site",
    sites={},
    elsewhere=(
        (0.7, Device(
            "ear-clip", density=(0.5, 1.0), noise=1.3, motion=0.02, lost=0.004, gaps=(3, 7), gap_h=(0.5, 5.0),
            intervals={HR: 0.6, SPO2: 0.5, RR: 2.0, TEMPERATURE: 1.5, SYSTOLIC: 1.6, DIASTOLIC: 1.6, HRV: 2.0},
            spelling={**FAHRENHEIT, SPO2: Spelling("59408-5", "1", 2)}, clocks=Clocks(40.0, 0.5, (60.0, 1800.0), 8.0),
        )),
        (0.3, Device("bed-mat", density=(0.8, 1.4), noise=1.6, intervals={HR: 2.0, SPO2: 1.5, RR: 0.5, STEPS: 2.0},
                     frozen=0.15, spelling=FRACTIONS)),
    ),
)  # fmt: skip
"""Makes that the ward has not seen: other intervals, other units, other clocks."""
