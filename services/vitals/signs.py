"""The measurements that this service takes: the vital signs of the suite, and what derived values need beside them."""

from __future__ import annotations

import math

from shared.codes import (
    BODY_TEMPERATURE,
    LOINC,
    OXYGEN_SATURATION,
    VITAL_SIGNS,
    Coding,
    VitalSign,
)

RR_INTERVAL = Coding(LOINC, "8637-1", "R-R interval by EKG")
OXYGEN_FLOW = Coding(LOINC, "3151-8", "Inhaled oxygen flow rate")
GLASGOW_COMA_SCORE = Coding(LOINC, "9269-2", "Glasgow coma score total")

SIGNS = (
    *VITAL_SIGNS,
    VitalSign(RR_INTERVAL, "ms", 200, 4000, (("s", 1000, 0),)),
    VitalSign(OXYGEN_FLOW, "L/min", 0, 100, (("l/min", 1, 0),)),
    VitalSign(GLASGOW_COMA_SCORE, "{score}", 3, 15, (("1", 1, 0),)),
)
SIGN_OF = {sign.coding.code: sign for sign in SIGNS}
"""By canonical code."""
EVIDENCE_CODES = tuple(sign.coding.code for sign in VITAL_SIGNS)
"""What a diagnosis looks at; the others serve derived values alone."""

_POSSIBLE = {
    OXYGEN_SATURATION.code: (0.0, 100.0),
    BODY_TEMPERATURE.code: (-273.15, math.inf),
    GLASGOW_COMA_SCORE.code: (3.0, 15.0),
}


def possible_range(code: str) -> tuple[float, float]:
    """What a value can be by its definition, in the canonical unit: a share is at most the whole."""
    return _POSSIBLE.get(code, (0.0, math.inf))
