"""Where a result comes from, as FHIR Provenance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.auth import Role
from shared.contracts.diagnosis import Review
from tests.support.ehr_neighbours import AS_OF, Door, succeeded


def _review(by: str, action: Any, minutes: int, diagnosis: str = "result-1") -> Review:
    return Review(diagnosis=diagnosis, action=action, by=by, at=AS_OF + timedelta(minutes=minutes))


@pytest.fixture
def reviewed(door: Door) -> Door:
    """A result that three clinicians have looked at, one of them twice."""
    door.ward.results += [succeeded("MRN-7", id="result-1"), succeeded("MRN-8", id="result-2")]
    door.ward.reviews += [
        _review("dr-a", "override", 1), _review("dr-a", "accept", 2), _review("dr-b", "override", 3),
        _review("dr-c", "comment", 4), _review("dr-d", "accept", 5, "result-2"),
    ]  # fmt: skip
    return door


def test_the_model_is_the_author_and_labels_what_it_made(reviewed: Door) -> None:
    made = reviewed.get("/fhir/Provenance/result-1").json()
    author, (device,) = made["agent"][0], made["contained"]
    assert (author["type"]["coding"][0]["code"], author["who"]) == ("author", {"reference": "#model"})
    assert device["version"] == [{"value": "1.0.0"}]
    assert [label["code"] for label in made["meta"]["security"]] == ["AIAST"]
    assert made["target"][0] == {"reference": "DiagnosticReport/result-1"}


def test_who_accepted_is_a_verifier_and_who_overrode_is_none(reviewed: Door) -> None:
    _, *reviewers = reviewed.get("/fhir/Provenance/result-1").json()["agent"]
    said = [(one["who"]["identifier"]["value"], one["type"]["coding"][0]["code"]) for one in reviewers]
    assert said == [("dr-a", "verifier"), ("dr-b", "overrider")]


def test_what_a_result_was_made_of_is_named(reviewed: Door) -> None:
    entities = reviewed.get("/fhir/Provenance/result-1").json()["entity"]
    assert {"role": "source", "what": {"reference": "DocumentReference/note-1"}} in entities
    assert entities[-1]["what"]["identifier"] == {"system": "urn:consilium:case-digest", "value": "sha256:" + "c" * 64}


@pytest.mark.parametrize(
    "query", ["target=DiagnosticReport/result-1", "target=RiskAssessment/result-1", "patient=MRN-7"]
)
def test_provenance_is_found_by_target_and_patient(reviewed: Door, query: str) -> None:
    bundle = reviewed.get(f"/fhir/Provenance?{query}").json()
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == ["result-1"]


@pytest.mark.parametrize("query", ["target=Observation/x", "agent=dr-a", ""])
def test_a_search_that_is_not_offered_is_refused(door: Door, query: str) -> None:
    assert door.get(f"/fhir/Provenance?{query}").status_code == 400


def test_reading_it_is_an_event_of_the_patient(reviewed: Door) -> None:
    reviewed.get("/fhir/Provenance/result-1", Role.CLINICIAN)
    (event,) = reviewed.events()
    assert (event.type, event.subtype, event.object and event.object.id) == ("read", "provenance-read", "result-1")
