"""CDS Hooks: discovery and cards."""

from __future__ import annotations

import json
import logging
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared.auth import Role
from shared.codes import NO_ACUTE_DISEASE, PNEUMONIA, PULMONARY_EMBOLISM, Coding
from shared.contracts.diagnosis import JobStatus
from tests.support.common import TestBed
from tests.support.ehr_neighbours import OUTDATED, Door, abstained, job, open_door, succeeded

SERVICE = "/cds-services/consilium-acute-chest"
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


def call(**changes: Any) -> dict[str, Any]:
    """A patient-view call that prefetched the patient."""
    patient = {"resourceType": "Patient", "id": "p-1", "identifier": [{"system": "urn:mrn", "value": "MRN-7"}]}
    request = {
        "hook": "patient-view",
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/123", "patientId": "p-1"},
        "prefetch": {"patient": patient},
    }
    return {name: value for name, value in (request | changes).items() if value is not ...}


def cards(door: Door, **changes: Any) -> list[dict[str, Any]]:
    """The cards that a call gets."""
    answer = door.post(SERVICE, call(**changes))
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"cards"}
    found: list[dict[str, Any]] = answer.json()["cards"]
    return found


def without_values(value: Any) -> bool:
    """Whether a JSON value is null or empty, or holds such a one."""
    if isinstance(value, dict):
        return not value or any(without_values(v) for v in value.values())
    if isinstance(value, list):
        return not value or any(without_values(v) for v in value)
    return value in (None, "")


def ranked(coding: Coding, probability: float) -> list[dict[str, Any]]:
    """One diagnosis."""
    return [{"code": vars(coding), "probability": probability, "interval": (probability / 2, probability)}]


def test_discovery_lists_the_service(door: Door) -> None:
    (service,) = door.get("/cds-services").json()["services"]
    assert (service["hook"], service["id"]) == ("patient-view", "consilium-acute-chest")
    assert service["prefetch"] == {"patient": "Patient/{{context.patientId}}"}
    assert service["description"]


@pytest.mark.parametrize("path", ["/cds-services", SERVICE, SERVICE + "/feedback"])
def test_a_caller_without_token_is_refused(door: Door, path: str) -> None:
    send = door.client.get if path == "/cds-services" else door.client.post
    assert send(path).status_code == 401


def test_an_auditor_sees_no_card(door: Door) -> None:
    assert door.post(SERVICE, call(), Role.AUDITOR).status_code == 403


def test_an_unknown_service_is_not_found(door: Door) -> None:
    assert door.post("/cds-services/other", call()).status_code == 404


def test_an_unknown_patient_has_no_card(door: Door) -> None:
    assert cards(door) == []


