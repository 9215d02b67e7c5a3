"""The forms of a model card, of the shipped bundle's own and of one that says next to nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from shared.auth import Role
from tests.services.audit.support import FULL_CARD, Audit, put_through

SHIPPED = FULL_CARD
CHAI = "{https://mc.chai.org/v0.2/schema.xsd}"
# The order that the schema's sequences ask for, its optional elements aside.
SECTIONS = {
    "BasicInfo": ["ModelName", "ModelDeveloper", "DeveloperContact"],
    "ReleaseInfo": ["ReleaseStage", "ReleaseDate", "ReleaseVersion", "GlobalAvailability", "RegulatoryApproval"],
    "ModelSummary": ["Summary", "Keywords"],
    "UsesAndDirections": [
        "IntendedUseAndWorkflow", "PrimaryIntendedUsers", "HowToUse", "TargetedPatientPopulation",
        "CautionedOutOfScopeSettings",
    ],
    "Warnings": ["KnownRisksAndLimitations", "KnownBiasesOrEthicalConsiderations", "ClinicalRiskLevel"],
    "TrustIngredients": ["AISystemFacts", "TransparencyInformation"],
    "KeyMetrics": ["UsefulnessUsabilityEfficacy", "FairnessEquity", "SafetyReliability"],
    "Resources": ["EvaluationReferences", "PeerReviewedPublications", "PatientConsentOrDisclosure"],
    "Bibliography": [],
}  # fmt: skip
METRIC = [
    "MetricGoal", "Results", "Interpretation", "TestType", "TestingDataDescription",
    "ValidationProcessAndJustification",
]  # fmt: skip


def registered(audit: Audit, card: dict[str, Any], version: str = "1.0") -> str:
    digest = f"sha256:{int(version.replace('.', '')):064x}"
    body = {"name": "acute-chest", "version": version, "digest": digest, "card": card}
    answer = audit.post("/models", body, Role.SERVICE)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def card_of(audit: Audit, model: str, form: str) -> Any:
    answer = audit.get(f"/models/{model}/card", format=form)
    assert answer.status_code == 200, answer.text
    return answer


def names(element: Element) -> list[str]:
    return [child.tag.removeprefix(CHAI) for child in element]


def test_the_card_is_json_as_registered_unless_something_else_is_asked_for(audit: Audit) -> None:
    model = registered(audit, SHIPPED)
    answer = audit.get(f"/models/{model}/card")
    assert (answer.json(), answer.headers["content-type"]) == (SHIPPED, "application/json")


@pytest.mark.parametrize("card", [SHIPPED, {"use": "demo"}], ids=["shipped", "bare"])
def test_the_chai_card_has_the_elements_of_its_schema_in_their_order(audit: Audit, card: dict[str, Any]) -> None:
    root = fromstring(card_of(audit, registered(audit, card), "chai").content)
    assert (root.tag, names(root)) == (f"{CHAI}AppliedModelCard", list(SECTIONS))
    assert {name: names(section) for name, section in zip(SECTIONS, root, strict=True)} == SECTIONS
    for metric in root.find(f"{CHAI}KeyMetrics") or ():
        assert names(metric) == METRIC
        results = metric.find(f"{CHAI}Results")
        assert results is not None
        assert {tuple(names(result)) for result in results} == {("Label", "ValueJson")}
    texts = [element.text for element in root.iter() if not len(element) and not element.tag.endswith("Keywords")]
    assert all(texts), "a field that has nothing to say says so"


def test_the_chai_card_says_what_the_source_attributes_say(audit: Audit) -> None:
    root = fromstring(card_of(audit, registered(audit, SHIPPED), "chai").content)
    said = {one["id"]: one["text"] for held in SHIPPED["sourceAttributes"]["categories"] for one in held["attributes"]}
    users = root.find(f"{CHAI}UsesAndDirections/{CHAI}PrimaryIntendedUsers")
    funding = root.find(f"{CHAI}TrustIngredients/{CHAI}TransparencyInformation/{CHAI}FundingSource")
    assert (users.text, funding.text) == (said["2.iii"], said["1.ii"])


def test_characters_that_xml_cannot_hold_do_not_break_the_document(audit: Audit) -> None:
    root = fromstring(card_of(audit, registered(audit, {"intendedUse": "bell \x07 rings"}), "chai").content)
    summary = root.find(f"{CHAI}ModelSummary/{CHAI}Summary")
    assert "bell \N{REPLACEMENT CHARACTER} rings" in (summary.text or "")


def test_the_page_holds_every_source_attribute_and_runs_nothing(audit: Audit) -> None:
    answer = card_of(audit, registered(audit, SHIPPED), "html")
    for category in SHIPPED["sourceAttributes"]["categories"]:
        assert all(one["title"].replace("'", "&#x27;") in answer.text for one in category["attributes"])
    assert SHIPPED["warning"] in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_markup_in_a_card_is_shown_and_not_obeyed(audit: Audit) -> None:
    page = card_of(audit, registered(audit, {"warning": "<script>alert(1)</script>"}), "html").text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_the_document_reference_is_valid_and_holds_the_card_in_three_forms(audit: Audit) -> None:
    from fhir.resources.R4B.documentreference import DocumentReference

    answer = card_of(audit, registered(audit, SHIPPED), "fhir")
    DocumentReference.model_validate(answer.json())
    attachments = [content["attachment"] for content in answer.json()["content"]]
    assert [one["contentType"] for one in attachments] == ["application/json", "application/xml", "text/html"]
    for one in attachments:
        body = base64.b64decode(one["data"])
        assert one["size"] == len(body)
        assert base64.b64decode(one["hash"]) == hashlib.sha1(body, usedforsecurity=False).digest()
    assert json.loads(base64.b64decode(attachments[0]["data"])) == SHIPPED


def test_the_card_of_a_retired_bundle_is_superseded(audit: Audit) -> None:
    model = registered(audit, SHIPPED)
    audit.post(f"/models/{model}/promote", {"stage": "retired"}, Role.ADMIN)
    assert card_of(audit, model, "fhir").json()["status"] == "superseded"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/xml", "application/xml"),
        ("application/fhir+json", "application/fhir+json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
    ],
)
def test_the_form_follows_accept(audit: Audit, accept: str, media_type: str) -> None:
    headers = {**audit.bed.headers(Role.AUDITOR), "Accept": accept}
    answer = audit.client.get(f"/models/{registered(audit, SHIPPED)}/card", headers=headers)
    assert answer.headers["content-type"].split(";")[0] == media_type


def test_which_bundle_was_active_is_a_question_of_the_time(audit: Audit) -> None:
    begun = datetime.now(UTC)
    old, new = registered(audit, SHIPPED, "1.0"), registered(audit, SHIPPED, "1.1")
    for model in (old, new):
        put_through(audit, model)
        audit.post(f"/models/{model}/promote", {"stage": "active"}, Role.ADMIN)
    changes = {model: audit.get(f"/models/{model}").json()["history"] for model in (old, new)}
    became = {model: next(c["at"] for c in history if c["change"] == "active") for model, history in changes.items()}

    def active_at(moment: str) -> list[str]:
        return [one["id"] for one in audit.get("/models", activeAt=moment).json()["items"]]

    assert active_at(begun.isoformat()) == []
    assert active_at(became[old]) == [old]
    assert active_at(became[new]) == [new]
    assert active_at((datetime.now(UTC) + timedelta(days=1)).isoformat()) == [new]
