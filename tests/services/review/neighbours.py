"""Neighbours for developing the UI's parts: small real servers that answer in the shapes of the public contract.

What they say is written down here, so a test can tell whether the page shows it. The suite's own services are tested
with the page in `tests/acceptance`.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from services.audit.api.break_glass import BreakGlassList
from services.review.app import create_app
from services.review.settings import ReviewSettings
from shared.auth import Role, current_principal, require
from shared.codes import DIAGNOSES, Coding
from shared.contracts.base import Wire
from shared.contracts.diagnosis import DiagnosisOut, DiagnosisRequest, FeedbackIn
from shared.contracts.evidence import VitalSample
from shared.errors import AppError, NotFound, problem_response
from tests.support.common import TestBed

AS_OF = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
SOP = "1.2.826.0.1.3680043.10.1561.7.1"
ROWS, COLUMNS = 600, 512
NOTE = """CHIEF COMPLAINT: Fever and productive cough for three days.

HISTORY: 67-year-old man, 40 pack-years, presents with rigors, rusty sputum and right-sided pleuritic pain. \
He denies orthopnoea and there is no leg swelling. No calf pain. Temperature at home 39.2 °C 🌡️.

EXAMINATION: Reduced air entry and dull percussion at the right base with coarse crackles. No wheeze. \
Heart sounds normal, no murmur.

