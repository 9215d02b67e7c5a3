"""Codes and units as HL7 v2 senders write them, as LOINC and UCUM.

Numbers of the nomenclature are context free: partition · 2^16 + code (ISO/IEEE 11073-10101, annex A).
"""

from __future__ import annotations

from services.vitals.signs import RR_INTERVAL
from services.vitals.units import SPELLINGS, canonical_code
from shared.codes import (
    BODY_TEMPERATURE,
    DIASTOLIC_BLOOD_PRESSURE,
    HEART_RATE,
    OXYGEN_SATURATION,
    RESPIRATORY_RATE,
    SYSTOLIC_BLOOD_PRESSURE,
)
from shared.hl7v2.message import Segment

_MDC_SIGNS = {
    HEART_RATE.code: ("147842", "149514", "149522", "149530", "149546"),
    # ECG_CARD_BEAT_RATE; PULS_RATE, BLD_PULS_RATE_INV, PULS_OXIM_PULS_RATE, PULS_RATE_NON_INV
    RESPIRATORY_RATE.code: ("151562", "151578", "151594"),  # RESP_RATE, TTHOR_RESP_RATE, CO2_RESP_RATE
    OXYGEN_SATURATION.code: ("150456",),  # PULS_OXIM_SAT_O2
    BODY_TEMPERATURE.code: ("150344", "150364", "150392", "188420", "188424", "188452", "188496"),
    # TEMP, TEMP_BODY, TEMP_TYMP, TEMP_RECT, TEMP_ORAL, TEMP_AXILLA, TEMP_AXIL
    SYSTOLIC_BLOOD_PRESSURE.code: ("150017", "150021", "150033", "150037", "150301"),
    DIASTOLIC_BLOOD_PRESSURE.code: ("150018", "150022", "150034", "150038", "150302"),
    # PRESS_BLD, PRESS_BLD_NONINV, PRESS_BLD_ART, PRESS_BLD_ART_ABP, PRESS_CUFF: each _SYS and _DIA
    RR_INTERVAL.code: ("147240",),  # ECG_TIME_PD_RR_GL
}
MDC_CODES = {number: code for code, numbers in _MDC_SIGNS.items() for number in numbers}
"""Number in the nomenclature -> LOINC. Pressures in other vessels, skin temperatures and means are no vital signs."""
MDC_UNITS = {
    "262688": "%",
    "264864": "/min",
    "264928": "/min",
    "266016": "mm[Hg]",
    "265987": "kPa",
    "268192": "Cel",
    "266560": "[degF]",
    "264338": "ms",
    "264320": "s",
    "MDC_DIM_PERCENT": "%",
    "MDC_DIM_BEAT_PER_MIN": "/min",
    "MDC_DIM_RESP_PER_MIN": "/min",
    "MDC_DIM_MMHG": "mm[Hg]",
    "MDC_DIM_KILO_PASCAL": "kPa",
    "MDC_DIM_DEGC": "Cel",
    "MDC_DIM_FAHR": "[degF]",
    "MDC_DIM_MILLI_SEC": "ms",
    "MDC_DIM_SEC": "s",
}
"""Dimension by number or by name: monitors on the market send names with wrong numbers."""
OLD_UNITS = {**SPELLINGS, "mm(hg)": "mm[Hg]", "kpa": "kPa", "k": "K", "hz": "Hz", "per_min": "/min"}
"""ISO+ and ANSI+ (HL7 2.7 section 7.18.2), and what devices write instead, in small letters -> UCUM."""
_TRIPLETS = ((1, 2, 3), (4, 5, 6))
"""Components of a coded field: code, text, system; the second one is the alternate."""


def vital_sign(obx: Segment) -> str | None:
    """The LOINC code that an OBX observes (OBX-3), None where it is no vital sign known here."""
    for code, system in ((obx.part(3, first), obx.part(3, third)) for first, _, third in _TRIPLETS):
        if system in ("LN", "") and isinstance(canonical_code(code), str):
            return code
        if system == "MDC" and code in MDC_CODES:
            return MDC_CODES[code]
    return None


def unit(obx: Segment) -> str:
    """The UCUM code of the unit (OBX-6); what no table here knows is given as it was sent, for the checks to judge."""
    sent = [tuple(obx.part(6, number) for number in triplet) for triplet in _TRIPLETS]
    for code, name, system in sent:
        if system == "UCUM":
            return code
        if system == "MDC" and (known := MDC_UNITS.get(code) or MDC_UNITS.get(name)):
            return known
    code = sent[0][0]
    return OLD_UNITS.get(code.strip().lower(), code)
