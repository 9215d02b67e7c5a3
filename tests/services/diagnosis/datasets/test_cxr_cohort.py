"""The chest X-ray cohort: a tiny one written here, and the real one where it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.diagnosis.datasets.base import DatasetError, LabelledCase
from services.diagnosis.datasets.cxr_cohort import CxrCohort
from tests.services.diagnosis.datasets.tiny import (
    OBSERVATION_COLUMNS,
    cohort_rows,
    write_cohort,
    write_csv,
    write_picture,
)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledCase]:
    return list(CxrCohort(write_cohort(tmp_path_factory.mktemp("cohort"))).cases())


@pytest.fixture(scope="module")
def real(reference_data: Path) -> Path:
    path = reference_data / "cxr-cohort"
    if not path.is_dir():
        pytest.skip("the chest X-ray cohort is not beside this checkout (../shared/data/cxr-cohort)")
    return path


def test_the_tiny_cohort_passes(tmp_path: Path) -> None:
    assert CxrCohort(write_cohort(tmp_path)).check().cases == 12


def test_an_image_is_read_as_fractions_with_its_original_size(cases: list[LabelledCase]) -> None:
    (image,) = cases[0].inputs.images
    assert (image.pixels.shape, image.rows, image.columns, image.view_position) == ((24, 32), 24, 32, "PA")
    assert 0 <= image.pixels.min() < 0.2 < 0.8 < image.pixels.max() <= 1


def test_a_large_image_is_reduced_and_keeps_its_size_in_writing(tmp_path: Path) -> None:
    write_cohort(tmp_path)
    write_picture(tmp_path / "images" / "i1.jpg", 1, height=768, width=640)
    image = list(CxrCohort(tmp_path).cases())[1].inputs.images[0]
    assert (image.pixels.shape, image.rows, image.columns) == ((512, 427), 768, 640)


def test_the_default_note_is_the_strictly_masked_one_without_its_token(cases: list[LabelledCase]) -> None:
    assert cases[0].inputs.notes[0].text == "Cough and fever."


def test_another_note_may_be_chosen(tmp_path: Path) -> None:
    cohort = CxrCohort(write_cohort(tmp_path), note="note_text")
    assert next(cohort.cases()).inputs.notes[0].text == "Cough. Klebsiella pneumonia."


def test_vital_signs_known_at_the_image_are_readings_and_laboratory_values_measurements(
    cases: list[LabelledCase],
) -> None:
    vitals = cases[0].inputs.vitals
    assert vitals is not None
    assert (vitals.times_h.tolist(), vitals.codes, vitals.values.tolist()) == (
        [-24.0, 0.0], ("8310-5", "2708-6"), [38.5, 91.0]
    )  # fmt: skip
    assert cases[0].measurements == {"8310-5": 38.5, "2708-6": 91.0, "1988-5": 120.0}


def test_what_is_left_out_of_the_values_is_counted(tmp_path: Path) -> None:
    dropped = CxrCohort(write_cohort(tmp_path)).check().dropped
    assert dropped == {
        "observation: taken after the image, or at an unknown time": 1,
        "observation: beyond the detection limit": 1,
        "observation: not of a living person": 1,
        "observation: no LOINC code": 1,
    }


def test_targets_follow_the_table(cases: list[LabelledCase]) -> None:
    assert cases[0].targets == {"pneumonia": 0, "cause": 0, "finding": 0, "icu": 1, "death": 0}
    assert cases[1].targets == {"pneumonia": 1, "cause": 2, "finding": 1, "icu": 1, "death": 0}


def test_a_patient_already_in_intensive_care_has_no_such_outcome_left(tmp_path: Path) -> None:
    rows = [{**row, "in_icu_at_image": "Y"} for row in cohort_rows()]
    assert "icu" not in next(CxrCohort(write_cohort(tmp_path, rows)).cases()).targets


def test_regions_lie_on_the_grid_of_the_image(cases: list[LabelledCase]) -> None:
    regions = cases[0].regions
    assert set(regions) == {"consolidation", "device"}
    assert np.argwhere(regions["consolidation"]).min(0).tolist() == [4, 4]
    assert regions["consolidation"].sum() == 16


def test_licence_origin_and_basis_go_with_each_case(cases: list[LabelledCase]) -> None:
    provenance = cases[3].provenance
    assert (provenance.source, provenance.licence, provenance.label_basis) == (
        "cohort.csv:5",
        "CC BY 4.0",
        "metadata row",
    )
    assert provenance.research_consent
    assert "A. Author" in provenance.citation


def test_only_one_collection_may_be_read(tmp_path: Path) -> None:
    rows = [{**row, "collection": "nih-chestxray14"} if k < 5 else row for k, row in enumerate(cohort_rows())]
    cohort = CxrCohort(write_cohort(tmp_path, rows), collection="nih-chestxray14")
    assert (len(cohort), len(list(cohort.cases()))) == (5, 5)


def test_an_unknown_choice_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Use one of note_text_masked_strict, note_text_masked, note_text"):
        CxrCohort(tmp_path, note="report")


Break = Callable[[Path, list[dict[str, str]]], None]


def _set(row: int, column: str, value: str) -> Break:
    return lambda _, rows: rows[row].__setitem__(column, value)


def _drop_column(path: Path, rows: list[dict[str, str]]) -> None:
    for row in rows:
        del row["finding"]


def _cut_image(path: Path, rows: list[dict[str, str]]) -> None:
    file = path / "images" / "i4.jpg"
    file.write_bytes(file.read_bytes()[:200])


def _remove_image(path: Path, rows: list[dict[str, str]]) -> None:
    (path / "images" / "i4.jpg").unlink()


def _deep_image(path: Path, rows: list[dict[str, str]]) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(path / "images" / "i4.jpg", format="PNG")


def _same_bytes(path: Path, rows: list[dict[str, str]]) -> None:
    (path / "images" / "i4.jpg").write_bytes((path / "images" / "i2.jpg").read_bytes())


def _small_mask(path: Path, rows: list[dict[str, str]]) -> None:
    write_picture(path / "masks" / "i4.png", 1, height=5, width=5)


def _foreign_value(path: Path, rows: list[dict[str, str]]) -> None:
    write_csv(path / "observations.csv", OBSERVATION_COLUMNS, [("P9", "i0", "8310-5", "38", "", "Cel", "0")])


def _fahrenheit(path: Path, rows: list[dict[str, str]]) -> None:
    write_csv(path / "observations.csv", OBSERVATION_COLUMNS, [("P0", "i0", "8310-5", "101", "", "[degF]", "0")])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_drop_column, r"cohort\.csv:1: The table lacks the column finding"),
        (_cut_image, r"images/i4\.jpg: The picture cannot be read"),
        (_remove_image, r"images/i4\.jpg: The picture is missing"),
        (_deep_image, r"images/i4\.jpg: The picture has neither 8-bit grey"),
        (_same_bytes, r"cohort\.csv:6: The same image as in .*cohort\.csv:4"),
        (_set(4, "image_id", "i2"), r"cohort\.csv:6: The same image_id as in .*cohort\.csv:4"),
        (_set(4, "patient_id", ""), r"cohort\.csv:6: The field patient_id is empty"),
        (_set(4, "note_text_masked_strict", "  "), r"cohort\.csv:6: The note in"),
        (_set(4, "finding", "broken leg"), r"cohort\.csv:6: The field finding holds an unknown value"),
        (_set(4, "age", "seventy"), r"cohort\.csv:6: The field age is not a number"),
        (_set(4, "age", "170"), r"cohort\.csv:6: The field age is outside 0 to 120"),
        (_set(4, "licence", ""), r"cohort\.csv:6: The field licence is empty"),
        (_small_mask, r"masks/i4\.png: The mask is no 8-bit picture of 24 rows and 32"),
        (_foreign_value, r"observations\.csv:2: The image is not in cohort\.csv, or belongs"),
        (_fahrenheit, r"observations\.csv:2: The code and its unit"),
    ],
)  # fmt: skip
def test_a_malformed_cohort_ends_in_an_error_with_file_and_row(tmp_path: Path, damage: Break, words: str) -> None:
    rows = cohort_rows()
    write_cohort(tmp_path)
    damage(tmp_path, rows)
    write_csv(tmp_path / "cohort.csv", list(rows[0]), [list(row.values()) for row in rows])
    with pytest.raises(DatasetError, match=words):
        CxrCohort(tmp_path).check()


def test_strict_finds_the_label_in_the_unmasked_note(tmp_path: Path) -> None:
    cohort = CxrCohort(write_cohort(tmp_path), note="note_text")
    assert next(leak for leak in cohort.check().leaks if leak.kind == "label-in-note").count == 8
    with pytest.raises(DatasetError, match=r"cohort\.csv:3: The note names the label of the task pneumonia"):
        cohort.check(strict=True)


def test_the_real_cohort_has_the_counts_of_its_readme(real: Path) -> None:
    report, cases = CxrCohort(real).check(), list(CxrCohort(real).cases())
    findings = Counter(
        ("none", "bacterial", "covid19", "fungal", "other_viral", "other")[c.targets["finding"]] for c in cases
    )
    assert findings == {"covid19": 230, "other_viral": 5, "bacterial": 21, "fungal": 9, "other": 73, "none": 94}
    assert (report.cases, len({case.patient for case in cases})) == (432, 262)
    assert sum(bool(case.regions) for case in cases) == 28
    assert Counter(case.subgroups["collection"] for case in cases) == {
        "covid-image-data-collection": 155, "hannover-covid19-image-repository": 145, "nih-chestxray14": 132
    }  # fmt: skip


def test_the_real_collection_predicts_the_finding_as_its_readme_warns(real: Path) -> None:
    leaks = CxrCohort(real).check().leaks
    (leak,) = (leak for leak in leaks if (leak.kind, leak.task) == ("source-predicts-label", "pneumonia"))
    assert "0.92" in leak.detail
    assert not [leak for leak in leaks if (leak.kind, leak.task) == ("label-in-note", "pneumonia")]
