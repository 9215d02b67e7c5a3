"""The conditional tables of the ward: every number of the generative model, each a choice and none a clinical estimate.

Columns follow `shared.codes.DIAGNOSES`: pneumonia, cardiogenic oedema, pneumothorax, pleural effusion, COPD
exacerbation, pulmonary embolism, sepsis without pulmonary focus, no acute disease.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.model import Deterioration, Finding, Modality, SynergyPair, WardModel

PRIOR = (0.18, 0.15, 0.08, 0.11, 0.13, 0.10, 0.11, 0.14)

#                                PNA   CHF   PTX   EFF   COPD  PE    SEP   NONE
IMAGE: dict[str, dict[str, tuple[float, ...]]] = {
    "consolidation": {
        "lower":                (0.50, 0.08, 0.05, 0.14, 0.08, 0.16, 0.06, 0.03),
        "upper":                (0.20, 0.03, 0.03, 0.04, 0.04, 0.04, 0.03, 0.02),
    },
    "interstitial_oedema": {
        "present":              (0.08, 0.62, 0.03, 0.10, 0.06, 0.05, 0.14, 0.03),
    },
    "pneumothorax": {
        "present":              (0.03, 0.02, 0.64, 0.04, 0.08, 0.02, 0.01, 0.02),
    },
    "pleural_effusion": {
        "one_sided":            (0.18, 0.12, 0.10, 0.60, 0.04, 0.18, 0.06, 0.03),
        "both_sides":           (0.04, 0.32, 0.02, 0.16, 0.03, 0.05, 0.09, 0.02),
    },
    "hyperinflation": {
        "present":              (0.10, 0.06, 0.22, 0.07, 0.58, 0.07, 0.05, 0.08),
    },
    "cardiomegaly": {
        "present":              (0.12, 0.62, 0.06, 0.24, 0.12, 0.16, 0.15, 0.10),
    },
    "device": {
        "central_line":         (0.08, 0.07, 0.07, 0.10, 0.04, 0.06, 0.24, 0.03),
        "pacemaker":            (0.05, 0.20, 0.03, 0.08, 0.05, 0.05, 0.05, 0.05),
    },
}  # fmt: skip

PRESENT: dict[str, tuple[float, ...]] = {
    # p(the patient has it | y). What the note says of it: ASSERTED … below.
    #                       PNA   CHF   PTX   EFF   COPD  PE    SEP   NONE
    "fever":               (0.70, 0.08, 0.06, 0.22, 0.20, 0.16, 0.76, 0.10),
    "productive_cough":    (0.66, 0.16, 0.08, 0.16, 0.62, 0.10, 0.08, 0.14),
    "orthopnoea":          (0.08, 0.62, 0.05, 0.26, 0.18, 0.07, 0.05, 0.05),
    "pleuritic_pain":      (0.34, 0.06, 0.62, 0.36, 0.08, 0.52, 0.05, 0.16),
    "leg_swelling":        (0.08, 0.56, 0.05, 0.22, 0.10, 0.16, 0.10, 0.10),
    "calf_pain":           (0.03, 0.05, 0.03, 0.04, 0.03, 0.40, 0.04, 0.06),
    "wheeze":              (0.14, 0.20, 0.08, 0.06, 0.68, 0.07, 0.05, 0.10),
    "sudden_onset":        (0.10, 0.18, 0.68, 0.06, 0.12, 0.56, 0.12, 0.16),
    "haemoptysis":         (0.12, 0.05, 0.03, 0.08, 0.06, 0.20, 0.02, 0.03),
    "rigors":              (0.38, 0.03, 0.02, 0.08, 0.06, 0.04, 0.56, 0.03),
    "confusion":           (0.14, 0.08, 0.03, 0.06, 0.08, 0.06, 0.42, 0.04),
    "urinary_symptoms":    (0.05, 0.06, 0.03, 0.05, 0.05, 0.05, 0.46, 0.08),
    "weight_loss":         (0.08, 0.05, 0.05, 0.34, 0.12, 0.10, 0.07, 0.06),
    "reduced_air_entry":   (0.34, 0.16, 0.66, 0.62, 0.36, 0.10, 0.06, 0.06),
    "dull_percussion":     (0.34, 0.16, 0.03, 0.60, 0.04, 0.08, 0.04, 0.03),
    "smoking":             (0.34, 0.30, 0.48, 0.34, 0.84, 0.28, 0.28, 0.28),
    "cardiac_history":     (0.20, 0.70, 0.10, 0.28, 0.28, 0.16, 0.20, 0.22),
    "recent_surgery":      (0.08, 0.06, 0.08, 0.10, 0.04, 0.36, 0.18, 0.06),
    "malignancy":          (0.10, 0.06, 0.06, 0.36, 0.10, 0.20, 0.14, 0.06),
    "diabetes":            (0.24, 0.36, 0.10, 0.22, 0.22, 0.18, 0.36, 0.18),
    "chronic_kidney_disease": (0.14, 0.34, 0.05, 0.22, 0.12, 0.12, 0.26, 0.10),
    "chronic_lung_disease": (0.22, 0.14, 0.26, 0.12, 0.48, 0.14, 0.12, 0.10),
}  # fmt: skip

DOCUMENTATION = {
    # given presence: asserted, uncertain, negated, unmentioned
    "present": (0.78, 0.07, 0.02, 0.13),
    "absent": (0.02, 0.03, 0.27, 0.68),
}
HISTORY_DOCUMENTATION = {"present": (0.82, 0.03, 0.01, 0.14), "absent": (0.01, 0.02, 0.12, 0.85)}
HISTORY = frozenset(
    {
        "smoking", "cardiac_history", "recent_surgery", "malignancy", "diabetes", "chronic_kidney_disease",
        "chronic_lung_disease",
    }
)  # fmt: skip
NOTE_VALUES = ("unmentioned", "asserted", "uncertain", "negated")

VITALS: dict[str, dict[str, tuple[float, ...]]] = {
    #                            PNA   CHF   PTX   EFF   COPD  PE    SEP   NONE
    "fever_curve": {
        "low_grade":            (0.30, 0.06, 0.06, 0.26, 0.22, 0.26, 0.14, 0.08),
        "spikes":               (0.50, 0.02, 0.02, 0.08, 0.06, 0.03, 0.68, 0.03),
    },
    "tachycardia": {
        "sustained":            (0.40, 0.22, 0.22, 0.14, 0.24, 0.54, 0.74, 0.08),
        "irregular":            (0.06, 0.36, 0.03, 0.08, 0.10, 0.10, 0.06, 0.05),
    },
    "desaturation": {
        "gradual":              (0.52, 0.56, 0.06, 0.42, 0.68, 0.10, 0.16, 0.04),
        "abrupt":               (0.08, 0.08, 0.68, 0.05, 0.08, 0.62, 0.06, 0.03),
    },
    "tachypnoea": {
        "present":              (0.60, 0.56, 0.52, 0.40, 0.72, 0.56, 0.50, 0.06),
    },
    "blood_pressure": {
        "low":                  (0.10, 0.10, 0.08, 0.03, 0.03, 0.20, 0.62, 0.03),
        "high":                 (0.08, 0.52, 0.10, 0.14, 0.16, 0.08, 0.03, 0.16),
    },
    "inactivity": {
        "gradual":              (0.52, 0.50, 0.06, 0.62, 0.54, 0.10, 0.24, 0.05),
        "abrupt":               (0.22, 0.10, 0.60, 0.08, 0.08, 0.52, 0.52, 0.05),
    },
    "low_variability": {
        "present":              (0.30, 0.60, 0.08, 0.14, 0.40, 0.18, 0.70, 0.08),
    },
}  # fmt: skip

PAIRS: tuple[tuple[str, Modality, tuple[str, str], str, Modality, tuple[float, float], tuple[float, ...]], ...] = (
    # A basal band is where the ribs hurt (disease of that side) or is an old scar.
    #                                                        PNA   CHF   PTX   EFF   COPD  PE    SEP   NONE
    ("basal_band", "image", ("left", "right"), "rib_tenderness", "note", (0.85, 0.85),
                                                            (0.90, 0.12, 0.50, 0.88, 0.14, 0.92, 0.10, 0.14)),
    # Dips in saturation are when the patient felt the spells (true paroxysms) or are motion of the sensor.
    ("breathless_spells", "note", ("earlier", "recent"), "saturation_dips", "vitals", (0.85, 0.85),
                                                            (0.14, 0.90, 0.14, 0.10, 0.90, 0.88, 0.12, 0.14)),
)  # fmt: skip

DETERIORATION_INTERCEPT = (-2.6, -2.4, -2.8, -3.2, -2.6, -2.2, -1.9, -4.4)
DETERIORATION_WEIGHTS = {
    ("blood_pressure", "low"): 1.6,
    ("desaturation", "abrupt"): 1.2,
    ("desaturation", "gradual"): 0.6,
    ("tachypnoea", "present"): 0.8,
    ("tachycardia", "sustained"): 0.6,
    ("low_variability", "present"): 0.5,
}


def _with_normal(name: str, modality: Modality, normal: str, columns: dict[str, tuple[float, ...]]) -> Finding:
    abnormal = np.array(list(columns.values())).T  # [diagnoses, abnormal values]
    table = np.column_stack([1 - abnormal.sum(axis=1), abnormal])
    return Finding(name, modality, (normal, *columns), table)


def _documented(name: str, present: tuple[float, ...]) -> Finding:
    """A finding of the note: what is written of it, its true presence summed out."""
    style = HISTORY_DOCUMENTATION if name in HISTORY else DOCUMENTATION
    p = np.array(present)[:, None]
    asserted_first = p * np.array(style["present"]) + (1 - p) * np.array(style["absent"])
    return Finding(name, "note", NOTE_VALUES, asserted_first[:, [3, 0, 1, 2]])


def _member(name: str, modality: Modality, values: tuple[str, str], presence: float) -> Finding:
    row: NDArray[np.float64] = np.array([1 - presence, presence / 2, presence / 2])
    return Finding(name, modality, ("absent", *values), np.tile(row, (len(PRIOR), 1)))


def build_model() -> WardModel:
    """The ward as shipped."""
    findings = [_with_normal(name, "image", "absent", columns) for name, columns in IMAGE.items()]
    findings += [_documented(name, present) for name, present in PRESENT.items()]
    findings += [_with_normal(name, "vitals", "absent", columns) for name, columns in VITALS.items()]
    pairs = []
    for first, first_modality, values, second, second_modality, presence, agreement in PAIRS:
        findings.append(_member(first, first_modality, values, presence[0]))
        findings.append(_member(second, second_modality, values, presence[1]))
        pairs.append(SynergyPair(first, second, presence, np.array(agreement)))
    return WardModel(
        prior=np.array(PRIOR),
        findings=tuple(findings),
        pairs=tuple(pairs),
        deterioration=Deterioration(np.array(DETERIORATION_INTERCEPT), DETERIORATION_WEIGHTS),
    )


WARD = build_model()
