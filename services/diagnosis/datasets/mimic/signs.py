"""Which columns and items are vital signs, and their units: degrees Fahrenheit become Celsius here."""

from __future__ import annotations

from dataclasses import dataclass

from shared.codes import (
    BODY_TEMPERATURE,
    DIASTOLIC_BLOOD_PRESSURE,
    HEART_RATE,
    OXYGEN_SATURATION,
    RESPIRATORY_RATE,
    SYSTOLIC_BLOOD_PRESSURE,
    VITAL_SIGNS,
    Coding,
)

SIGNS = {sign.coding.code: sign for sign in VITAL_SIGNS}
CODES = tuple(SIGNS)


@dataclass(frozen=True)
class Measure:
    """What a column or an item measures, and in which unit (UCUM)."""

    coding: Coding
    unit: str
    word: str = ""
    """A word that `d_items` uses for the item."""

    def canonical(self, value: float) -> float | None:
        """The value in the canonical unit; None where no living person shows it."""
        sign = SIGNS[self.coding.code]
        _, factor, offset = next((item for item in sign.factors if item[0] == self.unit), ("", 1.0, 0.0))
        converted = round(value * factor + offset, 6)
        return converted if sign.low <= converted <= sign.high else None


ED_COLUMNS = {
    "temperature": Measure(BODY_TEMPERATURE, "[degF]"),
    "heartrate": Measure(HEART_RATE, "/min"),
    "resprate": Measure(RESPIRATORY_RATE, "/min"),
    "o2sat": Measure(OXYGEN_SATURATION, "%"),
    "sbp": Measure(SYSTOLIC_BLOOD_PRESSURE, "mm[Hg]"),
    "dbp": Measure(DIASTOLIC_BLOOD_PRESSURE, "mm[Hg]"),
}
"""Of `ed/triage` and `ed/vitalsign`."""

CHART_ITEMS = {
    220045: Measure(HEART_RATE, "/min", "heart rate"),
    220210: Measure(RESPIRATORY_RATE, "/min", "respiratory rate"),
    224690: Measure(RESPIRATORY_RATE, "/min", "respiratory rate"),
    220277: Measure(OXYGEN_SATURATION, "%", "saturation"),
    223761: Measure(BODY_TEMPERATURE, "[degF]", "fahrenheit"),
    223762: Measure(BODY_TEMPERATURE, "Cel", "celsius"),
    220179: Measure(SYSTOLIC_BLOOD_PRESSURE, "mm[Hg]", "systolic"),
    220180: Measure(DIASTOLIC_BLOOD_PRESSURE, "mm[Hg]", "diastolic"),
    220050: Measure(SYSTOLIC_BLOOD_PRESSURE, "mm[Hg]", "systolic"),
    220051: Measure(DIASTOLIC_BLOOD_PRESSURE, "mm[Hg]", "diastolic"),
    225309: Measure(SYSTOLIC_BLOOD_PRESSURE, "mm[Hg]", "systolic"),
    225310: Measure(DIASTOLIC_BLOOD_PRESSURE, "mm[Hg]", "diastolic"),
}
"""Items of `icu/chartevents` (those of `vitalsign.sql` in MIT-LCP/mimic-code)."""
