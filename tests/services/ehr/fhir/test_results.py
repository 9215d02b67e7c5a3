"""DiagnosticReport and RiskAssessment out."""

from __future__ import annotations

from typing import Any

import pytest

from services.ehr.fhir.reports import risk_assessment
from shared.codes import SEVERITIES
from shared.contracts.diagnosis import JobStatus
from tests.support.ehr_neighbours import OUTDATED, Door, abstained, job, succeeded

AIAST = "AIAST"
SNOMED_PNEUMONIA, SNOMED_HEART_FAILURE = "233604007", "10633002"


@pytest.fixture
def report(door: Door) -> Any:
    """The report of a result that names pneumonia."""
    door.ward.results.append(succeeded("MRN-7", id="result-1"))
    return door.get("/fhir/DiagnosticReport/result-1").json()


@pytest.fixture
def risk(door: Door) -> Any:
    """The assessment of the same result."""
    door.ward.results.append(succeeded("MRN-7", id="result-1"))
    return door.get("/fhir/RiskAssessment/result-1").json()


def test_a_report_is_preliminary(report: Any) -> None:
    assert report["status"] == "preliminary"


def test_a_report_says_that_a_machine_asserted_it(report: Any) -> None:
    assert [label["code"] for label in report["meta"]["security"]] == [AIAST]


def test_a_report_names_the_patient_as_the_sender_did(report: Any) -> None:
    assert report["subject"] == {"identifier": {"value": "MRN-7"}}


def test_a_report_is_effective_when_the_evidence_was(report: Any) -> None:
    assert report["effectiveDateTime"] == "2026-03-14T09:30:00.000Z"


def test_a_report_was_issued_when_the_result_was_ready(report: Any) -> None:
    assert report["issued"] == "2026-03-14T09:30:00.500Z"


def test_the_conclusion_codes_are_the_prediction_set(report: Any) -> None:
    codes = [concept["coding"][0]["code"] for concept in report["conclusionCode"]]
    assert codes == [SNOMED_PNEUMONIA, SNOMED_HEART_FAILURE]


def test_the_conclusion_carries_the_summary_and_what_it_is_not(report: Any) -> None:
    assert "rusty sputum" in report["conclusion"]
    assert "not a diagnosis" in report["conclusion"]


def test_each_result_is_contained_with_probability_and_interval(report: Any) -> None:
    contained = {one["id"]: one for one in report["contained"]}
    first = contained[report["result"][0]["reference"].removeprefix("#")]
    diagnosis, interval = first["component"]
    assert diagnosis["valueCodeableConcept"]["coding"][0]["code"] == SNOMED_PNEUMONIA
    assert first["valueQuantity"]["value"] == 0.83
    assert [interval["valueRange"][end]["value"] for end in ("low", "high")] == [0.61, 0.93]


def test_every_ranked_diagnosis_has_its_observation(report: Any) -> None:
    assert len(report["result"]) == 3


def test_the_contained_device_names_the_model(report: Any) -> None:
    (device,) = [one for one in report["contained"] if one["resourceType"] == "Device"]
    assert device["identifier"][0]["value"] == "sha256:" + "b" * 64


def test_no_contained_resource_carries_a_label_of_its_own(report: Any) -> None:
    # FHIR R4 dom-5: security labels stand on the container.
    assert all("meta" not in one for one in report["contained"])


def test_an_abstained_report_says_so_and_codes_nothing(door: Door) -> None:
    door.ward.results.append(abstained("MRN-7", id="result-2"))
    report = door.get("/fhir/DiagnosticReport/result-2").json()
    assert "abstained: the radiograph is unlike any in training" in report["conclusion"]
    assert report.keys().isdisjoint({"conclusionCode", "result", "contained"})


def test_a_risk_assessment_holds_probabilities_between_0_and_1(risk: Any) -> None:
    first, *_ = risk["prediction"]
    assert first["outcome"]["coding"][0]["code"] == SNOMED_PNEUMONIA
    assert first["probabilityDecimal"] == 0.83


def test_a_risk_assessment_spells_out_scale_and_interval(risk: Any) -> None:
    words = risk["prediction"][0]["rationale"]
    assert words == "Probability 0.830 (interval 0.610 to 0.930), on a scale from 0 to 1"


def test_deterioration_is_a_prediction_of_its_own_with_its_period(risk: Any) -> None:
    deterioration = risk["prediction"][-1]
    assert deterioration["probabilityDecimal"] == 0.31
    assert deterioration["whenPeriod"] == {"start": "2026-03-14T09:30:00.000Z", "end": "2026-03-15T09:30:00.000Z"}


def test_each_level_of_severity_is_a_prediction_that_says_what_is_severe() -> None:
    levels = [
        {"code": vars(coding), "probability": probability, "interval": (0.1, 0.7)}
        for coding, probability in zip(SEVERITIES, (0.5, 0.3, 0.2), strict=True)
    ]
    event = {"probability": 0.31, "interval": (0.2, 0.45)}
    result = succeeded("P-1", risks={"severity": {"levels": levels}, "deterioration24h": event})
    *_, worse, mild, moderate, severe = risk_assessment(result)["prediction"]
    assert "whenPeriod" in worse
    assert [one["outcome"]["coding"][0]["code"] for one in (mild, moderate, severe)] == [
        "255604002", "6736007", "24484000",
    ]  # fmt: skip
    assert severe["outcome"]["text"] == "Severity of the acute illness: severe"
    assert mild["probabilityDecimal"] + moderate["probabilityDecimal"] + severe["probabilityDecimal"] == 1


