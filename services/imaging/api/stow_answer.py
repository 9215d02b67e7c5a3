"""The store instances response (PS3.18 section 10.5.3 and annex I.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

from services.imaging.errors import ConsentDenied, Refused
from shared.errors import PROBLEM_JSON, FieldProblem, problem

if TYPE_CHECKING:
    from services.imaging.usecases.ingest import Outcome

DICOM_JSON = "application/dicom+json"
CANNOT_BE_SHOWN = 0xB007
"""Warning Reason: the data set does not match its SOP class (PS3.18 I.2.2), for no image can be made of it."""


def answer(outcomes: Sequence[Outcome], root: str, accept: str) -> JSONResponse:
    """200 when all are stored, 202 when some are or some cannot be shown, else 400, 403 or 409.

    A request of which nothing was stored is answered with a problem document that names field and fix, and that holds
    FailedSOPSequence as a member too. Only a client that accepts `application/dicom+json` alone gets that media type.
    """
    refusals = [outcome.refusal for outcome in outcomes if outcome.refusal is not None]
    body = response_dataset(outcomes, root)
    if len(refusals) < len(outcomes):
        warnings = [outcome.warning for outcome in outcomes if outcome.warning]
        headers = {"Warning": ", ".join(f'299 consilium "{text}"' for text in dict.fromkeys(warnings))}
        status = 202 if refusals or warnings else 200
        return JSONResponse(body, status, headers if warnings else None, media_type=DICOM_JSON)
    status = _status(refusals)
    wanted = [media_range.split(";")[0].strip().lower() for media_range in accept.split(",")]
    media_type = DICOM_JSON if wanted == [DICOM_JSON] else PROBLEM_JSON
    return JSONResponse(_problem(status, refusals, body), status, media_type=media_type)


def _status(refusals: Sequence[Refused]) -> int:
    if all(refusal.unreadable for refusal in refusals):
        return 400
    return 403 if all(isinstance(refusal, ConsentDenied) for refusal in refusals) else 409


def _problem(status: int, refusals: Sequence[Refused], dataset: dict[str, Any]) -> dict[str, Any]:
    fields = [field for refusal in refusals for field in refusal.fields]
    errors = [{"field": field.field, "problem": field.problem, "fix": field.fix} for field in fields]
    detail = f"No instance was stored. {_sentence(fields[0])}"
    slug = refusals[0].slug if len({refusal.slug for refusal in refusals}) == 1 else "nothing-stored"
    return problem(status, "Nothing was stored", detail, slug=slug, extra={"errors": errors, **dataset})


def _sentence(field: FieldProblem) -> str:
    return f"{field.field} {field.problem}." if field.problem.startswith("is ") else f"{field.field}: {field.problem}."


def response_dataset(outcomes: Sequence[Outcome], root: str) -> dict[str, Any]:
    """ReferencedSOPSequence and FailedSOPSequence in the DICOM JSON model."""
    from services.imaging.dicom.json_model import element

    stored = [_referenced(outcome, root) for outcome in outcomes if outcome.key is not None]
    failed = [_failed(outcome) for outcome in outcomes if outcome.refusal is not None]
    studies = {outcome.key.study_instance_uid for outcome in outcomes if outcome.key is not None}
    dataset: dict[str, Any] = {}
    if len(studies) == 1:
        dataset |= element("RetrieveURL", f"{root}/studies/{studies.pop()}")
    if failed:
        dataset |= element("FailedSOPSequence", *failed)
    if stored:
        dataset |= element("ReferencedSOPSequence", *stored)
    return dataset


def _referenced(outcome: Outcome, root: str) -> dict[str, Any]:
    from services.imaging.dicom.json_model import element

    key = outcome.key
    assert key is not None  # noqa: S101  # filtered by the caller
    url = f"{root}/studies/{key.study_instance_uid}/series/{key.series_instance_uid}/instances/{key.sop_instance_uid}"
    return {
        **element("ReferencedSOPClassUID", outcome.sop_class_uid),
        **element("ReferencedSOPInstanceUID", key.sop_instance_uid),
        **element("RetrieveURL", url),
        **(element("WarningReason", CANNOT_BE_SHOWN) if outcome.warning else {}),
    }


def _failed(outcome: Outcome) -> dict[str, Any]:
    from services.imaging.dicom.json_model import element

    refusal = outcome.refusal
    assert refusal is not None  # noqa: S101  # filtered by the caller
    named = {
        **(element("ReferencedSOPClassUID", outcome.sop_class_uid) if outcome.sop_class_uid else {}),
        **(element("ReferencedSOPInstanceUID", outcome.sop_instance_uid) if outcome.sop_instance_uid else {}),
    }
    return {**named, **element("FailureReason", refusal.failure_reason)}
