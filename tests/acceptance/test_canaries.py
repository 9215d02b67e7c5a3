"""Patient data planted at every door of a running suite is found where it is asked for, and nowhere else (fault 36)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pydicom import FileDataset
from pydicom.uid import UID
from pynetdicom import AE

from services.diagnosis.ward.patient import WardPatient
from shared.auth import Role
from tests.services.ehr.fhir.test_documents import document
from tests.services.ehr.hooks.test_hooks import SERVICE as HOOK
from tests.services.ehr.hooks.test_hooks import call
from tests.services.notes.hl7_messages import mdm
from tests.services.vitals.imports.importing import outcome_of, send_file
from tests.support.canaries import (
    Canary,
    broker_traffic,
    found_in,
    leaves_of,
    logs_of,
    metrics_of,
    names_of,
)
from tests.support.cases import Case, dicom_bytes, dicom_copy, ndjson, send_vitals, stow
from tests.support.mllp import peer
from tests.support.suite import RunningSuite

pytestmark = pytest.mark.e2e


@dataclass
class Visitor:
    """Plants the canary by every door, rightly and wrongly, and keeps what refusals said."""

    suite: RunningSuite
    case: Case
    canary: Canary
    names: Canary
    """For names of fields and parameters, which a refusal may repeat to whoever sent them."""
    refusals: list[tuple[str, str]] = field(default_factory=list)
    locations: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, role: Role = Role.CLINICIAN, **sent: Any) -> httpx.Response:
        """One request; what it is refused with is kept, and where an answer leads."""
        answer = self.suite.client(role).request(method, path, **sent)
        if answer.status_code >= 400:
            self.refusals.append((f"{method} {path.replace(self.canary.root, '…')}", answer.text))
        self.locations += [answer.headers[name] for name in ("location", "content-location") if name in answer.headers]
        return answer

    @property
    def patient(self) -> str:
        """The planted identifier."""
        return self.case.patient

    def images(self) -> None:
        """By STOW-RS and C-STORE: stored, refused, searched for, read."""
        whole = dicom_bytes(self.case.dataset)
        assert stow(self.suite.ehr, whole).status_code == 200
        other = dicom_copy(self.case.dataset)
        other.PatientID = self.canary.named("OTHER")
        other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = UID("2.25.4712")
        for broken in (whole[: len(whole) // 2], dicom_bytes(other), whole[:200] + self.canary.root.encode()):
            answer = stow(self.suite.ehr, broken)
            assert answer.status_code >= 400
            self.refusals.append(("STOW", answer.text))
        for name in ("PatientID", "PatientName", "AccessionNumber", "StudyDate"):
            self.ask("GET", "/dicomweb/studies", params={name: self.canary.named("NAME")})
        study = self.case.dataset.StudyInstanceUID
        for path in ("", "/metadata", "/series", f"/series/{self.canary.root}"):
            self.ask("GET", f"/dicomweb/studies/{study}{path}")
        self.ask("GET", f"/dicomweb/studies/{self.canary.root}")
        assert self._c_store(self.case.dataset) == 0
        assert self._c_store(other) != 0
        self.ask("POST", "/research/exports", Role.RESEARCHER, json={"studies": [study, self.canary.root]})

    def _c_store(self, dataset: FileDataset) -> int:
        entity = AE(ae_title="MODALITY")
        entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        association = entity.associate("127.0.0.1", self.suite.dimse_port, ae_title="CONSILIUM")
        assert association.is_established
        status = int(association.send_c_store(dataset).Status)
        association.release()
        return status

    def notes(self) -> None:
        """By REST and HL7 v2."""
        stored = self.ask("POST", "/notes", json=self.case.note)
        assert stored.status_code == 201, stored.text
        wrong = {**self.case.note, "authored": self.canary.named("when"), "type": self.canary.named("type")}
        for body in (wrong, {**self.case.note, self.names.root: "x"}, [self.canary.root]):
            assert self.ask("POST", "/notes", json=body).status_code in (400, 422)
        self.ask("POST", "/notes", content=f'{{"text": "{self.canary.root}'.encode())
        self.ask("GET", f"/notes/{stored.json()['id']}/analysis")
        self.ask("GET", f"/notes/{self.canary.root}")
        self.ask("POST", "/notes/search", json={"patient": self.patient})
        good = mdm(text=f"Fever. {self.canary.named('HL7')}", patient=self.patient, number=self.canary.named("DOC"))
        with peer(self.suite.mllp_port) as hl7:
            for message in (good, good.replace("MDM^T02", f"ZZZ^{self.canary.root}"), good.replace("TXA|1", "TXB|1")):
                hl7.send(message)
                assert hl7.receive()
        with suppress(ConnectionError), peer(self.suite.mllp_port) as hl7:
            hl7.send(f"no HL7 at all {self.canary.root}")
            hl7.receive()
        with socket.create_connection(("127.0.0.1", self.suite.mllp_port)) as connection:
            connection.sendall(f"no frame {self.canary.root}".encode())

    def vitals(self) -> None:
        """By REST and as a file."""
        samples = [{**one, "device": self.canary.named("device")} for one in self.case.samples]
        assert send_vitals(self.suite.ehr, samples).status_code == 200
        for change in ({"value": self.canary.root}, {"unit": self.canary.root}, {"code": self.canary.root}):
            answer = send_vitals(self.suite.ehr, [{**samples[0], **change}])
            self.refusals.append(("vitals", answer.text))
        self.ask("POST", "/vitals/samples", content=self.canary.root.encode())
        self.ask("POST", "/vitals/search", json={"patient": self.patient, "codes": [self.canary.root]})
        self.ask("POST", "/vitals/derived", json={"patient": self.patient})
        name = self.canary.named("export.json")
        taken = send_file(self.suite.ehr, ndjson(samples), name, patient=self.patient)
        if taken.status_code < 400:
            outcome_of(self.suite.ehr, taken.headers["location"])
        refused = send_file(self.suite.ehr, b"what " + self.canary.root.encode(), name, patient=self.patient)
        assert refused.status_code >= 400
        self.refusals += [("import", answer.text) for answer in (taken, refused) if answer.status_code >= 400]
        self.ask("GET", f"/vitals/imports/{self.canary.root}")

    def consents(self) -> None:
        """Given, withdrawn, refused, and the glass broken with a reason."""
        consent = {"patient": self.patient, "decision": "permit", "purpose": "TREAT"}
        consent |= {"modalities": ["image", "note", "vitals"]}  # type: ignore[dict-item]  # JSON
        sourced = {**consent, "policyUri": f"https://example.org/{self.canary.root}"}
        actors = {**consent, "purpose": "HRESCH", "actors": [{"subject": self.canary.named("actor")}]}
        assert self.ask("POST", "/consents", json=sourced).status_code == 201
        given = self.ask("POST", "/consents", json=actors)
        assert given.status_code == 201
        self.ask("POST", f"/consents/{given.json()['id']}/withdraw")
        for field_name in ("decision", "purpose", "modalities", "policyUri"):
            self.ask("POST", "/consents", json={**consent, field_name: self.canary.root})
        self.ask("POST", f"/consents/{self.canary.root}/withdraw")
        opened = self.ask(
            "POST",
            "/consents/break-glass",
            json={"patient": self.patient, "modalities": ["note"], "reason": self.canary.named("emergency reason")},
        )
        assert opened.status_code == 201, opened.text
        review = {"finding": "justified", "comment": self.canary.named("review comment")}
        self.ask("POST", f"/consents/break-glass/{opened.json()['id']}/review", Role.AUDITOR, json=review)

    def diagnoses(self) -> None:
        """A whole diagnosis, what is said of it, and questions that go wrong."""
        found = self.suite.diagnose(self.patient, key=self.canary.named("key"))
        assert found["status"] in ("succeeded", "abstained"), found
        path = f"/diagnoses/{found['id']}"
        said = {"action": "comment", "text": self.canary.named("feedback text")}
        assert self.ask("POST", f"{path}/feedback", json=said).status_code == 201
        self.ask("POST", f"{path}/feedback", json={"action": self.canary.root})
        self.ask("POST", f"{path}/query", json={"text": self.canary.named("question")})
        self.ask("POST", "/search", json={"text": self.canary.named("question")})
        for one in ("", "/manifest", "/similar", f"/heatmaps/{self.canary.root}"):
            self.ask("GET", path + one)
        self.ask("POST", "/diagnoses", json={"patient": self.canary.named("nobody")})
        self.ask("POST", "/diagnoses", json={"patient": self.patient, "asOf": self.canary.root})
        self.ask("POST", "/diagnoses/search", json={"patient": self.patient, "limit": self.canary.root})
        self.ask("GET", f"/diagnoses/{self.canary.root}")
        self.ask("GET", "/diagnoses", params={"status": self.canary.root, "cursor": self.canary.root})

    def hospital(self) -> None:
        """By FHIR and CDS Hooks."""
        subject = {"identifier": {"system": "urn:mrn", "value": self.patient}}
        fhir = {"Content-Type": "application/fhir+json"}
        good = document(f"Cough. {self.canary.named('FHIR')}", subject=subject, description=self.canary.root)
        assert self.ask("POST", "/fhir/DocumentReference", json=good, headers=fhir).status_code == 201
        root = self.canary.root
        changes: list[dict[str, Any]] = [{"status": root}, {"subject": {"display": root}}, {"content": []}]
        for change in changes:
            self.ask("POST", "/fhir/DocumentReference", json=good | change, headers=fhir)
        self.ask("POST", "/fhir/Observation", json={"resourceType": "Observation", "code": {"text": self.canary.root}},
                 headers=fhir)  # fmt: skip
        self.ask("POST", "/fhir/Consent", json={"resourceType": self.canary.root}, headers=fhir)
        self.ask("GET", "/fhir/DiagnosticReport", params={"patient": self.patient})
        self.ask("GET", "/fhir/DiagnosticReport", params={self.names.root: self.canary.root})
        self.ask("GET", f"/fhir/RiskAssessment/{self.canary.root}")
        who = {"resourceType": "Patient", "id": "p-1", "identifier": [{"system": "urn:mrn", "value": self.patient}]}
        cards = self.ask("POST", HOOK, json=call(prefetch={"patient": who})).json()["cards"]
        said = {"card": cards[0]["uuid"] if cards else "none", "outcome": "overridden",
                "outcomeTimestamp": "2026-03-14T10:00:00Z",
                "overrideReason": {"userComment": self.canary.named("override")}}  # fmt: skip
        self.ask("POST", f"{HOOK}/feedback", json={"feedback": [said]})
        self.ask("POST", HOOK, json=call(context={"patientId": self.canary.root}))
        self.ask("POST", f"/cds-services/{self.canary.root}", json=call())

    def elsewhere(self) -> None:
        """Paths that nobody has, tokens that nobody gave, questions of auditors."""
        self.ask("GET", f"/{self.canary.root}")
        self.ask("GET", f"/assets/{self.canary.root}")
        for token in (self.canary.root, f"a.{self.canary.root}.c"):
            self.ask("GET", "/diagnoses", headers={"Authorization": f"Bearer {token}"})
        self.ask("GET", "/audit/entries", Role.AUDITOR, params={"patient": self.patient})
        self.ask("GET", "/audit/entries", Role.AUDITOR, params={"cursor": self.canary.root})
        self.ask("GET", f"/models/{self.canary.root}", Role.ADMIN)
        self.ask("POST", "/models", Role.ADMIN, json={"name": self.canary.root})


def _planted(case: Case, canary: Canary) -> Case:
    planted = case.renamed(canary.named("ID"))
    for keyword, value in {
        "PatientName": f"{canary.named('NAME')}^Ada",
        "AccessionNumber": canary.root[:16],
        "StudyDescription": canary.named(" study"),
        "InstitutionName": canary.named(" house"),
        "ReferringPhysicianName": canary.named("DR"),
        "DeviceSerialNumber": canary.named("SERIAL"),
    }.items():
        setattr(planted.dataset, keyword, value)
    return planted.with_note(f"{planted.note['text']}\nSeen by {canary.named('TEXT')}.")


def test_what_is_planted_stays_where_it_belongs(suite: RunningSuite, ward: Callable[[], WardPatient]) -> None:
    canary, names = Canary(), Canary()
    visitor = Visitor(suite, _planted(Case.of(ward()), canary), canary, names)
    with broker_traffic(suite) as heard:
        visitor.images()
        visitor.notes()
        visitor.vitals()
        visitor.consents()
        visitor.diagnoses()
        visitor.hospital()
        visitor.elsewhere()
    leaves = leaves_of(suite)
    assert len(visitor.refusals) > 40
    assert len(leaves) > 30
    assert b"BRPOP" in heard.upper()
    places = {f"log of {name}": content for name, content in logs_of(suite).items()}
    places |= {f"metrics of {name}": content for name, content in metrics_of(suite).items()}
    places |= {"broker": bytes(heard), "names of files and arguments": names_of(suite)}
    places |= {f"leaf {n}": leaf for n, leaf in enumerate(leaves)}
    places |= {f"URL {n}": url.encode() for n, url in enumerate(visitor.locations)}
    assert found_in(canary, places) == {}
    assert found_in(names, places) == {}
    assert [(path, text) for path, text in visitor.refusals if canary.in_text(text)] == []


def test_the_search_finds_what_is_there() -> None:
    """Raw, in capitals, as hex and as base64 at any place of a text: else the test above would show nothing."""
    import base64

    canary = Canary()
    for before in ("", "a", "ab", "abc", '{"patient":"'):
        text = f"{before}{canary.named('ID')} and more".encode()
        for spelt in (text, text.upper(), text.lower(), text.hex().encode(), base64.b64encode(text)):
            assert canary.in_text(spelt), spelt
    assert not canary.in_text(base64.b64encode(b"Zq and nothing else of it"))
