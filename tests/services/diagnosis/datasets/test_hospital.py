"""DICOM files and a FHIR export become the cases that the same patients are elsewhere."""

from __future__ import annotations

import base64
import gzip
import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from services.diagnosis.datasets.base import SPLIT_SHARES, DatasetError, LabelledCase
from services.diagnosis.datasets.hospital import Hospital, HospitalOptions
from shared.codes import DIAGNOSES, LOINC, PLEURAL_EFFUSION, PNEUMONIA, SEPSIS
from tests.services.diagnosis.datasets.hospital_fixture import (
    FILES,
    HospitalFolder,
    Json,
    condition_json,
    consent_json,
    document_json,
    observation_json,
    provision,
    ward_folder,
    write_ndjson,
)
from tests.support.common import REFERENCE_DATA
from tests.support.fhir_schema import FhirSchema

Change = Callable[[HospitalFolder], object]


@pytest.fixture(scope="module")
def template() -> HospitalFolder:
    """Two small patients with one sample in eight, never written itself."""
    folder = ward_folder(Path("template"), patients=2)
    folder.resources["Observation"] = folder.resources["Observation"][::8]
    return folder


@pytest.fixture
def folder(template: HospitalFolder, tmp_path: Path) -> HospitalFolder:
    return replace(template, root=tmp_path / "hospital", resources=deepcopy(template.resources))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[HospitalFolder, list[LabelledCase]]:
    """Three ward patients at full size, written and read back."""
    folder = ward_folder(tmp_path_factory.mktemp("hospital"), side=512)
    return folder, list(Hospital(folder.write()).cases())


def cases_of(folder: HospitalFolder, **options: float) -> list[LabelledCase]:
    return list(Hospital(folder.write(), options=HospitalOptions(**options)).cases())  # type: ignore[arg-type]


def refusal(folder: HospitalFolder) -> str:
    """What the check says of a folder."""
    folder.write()
    return refusal_of(folder.root)


