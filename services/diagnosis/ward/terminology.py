"""Findings, vitals and documents of the ward in SNOMED CT and LOINC.

A code is given where a concept says what the finding says, and None where none is certain to: shapes of a curve,
slight changes of an image, and what only a pair means.
"""

from __future__ import annotations

from shared.codes import LOINC, PLEURAL_EFFUSION, PNEUMOTHORAX, SNOMED_CT, VITAL_SIGNS, Coding

FEVER = Coding(SNOMED_CT, "386661006", "Fever")

FINDINGS: dict[str, Coding | dict[str, Coding | None] | None] = {
    "consolidation": Coding(SNOMED_CT, "95436008", "Lung consolidation"),
    "interstitial_oedema": Coding(SNOMED_CT, "19242006", "Pulmonary edema"),
    "pneumothorax": PNEUMOTHORAX,
    "pleural_effusion": PLEURAL_EFFUSION,
    "hyperinflation": None,
    "cardiomegaly": Coding(SNOMED_CT, "8186001", "Cardiomegaly"),
    "device": {
        "central_line": Coding(SNOMED_CT, "52124006", "Central venous catheter"),
        "pacemaker": Coding(SNOMED_CT, "14106009", "Cardiac pacemaker"),
    },
    "basal_band": None,
    "fever": FEVER,
    "productive_cough": Coding(SNOMED_CT, "28743005", "Productive cough"),
    "orthopnoea": Coding(SNOMED_CT, "62744007", "Orthopnea"),
    "pleuritic_pain": Coding(SNOMED_CT, "2237002", "Pleuritic pain"),
    "leg_swelling": Coding(SNOMED_CT, "102572006", "Edema of lower extremity"),
    "calf_pain": None,
    "wheeze": Coding(SNOMED_CT, "56018004", "Wheezing"),
    "sudden_onset": Coding(SNOMED_CT, "385315009", "Sudden onset"),
    "haemoptysis": Coding(SNOMED_CT, "66857006", "Hemoptysis"),
    "rigors": Coding(SNOMED_CT, "38880002", "Rigor"),
    "confusion": Coding(SNOMED_CT, "286933003", "Confusional state"),
    "urinary_symptoms": None,
    "weight_loss": Coding(SNOMED_CT, "89362005", "Weight loss"),
    "reduced_air_entry": Coding(SNOMED_CT, "58840004", "Decreased breath sounds"),
    "dull_percussion": None,
    "smoking": Coding(SNOMED_CT, "77176002", "Smoker"),
    "cardiac_history": Coding(SNOMED_CT, "56265001", "Heart disease"),
    "recent_surgery": Coding(SNOMED_CT, "161615003", "History of surgery"),
    "malignancy": Coding(SNOMED_CT, "363346000", "Malignant neoplastic disease"),
    "diabetes": Coding(SNOMED_CT, "73211009", "Diabetes mellitus"),
    "chronic_kidney_disease": Coding(SNOMED_CT, "709044004", "Chronic kidney disease"),
    "chronic_lung_disease": Coding(SNOMED_CT, "413839001", "Chronic lung disease"),
    "rib_tenderness": None,
    "breathless_spells": Coding(SNOMED_CT, "267036007", "Dyspnea"),
    "fever_curve": FEVER,
    "tachycardia": {"sustained": Coding(SNOMED_CT, "3424008", "Tachycardia"), "irregular": None},
    "desaturation": Coding(SNOMED_CT, "389087006", "Hypoxemia"),
    "tachypnoea": Coding(SNOMED_CT, "271823003", "Tachypnea"),
    "blood_pressure": {
        "low": Coding(SNOMED_CT, "45007003", "Low blood pressure"),
        "high": Coding(SNOMED_CT, "24184005", "Elevated blood pressure"),
    },
    "inactivity": None,
    "low_variability": None,
    "saturation_dips": None,
}

CHEST_RADIOGRAPH = Coding(LOINC, "36554-4", "XR Chest Single view")
DOCUMENTS: dict[str, Coding] = {
    code: Coding(LOINC, code, display)
    for code, display in (
        ("34117-2", "History and physical note"),
        ("11506-3", "Progress note"),
        ("51847-2", "Evaluation + Plan note"),
    )
}
"""Types of the notes."""
VITALS: dict[str, Coding] = {sign.coding.code: sign.coding for sign in VITAL_SIGNS}


def coding_of(finding: str, value: str) -> Coding | None:
    """The concept of a finding that takes this value; None where none is certain. Raises: KeyError: no such finding.

    Whether the note asserts, negates or doubts it is the value's affair, not the code's.
    """
    coding = FINDINGS[finding]
    return coding.get(value) if isinstance(coding, dict) else coding
