"""Under which conditions the ward is seen: who comes, how machines and writers behave, what is missing, how labels err.

Conditions change what is rendered, who is drawn and what is recorded; the conditional tables of the findings never.
A shift is a named change of conditions, for robustness and drift work (`consilium synth --shift NAME`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.diagnosis.ward.observation import Missingness
from services.diagnosis.ward.population import NEW_SITE, Population
from services.diagnosis.ward.scanners import NEW_SCANNER, STANDARD_IMAGING, Imaging
from services.diagnosis.ward.scanners import NEW_SITE as NEW_SITE_IMAGING
from services.diagnosis.ward.wearables import (
    NEW_SITE_WEARABLE,
    NOISY_WEARABLE,
    SKEWED_CLOCKS,
    STANDARD_WEARABLE,
    Wearable,
)
from services.diagnosis.ward.writing import COPIED_FORWARD, NEW_SITE_WRITING, STANDARD_WRITING, TERSE, Writing


@dataclass(frozen=True)
class Conditions:
    """Everything of a ward that is not the joint distribution of diagnosis and findings."""

    name: str = "standard"
    about: str = "the ward as the demo bundle was trained on it"
    population: Population = field(default_factory=Population)
    imaging: Imaging = STANDARD_IMAGING
    writing: Writing = STANDARD_WRITING
    wearable: Wearable = STANDARD_WEARABLE
    missingness: Missingness = field(default_factory=Missingness)
    label_noise: float = 0.0
    """Probability that the recorded label is not the true one."""


class UnknownShift(ValueError):
    """There is no shift of that name; the message lists those there are."""


BY_DIAGNOSIS = {
    # who is well gets no film and no wearable, who is very ill is hardly asked; all else follows
    #          PNA   CHF   PTX   EFF   COPD  PE    SEP   NONE
    "image":  (0.08, 0.15, 0.05, 0.10, 0.25, 0.40, 0.40, 0.50),
    "note":   (0.10, 0.25, 0.30, 0.05, 0.15, 0.20, 0.50, 0.05),
    "vitals": (0.20, 0.10, 0.35, 0.40, 0.20, 0.15, 0.05, 0.60),
}  # fmt: skip

STANDARD = Conditions()
SHIFTS: dict[str, Conditions] = {
    conditions.name: conditions
    for conditions in (
        STANDARD,
        Conditions("new-scanner", "a scanner at every site that none had before", imaging=NEW_SCANNER),
        Conditions("terse-notes", "notes of few words and many abbreviations", writing=TERSE),
        Conditions("copied-forward", "notes that carry blocks of earlier ones", writing=COPIED_FORWARD),
        Conditions("noisy-wearable", "more noise, artefacts and gaps in the wearables", wearable=NOISY_WEARABLE),
        Conditions("skewed-clocks", "clocks that are off and drift, late and doubled samples", wearable=SKEWED_CLOCKS),
        Conditions(
            "older-population",
            "patients of 78 years on average instead of 62",
            population=Population(age_mean=78.0, age_sd=9.0),
        ),
        Conditions(
            "new-site",
            "all from a fourth site with its own scanners, style of writing and wearables",
            population=Population(sites={NEW_SITE: 1.0}),
            imaging=NEW_SITE_IMAGING,
            writing=NEW_SITE_WRITING,
            wearable=NEW_SITE_WEARABLE,
        ),
        Conditions(
            "darker-skin",
            "two patients in three of skin type V or VI, whom pulse oximeters read too high",
            population=Population(skin_types=(0.02, 0.05, 0.10, 0.17, 0.33, 0.33)),
        ),
        Conditions("label-noise", "one recorded diagnosis in seven is wrong", label_noise=0.15),
        Conditions(
            "missing-at-random",
            "each modality is missing in three patients of ten, whoever they are",
            missingness=Missingness(at_random=0.3),
        ),
        Conditions(
            "missing-not-at-random",
            "which modality is missing depends on the diagnosis",
            missingness=Missingness(by_diagnosis=BY_DIAGNOSIS),
        ),
    )
}
"""Name -> conditions. `standard` is no shift."""


def shift(name: str) -> Conditions:
    """The conditions of that name. Raises: UnknownShift."""
    try:
        return SHIFTS[name]
    except KeyError:
        raise UnknownShift(f"there is no shift {name!r}; there are {', '.join(SHIFTS)}") from None