def refusal_of(root: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        Hospital(root).check()
    return str(caught.value)


def left_out(folder: HospitalFolder) -> dict[str, int]:
    return dict(Hospital(folder.write()).check().dropped)


def test_the_image_is_the_wards_own(three: tuple[HospitalFolder, list[LabelledCase]]) -> None:
    folder, cases = three
    for patient, case in zip(folder.patients, cases, strict=True):
        (own,), (read,) = patient.case().images, case.inputs.images
        assert np.abs(own.pixels - read.pixels).max() < 1e-3
        for name in ("sop_instance_uid", "rows", "columns", "effective_at", "modality", "view_position"):
            assert getattr(own, name) == getattr(read, name)


def test_the_note_is_the_wards_own(three: tuple[HospitalFolder, list[LabelledCase]]) -> None:
    folder, cases = three
    for patient, case in zip(folder.patients, cases, strict=True):
        (own,), (read,) = patient.case().notes, case.inputs.notes
        assert (own.text, own.authored, own.type) == (read.text, read.authored, read.type)


def test_the_vital_signs_are_the_wards_own(three: tuple[HospitalFolder, list[LabelledCase]]) -> None:
    folder, cases = three
    for patient, case in zip(folder.patients, cases, strict=True):
        own, read = patient.case().vitals, case.inputs.vitals
        assert own is not None
        assert read is not None
        # Samples that are the same in everything are one.
        expected = {
            (round(t * 3600), c, round(v, 6)) for t, c, v in zip(own.times_h, own.codes, own.values, strict=True)
        }
        found = [
            (round(t * 3600), c, round(v, 6)) for t, c, v in zip(read.times_h, read.codes, read.values, strict=True)
        ]
        assert sorted(expected) == sorted(found)
        assert (np.diff(read.times_h) >= 0).all()


def test_person_label_and_time_are_the_wards_own(three: tuple[HospitalFolder, list[LabelledCase]]) -> None:
    folder, cases = three
    for patient, case in zip(folder.patients, cases, strict=True):
        assert case.inputs.as_of == patient.as_of
        assert case.inputs.sex == patient.person.sex
        assert int(case.inputs.age_years or 0) == patient.person.age_years
        assert case.targets == {"diagnosis": patient.truth.label, "in_hospital_death": 0}


def test_a_case_says_where_it_comes_from_without_an_identifier(
    three: tuple[HospitalFolder, list[LabelledCase]],
) -> None:
    case = three[1][1]
    assert case.provenance.source == "Encounter.ndjson:2"
    assert case.provenance.research_consent
    assert not {"p1", "e1"} & {case.patient, case.id}
    assert "WARD" not in case.patient + case.id


def test_the_export_is_valid_fhir(folder: HospitalFolder) -> None:
    schema = REFERENCE_DATA / "interop" / "fhir.schema.json"
    if not schema.is_file():
        pytest.skip(f"the FHIR R4 schema is not at {schema}")
    checker = FhirSchema(schema)
    for resources in folder.resources.values():
        assert [problem for resource in resources[:20] for problem in checker.problems(resource)] == []


def test_without_encounters_each_patient_is_a_case_as_of_the_newest_evidence(folder: HospitalFolder) -> None:
    del folder.resources["Encounter"]
    for number, condition in enumerate(folder.resources["Condition"]):
        condition["recordedDate"] = (folder.patients[number].as_of + timedelta(hours=1)).isoformat()
    case = cases_of(folder)[0]
    patient = folder.patients[0]
    samples = [
        datetime.fromisoformat(observation["effectiveDateTime"])
        for observation in folder.resources["Observation"]
        if observation["subject"]["identifier"]["value"] == patient.patient_id
    ]
    newest = max(patient.image_at, patient.note_at, *samples)
    assert case.inputs.as_of == newest
    assert case.provenance.source == "Patient.ndjson:1"


def test_evidence_after_the_diagnosis_was_recorded_is_not_used(folder: HospitalFolder) -> None:
    recorded = folder.patients[0].as_of - timedelta(hours=3.5)
    folder.resources["Condition"][0]["recordedDate"] = recorded.isoformat()
    case = cases_of(folder)[0]
    assert (case.inputs.as_of, case.outcome_at) == (recorded, recorded)
    assert all(image.effective_at <= recorded for image in case.inputs.images)


def test_old_evidence_is_not_used(folder: HospitalFolder) -> None:
    case = cases_of(folder, evidence_days=0.25)[0]
    assert case.inputs.vitals is not None
    assert case.inputs.vitals.times_h.min() >= -6


def test_a_discharge_summary_of_the_encounter_is_left_out(folder: HospitalFolder) -> None:
    note = {**folder.patients[0].note_json(), "type": "18842-5"}
    folder.resources["DocumentReference"][0] = document_json(0, note)
    assert cases_of(folder)[0].inputs.notes == ()
    assert left_out(folder)["discharge summary of the case itself"] == 1


def test_a_condition_in_icd_10_is_a_label(folder: HospitalFolder) -> None:
    coding = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J18.9"}
    folder.resources["Condition"][0]["code"] = {"coding": [coding]}
    assert cases_of(folder)[0].targets["diagnosis"] == DIAGNOSES.index(PNEUMONIA)


def test_the_rank_in_the_encounter_says_which_condition_it_was_about(folder: HospitalFolder) -> None:
    folder.resources["Condition"][0] = condition_json(0, DIAGNOSES.index(PLEURAL_EFFUSION))
    second = condition_json(0, DIAGNOSES.index(SEPSIS)) | {"id": "second"}
    folder.resources["Condition"].append(second)
    folder.resources["Encounter"][0]["diagnosis"] = [
        {"condition": {"reference": "Condition/d0"}, "rank": 2},
        {"condition": {"reference": "Condition/second"}, "rank": 1},
    ]
    assert cases_of(folder)[0].targets["diagnosis"] == DIAGNOSES.index(SEPSIS)


@pytest.mark.parametrize("status", ["refuted", "entered-in-error", "provisional"])
def test_a_condition_in_doubt_is_no_label(folder: HospitalFolder, status: str) -> None:
    folder.resources["Condition"][0]["verificationStatus"] = {"coding": [{"code": status}]}
    assert len(cases_of(folder)) == 1


def test_death_in_the_encounter_is_a_target(folder: HospitalFolder) -> None:
    folder.resources["Encounter"][0]["hospitalization"] = {"dischargeDisposition": {"coding": [{"code": "exp"}]}}
    died = folder.patients[1].as_of + timedelta(days=1)
    folder.resources["Patient"][1]["deceasedDateTime"] = died.isoformat()
    first, second = cases_of(folder)
    assert (first.targets["in_hospital_death"], second.targets["in_hospital_death"]) == (1, 1)
    assert second.outcome_at == died


def test_whether_a_patient_dies_in_an_encounter_that_goes_on_is_unknown(folder: HospitalFolder) -> None:
    folder.resources["Encounter"][0]["status"] = "in-progress"
    del folder.resources["Encounter"][0]["period"]["end"]
    assert "in_hospital_death" not in cases_of(folder)[0].targets


def test_splits_and_shards_part_the_cases(three: tuple[HospitalFolder, list[LabelledCase]]) -> None:
    folder, cases = three
    dataset = Hospital(folder.root)
    ids = [case.id for case in cases]
    assert sorted(case.id for split, _ in SPLIT_SHARES for case in dataset.cases(split=split)) == sorted(ids)
    assert [case.id for k in (0, 1) for case in dataset.cases(shard=(k, 2))] == [*ids[::2], *ids[1::2]]
    assert len(dataset) == len(pickle.loads(pickle.dumps(dataset)))  # noqa: S301  # our own


def test_packed_files_and_files_named_by_nothing_are_read(folder: HospitalFolder) -> None:
    root = folder.write()
    before = next(iter(Hospital(root).cases())).inputs.vitals
    observations = root / FILES["Observation"]
    (root / "fhir/7f3a.ndjson.gz").write_bytes(gzip.compress(observations.read_bytes()))
    observations.unlink()
    write_ndjson(root / "fhir/Claim.000.ndjson", [{"resourceType": "Claim"}])
    after = next(iter(Hospital(root).cases())).inputs.vitals
    assert before is not None
    assert after is not None
    assert before.values.tolist() == after.values.tolist()


# Consent: nobody who did not give it is used.


@pytest.mark.parametrize(
    "consent",
    [
        provision("deny"),
        provision("permit", "TREAT"),
        {"type": "permit"},
        provision("permit", period={"end": "2020-12-31"}),
        provision("permit", period={"start": "2100-01-01T00:00:00Z"}),
        provision("permit", dataPeriod={"end": "2020-12-31"}),
        provision("permit", actor=[{"role": {"text": "only the trial"}, "reference": {"display": "trial"}}]),
        provision("permit", provision=[provision("deny")]),
    ],
)
def test_without_a_permission_for_research_there_is_no_case(folder: HospitalFolder, consent: Json) -> None:
    folder.resources["Consent"][0] = consent_json(0, consent)
    assert [case.provenance.source for case in cases_of(folder)] == ["Encounter.ndjson:2"]
    assert left_out(folder)["case without a consent for research"] == 1


@pytest.mark.parametrize("status", ["draft", "proposed", "rejected", "inactive", "entered-in-error"])
def test_a_consent_that_is_not_active_permits_nothing(folder: HospitalFolder, status: str) -> None:
    folder.resources["Consent"][0] = consent_json(0, provision("permit"), status=status)
    assert len(cases_of(folder)) == 1


def test_one_denial_outweighs_a_permission(folder: HospitalFolder) -> None:
    folder.resources["Consent"].append(consent_json(0, provision("deny"), name="other"))
    assert len(cases_of(folder)) == 1


def test_a_permission_inside_a_general_denial_is_one(folder: HospitalFolder) -> None:
    folder.resources["Consent"][0] = consent_json(0, {"type": "deny", "provision": [provision("permit")]})
    assert len(cases_of(folder)) == 2


def test_a_consent_is_judged_at_the_time_of_reading(folder: HospitalFolder) -> None:
    folder.resources["Consent"][0] = consent_json(0, provision("permit", period={"end": "2026-06-30"}))
    root = folder.write()
    at = [datetime(2026, 6, 30, 23, tzinfo=UTC), datetime(2026, 7, 1, 1, tzinfo=UTC)]
    assert [len(Hospital(root, clock=lambda now=now: now)) for now in at] == [2, 1]  # type: ignore[misc]


def test_no_evidence_of_who_did_not_consent_is_in_the_index(folder: HospitalFolder, tmp_path: Path) -> None:
    folder.resources["Consent"][0] = consent_json(0, provision("deny"))
    assert len(Hospital(folder.write(), tmp_path / "cache")) == 1
    (index,) = (tmp_path / "cache").iterdir()
    first, second = (patient.note_json()["text"].encode()[:40] for patient in folder.patients)
    assert second in index.read_bytes()
    assert first not in index.read_bytes()


# What is left out is counted.


def _at(folder: HospitalFolder) -> datetime:
    return folder.patients[0].as_of - timedelta(hours=1)


def _quantity(**changes: object) -> Json:
    quantity = {"value": 80, "system": "http://unitsofmeasure.org", "code": "/min", **changes}
    return {"code": {"coding": [{"system": LOINC, "code": "8867-4"}]}, "valueQuantity": quantity}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_quantity(code="bpm"), "vital sign in a unit that is not known"),
        (_quantity(value=900), "vital sign that no living person shows"),
        (_quantity(value=None), "vital sign without a measured value"),
        (_quantity(comparator="<"), "vital sign without a measured value"),
        ({**_quantity(), "status": "entered-in-error"}, "Observation that does not stand"),
        ({**_quantity(), "effectiveDateTime": "2026-01-15"}, "vital sign without a time of day"),
        ({**_quantity(), "subject": {"reference": "Patient/nobody"}}, "Observation of nobody in Patient"),
        ({**_quantity(), "subject": {"reference": "Group/p0"}}, "Observation of nobody in Patient"),
        ({"code": {"coding": [{"system": LOINC, "code": "2345-7"}]}}, "Observation of no vital sign"),
    ],
)
def test_observations_that_cannot_be_used_are_counted(folder: HospitalFolder, content: Json, why: str) -> None:
    folder.resources["Observation"].append(observation_json(0, "odd", _at(folder), content))
    assert left_out(folder) == {why: 1}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "superseded"}, "document that does not stand"),
        ({"content": [{"attachment": {"url": "https://ehr.example/Binary/1"}}]}, "document without inline plain text"),
        ({"content": [{"attachment": {"data": "aGk="}}]}, "document without inline plain text"),
        ({"date": "2026-01"}, "document without a time of day"),
        ({"subject": {"reference": "Patient/nobody"}}, "document of nobody in Patient"),
    ],
)
def test_documents_that_cannot_be_used_are_counted(folder: HospitalFolder, change: Json, why: str) -> None:
    folder.resources["DocumentReference"][0].update(change)
    assert left_out(folder) == {why: 1}


