"""MIMIC in its official layout becomes cases, each with what was known some hours after arrival."""

from __future__ import annotations

import gzip
import pickle
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from services.diagnosis.datasets.base import SPLIT_SHARES, DatasetError, LabelledCase
from services.diagnosis.datasets.mimic import Mimic, MimicOptions
from shared.codes import BODY_TEMPERATURE, DIAGNOSES, HEART_RATE, NO_ACUTE_DISEASE, OXYGEN_SATURATION
from tests.services.diagnosis.datasets.mimic_fixture import (
    DICOM,
    FRACTURE,
    HOME,
    LATERAL,
    PNEUMONIA,
    SEPTIC,
    MimicFolder,
    picture,
)


@pytest.fixture
def folder(tmp_path: Path) -> MimicFolder:
    return MimicFolder(tmp_path / "mimic")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LabelledCase]:
    """Of the folder as it is, by subject."""
    root = MimicFolder(tmp_path_factory.mktemp("mimic")).write()
    return {case.patient: case for case in Mimic(root).cases()}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def refusal(folder: MimicFolder, options: MimicOptions | None = None) -> DatasetError:
    """What the check says of a folder."""
    folder.write()
    with pytest.raises(DatasetError) as caught:
        Mimic(folder.root, options=options or MimicOptions()).check()
    return caught.value


def test_the_case_time_is_hours_after_arrival(cases: dict[str, LabelledCase]) -> None:
    assert cases[str(PNEUMONIA)].inputs.as_of == utc("2180-05-06 23:17:00")


def test_the_case_time_is_the_end_of_a_shorter_stay(cases: dict[str, LabelledCase]) -> None:
    assert cases[str(HOME)].inputs.as_of == utc("2174-08-03 05:30:00")


def test_a_frontal_radiograph_of_the_stay_is_the_image(cases: dict[str, LabelledCase]) -> None:
    (image,) = cases[str(PNEUMONIA)].inputs.images
    assert (image.id, image.view_position, image.rows, image.columns) == (DICOM, "AP", 60, 40)
    assert image.effective_at == utc("2180-05-06 20:05:00")
    assert np.abs(image.pixels - picture() / 255).max() < 0.02  # JPEG is lossy


def test_a_lateral_view_is_taken_where_there_is_no_other(folder: MimicFolder) -> None:
    folder.tables["mimic-cxr-2.0.0-metadata"].pop(0)
    case = next(iter(Mimic(folder.write()).cases()))
    assert [image.id for image in case.inputs.images] == [LATERAL]


def test_a_study_time_without_its_leading_zero_is_read(folder: MimicFolder) -> None:
    options = MimicOptions(hours=14)
    case = next(iter(Mimic(folder.write(), options=options).cases()))
    assert case.inputs.images[0].effective_at == utc("2180-05-07 08:30:00")


def test_notes_are_the_complaint_and_letters_of_earlier_stays(cases: dict[str, LabelledCase]) -> None:
    triage, letter = cases[str(PNEUMONIA)].inputs.notes
    assert (triage.text, triage.authored) == ("Chief complaint: Dyspnea, Fever", utc("2180-05-06 19:17:00"))
    assert letter.text == 'Name: ___\nDischarged home after cholecystectomy, "doing well".'
    assert letter.authored == utc("2180-05-03 11:00:00")


def test_no_note_of_the_stay_itself_is_given_however_late_the_case_time(folder: MimicFolder) -> None:
    options = MimicOptions(hours=10_000, notes_within_days=10_000)
    case = next(iter(Mimic(folder.write(), options=options).cases()))
    assert not any("pneumonia" in note.text for note in case.inputs.notes)
    assert len(case.inputs.notes) == 3


def test_vital_signs_up_to_the_case_time_are_in_canonical_units(cases: dict[str, LabelledCase]) -> None:
    vitals = cases[str(PNEUMONIA)].inputs.vitals
    assert vitals is not None
    minutes = np.rint(vitals.times_h * 60).astype(int).tolist()
    readings = set(zip(minutes, vitals.codes, vitals.values.tolist(), strict=True))
    # 101.3 degrees Fahrenheit are 38.5 Celsius; the monitor's 38.4 were Celsius already.
    temperatures = {(at, value) for at, code, value in readings if code == BODY_TEMPERATURE.code}
    assert temperatures == {(-240, 38.5), (-180, 37.0), (-97, 38.4)}
    rates = {(at, value) for at, code, value in readings if code == HEART_RATE.code}
    assert rates == {(-240, 112), (-180, 108), (-47, 99)}
    assert (-240, OXYGEN_SATURATION.code, 91) in readings
    assert (np.diff(vitals.times_h) >= 0).all()