def test_a_finished_result_is_one_card(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7", id="result-1"))
    (card,) = cards(door)
    assert card["summary"] == "Pneumonia: 83% (interval 61% to 93%)"
    assert card["source"]["label"]
    assert card["links"] == [
        {
            "label": "Open the case in Consilium",
            "url": "https://consilium.example.org/#/case/result-1",
            "type": "absolute",
        }
    ]


def test_a_card_holds_nothing_null_or_empty(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7"))
    assert not without_values(cards(door))


def test_a_card_has_a_uuid_and_offers_reasons(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7"))
    (card,) = cards(door)
    assert str(uuid.UUID(card["uuid"])) == card["uuid"]
    assert all(reason["display"] for reason in card["overrideReasons"])


def test_a_card_without_suggestions_has_no_selection_behaviour(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7"))
    assert cards(door)[0].keys().isdisjoint({"suggestions", "selectionBehavior"})


def test_the_same_call_shows_the_same_card_and_another_call_another(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7"))
    first, again = (cards(door)[0]["uuid"] for _ in range(2))
    assert first == again
    assert cards(door, hookInstance=str(uuid.uuid4()))[0]["uuid"] != first


def test_the_detail_shows_figures_evidence_and_what_it_is_not(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7"))
    detail = cards(door)[0]["detail"]
    for part in ("| Pneumonia | 83.0% | 61% to 93% |", "90% coverage", "vitals missing", "not a diagnosis"):
        assert part in detail


def test_a_card_whose_evidence_changed_says_so_first(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7", outdated=OUTDATED))
    assert cards(door)[0]["detail"].startswith("The evidence has changed since this was computed. A note was replaced.")


def test_what_a_sentence_holds_cannot_become_markup(door: Door) -> None:
    text = 'see [this](javascript:alert(1)) <img src="x"> | cell'
    door.ward.results.append(succeeded("MRN-7", explanation={"summary": [{"text": text, "evidence": ["n"]}]}))
    assert re.search(r"(?<!\\)[\[<]", cards(door)[0]["detail"]) is None


def test_a_long_display_still_fits_the_summary(door: Door) -> None:
    long = Coding(PNEUMONIA.system, PNEUMONIA.code, "Pneumonia " * 30)
    door.ward.results.append(succeeded("MRN-7", diagnoses=ranked(long, 0.83)))
    summary = cards(door)[0]["summary"]
    assert len(summary) < 140
    assert "83%" in summary


@pytest.mark.parametrize(
    ("coding", "probability", "indicator"),
    [
        (PULMONARY_EMBOLISM, 0.7, "critical"),
        (PULMONARY_EMBOLISM, 0.4, "info"),
        (PNEUMONIA, 0.7, "warning"),
        (NO_ACUTE_DISEASE, 0.9, "info"),
    ],
)
def test_the_indicator_follows_condition_and_probability(
    door: Door, coding: Coding, probability: float, indicator: str
) -> None:
    door.ward.results.append(succeeded("MRN-7", diagnoses=ranked(coding, probability)))
    assert cards(door)[0]["indicator"] == indicator


def test_an_abstained_result_says_so_and_names_no_diagnosis(door: Door) -> None:
    door.ward.results.append(abstained("MRN-7"))
    (card,) = cards(door)
    assert (card["indicator"], "abstained" in card["summary"]) == ("info", True)
    assert "unlike any in training" in card["detail"]
    assert "neumonia" not in json.dumps(card)


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING])
def test_a_pending_assessment_is_an_info_card(door: Door, status: JobStatus) -> None:
    door.ward.results.append(job("MRN-7", status, id="job-1"))
    (card,) = cards(door)
    assert (card["indicator"], card["summary"]) == ("info", "An assessment of this patient is under way")
    assert card["links"][0]["url"].endswith("/#/case/job-1")


def test_a_failed_assessment_is_told(door: Door) -> None:
    door.ward.results.append(job("MRN-7", JobStatus.FAILED))
    assert "failed" in cards(door)[0]["summary"]


def test_a_newer_pending_assessment_stands_beside_the_last_result(door: Door) -> None:
    door.ward.results += [succeeded("MRN-7"), job("MRN-7", hours=1)]
    assert [card["summary"][:10] for card in cards(door)] == ["An assessm", "Pneumonia:"]


def test_only_the_newest_result_is_shown(door: Door) -> None:
    door.ward.results += [succeeded("MRN-7", id="old"), abstained("MRN-7", id="new", hours=1)]
    assert [card["links"][0]["url"][-3:] for card in cards(door)] == ["new"]


def test_without_prefetch_the_context_names_the_patient(door: Door) -> None:
    door.ward.results.append(succeeded("p-1"))
    assert len(cards(door, prefetch=...)) == 1
    assert len(cards(door, prefetch={})) == 1


def test_a_prefetched_patients_identifier_wins_over_the_context(door: Door) -> None:
    door.ward.results.append(succeeded("p-1"))
    assert cards(door) == []


def test_a_prefetched_null_means_no_such_patient(door: Door) -> None:
    door.ward.results.append(succeeded("p-1"))
    assert cards(door, prefetch={"patient": None}) == []


def test_an_outcome_in_the_prefetch_counts_as_not_supplied(door: Door) -> None:
    door.ward.results.append(succeeded("p-1"))
    assert len(cards(door, prefetch={"patient": {"resourceType": "OperationOutcome", "issue": []}})) == 1


def test_any_of_several_identifiers_finds_the_patient(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-9"))
    patient = {"resourceType": "Patient", "id": "p-1", "identifier": [{"value": "SSN-1"}, {"value": "MRN-9"}]}
    assert len(cards(door, prefetch={"patient": patient})) == 1


CONTEXT = {"userId": "Practitioner/123", "patientId": "p-1"}
AUTHORIZATION = {"access_token": "s3cr3t-t0ken", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.read"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hook": ...}, "hook"),
        ({"hook": "order-sign"}, "hook"),
        ({"hookInstance": ...}, "hookInstance"),
        ({"hookInstance": "42"}, "hookInstance"),
        ({"context": ...}, "context"),
        ({"context": {"userId": "Practitioner/1"}}, "context.patientId"),
        ({"context": {"patientId": "p-1"}}, "context.userId"),
        ({"context": {**CONTEXT, "userId": "Jane Doe"}}, "context"),
        ({"context": {**CONTEXT, "patientId": ""}}, "context.patientId"),
        ({"fhirAuthorization": AUTHORIZATION}, "fhirServer"),
        ({"prefetch": []}, "prefetch"),
        ({"prefetch": {"patient": {"resourceType": "Group"}}}, "prefetch.patient"),
        ({"prefetch": {"patient": {"resourceType": "Patient", "id": "p-2"}}}, "prefetch.patient.id"),
    ],
)
def test_a_malformed_call_is_told_field_and_fix(door: Door, change: dict[str, Any], field: str) -> None:
    answer = door.post(SERVICE, call(**change))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    (problem,) = answer.json()["errors"]
    assert (problem["field"], bool(problem["fix"])) == (field, True)
    assert "Jane" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"patient-view"'])
def test_what_is_no_object_is_refused(door: Door, body: bytes) -> None:
    assert door.post(SERVICE, body).status_code in (400, 422)


def test_the_access_token_is_neither_stored_nor_logged(
    bed: TestBed, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with open_door(bed, bed.sqlite("ehr")) as door:
        door.ward.results.append(succeeded("MRN-7"))
        cards(door, fhirServer="https://ehr.example.com/r4", fhirAuthorization=AUTHORIZATION)
    written = b"".join(path.read_bytes() for path in bed.directory.glob("ehr.db*"))
    captured = capfd.readouterr()
    assert "s3cr3t" not in caplog.text + captured.out + captured.err + written.decode("latin-1")


def test_nothing_that_is_kept_names_the_patient(bed: TestBed) -> None:
    with open_door(bed, bed.sqlite("ehr")) as door:
        door.ward.results.append(succeeded("MRN-7"))
        cards(door)
    assert not [path for path in bed.directory.glob("ehr.db*") if b"MRN-7" in path.read_bytes()]


def test_a_call_is_an_audit_event_even_without_card(door: Door) -> None:
    cards(door)
    (event,) = door.events()
    assert (event.type, event.subtype, event.details) == ("read", "cds-hook-answered", {"cards": [], "diagnoses": []})


def test_a_diagnosis_service_that_is_down_is_told_as_such(bed: TestBed) -> None:
    with open_door(bed, bed.sqlite("ehr"), diagnosis_url="http://127.0.0.1:9") as door:
        assert door.post(SERVICE, call()).status_code == 503


@pytest.mark.parametrize("name", ["request-index-03", "request-examples-00", "request-examples-02"])
def test_the_specifications_examples_of_other_hooks_are_refused_by_hook(
    door: Door, reference_data: Path, name: str
) -> None:
    example = json.loads((reference_data / f"interop/cds-hooks/{name}.json").read_text())
    answer = door.post(SERVICE, example)
    assert answer.status_code == 400
    assert "hook" in [e["field"] for e in answer.json()["errors"]]


def test_the_specifications_example_call_for_our_hook_is_answered(door: Door, reference_data: Path) -> None:
    example = json.loads((reference_data / "interop/cds-hooks/request-examples-02.json").read_text())
    door.ward.results.append(succeeded("MRI-59879846"))
    answer = door.post(SERVICE, {**example, "hook": "patient-view"})
    assert len(answer.json()["cards"]) == 1


def test_the_card_keeps_the_result_for_feedback(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7", id="result-1"))
    (card,) = cards(door)
    app: Any = door.client.app
    with app.state.runtime.sessions.begin() as session:
        rows = session.execute(sa.text("select id, diagnosis_id from cards")).all()
    assert [tuple(row) for row in rows] == [(card["uuid"], "result-1")]