@pytest.mark.parametrize(
    ("keyword", "value", "why"),
    [
        ("Modality", "CT", "DICOM object that is no radiograph (CR, DX)"),
        ("NumberOfFrames", 2, "radiograph that is no single grey frame"),
        ("PatientID", "nobody", "radiograph of nobody in Patient"),
    ],
)
def test_radiographs_that_cannot_be_used_are_counted(
    folder: HospitalFolder, keyword: str, value: object, why: str
) -> None:
    folder.write()
    ds = folder.patients[0].dataset()
    setattr(ds, keyword, value)
    ds.save_as(folder.dicom(0))
    report = Hospital(folder.root).check()
    assert (report.cases, report.dropped) == (2, {why: 1})


def test_a_radiograph_without_a_time_is_counted(folder: HospitalFolder) -> None:
    folder.write()
    ds = folder.patients[0].dataset()
    for keyword in ("AcquisitionDateTime", "AcquisitionDate", "ContentDate", "StudyTime"):
        delattr(ds, keyword)
    ds.save_as(folder.dicom(0))
    assert Hospital(folder.root).check().dropped == {"radiograph without a time": 1}


def test_a_time_without_a_zone_is_taken_in_the_hospitals(folder: HospitalFolder) -> None:
    folder.write()
    ds = folder.patients[0].dataset()
    for keyword in ("TimezoneOffsetFromUTC", "AcquisitionDateTime"):
        delattr(ds, keyword)
    local = folder.patients[0].image_at + timedelta(hours=1)  # Amsterdam in January
    ds.AcquisitionDate, ds.AcquisitionTime = local.strftime("%Y%m%d"), local.strftime("%H%M%S")
    ds.save_as(folder.dicom(0))
    case = next(iter(Hospital(folder.root, options=HospitalOptions(timezone="Europe/Amsterdam")).cases()))
    assert case.inputs.images[0].effective_at == folder.patients[0].image_at