def test_age_and_subgroups(cases: dict[str, LabelledCase]) -> None:
    case = cases[str(PNEUMONIA)]
    assert (case.inputs.age_years, case.inputs.sex) == (54, "F")
    assert case.subgroups == {"sex": "F", "age": "40-64", "race": "white"}


def test_targets_of_an_admission_moved_to_intensive_care(cases: dict[str, LabelledCase]) -> None:
    case = cases[str(PNEUMONIA)]
    assert case.targets == {"diagnosis": 0, "deterioration24h": 1, "in_hospital_death": 0}
    assert case.outcome_at == utc("2180-05-06 23:30:00")


def test_sepsis_coded_before_pneumonia_is_pneumonia_and_death_is_deterioration(cases: dict[str, LabelledCase]) -> None:
    assert cases[str(SEPTIC)].targets == {"diagnosis": 0, "deterioration24h": 1, "in_hospital_death": 1}


def test_complaints_alone_and_sent_home_is_no_acute_disease(cases: dict[str, LabelledCase]) -> None:
    case = cases[str(HOME)]
    assert case.targets == {
        "diagnosis": DIAGNOSES.index(NO_ACUTE_DISEASE), "deterioration24h": 0, "in_hospital_death": 0,
    }  # fmt: skip
    assert (case.inputs.images, case.inputs.vitals is None) == ((), False)


def test_who_is_in_intensive_care_already_has_no_deterioration_target(folder: MimicFolder) -> None:
    case = next(iter(Mimic(folder.write(), options=MimicOptions(hours=6)).cases()))
    assert "deterioration24h" not in case.targets


def test_a_death_without_a_time_leaves_deterioration_unknown(folder: MimicFolder) -> None:
    folder.change("hosp/admissions", 1, deathtime=None)
    case = next(case for case in Mimic(folder.write()).cases() if case.patient == str(SEPTIC))
    assert case.targets == {"diagnosis": 0, "in_hospital_death": 1}


def test_stays_about_another_condition_are_left_out_and_counted(folder: MimicFolder) -> None:
    dataset = Mimic(folder.write())
    assert len(dataset) == 3
    assert dataset.check().dropped["stay about none of the eight conditions"] == 1


def test_stays_about_another_condition_are_kept_on_request(folder: MimicFolder) -> None:
    dataset = Mimic(folder.write(), options=MimicOptions(keep_others=True))
    other = next(case for case in dataset.cases() if case.patient == str(FRACTURE))
    assert other.targets == {"deterioration24h": 0, "in_hospital_death": 0}


def test_a_case_says_where_it_comes_from_and_what_it_may_be_used_for(cases: dict[str, LabelledCase]) -> None:
    provenance = cases[str(HOME)].provenance
    assert provenance.source == "edstays.csv.gz:3"
    assert provenance.licence == "PhysioNet Credentialed Health Data License 1.5.0"
    assert provenance.research_consent


def test_modules_that_nobody_downloaded_are_missing_modalities(folder: MimicFolder) -> None:
    for name in [name for name in folder.tables if name.startswith(("icu", "note", "mimic-cxr"))]:
        del folder.tables[name]
    case = next(iter(Mimic(folder.write()).cases()))
    assert (case.inputs.images, len(case.inputs.notes)) == ((), 1)
    assert case.targets == {"diagnosis": 0, "in_hospital_death": 0}


def test_admissions_are_cases_without_the_emergency_module(folder: MimicFolder) -> None:
    for name in [name for name in folder.tables if name.startswith("ed/")]:
        del folder.tables[name]
    folder.change("hosp/admissions", 0, edregtime="2180-05-06 19:17:00")
    dataset = Mimic(folder.write(), options=MimicOptions(unit="admission"))
    case = next(iter(dataset.cases()))
    assert (case.id, case.inputs.as_of) == ("22595853", utc("2180-05-06 23:17:00"))
    assert case.provenance.source == "admissions.csv.gz:2"
    assert case.inputs.vitals is not None
    assert case.inputs.vitals.values.tolist() == [38.4]


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("hosp", "physionet.org/files/mimiciv/3.1/hosp"),
        ("ed", "physionet.org/files/mimic-iv-ed/2.2/ed"),
        ("icu", "mimiciv/3.1/icu"),
        ("note", "mimic-iv-note-deidentified-free-text-clinical-notes-2.2/note"),
        ("files", "mimic-cxr-jpg/2.1.0/files"),
    ],
)
def test_modules_are_found_where_a_download_puts_them(folder: MimicFolder, module: str, target: str) -> None:
    folder.write()
    (folder.root / target).parent.mkdir(parents=True)
    shutil.move(folder.root / module, folder.root / target)
    if module == "files":
        for table in folder.root.glob("mimic-cxr-2.0.0-*"):
            shutil.move(table, folder.root / target / ".." / table.name)
    case = next(iter(Mimic(folder.root).cases()))
    assert (len(case.inputs.images), len(case.inputs.notes)) == (1, 2)


