"""The reference names every setting with its default."""

from __future__ import annotations

from services.diagnosis.settings import DiagnosisSettings
from tests.support.common import PROJECT_ROOT

REFERENCE = PROJECT_ROOT / "docs" / "reference" / "diagnosis.md"


def test_the_reference_names_every_setting_with_its_default() -> None:
    rows = [line.split("|") for line in REFERENCE.read_text().splitlines() if "`CONSILIUM_DIAGNOSIS_" in line]
    documented = {row[1].strip(" `").removeprefix("CONSILIUM_DIAGNOSIS_").lower(): row[2].strip() for row in rows}
    declared = {name: field.default for name, field in DiagnosisSettings.model_fields.items()}
    assert documented.keys() == declared.keys()
    numbers = {name: str(float(text)) for name, text in documented.items() if text.isdigit()}
    assert numbers == {name: str(float(value)) for name, value in declared.items() if isinstance(value, int | float)}
