"""The services that the diagnosis service talks to, as one small real ASGI app: imaging, notes, vitals and audit.

They keep what a test puts in and speak the shared contracts; the true services are joined in the acceptance tests.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from PIL import Image

from shared.auditing import EventWriter
from shared.contracts.audit import (
    AuditEvent,
    BatchReceipt,
    ConsentAnswer,
    ConsentBasis,
    ConsentQuestion,
    EventBatch,
    Ingest,
    IngestFeed,
    Sequenced,
)
from shared.contracts.base import Modality
from shared.contracts.evidence import (
    EvidenceList,
    EvidenceQuestion,
    EvidenceRef,
    NoteContent,
    RenderedImage,
    VitalSample,
    VitalsWindow,
)
from shared.contracts.models import ServedBundle, Serving
from shared.digests import digest_json

WINDOW = timedelta(hours=72)


@dataclass
class Ward:
    """Everything the neighbours know. Tests write to it while the app runs."""

    images: dict[str, list[tuple[EvidenceRef, RenderedImage]]] = field(default_factory=dict)
    notes: dict[str, list[tuple[EvidenceRef, NoteContent]]] = field(default_factory=dict)
    samples: dict[str, list[VitalSample]] = field(default_factory=dict)
    windows: dict[str, VitalsWindow] = field(default_factory=dict)
    denied: dict[str, set[Modality]] = field(default_factory=dict)
    epoch: int = 1
    down: set[str] = field(default_factory=set)
    """Services that answer 503, or the `registry` alone."""
    events: dict[str, AuditEvent] = field(default_factory=dict)
    """The log: event id -> event, in order of arrival."""
    refuse_appends: bool = False
    """The log answers 503 to events, and nothing else is down."""
    withdraw_at_append: list[tuple[str, Modality]] = field(default_factory=list)
    """Consents that are withdrawn right after the next events reached the log."""
    appended: int = 0
    """How many events were sent, repeats included."""
    fetched: list[str] = field(default_factory=list)
    consents_asked: list[ConsentQuestion] = field(default_factory=list)
    questions: list[tuple[str, datetime | None]] = field(default_factory=list)
    serving: Serving | None = None
    """What the registry says; None: the bundle that was announced first is active."""
    announced: list[ServedBundle] = field(default_factory=list)

    def add_image(self, patient: str, at: datetime, *, grey: float = 0.5, view: str = "PA") -> str:
        """A radiograph of one shade of grey."""
        number = sum(len(held) for held in self.images.values()) + 1
        content = RenderedImage(
            id=f"img-{number}",
            digest=digest_json([patient, number, grey]),
            study_instance_uid=f"2.25.10{number}",
            series_instance_uid=f"2.25.20{number}",
            sop_instance_uid=f"2.25.30{number}",
            modality="DX",
            rows=32,
            columns=32,
            view_position=view,
            patient_sex="F",
            patient_age_years=61.0,
            png=_png(grey),
        )
        ref = _ref(content.id, Modality.IMAGE, content.digest, at, {"viewPosition": view})
        self.images.setdefault(patient, []).append((ref, content))
        return content.id

    def add_note(self, patient: str, at: datetime, text: str = "Fever and cough.") -> str:
        """A note."""
        number = sum(len(held) for held in self.notes.values()) + 1
        digest = digest_json([patient, number, text])
        content = NoteContent(id=f"note-{number}", digest=digest, authored=at, type="34109-9", text=text)
        self.notes.setdefault(patient, []).append((_ref(content.id, Modality.NOTE, digest, at, {}), content))
        return content.id

    def add_heart_rate(self, patient: str, at: datetime, value: float = 90.0) -> None:
        """One sample."""
        sample = VitalSample(code="8867-4", value=value, unit="/min", effective=at)
        self.samples.setdefault(patient, []).append(sample)

    def end_note(self, key: str, status: str) -> None:
        """A note that stood was replaced (`superseded`) or taken back (`cancelled`)."""
        for held in self.notes.values():
            for place, (ref, content) in enumerate(held):
                if content.id == key:
                    held[place] = (ref.model_copy(update={"quality": {"status": status}}), content)

    def tell_ingest(self, events: EventWriter, patient: str, *, late: bool) -> None:
        """Put into the log what an ingest service says of evidence that came."""
        event = events.event(None, "ingest", "stored", "C", patient=patient, details={"late": late})
        self.events[event.event_id] = event

    def withdraw(self, patient: str, *modalities: Modality) -> None:
        """From now on these modalities of the patient are denied."""
        self.denied.setdefault(patient, set()).update(modalities)
        self.epoch += 1

    def log_of(self, subtype: str) -> list[AuditEvent]:
        """All entries of one subtype."""
        return [event for event in self.events.values() if event.subtype == subtype]


def create_neighbours(ward: Ward) -> FastAPI:
    """All four neighbours under one origin, as in the embedded suite."""
    app = FastAPI()

    @app.middleware("http")
    async def _be_down(request: Request, call_next: Any) -> Response:
        if not ward.down.isdisjoint(_services(request.url.path)):
            return JSONResponse({}, 503)
        response: Response = await call_next(request)
        return response

    @app.post("/internal/imaging/evidence")
    def imaging(question: EvidenceQuestion) -> EvidenceList:
        return _listed(ward, Modality.IMAGE, question, [ref for ref, _ in ward.images.get(question.patient, [])])

    @app.post("/internal/notes/evidence")
    def notes(question: EvidenceQuestion) -> EvidenceList:
        return _listed(ward, Modality.NOTE, question, [ref for ref, _ in ward.notes.get(question.patient, [])])

    @app.post("/internal/vitals/evidence")
    def vitals(question: EvidenceQuestion) -> EvidenceList:
        return _listed(ward, Modality.VITALS, question, _window(ward, question))

    @app.get("/internal/imaging/evidence/{key}")
    def image(key: str) -> Response:
        return _content(ward, key, [content for held in ward.images.values() for _, content in held])

    @app.get("/internal/notes/evidence/{key}")
    def note(key: str) -> Response:
        return _content(ward, key, [content for held in ward.notes.values() for _, content in held])

    @app.get("/internal/vitals/evidence/{key}")
    def window(key: str) -> Response:
        return _content(ward, key, list(ward.windows.values()))

    @app.post("/internal/audit/events")
    def append(batch: EventBatch) -> BatchReceipt:
        ward.appended += len(batch.events)
        if ward.refuse_appends:
            raise HTTPException(503)
        for event in batch.events:
            known = ward.events.setdefault(event.event_id, event)
            if known != event:
                raise HTTPException(409, "an event id was used for two different events")
        while ward.withdraw_at_append:
            ward.withdraw(*ward.withdraw_at_append.pop())
        order = list(ward.events)
        return BatchReceipt(
            sequenced=[
                Sequenced(event_id=e.event_id, index=order.index(e.event_id), leaf_hash=f"leaf-{e.event_id}")
                for e in batch.events
            ]
        )

    @app.get("/internal/audit/ingests")
    def ingests(begin: int | None = None) -> IngestFeed:
        log = list(ward.events.values())
        new = [] if begin is None else [event for event in log[begin:] if event.type == "ingest"]
        items = [
            Ingest(subject_ref=event.subject_ref, occurred_at=event.occurred_at, late=event.details["late"])
            for event in new
            if event.subject_ref is not None
        ]
        return IngestFeed(items=items, next=len(log))

    @app.post("/models")
    def register(body: dict[str, Any]) -> dict[str, str]:
        bundle = ServedBundle(id=body["digest"], **{name: body[name] for name in ("name", "version", "digest")})
        if bundle not in ward.announced:
            ward.announced.append(bundle)
        return {"id": bundle.id}

    @app.post("/models/{model_id}/{piece}")
    def hand_in(model_id: str, piece: str) -> dict[str, str]:
        return {"id": model_id}

    @app.get("/internal/audit/models/serving")
    def serving() -> Serving:
        return ward.serving or Serving(active=ward.announced[0] if ward.announced else None)

    @app.post("/internal/audit/consent/decide")
    def decide(question: ConsentQuestion) -> ConsentAnswer:
        ward.consents_asked.append(question)
        denied = ward.denied.get(question.patient, set())
        return ConsentAnswer(decisions={kind: _basis(kind in denied) for kind in question.modalities}, epoch=ward.epoch)

    return app


def _services(path: str) -> set[str]:
    """Which of the neighbours a path belongs to; the registry is a part of the audit service."""
    if path.startswith(("/models", "/internal/audit/models")):
        return {"audit", "registry"}
    return {path.split("/")[2]}


def _basis(denied: bool) -> ConsentBasis:
    if denied:
        return ConsentBasis(decision="deny", reason="withdrawn", consent_ids=["consent-2"])
    return ConsentBasis(decision="permit", reason="active", consent_ids=["consent-1"])


def _ref(key: str, kind: Modality, digest: str, at: datetime, quality: dict[str, Any]) -> EvidenceRef:
    return EvidenceRef(id=key, kind=kind, digest=digest, effective_at=at, received_at=at, quality=quality)


def _listed(ward: Ward, kind: Modality, question: EvidenceQuestion, refs: list[EvidenceRef]) -> EvidenceList:
    ward.questions.append((kind.value, question.as_of))
    held: dict[Modality, Any] = {
        Modality.IMAGE: ward.images,
        Modality.NOTE: ward.notes,
        Modality.VITALS: ward.samples,
    }
    found = [ref for ref in refs if question.as_of is None or ref.effective_at <= question.as_of]
    found.sort(key=lambda ref: ref.effective_at, reverse=True)
    return EvidenceList(known=question.patient in held[kind], items=found)


def _window(ward: Ward, question: EvidenceQuestion) -> list[EvidenceRef]:
    """One window of 72 h that ends at the time asked for, or at the newest sample."""
    samples = sorted(ward.samples.get(question.patient, []), key=lambda sample: sample.effective)
    if not samples:
        return []
    end = question.as_of or samples[-1].effective
    within = [sample for sample in samples if end - WINDOW <= sample.effective <= end]
    if not within:
        return []
    digest = digest_json([[s.effective.isoformat(), s.value] for s in within])
    key = f"window-{digest[7:19]}"
    ward.windows[key] = VitalsWindow(id=key, digest=digest, start=end - WINDOW, end=end, samples=within)
    return [_ref(key, Modality.VITALS, digest, within[-1].effective, {"samples": len(within)})]


def _content(ward: Ward, key: str, held: list[Any]) -> Response:
    for content in held:
        if content.id == key:
            ward.fetched.append(key)
            return Response(content.model_dump_json(by_alias=True), media_type="application/json")
    return JSONResponse({}, 404)


def _png(grey: float) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.full((32, 32), round(grey * 65535), dtype=np.uint16)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