def test_unpacked_tables_are_read_as_well(folder: MimicFolder) -> None:
    file = folder.write() / "hosp/patients.csv.gz"
    (folder.root / "hosp/patients.csv").write_bytes(gzip.decompress(file.read_bytes()))
    file.unlink()
    assert len(list(Mimic(folder.root).cases())) == 3


def test_splits_part_the_subjects_and_shards_part_the_cases(folder: MimicFolder) -> None:
    dataset = Mimic(folder.write())
    everybody = [case.id for case in dataset.cases()]
    splits = [split for split, _ in SPLIT_SHARES]
    assert sorted(case.id for split in splits for case in dataset.cases(split=split)) == sorted(everybody)
    assert [[case.id for case in dataset.cases(shard=(k, 2))] for k in (0, 1)] == [everybody[::2], everybody[1::2]]


def test_the_official_split_is_used_on_request(folder: MimicFolder) -> None:
    dataset = Mimic(folder.write(), options=MimicOptions(official_split=True))
    assert [case.patient for case in dataset.cases(split="calibration")] == [str(PNEUMONIA)]
    assert list(dataset.cases(split="train")) == []
    assert dataset.check().dropped["stay of a subject that the official split does not know"] == 2


def test_a_kept_index_is_not_made_again(folder: MimicFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, cache = folder.write(), tmp_path / "cache"
    first = [case.id for case in Mimic(root, cache).cases()]

    def fail(*_: object) -> Iterator[object]:
        raise AssertionError("a table is read again")

    monkeypatch.setattr("services.diagnosis.datasets.mimic.stays.read_rows", fail)
    monkeypatch.setattr("services.diagnosis.datasets.mimic.evidence.read_rows", fail)
    assert [case.id for case in Mimic(root, cache).cases()] == first
    (index,) = cache.iterdir()
    assert index.stat().st_mode & 0o077 == 0


def test_a_dataset_may_be_sent_to_another_process_after_use(folder: MimicFolder, tmp_path: Path) -> None:
    dataset = Mimic(folder.write(), tmp_path / "cache")
    assert len(dataset) == len(pickle.loads(pickle.dumps(dataset)))  # noqa: S301  # our own


def test_a_changed_table_makes_another_index(folder: MimicFolder, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert len(Mimic(folder.write(), cache)) == 3
    folder.tables["ed/edstays"].pop(1)
    assert len(Mimic(folder.write(), cache)) == 2


def test_the_check_reports_leaks_and_what_was_left_out(folder: MimicFolder) -> None:
    folder.change("ed/triage", 0, chiefcomplaint="Pneumonia, Transfer")
    folder.change("ed/triage", 1, heartrate=900)
    report = Mimic(folder.write()).check()
    assert [(leak.kind, leak.task, leak.count) for leak in report.leaks] == [("label-in-note", "diagnosis", 1)]
    assert report.dropped["reading that no living person shows"] == 1


def test_a_stay_of_which_nothing_was_known_is_no_case(folder: MimicFolder) -> None:
    folder.tables["ed/triage"].pop(1)
    report = Mimic(folder.write()).check()
    assert (report.cases, report.dropped["stay without any evidence"]) == (2, 1)


def test_a_death_before_the_case_time_is_no_case(folder: MimicFolder) -> None:
    folder.change("hosp/admissions", 1, deathtime="2182-03-09 13:00:00")
    report = Mimic(folder.write()).check()
    assert (report.cases, report.dropped["death before the case time"]) == (2, 1)


@pytest.mark.parametrize("name", ["hosp/patients", "icu/chartevents", "ed/vitalsign", "note/radiology"])
def test_a_missing_file_is_named(folder: MimicFolder, name: str) -> None:
    del folder.tables[name]
    assert f"{name}.csv.gz: The file is missing." in str(refusal(folder))


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"hosp/ of mimiciv is missing\. Give the folder"):
        Mimic(tmp_path).check()


@pytest.mark.parametrize("name", ["icu/chartevents", "ed/triage", "mimic-cxr-2.0.0-metadata"])
def test_a_missing_column_is_named(folder: MimicFolder, name: str) -> None:
    lost = {"icu/chartevents": "valuenum", "ed/triage": "o2sat", "mimic-cxr-2.0.0-metadata": "StudyTime"}[name]
    folder.headers[name] = ",".join(column for column in folder.headers[name].split(",") if column != lost)
    folder.tables[name] = [{k: v for k, v in row.items() if k != lost} for row in folder.tables[name]]
    assert f"{name}.csv.gz:1: The table lacks the column {lost}." in str(refusal(folder))


@pytest.mark.parametrize(
    ("name", "column", "row"),
    [("ed/triage", "heartrate", 0), ("icu/chartevents", "valuenum", 0), ("hosp/patients", "anchor_age", 1)],
)
def test_a_bad_number_is_named_and_not_quoted(folder: MimicFolder, name: str, column: str, row: int) -> None:
    folder.change(name, row, **{column: "abc"})
    error = str(refusal(folder))
    assert f"{name}.csv.gz:{row + 2}: The field {column} is not a number." in error
    assert "abc" not in error


@pytest.mark.parametrize(
    ("name", "column"), [("ed/edstays", "intime"), ("icu/chartevents", "charttime"), ("note/discharge", "storetime")]
)
def test_a_bad_time_is_named(folder: MimicFolder, name: str, column: str) -> None:
    folder.change(name, 0, **{column: "06/05/2180"})
    assert f"{name}.csv.gz:2: The field {column} is not a time." in str(refusal(folder))


def test_a_bad_study_time_is_named(folder: MimicFolder) -> None:
    folder.change("mimic-cxr-2.0.0-metadata", 1, StudyTime="256000.1")
    assert "mimic-cxr-2.0.0-metadata.csv.gz:3: StudyDate and StudyTime are no time." in str(refusal(folder))


def test_a_stay_that_comes_twice_is_named(folder: MimicFolder) -> None:
    folder.tables["ed/edstays"].append(folder.tables["ed/edstays"][0])
    assert "edstays.csv.gz:6: The stay_id of this row was there before." in str(refusal(folder))


def test_a_radiograph_without_a_file_is_named_by_its_row(folder: MimicFolder) -> None:
    folder.write()
    folder.jpg(folder.tables["mimic-cxr-2.0.0-metadata"][0]).unlink()
    with pytest.raises(DatasetError, match=r"metadata\.csv\.gz:2: The radiograph of this row is missing"):
        Mimic(folder.root).check()


@pytest.mark.parametrize("content", [b"not a picture", "cut"])
def test_an_unreadable_radiograph_is_found_by_the_check(folder: MimicFolder, content: bytes | str) -> None:
    folder.write()
    file = folder.jpg(folder.tables["mimic-cxr-2.0.0-metadata"][0])
    file.write_bytes(file.read_bytes()[:-100] if isinstance(content, str) else content)
    with pytest.raises(DatasetError, match=rf"{DICOM}\.jpg: The picture cannot be read"):
        Mimic(folder.root).check()


def test_an_empty_note_is_named(folder: MimicFolder) -> None:
    folder.change("note/radiology", 1, text="")
    # The row before it is one line long, the header another.
    assert "radiology.csv.gz:3: The note is empty." in str(refusal(folder))


def test_a_subject_in_two_official_splits_is_named(folder: MimicFolder) -> None:
    folder.change("mimic-cxr-2.0.0-split", 2, split="test")
    error = refusal(folder, MimicOptions(official_split=True))
    assert "mimic-cxr-2.0.0-split.csv.gz:4: The subject of this row is in another split" in str(error)


def test_an_item_that_means_something_else_is_named(folder: MimicFolder) -> None:
    folder.change("icu/d_items", 7, label="Skin Temperature")
    assert "d_items.csv.gz:9: Item 223761 is not the body temperature" in str(refusal(folder))


def test_a_table_that_was_cut_off_is_named(folder: MimicFolder) -> None:
    file = folder.write() / "ed/vitalsign.csv.gz"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DatasetError, match=r"vitalsign\.csv\.gz:\d+: The file breaks off here"):
        Mimic(folder.root).check()


def test_two_releases_side_by_side_are_refused(folder: MimicFolder) -> None:
    shutil.copytree(folder.write() / "hosp", folder.root / "mimiciv/2.2/hosp")
    with pytest.raises(DatasetError, match="2 folders hold mimiciv"):
        Mimic(folder.root).check()
