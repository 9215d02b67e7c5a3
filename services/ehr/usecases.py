"""What the ehr service does: hand evidence on, show results, keep answers; each visit leaves an audit event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.ehr import store
from services.ehr.clients import HOOK_TIMEOUT, Caller, NotesClient, RejectedLine, ResultsClient, VitalsClient
from services.ehr.domain import ClinicalNote, Sample, StoredNote, StoredSamples, is_finished
from services.ehr.errors import UnusableResource
from services.ehr.fhir.search import ResultSearch
from services.ehr.hooks.cards import Card, cards_for
from services.ehr.hooks.requests import ChartOpened, FeedbackItem
from shared.auth import Principal
from shared.contracts.diagnosis import DiagnosisOut
from shared.digests import digest_json
from shared.errors import FieldProblem, NotFound
from shared.web import Runtime

TREATMENT = "TREAT"
HOOK_RESULTS = 5
"""How many of a patient's newest results a card is chosen from."""


@dataclass(frozen=True)
class Visit:
    """Who stands at the door, as we know them and as we present them to a neighbour."""

    principal: Principal
    caller: Caller


def create_note(session: Session, runtime: Runtime, notes: NotesClient, visit: Visit, note: ClinicalNote) -> StoredNote:
    """Hand a note on to the notes service.

    Raises: AppError: what it was refused with; the audit log of the notes service has that.
    """
    stored = notes.create(visit.caller, note)
    event = runtime.events.event(
        visit.principal,
        "delivery",
        "document-reference-created",
        "C",
        patient=note.patient,
        kind="note",
        object_id=stored.id,
        digest=stored.digest,
        request_id=visit.caller.request_id,
        details={"new": stored.new},
    )
    runtime.record(session, event)
    return stored


def read_note(session: Session, runtime: Runtime, notes: NotesClient, visit: Visit, note_id: str) -> StoredNote:
    """A note, as the notes service shows it to this caller. Raises: NotFound."""
    stored = notes.read(visit.caller, note_id)
    _record_read(session, runtime, visit, "document-reference-read", stored.note.patient, "note", stored.id)
    return stored


def add_samples(
    session: Session, runtime: Runtime, vitals: VitalsClient, visit: Visit, samples: Sequence[Sample]
) -> StoredSamples:
    """Hand the samples of one Observation on to the vitals service.

    Raises: UnusableResource: it refused at least one; those it took stay, and a corrected Observation adds the rest.
    """
    accepted, rejected = vitals.add(visit.caller, samples)
    if rejected:
        raise UnusableResource(
            "The vitals service refused a measurement.", fields=[_field(samples, one) for one in rejected]
        )
    stored = StoredSamples(_samples_id(runtime, samples), new=accepted > 0)
    event = runtime.events.event(
        visit.principal,
        "delivery",
        "observation-created",
        "C",
        patient=samples[0].patient,
        kind="vitals",
        object_id=stored.id,
        request_id=visit.caller.request_id,
        details={"samples": len(samples), "new": accepted},
    )
    runtime.record(session, event)
    return stored


def _field(samples: Sequence[Sample], rejected: RejectedLine) -> FieldProblem:
    element = samples[rejected.line - 1].element if 0 < rejected.line <= len(samples) else "Observation"
    return FieldProblem(element, rejected.reason, rejected.fix or "correct this measurement and send it again")


def _samples_id(runtime: Runtime, samples: Sequence[Sample]) -> str:
    said = [[s.patient, s.code, s.value, s.unit, s.effective, s.device] for s in samples]
    return runtime.events.pseudonyms.content(digest_json(said)).partition(":")[2][:32]


def read_result(
    session: Session,
    runtime: Runtime,
    results: ResultsClient,
    visit: Visit,
    result_id: str,
    subtype: str,
    limit: str | None = None,
) -> DiagnosisOut:
    """A finished result; `limit`: of this patient alone.

    Raises: NotFound: there is none of that id that the caller may see, or it is not finished.
    """
    found = [one for one in results.by_ids([result_id]) if one.id == result_id and is_finished(one)]
    found = [one for one in found if limit in (None, one.patient)]
    if not found:
        raise NotFound("There is no finished result of this id.")
    _record_read(session, runtime, visit, subtype, found[0].patient, "diagnosis", result_id)
    return found[0]


