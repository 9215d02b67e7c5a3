"""A diagnosis against a denial: only with an access of who asks, and for all to see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.diagnosis.running import run_job
from shared.auth import Role
from tests.support.consent_race import EVERYTHING, Course, open_course

REASON = "Unconscious in the emergency room, no relatives."


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    """Both services on SQLite, and a patient who denies treatment with images."""
    with open_course(tmp_path) as opened:
        opened.admit("p-1")
        denial = {"patient": "p-1", "decision": "deny", "purpose": "TREAT", "modalities": ["image"]}
        _post(opened, opened.audit, "/consents", denial)
        yield opened


def _post(course: Course, client: httpx.Client, path: str, body: Any, subject: str = "dr-hill") -> Any:
    return client.post(path, json=body, headers=course.bed.headers(Role.CLINICIAN, subject)).raise_for_status().json()


def _diagnose(course: Course, purpose: str, subject: str = "dr-hill") -> Any:
    job = _post(course, course.diagnosis, "/diagnoses", {"patient": "p-1", "purpose": purpose}, subject)["id"]
    run_job(course.worker, job)
    return course.diagnosis.get(f"/diagnoses/{job}", headers=course.bed.headers()).json()


def _image(result: Any) -> tuple[str, str]:
    return result["modalities"]["image"]["status"], result["case"]["purpose"]


def test_an_access_lets_who_opened_it_use_what_was_denied(course: Course) -> None:
    before = _image(_diagnose(course, "BTG"))
    access = {"patient": "p-1", "modalities": EVERYTHING, "reason": REASON}
    opened = _post(course, course.audit, "/consents/break-glass", access)
    result = _diagnose(course, "BTG")
    assert (before, _image(result)) == (("no-consent", "BTG"), ("used", "BTG"))
    assert _image(_diagnose(course, "TREAT")) == ("no-consent", "TREAT")
    assert _image(_diagnose(course, "BTG", "dr-lake")) == ("no-consent", "BTG")
    manifest = course.diagnosis.get(f"/diagnoses/{result['id']}/manifest", headers=course.bed.headers()).json()
    assert manifest["consent"]["image"]["consentIds"] == [opened["id"]]
    entry = course.audit.get(
        f"/audit/entries/{result['audit']['index']}", headers=course.bed.headers(Role.AUDITOR)
    ).json()
    assert entry["leaf"]["event"]["purposeOfUse"] == "BTG"


def test_what_was_left_out_when_a_case_was_frozen_is_an_event(course: Course) -> None:
    job = _post(course, course.diagnosis, "/diagnoses", {"patient": "p-1"})["id"]
    relay = course.worker.runtime.relay
    assert relay is not None
    relay.drain()
    found = course.audit.get(
        "/audit/entries", params={"subtype": "evidence-withheld"}, headers=course.bed.headers(Role.AUDITOR)
    ).json()["items"]
    (event,) = [e["leaf"]["event"] for e in found if e["leaf"]["event"]["object"]["id"] == job]
    assert (event["outcome"], event["details"]["withheld"]) == ("refused", ["image"])
    assert event["consent"]["decision"] == "deny"
    assert "p-1" not in str(event["details"])
