"""Clinical codes as constants: LOINC for what was measured, UCUM for its unit, SNOMED CT for what it may mean."""

from __future__ import annotations

from dataclasses import dataclass

LOINC = "http://loinc.org"
SNOMED_CT = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True)
class Coding:
    """One code of one system, with the display text of the code system."""

    system: str
    code: str
    display: str


HEART_RATE = Coding(LOINC, "8867-4", "Heart rate")
RESPIRATORY_RATE = Coding(LOINC, "9279-1", "Respiratory rate")
OXYGEN_SATURATION = Coding(LOINC, "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry")
OXYGEN_SATURATION_ANY = Coding(LOINC, "2708-6", "Oxygen saturation in Arterial blood")
BODY_TEMPERATURE = Coding(LOINC, "8310-5", "Body temperature")
SYSTOLIC_BLOOD_PRESSURE = Coding(LOINC, "8480-6", "Systolic blood pressure")
DIASTOLIC_BLOOD_PRESSURE = Coding(LOINC, "8462-4", "Diastolic blood pressure")
STEPS = Coding(LOINC, "55423-8", "Number of steps in unspecified time Pedometer")
HEART_RATE_VARIABILITY = Coding(LOINC, "80404-7", "R-R interval.standard deviation (Heart rate variability)")

PNEUMONIA = Coding(SNOMED_CT, "233604007", "Pneumonia")
CARDIOGENIC_OEDEMA = Coding(SNOMED_CT, "10633002", "Acute congestive heart failure")
PNEUMOTHORAX = Coding(SNOMED_CT, "36118008", "Pneumothorax")
PLEURAL_EFFUSION = Coding(SNOMED_CT, "60046008", "Pleural effusion")
COPD_EXACERBATION = Coding(SNOMED_CT, "195951007", "Acute exacerbation of chronic obstructive airways disease")
PULMONARY_EMBOLISM = Coding(SNOMED_CT, "59282003", "Pulmonary embolism")
SEPSIS = Coding(SNOMED_CT, "91302008", "Sepsis")
NO_ACUTE_DISEASE = Coding(SNOMED_CT, "281900007", "No abnormality detected")

COVID_19_PNEUMONIA = Coding(
    SNOMED_CT, "882784691000119100", "Pneumonia caused by severe acute respiratory syndrome coronavirus 2"
)

DIAGNOSES = (
    PNEUMONIA,
    CARDIOGENIC_OEDEMA,
    PNEUMOTHORAX,
    PLEURAL_EFFUSION,
    COPD_EXACERBATION,
    PULMONARY_EMBOLISM,
    SEPSIS,
    NO_ACUTE_DISEASE,
)
"""The acute chest conditions the demo bundle tells apart, in the order of its labels."""

MILD = Coding(SNOMED_CT, "255604002", "Mild")
MODERATE = Coding(SNOMED_CT, "6736007", "Moderate")
SEVERE = Coding(SNOMED_CT, "24484000", "Severe")
SEVERITIES = (MILD, MODERATE, SEVERE)
"""Levels of severity of an acute illness, in order."""


@dataclass(frozen=True)
class VitalSign:
    """One kind of measurement: its code, its canonical unit, and what a living person can show."""

    coding: Coding
    unit: str
    """UCUM code of the canonical unit."""
    low: float
    high: float
    """Values outside [low, high] (canonical unit) are no measurements of a living person."""
    factors: tuple[tuple[str, float, float], ...] = ()
    """Other units taken: (UCUM code, a, b) with canonical = a · value + b."""
    aliases: tuple[str, ...] = ()
    """LOINC codes that mean the same measurement."""


VITAL_SIGNS = (
    VitalSign(
        HEART_RATE, "/min", 0, 350, (("{beats}/min", 1, 0), ("1/min", 1, 0), ("Hz", 60, 0)), ("76282-3", "8889-8")
    ),
    VitalSign(RESPIRATORY_RATE, "/min", 0, 120, (("{breaths}/min", 1, 0), ("1/min", 1, 0), ("Hz", 60, 0))),
    VitalSign(OXYGEN_SATURATION, "%", 0, 100, (("1", 100, 0),), ("2708-6",)),
    VitalSign(BODY_TEMPERATURE, "Cel", 20, 46, (("[degF]", 5 / 9, -160 / 9), ("K", 1, -273.15)), ("8331-1", "8328-7")),
    VitalSign(SYSTOLIC_BLOOD_PRESSURE, "mm[Hg]", 0, 350, (("kPa", 7.500617, 0),), ("76534-7",)),
    VitalSign(DIASTOLIC_BLOOD_PRESSURE, "mm[Hg]", 0, 250, (("kPa", 7.500617, 0),), ("76535-4",)),
    VitalSign(STEPS, "{steps}", 0, 200_000, (("1", 1, 0), ("{#}", 1, 0)), ("41950-7",)),
    VitalSign(HEART_RATE_VARIABILITY, "ms", 0, 1000, (("s", 1000, 0),)),
)
NEVER_ZERO = frozenset(
    sign.code
    for sign in (HEART_RATE, RESPIRATORY_RATE, OXYGEN_SATURATION, SYSTOLIC_BLOOD_PRESSURE, DIASTOLIC_BLOOD_PRESSURE)
)
"""Codes under which a device's zero is its word for no signal."""


AGE = Coding(LOINC, "30525-0", "Age")
SEX = Coding(LOINC, "46098-0", "Sex")


@dataclass(frozen=True)
class LaboratoryTest:
    """One laboratory value: its code, its canonical unit, and what can be measured at all."""

    coding: Coding
    unit: str
    """UCUM code of the canonical unit."""
    low: float
    high: float


LABORATORY = (
    LaboratoryTest(Coding(LOINC, "6690-2", "Leukocytes [#/volume] in Blood by Automated count"), "10*3/uL", 0, 1000),
    LaboratoryTest(Coding(LOINC, "751-8", "Neutrophils [#/volume] in Blood by Automated count"), "10*3/uL", 0, 1000),
    LaboratoryTest(Coding(LOINC, "731-0", "Lymphocytes [#/volume] in Blood by Automated count"), "10*3/uL", 0, 1000),
    LaboratoryTest(Coding(LOINC, "1988-5", "C reactive protein [Mass/volume] in Serum or Plasma"), "mg/L", 0, 1000),
    LaboratoryTest(Coding(LOINC, "2532-0", "Lactate dehydrogenase [Enzymatic activity/volume]"), "U/L", 0, 50_000),
    LaboratoryTest(Coding(LOINC, "48065-7", "Fibrin D-dimer FEU [Mass/volume]"), "mg/L", 0, 1000),
    LaboratoryTest(Coding(LOINC, "11556-8", "Oxygen [Partial pressure] in Blood"), "mm[Hg]", 0, 700),
    LaboratoryTest(Coding(LOINC, "11557-6", "Carbon dioxide [Partial pressure] in Blood"), "mm[Hg]", 0, 300),
)
FACTS = (AGE, SEX, *(test.coding for test in LABORATORY))
"""What the tabular encoder takes, in the order of its variables."""
