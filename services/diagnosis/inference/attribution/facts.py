"""Which of age, sex and laboratory values counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.attribution.gradients import rescale_to
from services.diagnosis.inference.inputs import PreparedFacts
from services.diagnosis.inference.prediction import FactExplanation
from services.diagnosis.model.preprocessing.tabular import CODES


def explain_facts(
    prepared: PreparedFacts, attributions: NDArray[np.float64], contribution: float
) -> tuple[FactExplanation, ...]:
    """One entry for each known fact, largest first, from attributions [facts]; they sum to `contribution`."""
    places = [CODES.index(code) for code in prepared.known]
    shares = rescale_to(attributions[places], contribution)
    found = [FactExplanation(code, float(share)) for code, share in zip(prepared.known, shares, strict=True)]
    return tuple(sorted(found, key=lambda item: -abs(item.contribution)))
