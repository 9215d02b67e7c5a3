"""The variables of the PhysioNet/CinC Challenge 2012: codes, units, and what a living adult can show.

The limits are wide on purpose: outside them lie slips of entry (a pH of 733, a temperature of -17.8).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """One variable of the challenge."""

    loinc: str | None
    """None where LOINC has no code for it as it is recorded."""
    unit: str
    """UCUM."""
    low: float
    high: float
    vital_sign: bool = False
    """Whether it is one of `shared.codes.VITAL_SIGNS`, which a bundle knows."""


VARIABLES = {
    "HR": Variable("8867-4", "/min", 5, 350, vital_sign=True),
    "RespRate": Variable("9279-1", "/min", 0, 120, vital_sign=True),
    "Temp": Variable("8310-5", "Cel", 20, 46, vital_sign=True),
    "SaO2": Variable("2708-6", "%", 10, 100, vital_sign=True),
    "NISysABP": Variable("8480-6", "mm[Hg]", 20, 350, vital_sign=True),
    "NIDiasABP": Variable("8462-4", "mm[Hg]", 5, 250, vital_sign=True),
    "NIMAP": Variable("8478-0", "mm[Hg]", 10, 300),
    "SysABP": Variable("8480-6", "mm[Hg]", 20, 350, vital_sign=True),
    "DiasABP": Variable("8462-4", "mm[Hg]", 5, 250, vital_sign=True),
    "MAP": Variable("8478-0", "mm[Hg]", 10, 300),
    "FiO2": Variable("3150-6", "{fraction}", 0.2, 1),
    "GCS": Variable("9269-2", "{score}", 3, 15),
    "MechVent": Variable(None, "{0 or 1}", 0, 1),
    "Weight": Variable("29463-7", "kg", 20, 350),
    "Urine": Variable("9187-6", "mL", 0, 12_000),
    "WBC": Variable("6690-2", "10*3/uL", 0, 600),
    "Platelets": Variable("777-3", "10*3/uL", 0, 3000),
    "HCT": Variable("4544-3", "%", 5, 75),
    "Na": Variable("2951-2", "mmol/L", 90, 200),
    "K": Variable("2823-3", "mmol/L", 1, 15),
    "Mg": Variable("19123-9", "mmol/L", 0.1, 15),
    "HCO3": Variable("1963-8", "mmol/L", 1, 70),
    "BUN": Variable("3094-0", "mg/dL", 0.5, 400),
    "Creatinine": Variable("2160-0", "mg/dL", 0.05, 40),
    "Glucose": Variable("2345-7", "mg/dL", 5, 2500),
    "Lactate": Variable("2524-7", "mmol/L", 0.05, 40),
    "pH": Variable("2744-1", "[pH]", 6.3, 8.2),
    "PaO2": Variable("2703-7", "mm[Hg]", 10, 760),
    "PaCO2": Variable("2019-8", "mm[Hg]", 5, 200),
    "Albumin": Variable("1751-7", "g/dL", 0.3, 8),
    "ALP": Variable("6768-6", "U/L", 1, 10_000),
    "ALT": Variable("1742-6", "U/L", 0, 30_000),
    "AST": Variable("1920-8", "U/L", 0, 50_000),
    "Bilirubin": Variable("1975-2", "mg/dL", 0, 100),
    "Cholesterol": Variable("2093-3", "mg/dL", 10, 1500),
    "TroponinI": Variable("10839-9", "ug/L", 0, 500),
    "TroponinT": Variable("6598-7", "ug/L", 0, 200),
}
"""The 37 that are measured over time."""

STATIC = {
    "RecordID": (0, 10**9),
    "Age": (15, 120),
    "Gender": (0, 1),
    "Height": (100, 250),
    "ICUType": (1, 4),
}
"""Facts of the stay, written once at 00:00, with their limits. The first weight is both: a fact and a reading."""
ICU_TYPES = {1: "coronary", 2: "cardiac-surgery", 3: "medical", 4: "surgical"}
BODY_HEIGHT, AGE = "8302-2", "30525-0"