PLAN: Blood cultures, chest radiograph, start oxygen at 2 L/min.
"""
PHRASES = (
    ("Fever", 0.31, False),
    ("productive cough", 0.42, False),
    ("rusty sputum", 0.27, False),
    ("pleuritic pain", 0.12, False),
    ("denies orthopnoea", 0.18, True),
    ("no leg swelling", 0.09, True),
    ("No calf pain", -0.06, True),
    ("40 pack-years", -0.14, False),
    ("dull percussion", 0.22, False),
    ("No wheeze", 0.07, True),
)


class DiagnosisPage(Wire):
    items: list[DiagnosisOut]
    next: str | None = None


class VitalsQuestion(Wire):
    patient: str
    start: datetime
    end: datetime
    limit: int
    downsample: bool


class VitalsAnswer(Wire):
    samples: list[VitalSample]
    total: int
    truncated: bool = False
    downsampled: bool = False


class FeedbackOut(Wire):
    id: str


def _code(coding: Coding) -> dict[str, str]:
    return {"system": coding.system, "code": coding.code, "display": coding.display}


def spans() -> list[dict[str, Any]]:
    """Spans as the contract counts them: offsets in Unicode characters."""
    found = []
    for phrase, contribution, negated in PHRASES:
        start = NOTE.index(phrase)
        found.append({"start": start, "end": start + len(phrase), "contribution": contribution, "negated": negated})
    return found


def ranked(first: float = 0.71) -> list[dict[str, Any]]:
    """Eight diagnoses, calibrated to sum to one, the first with this probability."""
    rest = [0.42, 0.2, 0.13, 0.1, 0.07, 0.05, 0.03]
    probabilities = [first, *((1 - first) * share for share in rest)]
    order = [DIAGNOSES[i] for i in (0, 3, 6, 4, 1, 5, 2, 7)]
    return [
        {
            "code": _code(code),
            "probability": p,
            "interval": [max(0.0, p - 0.35 * p), min(1.0, p + 0.2 * (1 - p) + 0.01)],
        }
        for code, p in zip(order, probabilities, strict=True)
    ]


def _explanation(diagnosis_id: str, first: float, have: tuple[str, ...]) -> dict[str, Any]:
    log_odds = math.log(first / (1 - first))
    base = -1.52
    shares = {"image": 0.52, "note": 0.61, "vitals": -0.13}
    total = sum(shares[m] for m in have)
    contributions = {m: (log_odds - base) * shares[m] / total for m in have}
    vitals = [
        ("8310-5", 30, 2, 0.44),
        ("9279-1", 20, 6, 0.21),
        ("59408-5", 14, 1, 0.29),
        ("8480-6", 40, 20, -0.12),
    ]
    summary = [
        ("Consolidation in the right lower zone speaks for pneumonia.", ["image-1"], "image"),
        ("The note tells of fever, productive cough and rusty sputum, and denies orthopnoea.", ["note-1"], "note"),
        ("Temperature spiked to 39.4 °C while oxygen saturation fell gradually.", ["vitals-1"], "vitals"),
        ("The model is as sure as it usually is with these three kinds of evidence.", [], ""),
    ]
    return {
        "modalities": {
            "code": DIAGNOSES[0].code,
            "base": base,
            "contributions": contributions,
            "interactions": {"image+note": 0.21, "note+vitals": -0.08} if len(have) > 2 else {},
        },
        "images": [
            {
                "instance": SOP,
                "heatmap": f"/diagnoses/{diagnosis_id}/heatmaps/{SOP}",
                "regions": [
                    {"x": 78, "y": 330, "width": 130, "height": 120, "contribution": 0.83},
                    {"x": 330, "y": 150, "width": 80, "height": 90, "contribution": -0.17},
                ],
            }
        ]
        if "image" in have
        else [],
        "notes": [{"id": "note-1", "spans": spans()}] if "note" in have else [],
        "vitals": [
            {
                "code": code,
                "from": (AS_OF - timedelta(hours=a)).isoformat(),
                "to": (AS_OF - timedelta(hours=b)).isoformat(),
                "contribution": c,
            }
            for code, a, b, c in vitals
        ]
        if "vitals" in have
        else [],
        "similar": [
            {"case": "ward-00412", "similarity": 0.91, "diagnosis": _code(DIAGNOSES[0])},
            {"case": "ward-01877", "similarity": 0.84, "diagnosis": _code(DIAGNOSES[6])},
        ],
        "summary": [{"text": t, "evidence": e} for t, e, m in summary if not m or m in have],
    }


def _modality(name: str, status: str, flagged: bool = False) -> dict[str, Any]:
    quality = {
        "image": {"images": 1, "contrast": 0.31, "ageHours": 2.02},
        "note": {"notes": 1, "truncated": False, "ageHours": 4.89},
        "vitals": {"readings": 812, "variables": 6, "ageHours": 0.0},
    }[name]
    if status != "used":
        return {"status": status}
    ood = {"score": 0.997 if flagged else {"image": 0.34, "note": 0.12, "vitals": 0.61}[name], "flagged": flagged}
    return {"status": "used", "evidence": [f"{name}-1"], "quality": quality, "ood": ood}


def result(diagnosis_id: str, patient: str, *, first: float = 0.71, **odd: str) -> dict[str, Any]:
    """A whole result. `odd` names what is not plainly used, such as `note="no-consent"` or `image="flagged"`."""
    modalities = {
        m: _modality(m, "used" if odd.get(m) == "flagged" else odd.get(m, "used"), odd.get(m) == "flagged")
        for m in ("image", "note", "vitals")
    }
    have = tuple(m for m, value in modalities.items() if value["status"] == "used")
    diagnoses = ranked(first)
    members = [d["code"]["code"] for d in diagnoses[: 1 if first > 0.8 else 2 if first > 0.5 else 5]]
    flagged = any(value == "flagged" for value in odd.values())
    reasons = (
        ["The radiograph is unlike those that the model was trained on (out-of-distribution score 0.997)."]
        if flagged
        else []
    )
    if flagged and first < 0.5:
        reasons.append("The prediction set holds 5 of 8 diagnoses.")
    return {
        "id": diagnosis_id,
        "status": "abstained" if reasons else "succeeded",
        "patient": patient,
        "createdAt": AS_OF.isoformat(),
        "priority": "routine",
        "case": {"digest": "sha256:" + "5f" * 32, "asOf": AS_OF.isoformat(), "patient": patient},
        "model": {"bundle": "acute-chest-demo", "version": "0.1.0", "digest": "sha256:" + "c3" * 32},
        "modalities": modalities,
        "diagnoses": diagnoses,
        "predictionSet": {"coverage": 0.9, "codes": members, "guarantee": "pattern x class"},
        "uncertainty": {"total": 0.98, "aleatoric": 0.81, "epistemic": 0.17},
        "abstained": bool(reasons),
        "reasons": reasons,
        "risks": {"deterioration24h": {"probability": 0.23, "interval": [0.14, 0.35]}},
        "explanation": _explanation(diagnosis_id, first, have),
        "audit": {"index": 128, "leafHash": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="},
        "timings": {"queued": 4.1, "fetch": 61.0, "encode": 212.4, "fuse": 18.9, "explain": 141.7, "total": 438.1},
    }


def _job(diagnosis_id: str, patient: str, status: str, **more: Any) -> dict[str, Any]:
    base = {
        "id": diagnosis_id,
        "status": status,
        "patient": patient,
        "createdAt": AS_OF.isoformat(),
        "priority": "stat",
    }
    return {**base, **more}


def all_cases() -> dict[str, dict[str, Any]]:
    """One case for every state that the page must show."""
    cases = [
        result("full", "CX-1042"),
        result("abstained", "CX-0977", first=0.34, image="flagged", vitals="missing"),
        result("no-consent", "CX-1108", first=0.86, note="no-consent"),
        result("vitals-only", "CX-0031", first=0.45, image="rejected", note="missing"),
        _job("running", "CX-1200", "running", stage="encode"),
        _job("queued", "CX-1201", "queued"),
        _job(
            "failed",
            "CX-1202",
            "failed",
            error="No evidence of this patient may be used: consent is missing for all of it.",
        ),
    ]
    return {case["id"]: case for case in cases}


def radiograph() -> bytes:
    """A picture with the main features of a frontal chest radiograph, enough to judge a layout by."""
    body = Image.new("L", (COLUMNS, ROWS), 24)
    draw = ImageDraw.Draw(body)
    draw.ellipse((30, 40, 482, 760), fill=150)
    for left in (80, 285):
        draw.ellipse((left, 90, left + 150, 480), fill=48)
    draw.ellipse((215, 270, 370, 470), fill=168)
    draw.rectangle((238, 20, 276, 600), fill=190)
    for rib in range(9):
        top = 80 + rib * 44
        draw.arc((60, top, 250, top + 130), 190, 330, fill=108, width=7)
        draw.arc((264, top, 454, top + 130), 210, 350, fill=108, width=7)
    body = body.filter(ImageFilter.GaussianBlur(9))
    pixels: NDArray[np.float64] = np.asarray(body, dtype=np.float64)
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    pixels = pixels + 70 * np.exp(-(((x - 143) / 55) ** 2 + ((y - 390) / 50) ** 2))
    pixels += np.random.default_rng(0).normal(0, 5, pixels.shape)
    return _png(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))


def heatmap() -> bytes:
    """Warm where it speaks for, cool where against; transparent elsewhere."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    warm = np.exp(-(((x - 143) / 60) ** 2 + ((y - 390) / 55) ** 2))
    cool = 0.5 * np.exp(-(((x - 370) / 40) ** 2 + ((y - 195) / 40) ** 2))
    rgba = np.zeros((ROWS, COLUMNS, 4), dtype=np.uint8)
    rgba[..., :3] = np.where((warm > cool)[..., None], (230, 80, 30), (40, 110, 230))
    rgba[..., 3] = (220 * np.maximum(warm, cool)).astype(np.uint8)
    return _png(Image.fromarray(rgba, "RGBA"))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def samples() -> list[dict[str, Any]]:
    """72 hours of irregular vitals with a drop-out, fever and falling saturation."""
    chance = np.random.default_rng(7)
    hours = np.sort(chance.uniform(-72, 0, 420))
    hours = hours[(hours < -52) | (hours > -46)]
    found = []
    for h in hours:
        ill = 1 / (1 + math.exp(-(h + 24) / 6))
        values = {
            "8867-4": ("/min", 78 + 28 * ill + chance.normal(0, 3)),
            "9279-1": ("/min", 16 + 9 * ill + chance.normal(0, 1)),
            "59408-5": ("%", 97 - 7 * ill + chance.normal(0, 0.6)),
            "8310-5": ("Cel", 36.8 + 2.2 * ill * (0.6 + 0.4 * math.sin(h)) + chance.normal(0, 0.1)),
            "8480-6": ("mm[Hg]", 132 - 14 * ill + chance.normal(0, 5)),
            "8462-4": ("mm[Hg]", 80 - 8 * ill + chance.normal(0, 3)),
        }
        for code, (unit, value) in values.items():
            if chance.random() < (0.5 if unit != "mm[Hg]" else 0.15):
                at = (AS_OF + timedelta(hours=float(h))).isoformat()
                found.append({"code": code, "value": round(value, 1), "unit": unit, "effective": at, "device": "watch"})
    return found


