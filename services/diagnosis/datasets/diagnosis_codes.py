"""From the codes of a stay to the one condition it was about: ICD-9-CM, ICD-10(-CM) and SNOMED CT.

Billing codes are given after discharge, in an order: the reason for the stay first. Two kinds of code are told apart.
What says *acute* counts wherever it stands (`I50.21`, acute systolic heart failure). What may be an old companion, such
as heart failure without another word (`I50.9`), counts only as the first code of the stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shared.codes import (
    CARDIOGENIC_OEDEMA,
    COPD_EXACERBATION,
    DIAGNOSES,
    NO_ACUTE_DISEASE,
    PLEURAL_EFFUSION,
    PNEUMONIA,
    PNEUMOTHORAX,
    PULMONARY_EMBOLISM,
    SEPSIS,
    SNOMED_CT,
    Coding,
)

Version = Literal[9, 10]
ICD_SYSTEMS: dict[str, Version] = {
    "http://hl7.org/fhir/sid/icd-10-cm": 10,
    "http://hl7.org/fhir/sid/icd-10": 10,
    "http://hl7.org/fhir/sid/icd-9-cm": 9,
}
SYMPTOM, OTHER = -1, -2
"""A complaint of the chest without a cause found; anything else that is none of the conditions."""


@dataclass(frozen=True)
class Rule:
    """Codes without their dot that begin with one of `prefixes`, unless they begin with one of `but_not`."""

    condition: Coding
    version: Version
    prefixes: tuple[str, ...]
    but_not: tuple[str, ...] = ()
    first_only: bool = False
    """Counts only as the first code of the stay."""

    def covers(self, code: str, version: int, position: int) -> bool:
        """Whether a code at a position (1: the reason for the stay) means this condition."""
        if version != self.version or (self.first_only and position != 1):
            return False
        return code.startswith(self.prefixes) and not (self.but_not and code.startswith(self.but_not))


RULES = (
    Rule(PNEUMONIA, 10, ("J12", "J13", "J14", "J15", "J16", "J17", "J18", "J100", "J110", "J690", "A481")),
    Rule(PNEUMONIA, 9, ("480", "481", "482", "483", "484", "485", "486", "4870", "48801", "48811", "48881", "5070")),
    Rule(CARDIOGENIC_OEDEMA, 10, ("I501", "I5021", "I5023", "I5031", "I5033", "I5041", "I5043")),
    Rule(CARDIOGENIC_OEDEMA, 10, ("I50", "I110", "I130", "I132"), ("I5022", "I5032", "I5042"), first_only=True),
    Rule(CARDIOGENIC_OEDEMA, 9, ("4281", "42821", "42823", "42831", "42833", "42841", "42843")),
    Rule(
        CARDIOGENIC_OEDEMA, 9,
        ("428", "40201", "40211", "40291", "40401", "40411", "40491", "40403", "40413", "40493"),
        ("42822", "42832", "42842"), first_only=True,
    ),
    # Not the chronic one, and not the one that a procedure during the stay made.
    Rule(PNEUMOTHORAX, 10, ("J93", "S270"), ("J9381",)),
    Rule(PNEUMOTHORAX, 9, ("512", "8600", "8601"), ("5121", "51283", "51284")),
    Rule(PLEURAL_EFFUSION, 10, ("J90", "J91")),
    Rule(PLEURAL_EFFUSION, 9, ("5111", "5118", "5119")),
    Rule(COPD_EXACERBATION, 10, ("J440", "J441")),
    Rule(COPD_EXACERBATION, 9, ("49121", "49122", "49322")),
    # Septic emboli are an infection's, not a thrombus.
    Rule(PULMONARY_EMBOLISM, 10, ("I26",), ("I2601", "I2690")),
    Rule(PULMONARY_EMBOLISM, 9, ("4151",), ("41512",)),
    Rule(SEPSIS, 10, ("A40", "A41", "A021", "A227", "A267", "A327", "A427", "A5486", "B377", "R6520", "R6521")),
    Rule(SEPSIS, 9, ("038", "99591", "99592", "78552")),
)  # fmt: skip
"""Code tables of the condition each stay may be about; ICD-10-CM and ICD-9-CM of the US National Center for Health
Statistics (the latter up to September 2015)."""

SYMPTOMS: dict[Version, tuple[str, ...]] = {
    10: ("R05", "R060", "R068", "R069", "R07", "Z00", "Z03", "Z04", "Z711"),
    9: ("7860", "7862", "7865", "7869", "V655", "V71"),
}
"""Cough, breathlessness and chest pain of no known cause; examined, nothing found."""

_SNOMED = {coding.code: index for index, coding in enumerate(DIAGNOSES)}
_YIELDS = {
    DIAGNOSES.index(SEPSIS): (DIAGNOSES.index(PNEUMONIA),),
    DIAGNOSES.index(PLEURAL_EFFUSION): (DIAGNOSES.index(PNEUMONIA), DIAGNOSES.index(CARDIOGENIC_OEDEMA)),
}
"""Condition -> those that explain it: sepsis here is sepsis without a focus in the lung, and an effusion beside
pneumonia or heart failure is one of their findings."""


def icd_label(code: str, version: int, position: int) -> int:
    """The label that an ICD code stands for, `SYMPTOM` or `OTHER`.

    Args:
        code: with or without its dot.
        version: 9 or 10.
        position: among the codes of the stay, 1 being the reason for it.
    """
    plain = code.replace(".", "").strip().upper()
    for rule in RULES:
        if rule.covers(plain, version, position):
            return DIAGNOSES.index(rule.condition)
    prefixes = SYMPTOMS.get(10 if version == 10 else 9, ())
    return SYMPTOM if plain.startswith(prefixes) else OTHER


def fhir_label(system: str, code: str, position: int) -> int:
    """The same for a coding in a FHIR `Condition`; a SNOMED CT concept must be one of the eight itself."""
    if system == SNOMED_CT:
        return _SNOMED.get(code, OTHER)
    version = ICD_SYSTEMS.get(system)
    return OTHER if version is None else icd_label(code, version, position)


def resolve(labels: Iterable[tuple[int, int]]) -> int | None:
    """The condition of a stay from (position, label) of each code: the first one, unless another explains it.

    None: none of the conditions. Whether a stay of `SYMPTOM` codes alone was without acute disease is the dataset's to
    say, because it takes more than codes.
    """
    found = [label for _, label in sorted(labels) if label >= 0]
    if not found:
        return None
    explained = [label for label in found if any(cause in found for cause in _YIELDS.get(label, ()))]
    return next((label for label in found if label not in explained), found[0])


NO_ACUTE = DIAGNOSES.index(NO_ACUTE_DISEASE)
