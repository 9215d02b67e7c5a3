"""What an EHR sends: a hook call, and feedback on cards. Checked against CDS Hooks 2.0, told field by field.

`fhirAuthorization` is looked at only to see that `fhirServer` comes with it; its token is dropped unread, neither kept
nor logged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from services.ehr.errors import MalformedHook
from shared.contracts.base import Moment
from shared.errors import FieldProblem

HOOK = "patient-view"
_USER = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}")
_FIXES = {
    "missing": "send this field",
    "uuid_parsing": "send a UUID",
    "uuid_type": "send a UUID",
    "url_needed": "send the base URL of the EHR's FHIR server",
    "another_hook": f"call this service for the hook {HOOK} only",
    "another_patient": "send the Patient of context.patientId",
    "no_patient": "send a Patient resource, null, or leave the key out",
    "user_needed": "send Practitioner/<id>, PractitionerRole/<id>, Patient/<id> or RelatedPerson/<id>",
    "reason_needed": "send overrideReason.reason, overrideReason.userComment, or no overrideReason",
    "accepted_needed": "send the accepted suggestions with their ids",
    "timezone_aware": "send an RFC 3339 time with a zone",
    "datetime_from_date_parsing": "send an RFC 3339 time with a zone",
}
T = TypeVar("T", bound=BaseModel)
_QUOTING = frozenset({"value_error", "assertion_error"})


class _Sent(BaseModel):
    """Fields of the specification; others are extensions, which a service that does not know them leaves alone."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class PatientViewContext(_Sent):
    """Who looks at whose chart."""

    user_id: str
    patient_id: str = Field(min_length=1, max_length=64)
    encounter_id: str | None = None

    @model_validator(mode="after")
    def _user(self) -> PatientViewContext:
        if not _USER.fullmatch(self.user_id):
            raise PydanticCustomError("user_needed", "userId names no user")
        return self


class HookRequest(_Sent):
    """One hook call."""

    hook: str
    hook_instance: UUID
    context: PatientViewContext
    fhir_server: str | None = Field(default=None, min_length=1, max_length=2048)
    prefetch: dict[str, Any] | None = None


class FeedbackItem(_Sent):
    """What became of one card."""

    card: str = Field(min_length=1, max_length=64)
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: Moment
    accepted_suggestions: list[AcceptedSuggestion] = []
    override_reason: OverrideReason | None = None

    @model_validator(mode="after")
    def _suggestions(self) -> FeedbackItem:
        if self.outcome == "accepted" and not self.accepted_suggestions:
            raise PydanticCustomError("accepted_needed", "acceptedSuggestions is missing, the outcome being accepted")
        return self


class AcceptedSuggestion(_Sent):
    """A suggestion that was taken."""

    id: str = Field(min_length=1, max_length=64)


class OverrideReason(_Sent):
    """Why a card was not followed: a coded reason, a comment, or both."""

    reason: ReasonCoding | None = None
    user_comment: str | None = Field(default=None, min_length=1, max_length=4000)

    @model_validator(mode="after")
    def _some(self) -> OverrideReason:
        if self.reason is None and self.user_comment is None:
            raise PydanticCustomError("reason_needed", "overrideReason has neither reason nor userComment")
        return self


class ReasonCoding(_Sent):
    """One of the reasons that the card offered."""

    code: str = Field(min_length=1, max_length=128)
    system: str | None = Field(default=None, max_length=512)
    display: str | None = Field(default=None, max_length=512)


class FeedbackRequest(_Sent):
    """Feedback on one or more cards."""

    feedback: list[FeedbackItem] = Field(min_length=1, max_length=100)


FeedbackItem.model_rebuild()
OverrideReason.model_rebuild()


@dataclass(frozen=True)
class ChartOpened:
    """A hook call, as far as this service needs it."""

    hook_instance: str
    patients: tuple[str, ...]
    """Identifiers of the one patient; empty when the EHR says that there is no such patient."""


def read_hook(body: Any) -> ChartOpened:
    """Check a `patient-view` call and find the patient's identifiers in it.

    Raises: MalformedHook.
    """
    authorized = isinstance(body, dict) and body.get("fhirAuthorization") is not None
    request = _validated(HookRequest, _without_token(body))
    if request.hook != HOOK:
        _malformed("hook", "is another hook", "another_hook")
    if authorized and request.fhir_server is None:
        _malformed("fhirServer", "is missing beside fhirAuthorization", "url_needed")
    return ChartOpened(str(request.hook_instance), _patients(request))


def read_feedback(body: Any) -> list[FeedbackItem]:
    """Check feedback. Raises: MalformedHook."""
    return _validated(FeedbackRequest, body).feedback


def _without_token(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if name != "fhirAuthorization"}


def _patients(request: HookRequest) -> tuple[str, ...]:
    """The identifiers of the prefetched Patient; the id of the context where none was prefetched.

    A key that is absent was not supplied, nor was one that holds an OperationOutcome; null says: no such Patient.
    """
    prefetch = request.prefetch or {}
    patient = prefetch.get("patient")
    if "patient" in prefetch and patient is None:
        return ()
    if patient is None or (isinstance(patient, dict) and patient.get("resourceType") == "OperationOutcome"):
        return (request.context.patient_id,)
    if not isinstance(patient, dict) or patient.get("resourceType") != "Patient":
        _malformed("prefetch.patient", "is no Patient resource", "no_patient")
    if patient.get("id") not in (None, request.context.patient_id):
        _malformed("prefetch.patient.id", "is another patient than context.patientId", "another_patient")
    return _identifiers(patient) or (request.context.patient_id,)


def _identifiers(patient: dict[str, Any]) -> tuple[str, ...]:
    given = patient.get("identifier")
    values = [one.get("value") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return tuple(dict.fromkeys(v for v in values if isinstance(v, str) and 0 < len(v) <= 64))[:10]


def _validated(model: type[T], body: Any) -> T:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise MalformedHook([_problem(dict(item)) for item in error.errors()]) from None


def _problem(item: dict[str, Any]) -> FieldProblem:
    field = ".".join(str(part) for part in item["loc"]) or "body"
    problem = "is not of the form that the specification gives" if item["type"] in _QUOTING else str(item["msg"])
    return FieldProblem(field, problem, _FIXES.get(item["type"], "see https://cds-hooks.hl7.org/2.0/"))


def _malformed(field: str, problem: str, fix: str) -> NoReturn:
    raise MalformedHook([FieldProblem(field, problem, _FIXES[fix])])
