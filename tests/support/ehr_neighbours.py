"""The services behind the outside door, as small real servers that speak the contracts.

They keep what they are given, check tokens as the real ones do, and refuse what the contract says they refuse.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.testclient import TestClient

from services.ehr.app import create_app
from services.ehr.settings import EhrSettings
from services.ehr.store import Base, OutboxRow
from shared.auth import Role, require, verifier_from
from shared.codes import CARDIOGENIC_OEDEMA, NO_ACUTE_DISEASE, PNEUMONIA, Coding
from shared.contracts.audit import AuditEvent
from shared.contracts.diagnosis import (
    DiagnosisOut,
    JobStatus,
    ResultsList,
    ResultsQuestion,
    Review,
    ReviewsList,
    ReviewsQuestion,
)
from shared.database import migrate
from shared.digests import digest_bytes
from shared.errors import FieldProblem, InvalidInput, NotFound, install_error_handlers
from shared.ids import uuid7
from tests.support.common import TestBed
from tests.support.servers import serve

AS_OF = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
PUBLIC_URL = "https://consilium.example.org"
Sent = Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))


@dataclass
class Ward:
    """What the neighbours hold, and who sent it."""

    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    results: list[DiagnosisOut] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    """`sub` of the tokens with which evidence came."""


def neighbours_app(bed: TestBed, ward: Ward) -> FastAPI:
    """Notes, vitals and the internal results door in one app."""
    app = FastAPI()
    app.state.verifier = verifier_from(bed.common)
    install_error_handlers(app)
    for router in (_notes(ward), _vitals(ward), _results(ward)):
        app.include_router(router)
    return app


def _notes(ward: Ward) -> APIRouter:
    router = APIRouter()

    @router.post("/notes", status_code=201)
    def create(note: dict[str, Any], response: Response, principal: Any = Sent) -> dict[str, Any]:
        if "\x00" in note["text"]:
            raise InvalidInput("The text is binary.", fields=[FieldProblem("text", "holds NUL", "send text")])
        ward.subjects.append(principal.subject)
        known = [one for one in ward.notes.values() if note.items() <= one.items()]
        if known:
            response.status_code = 200
            return {**known[0], "duplicate": True}
        stored = {**note, "id": uuid7(), "digest": digest_bytes(note["text"].encode())}
        ward.notes[stored["id"]] = stored
        return {**stored, "duplicate": False}

    @router.get("/notes/{note_id}", dependencies=[Sent])
    def read(note_id: str) -> dict[str, Any]:
        if note_id not in ward.notes:
            raise NotFound("There is no such note.")
        return ward.notes[note_id]

    return router


def _vitals(ward: Ward) -> APIRouter:
    router = APIRouter()

    @router.post("/vitals/samples")
    async def add(request: Request, principal: Any = Sent) -> dict[str, Any]:
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        rejected = [
            {"line": i, "reason": "more than a living person shows"}
            for i, line in enumerate(lines, start=1)
            if line["value"] > 400
        ]
        refused = {one["line"] for one in rejected}
        kept = [line for i, line in enumerate(lines, start=1) if i not in refused]
        new = [line for line in kept if line not in ward.samples]
        ward.samples.extend(new)
        ward.subjects.append(principal.subject)
        return {"accepted": len(new), "duplicates": len(kept) - len(new), "rejected": rejected}

    return router


def _results(ward: Ward) -> APIRouter:
    router = APIRouter()

    @router.post("/internal/diagnosis/results", dependencies=[Depends(require(Role.SERVICE))])
    def search(question: ResultsQuestion) -> dict[str, Any]:
        final = (JobStatus.SUCCEEDED, JobStatus.ABSTAINED)
        found = [
            one
            for one in ward.results
            if (question.patient in (None, one.patient))
            and (question.ids is None or one.id in question.ids)
            and (question.include_unfinished or one.status in final)
        ]
        newest_first = sorted(found, key=lambda one: one.created_at, reverse=True)
        return ResultsList(items=newest_first[: question.limit]).model_dump(mode="json", by_alias=True)

    @router.post("/internal/diagnosis/reviews", dependencies=[Depends(require(Role.SERVICE))])
    def reviews(question: ReviewsQuestion) -> ReviewsList:
        return ReviewsList(items=[one for one in ward.reviews if one.diagnosis in question.ids])

    return router


def _ranked(coding: Coding, probability: float, low: float, high: float) -> dict[str, Any]:
    return {"code": vars(coding), "probability": probability, "interval": (low, high)}


OUTDATED = {
    "since": "2026-03-15T08:00:00Z",
    "changes": [
        {"modality": "note", "happening": "replaced", "evidence": "note-1", "text": "A note was replaced."},
    ],
}
"""What the diagnosis service says of a result whose evidence has changed since."""


def job(patient: str, status: JobStatus = JobStatus.QUEUED, *, hours: float = 0, **fields: Any) -> DiagnosisOut:
    """A diagnosis asked for `hours` after the usual moment."""
    created = AS_OF + timedelta(hours=hours)
    return DiagnosisOut(
        id=fields.pop("id", uuid7()), status=status, patient=patient, created_at=created, priority="routine", **fields
    )


def succeeded(patient: str, *, hours: float = 0, **fields: Any) -> DiagnosisOut:
    """A finished result: pneumonia 0.83, then heart failure 0.11, then nothing 0.06; the set holds the first two."""
    result: dict[str, Any] = {
        "diagnoses": [
            _ranked(PNEUMONIA, 0.83, 0.61, 0.93),
            _ranked(CARDIOGENIC_OEDEMA, 0.11, 0.04, 0.24),
            _ranked(NO_ACUTE_DISEASE, 0.06, 0.01, 0.12),
        ],
        "prediction_set": {
            "coverage": 0.9,
            "codes": [PNEUMONIA.code, CARDIOGENIC_OEDEMA.code],
            "guarantee": "marginal",
        },
        "uncertainty": {"total": 0.6, "aleatoric": 0.4, "epistemic": 0.2},
        "abstained": False,
        "reasons": [],
        "risks": {"deterioration24h": {"probability": 0.31, "interval": (0.2, 0.45)}},
        "explanation": {"summary": [{"text": "The note speaks of rusty sputum.", "evidence": ["note-1"]}]},
    }
    return _finished(patient, JobStatus.SUCCEEDED, hours, {**result, **fields})


def abstained(patient: str, *, hours: float = 0, **fields: Any) -> DiagnosisOut:
    """A finished result without an answer; it still ranks what it would have said."""
    ranked = [_ranked(PNEUMONIA, 0.34, 0.05, 0.8)]
    result = {
        "diagnoses": ranked,
        "abstained": True,
        "reasons": ["the radiograph is unlike any in training"],
        "risks": {},
    }
    return _finished(patient, JobStatus.ABSTAINED, hours, {**result, **fields})


def _finished(patient: str, status: JobStatus, hours: float, fields: dict[str, Any]) -> DiagnosisOut:
    common: dict[str, Any] = {
        "case": {"digest": "sha256:" + "c" * 64, "as_of": AS_OF + timedelta(hours=hours), "patient": patient},
        "model": {"bundle": "acute-chest-demo", "version": "1.0.0", "digest": "sha256:" + "b" * 64},
        "modalities": {
            "image": {"status": "used", "evidence": ["image-1"]},
            "note": {"status": "used", "evidence": ["note-1"]},
            "vitals": {"status": "missing"},
        },
        "timings": {"queued": 5, "fetch": 20, "encode": 300, "fuse": 10, "explain": 100, "total": 500},
    }
    return job(patient, status, hours=hours, **{**common, **fields})


@dataclass(frozen=True)
class Door:
    """A running ehr service with its neighbours."""

    client: TestClient
    bed: TestBed
    ward: Ward

    def get(self, path: str, role: Role = Role.EHR_SYSTEM, **sent: Any) -> Any:
        """GET as one role."""
        return self.client.get(path, headers=self.bed.headers(role) | sent.pop("headers", {}), **sent)

    def post(self, path: str, body: Any, role: Role = Role.EHR_SYSTEM, headers: dict[str, str] | None = None) -> Any:
        """POST a resource as one role."""
        kind = {"Content-Type": "application/fhir+json" if path.startswith("/fhir") else "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(path, content=content, headers=kind | self.bed.headers(role) | (headers or {}))

    def empty(self) -> None:
        """Forget everything, on both sides of the door."""
        app: Any = self.client.app
        with app.state.runtime.sessions.begin() as session:
            for table in Base.metadata.sorted_tables:
                session.execute(table.delete())
        for kept in (self.ward.notes, self.ward.samples, self.ward.results, self.ward.reviews, self.ward.subjects):
            kept.clear()

    def events(self) -> list[AuditEvent]:
        """All audit events written so far, oldest first."""
        app: Any = self.client.app
        with app.state.runtime.sessions.begin() as session:
            bodies = session.scalars(sa.select(OutboxRow.body).order_by(OutboxRow.seq)).all()
        return [AuditEvent.model_validate_json(body) for body in bodies]


@contextmanager
def open_door(bed: TestBed, database_url: str, *, own: Any = None, **settings: str) -> Iterator[Door]:
    """The ehr service on a database, with neighbours on real sockets.

    Args:
        own: settings of the ehr service; `settings` override the common ones.
    """
    ward = Ward()
    with serve(neighbours_app(bed, ward)) as url:
        urls = {f"{name}_url": url for name in ("notes", "vitals", "diagnosis")}
        urls |= {"public_url": PUBLIC_URL, **settings}
        common = bed.common.model_copy(update=urls)
        migrate(database_url, "ehr")
        app = create_app(EhrSettings(database_url=database_url, **(own or {})), common)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Door(client, bed, ward)


__all__ = ["AS_OF", "PUBLIC_URL", "Door", "Ward", "abstained", "job", "open_door", "succeeded"]