@pytest.mark.parametrize("name", ["LIESMICH", "2026.01"])
def test_other_files_without_a_suffix_are_counted(folder: HospitalFolder, name: str) -> None:
    (folder.write() / name).write_text("Nothing but text.")
    assert Hospital(folder.root).check().dropped == {"file without a suffix that is no DICOM": 1}


def test_cases_without_any_evidence_are_counted(folder: HospitalFolder) -> None:
    folder.resources["DocumentReference"].pop(0)
    folder.resources["Observation"] = []
    folder.write()
    folder.dicom(0).unlink()
    report = Hospital(folder.root).check()
    assert (report.cases, report.dropped["case without any evidence"]) == (1, 1)


# What is damaged is an error.


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"resourceType": "Observation", ', "The line is not JSON."),
        (b"[1, 2]", "The line is no FHIR resource."),
        (b'{"resourceType": "Patient", "id": "x"}', "The resource is no Observation"),
        (b'{"resourceType": "Observation"}', "The resource has no id."),
        (b'{"resourceType": "Observation", "id": "\xff"}', "The line is not JSON."),
    ],
)
def test_a_damaged_line_is_named(folder: HospitalFolder, line: bytes, problem: str) -> None:
    file = folder.write() / FILES["Observation"]
    lines = file.read_bytes().splitlines()
    lines.insert(2, line)
    file.write_bytes(b"\n".join(lines))
    assert f"{FILES['Observation']}:3: {problem}" in refusal_of(folder.root)