def make_router() -> APIRouter:
    """The public contract's routes that the page uses."""
    router = APIRouter()
    cases = all_cases()
    said: list[dict[str, Any]] = []
    router.feedback = said  # type: ignore[attr-defined]

    def _case(diagnosis_id: str) -> dict[str, Any]:
        if diagnosis_id not in cases:
            raise NotFound("There is no such diagnosis.")
        return cases[diagnosis_id]

    @router.get("/consents/break-glass")
    def list_accesses(state: Literal["open"]) -> BreakGlassList:
        return BreakGlassList(items=[])

    @router.get("/diagnoses")
    def list_diagnoses(limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: str | None = None) -> DiagnosisPage:
        return DiagnosisPage.model_validate({"items": list(cases.values())[:limit], "next": None})

    @router.post("/diagnoses", status_code=202)
    def create_diagnosis(
        body: DiagnosisRequest, idempotency_key: Annotated[str, Header()], response: Response
    ) -> DiagnosisOut:
        made = f"new-{len(cases)}"
        cases[made] = _job(made, body.patient, "queued")
        response.headers["Location"] = f"/diagnoses/{made}"
        return DiagnosisOut.model_validate(cases[made])

    @router.get("/diagnoses/{diagnosis_id}")
    def get_diagnosis(diagnosis_id: str) -> DiagnosisOut:
        return DiagnosisOut.model_validate(_case(diagnosis_id))

    @router.get("/diagnoses/{diagnosis_id}/events", response_class=StreamingResponse)
    def diagnosis_events(diagnosis_id: str) -> StreamingResponse:
        patient = _case(diagnosis_id)["patient"]

        async def _events() -> AsyncIterator[str]:
            for stage in ("fetch", "encode", "fuse", "explain"):
                yield f"event: progress\ndata: {json.dumps({'status': 'running', 'stage': stage})}\n\n"
            if diagnosis_id.startswith("new-"):
                cases[diagnosis_id] = result(diagnosis_id, patient)
                yield f"event: progress\ndata: {json.dumps({'status': 'succeeded'})}\n\n"

        return StreamingResponse(_events(), media_type="text/event-stream")

    @router.post("/diagnoses/{diagnosis_id}/feedback", status_code=201)
    def give_feedback(diagnosis_id: str, body: FeedbackIn) -> FeedbackOut:
        said.append({"diagnosis": diagnosis_id, **body.model_dump()})
        return FeedbackOut(id=f"feedback-{len(said)}")

    @router.get("/diagnoses/{diagnosis_id}/heatmaps/{name}", response_class=Response)
    def get_heatmap(diagnosis_id: str, name: str) -> Response:
        return Response(heatmap(), media_type="image/png")

    @router.get("/dicomweb/instances")
    def search_instances(sop: Annotated[str, Query(alias="SOPInstanceUID")]) -> Response:
        if sop != SOP:
            return Response(status_code=204)

        def _uid(value: str) -> dict[str, Any]:
            return {"vr": "UI", "Value": [value]}

        size = {"00280010": {"vr": "US", "Value": [ROWS]}, "00280011": {"vr": "US", "Value": [COLUMNS]}}
        found = [{"0020000D": _uid("1.2.3"), "0020000E": _uid("1.2.3.4"), "00080018": _uid(sop), **size}]
        return Response(json.dumps(found), media_type="application/dicom+json")

    @router.get("/dicomweb/studies/{study}/series/{series}/instances/{sop}/rendered", response_class=Response)
    def render(study: str, series: str, sop: str) -> Response:
        return Response(radiograph(), media_type="image/png")

    @router.get("/notes/{note_id}")
    def get_note(note_id: str) -> dict[str, Any]:
        times = {"authored": AS_OF - timedelta(hours=3), "receivedAt": AS_OF - timedelta(hours=2)}
        return {
            "id": note_id,
            "digest": "sha256:" + "a1" * 32,
            "patient": "CX",
            "type": "34117-2",
            "text": NOTE,
            **times,
        }

    @router.post("/vitals/search")
    def search_vitals(body: VitalsQuestion) -> VitalsAnswer:
        return VitalsAnswer.model_validate({"samples": (found := samples()), "total": len(found)})

    @router.get("/audit/entries/{index}/receipt")
    def get_receipt(index: int) -> Response:
        return Response(f"c2sp.org/tlog-proof@v1\nindex {index}\n", media_type="text/plain")

    return router


def create_neighbourhood(bed: TestBed, settings: ReviewSettings) -> FastAPI:
    """The review app with its neighbours under one origin, each route but the page's behind the real token check."""
    app = create_app(settings, bed.common)
    router = make_router()
    routes = list(app.router.routes)
    app.router.routes.clear()
    app.include_router(router)
    app.router.routes.extend(routes)
    app.state.feedback = router.feedback  # type: ignore[attr-defined]

    @app.middleware("http")
    async def authenticate(request: Request, proceed: Any) -> Response:
        if request.url.path.split("/")[1] in ("diagnoses", "dicomweb", "notes", "vitals", "audit"):
            try:
                await require(Role.CLINICIAN)(await current_principal(request))
            except AppError as error:
                return problem_response(error)
        answer: Response = await proceed(request)
        return answer

    return app
