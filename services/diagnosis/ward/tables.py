"""The conditional tables of the ward: every number of the generative model, each a choice and none a clinical estimate.

`dials.py` turns down the share of them that is unique, redundant or synergistic; this is the ward with all dials at 1.
Columns follow `shared.codes.DIAGNOSES`: pneumonia, cardiogenic oedema, pneumothorax, pleural effusion, COPD
exacerbation, pulmonary embolism, sepsis without pulmonary focus, no acute disease.
"""

from __future__ import annotations

import numpy as np

from services.diagnosis.ward.model import (
    Array,
    Demographics,
    Deterioration,
    Documented,
    Finding,
    Modality,
    RedundantPair,
    Severity,
    SynergyPair,
    WardModel,
)

PRIOR = (0.18, 0.15, 0.08, 0.11, 0.13, 0.10, 0.11, 0.14)
"""At 62 years, between the sexes."""
#             PNA   CHF    PTX   EFF   COPD   PE     SEP   NONE
AGE_SLOPE = (0.05, 0.45, -0.60, 0.15, 0.30, -0.10, 0.10, -0.50)
"""Of log p(y), per 16 years."""
MALE_LOG_ODDS = (0.10, 0.00, 0.80, 0.10, 0.40, -0.40, 0.00, -0.60)
"""Men against women; half of it is added for men and taken off for women."""

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
HISTORY_AGE_SLOPE = {
    # of the log odds of presence, per 16 years from 62
    "smoking": -0.1,
    "cardiac_history": 0.6,
    "recent_surgery": 0.0,
    "malignancy": 0.4,
    "diabetes": 0.3,
    "chronic_kidney_disease": 0.7,
    "chronic_lung_disease": 0.3,
}
"""What the patient came with: documented by the second table, and likelier or less likely with age."""
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

OVERLAPS: tuple[tuple[str, str, float], ...] = (
    # A fever that the patient felt is on the wearable too; fluid that is seen is the one that sounds dull.
    ("fever", "fever_curve", 0.7),
    ("pleural_effusion", "dull_percussion", 0.7),
)

DETERIORATION_INTERCEPT = (-2.6, -2.4, -2.8, -3.2, -2.6, -2.2, -1.9, -4.4)
DETERIORATION_WEIGHTS = {
    ("blood_pressure", "low"): 1.6,
    ("desaturation", "abrupt"): 1.2,
    ("desaturation", "gradual"): 0.6,
    ("tachypnoea", "present"): 0.8,
    ("tachycardia", "sustained"): 0.6,
    ("low_variability", "present"): 0.5,
}

SEVERITY_INTERCEPTS = {
    # log odds of going beyond a level once it is reached, without any of the findings below
    #              PNA   CHF   PTX   EFF   COPD  PE    SEP   NONE
    "mild":       (-1.2, -1.4, -1.6, -1.2, -1.2, -1.2, -0.9, -4.5),
    "moderate":   (-2.9, -3.1, -3.1, -3.1, -3.0, -2.7, -2.4, -4.5),
}  # fmt: skip
SEVERITY_WEIGHTS = {
    ("consolidation", "lower"): 0.6,
    ("consolidation", "upper"): 0.6,
    ("interstitial_oedema", "present"): 0.8,
    ("pneumothorax", "present"): 1.2,
    ("pleural_effusion", "both_sides"): 0.9,
    ("confusion", "asserted"): 1.4,
    ("orthopnoea", "asserted"): 0.8,
    ("breathless_spells", "recent"): 1.0,
    ("blood_pressure", "low"): 1.4,
    ("desaturation", "abrupt"): 1.1,
    ("desaturation", "gradual"): 0.8,
    ("tachypnoea", "present"): 0.9,
}
"""Of findings of all three modalities: deterioration knows the vitals alone, so that neither tells the other."""


def _with_normal(name: str, modality: Modality, normal: str, columns: dict[str, tuple[float, ...]]) -> Finding:
    abnormal = np.array(list(columns.values())).T  # [diagnoses, abnormal values]
    table = np.column_stack([1 - abnormal.sum(axis=1), abnormal])
    return Finding(name, modality, (normal, *columns), table)


def _documented(name: str, present: tuple[float, ...]) -> Finding:
    """A finding of the note: what is written of it, its true presence summed out."""
    style = HISTORY_DOCUMENTATION if name in HISTORY_AGE_SLOPE else DOCUMENTATION
    written = np.array([style["absent"], style["present"]])[:, [3, 0, 1, 2]]
    documented = Documented(np.array(present), written, HISTORY_AGE_SLOPE.get(name, 0.0))
    return Finding(name, "note", NOTE_VALUES, documented.table(), documented)


def _member(name: str, modality: Modality, values: tuple[str, str], presence: float) -> Finding:
    row = np.array([1 - presence, presence / 2, presence / 2])
    return Finding(name, modality, ("absent", *values), np.tile(row, (len(PRIOR), 1)))


def overlapping(first: Finding, second: Finding, overlap: float) -> RedundantPair:
    """The pair of two findings whose causes overlap; of a finding of the note, its presence is the cause."""
    causes, shown = zip(*(_cause(finding) for finding in (first, second)), strict=True)
    return RedundantPair(first.name, second.name, overlap, causes, shown)


def _cause(finding: Finding) -> tuple[Array, Array]:
    if finding.documented is None:
        return finding.table, np.eye(len(finding.values))
    present = finding.documented.present
    return np.column_stack([1 - present, present]), finding.documented.written


def _build() -> WardModel:
    findings = [_with_normal(name, "image", "absent", columns) for name, columns in IMAGE.items()]
    findings += [_documented(name, present) for name, present in PRESENT.items()]
    findings += [_with_normal(name, "vitals", "absent", columns) for name, columns in VITALS.items()]
    pairs = []
    for first, first_modality, values, second, second_modality, presence, agreement in PAIRS:
        findings.append(_member(first, first_modality, values, presence[0]))
        findings.append(_member(second, second_modality, values, presence[1]))
        pairs.append(SynergyPair(first, second, presence, np.array(agreement)))
    named = {finding.name: finding for finding in findings}
    return WardModel(
        prior=np.array(PRIOR),
        findings=tuple(findings),
        pairs=tuple(pairs),
        deterioration=Deterioration(np.array(DETERIORATION_INTERCEPT), DETERIORATION_WEIGHTS),
        severity=Severity(np.array(list(SEVERITY_INTERCEPTS.values())).T, SEVERITY_WEIGHTS),
        overlaps=tuple(overlapping(named[first], named[second], overlap) for first, second, overlap in OVERLAPS),
        demographics=Demographics(np.array(AGE_SLOPE), np.array(MALE_LOG_ODDS)),
    )


WARD = _build()
"""The ward as shipped."""