def find_results(
    session: Session, runtime: Runtime, results: ResultsClient, visit: Visit, search: ResultSearch, subtype: str
) -> list[DiagnosisOut]:
    """Finished results, newest evidence first; one more than asked for where there are more."""
    if search.ids:
        found = [one for one in results.by_ids(search.ids) if search.patient in (None, one.patient)]
    else:
        found = results.of_patients([search.patient or ""], search.count + 1)
    finished = sorted(filter(is_finished, found), key=lambda one: (_as_of(one), one.id), reverse=True)
    shown = finished[: search.count]
    # What was found of somebody is told of them; a search that found nothing is told of whom it was for.
    patients: list[str | None] = [*sorted({one.patient for one in shown})]
    for patient in patients or [search.patient]:
        event = runtime.events.event(
            visit.principal,
            "read",
            subtype,
            "R",
            patient=patient,
            kind="diagnosis",
            purpose=TREATMENT,
            request_id=visit.caller.request_id,
            details={"diagnoses": [one.id for one in shown if one.patient == patient]},
        )
        runtime.record(session, event)
    return finished


def _as_of(result: DiagnosisOut) -> float:
    return result.case.as_of.timestamp() if result.case else 0.0


def answer_hook(
    session: Session, runtime: Runtime, results: ResultsClient, visit: Visit, service: str, opened: ChartOpened
) -> list[Card]:
    """The cards for the patient whose chart was opened; remembered, so that feedback finds its result."""
    found = results.of_patients(opened.patients, HOOK_RESULTS, unfinished=True, timeout=HOOK_TIMEOUT)
    cards = cards_for(found, opened.hook_instance, runtime.common.public_url.rstrip("/"))
    patients = {one.id: one.patient for one in found}
    for result_id, card in cards:
        subject = runtime.events.pseudonyms.patient(runtime.events.tenant, patients[result_id])
        shown = store.ShownCard(card["uuid"], service, result_id, subject, opened.hook_instance, runtime.clock())
        store.add_card(session, shown)
    event = runtime.events.event(
        visit.principal,
        "read",
        "cds-hook-answered",
        "R",
        patient=found[0].patient if found else next(iter(opened.patients), None),
        kind="diagnosis",
        purpose=TREATMENT,
        request_id=visit.caller.request_id,
        details={"cards": [card["uuid"] for _, card in cards], "diagnoses": [result_id for result_id, _ in cards]},
    )
    runtime.record(session, event)
    return [card for _, card in cards]


def keep_feedback(session: Session, runtime: Runtime, visit: Visit, service: str, items: Sequence[FeedbackItem]) -> int:
    """Keep what became of cards; gives how many answers were new. Cards that this service did not show are kept too."""
    return sum(_keep(session, runtime, visit, service, item) for item in items)


def _keep(session: Session, runtime: Runtime, visit: Visit, service: str, item: FeedbackItem) -> bool:
    said = item.model_dump(mode="json", by_alias=True, exclude_none=True)
    feedback = store.CardFeedback(
        id=digest_json([service, visit.principal.subject, said]),
        service=service,
        card=item.card,
        outcome=item.outcome,
        outcome_at=item.outcome_timestamp,
        reason=said.get("overrideReason", {}).get("reason"),
        comment=said.get("overrideReason", {}).get("userComment"),
        suggestions=[one.id for one in item.accepted_suggestions],
        actor=visit.principal.subject,
        received_at=runtime.clock(),
    )
    if not store.add_feedback(session, feedback):
        return False
    shown = store.find_card(session, item.card)
    event = runtime.events.event(
        visit.principal,
        "feedback",
        "cds-card-feedback",
        "C",
        kind="diagnosis" if shown else None,
        object_id=shown.diagnosis_id if shown else None,
        request_id=visit.caller.request_id,
        details={"outcome": item.outcome, "knownCard": shown is not None},
    )
    # The card remembers the pseudonym only, so there is no identifier here to derive it from.
    runtime.record(session, event.model_copy(update={"subject_ref": shown.subject_ref}) if shown else event)
    return True


def _record_read(
    session: Session, runtime: Runtime, visit: Visit, subtype: str, patient: str, kind: str, object_id: str
) -> None:
    event = runtime.events.event(
        visit.principal,
        "read",
        subtype,
        "R",
        patient=patient,
        kind=kind,
        object_id=object_id,
        purpose=TREATMENT,
        request_id=visit.caller.request_id,
    )
    runtime.record(session, event)