@pytest.mark.parametrize("kind", ["Patient", "Consent", "Condition"])
def test_a_type_that_is_needed_is_named(folder: HospitalFolder, kind: str) -> None:
    del folder.resources[kind]
    assert f"There is no {kind} file" in refusal(folder)


def _drop_units(folder: HospitalFolder) -> None:
    for observation in folder.resources["Observation"]:
        if observation.get("valueQuantity", {}).get("code") == "{beats}/min":
            observation["valueQuantity"]["code"] = "bpm"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop_units, "No reading of 8867-4 (heart rate) has a unit that is known."),
        (
            lambda f: f.resources["Observation"][0].update(effectiveDateTime="2026-01-15T10:00:00"),
            "Observation.000.ndjson:1: Observation.effectiveDateTime is no time with its zone.",
        ),
        (
            lambda f: f.resources["Observation"].insert(0, observation_json(0, "x", _at(f), _quantity(value="80"))),
            "Observation.000.ndjson:1: valueQuantity.value is not a number.",
        ),
        (
            lambda f: f.resources["DocumentReference"][1]["content"][0]["attachment"].update(data="!"),
            "DocumentReference.ndjson:2: The attachment is no base64 of text",
        ),
        (
            lambda f: f.resources["DocumentReference"][1]["content"][0]["attachment"].update(
                data=base64.b64encode(b" \n").decode()
            ),
            "DocumentReference.ndjson:2: The note is empty.",
        ),
        (lambda f: f.resources["Patient"][0].update(birthDate="17.3.60"), "Patient.ndjson:1: Patient.birthDate"),
        (
            lambda f: f.resources["Patient"].append(f.resources["Patient"][0]),
            "Patient.ndjson:3: The id of this resource was there before.",
        ),
        (
            lambda f: f.resources["Encounter"].append(f.resources["Encounter"][0]),
            "Encounter.ndjson:3: The id of this resource was there before.",
        ),
    ],
)
def test_damaged_resources_are_named(folder: HospitalFolder, change: Change, message: str) -> None:
    change(folder)
    assert message in refusal(folder)


@pytest.mark.parametrize("content", [b"no DICOM at all", "cut"])
def test_an_unreadable_radiograph_is_named(folder: HospitalFolder, content: bytes | str) -> None:
    folder.write()
    file = folder.dicom(0)
    file.write_bytes(file.read_bytes()[:-10] if isinstance(content, str) else content)
    assert str(file) in refusal_of(folder.root)


def test_an_undecodable_radiograph_is_found_by_the_check(folder: HospitalFolder) -> None:
    folder.write()
    ds = folder.patients[0].dataset()
    ds.compress("1.2.840.10008.1.2.5")
    ds.PixelData = ds.PixelData[:-600] + bytes(600)
    ds.save_as(folder.dicom(0))
    assert "image0.dcm: The radiograph cannot be read" in refusal_of(folder.root)


def test_an_identifier_of_two_patients_is_named_by_the_radiograph(folder: HospitalFolder) -> None:
    folder.resources["Patient"][1]["identifier"] += folder.resources["Patient"][0]["identifier"]
    folder.resources["Observation"] = []  # they name their patient by identifier
    assert "image0.dcm: The PatientID of this file is the identifier of two Patients." in refusal(folder)


def test_the_same_radiograph_twice_is_named(folder: HospitalFolder) -> None:
    file = folder.write() / "dicom/again.dcm"
    file.write_bytes(folder.dicom(0).read_bytes())
    assert "The SOPInstanceUID of this file was there before." in refusal_of(folder.root)


def test_no_error_quotes_a_patient(folder: HospitalFolder) -> None:
    folder.resources["Observation"][0]["effectiveDateTime"] = "WARD-5-000000 at ten"
    assert "WARD" not in refusal(folder).replace(str(folder.root), "")
