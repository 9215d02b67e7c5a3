"""Every door for evidence asks the real audit service whether the patient's consents let it store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.audit.app import create_app
from services.notes import app as notes_app
from services.notes.settings import Settings as NotesSettings
from services.vitals import app as vitals_app
from services.vitals.settings import Settings as VitalsSettings
from shared.auth import Role
from shared.contracts.audit import ConsentAnswer, ConsentQuestion
from shared.database import migrate
from shared.storing import REMEMBERED_S
from tests.services.audit.support import settings_of
from tests.services.ehr.fhir.test_documents import document
from tests.services.ehr.fhir.test_observations import heart_rate
from tests.services.imaging.conftest import started
from tests.services.imaging.dimse.associations import send as c_store
from tests.services.imaging.radiographs import encoded, radiograph
from tests.services.notes.conftest import NOTE
from tests.services.notes.hl7_messages import mdm
from tests.services.vitals.conftest import SAMPLE
from tests.services.vitals.imports.importing import import_file
from tests.support.common import TestBed, make_test_bed
from tests.support.ehr_neighbours import open_door
from tests.support.mllp import code_of, faults_of, peer
from tests.support.servers import serve

NDJSON = {"Content-Type": "application/x-ndjson"}
Send = Callable[[str], Any]
"""Brings evidence of a patient; gives the door's answer."""


@dataclass(frozen=True)
class Doors:
    """All doors of the three ingest services and of the FHIR facade."""

    audit_url: str
    bed: TestBed
    sends: Mapping[str, Send]
    runtimes: Mapping[str, Any]
    vitals: httpx.Client

    def deny(self, patient: str, decision: str = "deny", **more: Any) -> None:
        """The patient's word on storing, heard by every door."""
        body = {"patient": patient, "decision": decision, "purpose": "RECORDMGT", **more}
        body.setdefault("modalities", ["image", "note", "vitals"])
        answer = httpx.post(f"{self.audit_url}/consents", json=body, headers=self.bed.headers(), trust_env=False)
        assert answer.status_code == 201, answer.text
        time.sleep(REMEMBERED_S + 0.1)

    def events(self) -> list[dict[str, Any]]:
        """All audit events of the three services."""
        found = []
        for runtime in self.runtimes.values():
            with runtime.sessions() as session:
                found += [json.loads(body) for body in session.scalars(sa.text("SELECT body FROM outbox ORDER BY seq"))]
        return found


@contextmanager
def open_doors(bed: TestBed, audit_url: str) -> Iterator[Doors]:
    """Start the services as they are by default, with this audit service."""
    with ExitStack() as stack:
        for service in ("imaging", "notes", "vitals"):
            migrate(bed.sqlite(service), service)
        imaging = stack.enter_context(started(bed, bed.sqlite("imaging")))
        notes = notes_app.create_app(NotesSettings(database_url=bed.sqlite("notes"), mllp_port=0), bed.common)
        vitals = vitals_app.create_app(VitalsSettings(database_url=bed.sqlite("vitals")), bed.common)
        urls = {"notes_url": stack.enter_context(serve(notes)), "vitals_url": stack.enter_context(serve(vitals))}
        to_notes, to_vitals = (
            stack.enter_context(httpx.Client(base_url=url, headers=bed.headers(), timeout=30, trust_env=False))
            for url in urls.values()
        )
        fhir = stack.enter_context(open_door(bed, bed.sqlite("ehr"), **urls))

        def _hl7(patient: str) -> Any:
            with peer(notes.state.mllp_port) as sender:
                return sender.ask(mdm(patient=patient, number=f"DOC-{patient}", control_id=f"M-{patient}"))

        def _samples(patient: str) -> Any:
            line = json.dumps({**SAMPLE, "patient": patient})
            return to_vitals.post("/vitals/samples", content=line, headers=NDJSON)

        def _import(patient: str) -> Any:
            file = {"file": ("f", json.dumps([heart_rate()]).encode())}
            return to_vitals.post("/vitals/imports", files=file, data={"patient": patient})

        def _of(resource: dict[str, Any], patient: str) -> dict[str, Any]:
            return {**resource, "subject": {"identifier": {"value": patient}}}

        sends: dict[str, Send] = {
            "stow": lambda patient: imaging.stow(encoded(radiograph(PatientID=patient))),
            "c-store": lambda patient: c_store(imaging, radiograph(PatientID=patient))[0],
            "notes": lambda patient: to_notes.post("/notes", json={**NOTE, "patient": patient}),
            "hl7": _hl7,
            "samples": _samples,
            "import": _import,
            "fhir-note": lambda patient: fhir.post("/fhir/DocumentReference", _of(document(), patient)),
            "fhir-vitals": lambda patient: fhir.post("/fhir/Observation", _of(heart_rate(), patient)),
        }
        runtimes = {"imaging": imaging.app.state.runtime, "notes": notes.state.runtime}
        yield Doors(audit_url, bed, sends, {**runtimes, "vitals": vitals.state.runtime}, to_vitals)


