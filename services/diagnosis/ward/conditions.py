"""Under which conditions the ward is seen: who comes, how machines and writers behave, what is missing, how labels err.

Conditions change what is rendered, who is drawn and what is recorded; the conditional tables of the findings never.
A shift is a named change of conditions, for robustness and drift work (`consilium synth --shift NAME`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.diagnosis.ward.population import Missingness, Population
from services.diagnosis.ward.scanners import STANDARD_IMAGING, Imaging
from services.diagnosis.ward.wearables import STANDARD_WEARABLE, Wearable
from services.diagnosis.ward.writing import STANDARD_WRITING, Writing


@dataclass(frozen=True)
class Conditions:
    """Everything of a ward that is not the joint distribution of diagnosis and findings."""

    name: str = "standard"
    population: Population = field(default_factory=Population)
    imaging: Imaging = STANDARD_IMAGING
    writing: Writing = STANDARD_WRITING
    wearable: Wearable = STANDARD_WEARABLE
    missingness: Missingness = field(default_factory=Missingness)
    label_noise: float = 0.0
    """Probability that the recorded label is not the true one."""


STANDARD = Conditions()
SHIFTS: dict[str, Conditions] = {"standard": STANDARD, "older-population": replace(STANDARD, name="older-population")}