def test_a_risk_assessment_rests_on_the_notes_that_this_server_shows(risk: Any) -> None:
    assert risk["basis"] == [{"reference": "DocumentReference/note-1"}]


def test_an_abstained_risk_assessment_predicts_nothing(door: Door) -> None:
    door.ward.results.append(abstained("MRN-7", id="result-2"))
    risk = door.get("/fhir/RiskAssessment/result-2").json()
    assert "prediction" not in risk
    assert "abstained" in risk["note"][0]["text"]


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED])
def test_an_unfinished_result_cannot_be_read(door: Door, status: JobStatus) -> None:
    door.ward.results.append(job("MRN-7", status, id="result-3"))
    assert door.get("/fhir/DiagnosticReport/result-3").status_code == 404


@pytest.mark.parametrize("kind", ["DiagnosticReport", "RiskAssessment"])
@pytest.mark.parametrize(
    "query",
    [
        "patient=MRN-7",
        "subject=MRN-7",
        "subject=Patient/MRN-7",
        "subject:Patient=MRN-7",
        "patient:identifier=urn:mrn|MRN-7",
        "patient=MRN-7&_sort=-date",
        "_id=new,old",
        "_id=new,old,other&patient=MRN-7",
    ],
)
def test_a_search_finds_the_patients_results_newest_first(door: Door, kind: str, query: str) -> None:
    door.ward.results += [
        succeeded("MRN-7", id="old"),
        succeeded("MRN-7", id="new", hours=3),
        succeeded("MRN-8", id="other"),
        job("MRN-7", hours=4),
    ]
    bundle = door.get(f"/fhir/{kind}?{query}").json()
    assert [(e["resource"]["id"], e["search"]["mode"]) for e in bundle["entry"]] == [("new", "match"), ("old", "match")]
    assert bundle["total"] == 2


def test_a_search_may_be_posted_so_that_no_url_names_the_patient(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7", id="new"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = door.post("/fhir/DiagnosticReport/_search", b"patient=MRN-7", headers=form)
    assert [e["fullUrl"] for e in answer.json()["entry"]] == ["https://consilium.example.org/fhir/DiagnosticReport/new"]


def test_a_page_that_is_not_the_whole_claims_no_total(door: Door) -> None:
    door.ward.results += [succeeded("MRN-7", hours=h) for h in range(3)]
    bundle = door.get("/fhir/DiagnosticReport?patient=MRN-7&_count=2").json()
    assert (len(bundle["entry"]), "total" in bundle) == (2, False)


def test_a_search_without_match_is_an_empty_searchset(door: Door) -> None:
    bundle = door.get("/fhir/DiagnosticReport?patient=nobody").json()
    assert (bundle["type"], bundle["total"], "entry" in bundle) == ("searchset", 0, False)


@pytest.mark.parametrize(
    "query",
    ["", "_count=5", "patient=a&subject=b", "patient=", "patient=a&status=final", "patient=a&_sort=date", "_id=a/b"]
    + [f"patient=a&_count={n}" for n in ("0", "-1", "ten", "²")],
)
def test_a_search_that_is_not_offered_is_refused(door: Door, query: str) -> None:
    answer = door.get(f"/fhir/DiagnosticReport?{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_reading_and_searching_are_audit_events(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7", id="result-1"))
    door.get("/fhir/DiagnosticReport/result-1")
    door.get("/fhir/RiskAssessment?patient=MRN-7")
    read, search = door.events()
    assert (read.type, read.subtype, read.object and read.object.id) == ("read", "diagnostic-report-read", "result-1")
    assert (search.subtype, search.details) == ("risk-assessment-search", {"diagnoses": ["result-1"]})
    assert read.subject_ref == search.subject_ref


def test_a_search_by_ids_is_told_of_each_patient_that_it_showed(door: Door) -> None:
    door.ward.results += [succeeded("MRN-7", id="one"), succeeded("MRN-8", id="two"), succeeded("MRN-7", id="three")]
    door.get("/fhir/DiagnosticReport?_id=one,two,three")
    events = door.events()
    assert sorted(sorted(event.details["diagnoses"]) for event in events) == [["one", "three"], ["two"]]
    assert len({event.subject_ref for event in events} - {None}) == 2


def test_a_report_whose_evidence_changed_says_so_and_is_newer(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7", id="result-1", outdated=OUTDATED))
    report = door.get("/fhir/DiagnosticReport/result-1").json()
    assert report["conclusion"].startswith("The evidence has changed since this was computed. A note was replaced.")
    assert (report["meta"]["lastUpdated"], report["issued"]) == ("2026-03-15T08:00:00.000Z", "2026-03-14T09:30:00.500Z")