DOORS = ["stow", "c-store", "notes", "hl7", "samples", "import", "fhir-note", "fhir-vitals"]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """All doors, and the audit service behind them."""
    bed = make_test_bed(tmp_path_factory.mktemp("doors"), consent_at_ingest="true")
    with serve(create_app(settings_of(bed), bed.common)) as audit_url:
        asking = bed.common.model_copy(update={"audit_url": audit_url})
        with open_doors(TestBed(bed.directory, bed.issuer, asking), audit_url) as opened:
            yield opened


@pytest.fixture(scope="module")
def doors_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """All doors, and no audit service that answers."""
    bed = make_test_bed(tmp_path_factory.mktemp("alone"), consent_at_ingest="true")
    with open_doors(bed, "http://127.0.0.1:9") as opened:
        yield opened


def _said(answer: Any) -> Any:
    """The status, in the door's own terms."""
    if isinstance(answer, int):
        return answer
    return answer.status_code if hasattr(answer, "status_code") else code_of(answer)


TAKEN: dict[str, set[Any]] = {"c-store": {0x0000}, "hl7": {"AA"}}
REFUSED: dict[str, Any] = {"c-store": 0x0124, "hl7": "AR"}
NOT_NOW: dict[str, Any] = {"c-store": 0xA700, "hl7": "AE"}


@pytest.mark.parametrize("door", DOORS)
def test_without_a_word_of_the_patient_everything_is_stored(doors: Doors, door: str) -> None:
    assert _said(doors.sends[door](f"open-{door}")) in TAKEN.get(door, {200, 201, 202})


@pytest.mark.parametrize("door", DOORS)
def test_what_the_patient_denies_is_refused_by_every_door(doors: Doors, door: str) -> None:
    patient = f"closed-{door}"
    doors.deny(patient)
    before = {event["eventId"] for event in doors.events()}
    answer = doors.sends[door](patient)
    assert _said(answer) == REFUSED.get(door, 403)
    (event,) = [event for event in doors.events() if event["eventId"] not in before]
    assert (event["outcome"], event["outcomeReason"]) == ("refused", "consent-denies-storing")
    assert event["consent"]["decision"] == "deny"
    assert event["consent"]["consentIds"]
    assert event["consent"]["digest"].startswith("sha256:")
    assert patient not in json.dumps(event)
    if door == "hl7":
        assert faults_of(answer) == ["PID-3"]


@pytest.mark.parametrize("door", DOORS)
def test_a_door_that_cannot_ask_stores_nothing(doors_alone: Doors, door: str) -> None:
    assert _said(doors_alone.sends[door](f"unknown-{door}")) == NOT_NOW.get(door, 503)


def test_a_refusal_says_why(doors: Doors) -> None:
    doors.deny("P-why")
    problem = doors.sends["notes"]("P-why").json()
    assert problem["type"].endswith("consent-denies-storing")
    assert (problem["errors"][0]["field"], "P-why" in json.dumps(problem)) == ("patient", False)


def test_a_denial_is_for_what_it_names(doors: Doors) -> None:
    doors.deny("P-part", modalities=["vitals"])
    assert [_said(doors.sends[door]("P-part")) for door in ("notes", "samples")] == [201, 403]


def test_a_consent_may_let_only_some_senders_store(doors: Doors) -> None:
    doors.deny("P-some", exceptions=[{"decision": "permit", "actors": [{"role": str(Role.CLINICIAN)}]}])
    assert [_said(doors.sends[door]("P-some")) for door in ("notes", "stow")] == [201, 403]


def test_a_denial_is_seen_though_the_patient_was_permitted_before(doors: Doors) -> None:
    assert _said(doors.sends["stow"]("P-later")) == 200
    doors.deny("P-later")
    assert _said(doors.sends["stow"]("P-later")) == 403


def test_records_of_patients_who_deny_are_left_out_of_a_file_that_names_several(doors: Doors) -> None:
    doors.deny("P-not")
    records = [{**heart_rate(), "subject": {"identifier": {"value": patient}}} for patient in ("P-yes", "P-not")]
    found = import_file(doors.vitals, "\n".join(map(json.dumps, records)).encode())
    assert (found["counts"]["accepted"], found["counts"]["rejected"]) == (1, 1)


def test_patients_who_never_said_anything_are_not_asked_for_one_by_one(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors.deny("P-spoke", decision="permit")
    audit, asked = doors.runtimes["notes"].audit, list[str]()
    decide = audit.decide

    def _noted(question: ConsentQuestion) -> ConsentAnswer:
        asked.append(question.patient)
        answer: ConsentAnswer = decide(question)
        return answer

    monkeypatch.setattr(audit, "decide", _noted)
    assert [_said(doors.sends["notes"](f"P-silent-{n}")) for n in range(3)] == [201, 201, 201]
    assert _said(doors.sends["notes"]("P-spoke")) == 201
    assert asked == ["P-spoke"]
