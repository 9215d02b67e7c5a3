"""Outbound calls: notes and vitals with the caller's own token, diagnosis with the suite's.

Evidence is handed on in the name of whoever sent it: the owning service checks that very token, and its audit event
names the true actor.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from services.ehr.domain import ClinicalNote, Sample, StoredNote
from services.ehr.errors import BY_STATUS
from shared.clients import TIMEOUT, answer_of, neighbour_client, service_client
from shared.contracts.diagnosis import DiagnosisOut, ResultsList, ResultsQuestion, Review, ReviewsList, ReviewsQuestion
from shared.errors import FieldProblem, InvalidInput, Unavailable
from shared.settings import CommonSettings

HOOK_TIMEOUT = httpx.Timeout(2.0, connect=0.5)
"""An EHR waits for a card while a clinician opens a chart; a late card is worth less than none."""


@dataclass(frozen=True)
class Caller:
    """On whose behalf a neighbour is called."""

    authorization: str
    request_id: str

    def headers(self) -> dict[str, str]:
        """What identifies the caller and the request."""
        return {"Authorization": self.authorization, "X-Request-Id": self.request_id}


@dataclass(frozen=True)
class RejectedLine:
    """One sample that the vitals service did not take."""

    line: int
    reason: str
    fix: str


class NotesClient:
    """The notes service, as the caller may use it."""

    def __init__(self, settings: CommonSettings) -> None:
        self._http = neighbour_client(settings.notes_url)

    def create(self, caller: Caller, note: ClinicalNote) -> StoredNote:
        """Store a note.

        Raises: AppError: what it was refused with. Unavailable: notes is not answering; sending again is safe.
        """
        answer = ask(self._http, "notes", "POST", "/notes", caller, json=vars(note))
        return StoredNote(str(answer["id"]), answer.get("digest"), note, new=not answer.get("duplicate", False))

    def read(self, caller: Caller, note_id: str) -> StoredNote:
        """A note by id. Raises: NotFound: there is none that the caller may see."""
        answer = ask(self._http, "notes", "GET", f"/notes/{note_id}", caller)
        patient, authored, type_, text = (str(answer[name]) for name in ("patient", "authored", "type", "text"))
        note = ClinicalNote(patient, authored, type_, text)
        return StoredNote(note_id, answer.get("digest"), note, status=answer.get("status", "current"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class VitalsClient:
    """The vitals service, as the caller may use it."""

    def __init__(self, settings: CommonSettings) -> None:
        self._http = neighbour_client(settings.vitals_url)

    def add(self, caller: Caller, samples: Sequence[Sample]) -> tuple[int, list[RejectedLine]]:
        """Hand on samples; gives how many were new and which were refused. Line numbers start at 1."""
        lines = "\n".join(json.dumps(_line(sample)) for sample in samples) + "\n"
        kind = {"Content-Type": "application/x-ndjson"}
        try:
            answer = ask(self._http, "vitals", "POST", "/vitals/samples", caller, content=lines, headers=kind)
        except InvalidInput as error:
            # None of the lines was taken: the problem document says of each why.
            if not error.extra.get("rejected"):
                raise
            return 0, _rejected(error.extra)
        return int(answer["accepted"]), _rejected(answer)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _rejected(receipt: dict[str, Any]) -> list[RejectedLine]:
    told = receipt.get("rejected", [])
    return [RejectedLine(int(one["line"]), str(one["reason"]), str(one.get("fix", ""))) for one in told]


def _line(sample: Sample) -> dict[str, Any]:
    names = ("patient", "code", "value", "unit", "effective", "device")
    return {name: value for name in names if (value := getattr(sample, name)) is not None}


class ConsentClient:
    """The audit service's consents, as the caller may use them."""

    def __init__(self, settings: CommonSettings) -> None:
        self._http = neighbour_client(settings.audit_url)

    def give(self, caller: Caller, consent: dict[str, Any]) -> dict[str, Any]:
        """Record a consent. Raises: AppError: what it was refused with."""
        return ask(self._http, "audit", "POST", "/consents", caller, json=consent)

    def read(self, caller: Caller, consent_id: str) -> dict[str, Any]:
        """The newest version of a consent; the audit service logs who asked. Raises: NotFound."""
        versions: list[dict[str, Any]] = ask(self._http, "audit", "GET", f"/consents/{consent_id}/versions", caller)[
            "items"
        ]
        return versions[-1]

    def of_patient(self, caller: Caller, patient: str) -> list[dict[str, Any]]:
        """The newest versions of a patient's consents, oldest first; the audit service logs who asked."""
        items: list[dict[str, Any]] = ask(
            self._http, "audit", "POST", "/consents/search", caller, json={"patient": patient}
        )["items"]
        return items

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class ResultsClient:
    """The diagnosis service's finished results, for our own eyes: role `service`."""

    def __init__(self, settings: CommonSettings) -> None:
        self._http = service_client(settings, settings.diagnosis_url)

    def of_patients(
        self, patients: Sequence[str], limit: int, *, unfinished: bool = False, timeout: httpx.Timeout = TIMEOUT
    ) -> list[DiagnosisOut]:
        """The newest results of a person, known under one or more identifiers; empty where nobody knows them."""
        questions = [
            ResultsQuestion(patient=patient, limit=limit, include_unfinished=unfinished) for patient in patients
        ]
        found = [one for question in questions for one in self._search(question, timeout)]
        return sorted(found, key=lambda one: one.created_at, reverse=True)[:limit]

    def by_ids(self, ids: Sequence[str]) -> list[DiagnosisOut]:
        """The finished results of these ids; those that do not exist are left out."""
        return self._search(ResultsQuestion(ids=list(ids), limit=len(ids)), TIMEOUT)

    def reviews_of(self, ids: Sequence[str]) -> list[Review]:
        """Who has reviewed these results, oldest first."""
        body = ReviewsQuestion(ids=list(ids)).model_dump(mode="json", by_alias=True)
        return ReviewsList.model_validate(self._post("/internal/diagnosis/reviews", TIMEOUT, json=body)).items

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _search(self, question: ResultsQuestion, timeout: httpx.Timeout) -> list[DiagnosisOut]:
        body = question.model_dump_json(by_alias=True, exclude_defaults=True)
        kind = {"Content-Type": "application/json"}
        answer = self._post("/internal/diagnosis/results", timeout, content=body, headers=kind)
        try:
            return ResultsList.model_validate(answer).items
        except ValueError as error:
            raise Unavailable("The diagnosis service answered in a form that this version does not know.") from error

    def _post(self, path: str, timeout: httpx.Timeout, **sent: Any) -> Any:
        try:
            response = self._http.post(path, timeout=timeout, **sent)
        except httpx.HTTPError as error:
            raise Unavailable("The diagnosis service is not answering.", headers={"Retry-After": "1"}) from error
        return answer_of("diagnosis", response)


def ask(
    http: httpx.Client,
    service: str,
    method: str,
    path: str,
    caller: Caller,
    headers: dict[str, str] | None = None,
    **sent: Any,
) -> dict[str, Any]:
    """What a neighbour answers this caller. Raises: AppError: what it refused with. Unavailable."""
    try:
        response = http.request(method, path, headers={**caller.headers(), **(headers or {})}, **sent)
    except httpx.HTTPError as error:
        raise Unavailable(f"The {service} service is not answering.", headers={"Retry-After": "1"}) from error
    if response.status_code in BY_STATUS:
        _refuse(response)
    answer: dict[str, Any] = answer_of(service, response)
    return answer


def _refuse(response: httpx.Response) -> None:
    """Pass a neighbour's refusal on: our own services put no patient data into it."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    fields = [
        FieldProblem(str(e.get("field", "")), str(e.get("problem", "")), str(e.get("fix", "")))
        for e in body.get("errors", [])
    ]
    detail = str(body.get("detail", f"Refused with status {response.status_code}."))
    extra = {"rejected": body["rejected"]} if "rejected" in body else {}
    raise BY_STATUS[response.status_code](detail, fields=fields, extra=extra)
