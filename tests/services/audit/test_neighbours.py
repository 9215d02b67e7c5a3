"""The audit service as its neighbours meet it over a real socket, and what they see when the log has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.audit.app import create_app
from shared.auditing import EventWriter
from shared.auth import Role
from shared.clients import AuditClient
from shared.contracts.audit import ConsentQuestion
from shared.contracts.base import Modality, Purpose
from tests.services.audit.support import Audit, event, settings_of
from tests.support.common import TestBed, make_test_bed
from tests.support.servers import serve


@pytest.fixture
def neighbour(bed: TestBed) -> Iterator[AuditClient]:
    """The client that every service uses, talking to a real server."""
    with serve(create_app(settings_of(bed), bed.common)) as url:
        client = AuditClient(make_test_bed(bed.directory, audit_url=url).common)
        yield client
        client.close()


def test_events_of_a_service_are_numbered(neighbour: AuditClient, bed: TestBed) -> None:
    writer = EventWriter.from_settings("notes", bed.common)
    events = [writer.event(None, "read", "note-read", "R", patient="MRN-7") for _ in range(3)]
    assert [(s.event_id, s.index) for s in neighbour.append(events)] == [(e.event_id, n) for n, e in enumerate(events)]


def test_many_neighbours_at_once_get_their_own_places(neighbour: AuditClient, bed: TestBed) -> None:
    writer = EventWriter.from_settings("notes", bed.common)
    batches = [[writer.event(None, "read", "note-read", "R") for _ in range(3)] for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        indices = [placed.index for answer in pool.map(neighbour.append, batches) for placed in answer]
    assert sorted(indices) == list(range(48))


def test_a_service_asks_for_consent(neighbour: AuditClient) -> None:
    answer = neighbour.decide(ConsentQuestion(patient="MRN-7", purpose=Purpose.TREAT, modalities=[Modality.IMAGE]))
    assert (answer.decisions[Modality.IMAGE].decision, answer.epoch) == ("deny", 0)


@pytest.fixture
def stopped(audit: Audit) -> Audit:
    """A log that found its store edited."""
    audit.append(event())
    audit.app.state.audit.sequencer.damage = "The tiles of the first 1 entries are not those that were signed."
    return audit


def test_a_stopped_log_says_why_it_is_not_ready(stopped: Audit) -> None:
    answer = stopped.client.get("/readyz")
    assert (answer.status_code, "tiles" in answer.json()["waitingFor"][0]) == (503, True)


def test_a_stopped_log_takes_no_events(stopped: Audit) -> None:
    assert stopped.post("/internal/audit/events", {"events": [event()]}, Role.SERVICE).status_code == 503


def test_a_stopped_log_still_gives_receipts(stopped: Audit) -> None:
    assert stopped.get("/audit/entries/0/receipt").status_code == 200


@pytest.mark.parametrize(
    ("path", "query"), [("/audit/entries", {}), ("/audit/entries/0", {}), ("/consents", {"patient": "MRN-7"})]
)
def test_what_cannot_be_recorded_is_not_answered(stopped: Audit, path: str, query: dict[str, Any]) -> None:
    assert stopped.get(path, **query).status_code == 503


def test_a_consent_that_cannot_be_recorded_is_not_given(stopped: Audit) -> None:
    consent = {"patient": "MRN-7", "decision": "permit", "purpose": "TREAT", "modalities": ["image"]}
    assert stopped.post("/consents", consent).status_code == 503
    body = {"patient": "MRN-7", "purpose": "TREAT", "modalities": ["image"]}
    answer = stopped.post("/internal/audit/consent/decide", body, Role.SERVICE).json()
    assert answer["decisions"]["image"]["decision"] == "deny"
