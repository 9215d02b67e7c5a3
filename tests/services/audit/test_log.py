"""Events into the log, and the log read back as anyone's verifier reads it."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.auth import Role
from shared.tlog.checkpoint import Checkpoint, open_checkpoint
from shared.tlog.note import parse_verifier_key
from shared.tlog.proof import parse_proof, verify_proof
from shared.tlog.tiles import decode_bundle
from shared.tlog.tree import leaf_hash
from tests.services.audit.support import ORIGIN, Audit, event, open_audit
from tests.shared.tlog import naive
from tests.support.common import TestBed


def _checkpoint(audit: Audit) -> Checkpoint:
    return open_checkpoint(audit.client.get("/audit/checkpoint").text, ORIGIN, [parse_verifier_key(audit.vkey)])


def test_a_new_log_has_signed_the_empty_tree(audit: Audit) -> None:
    assert _checkpoint(audit) == Checkpoint(ORIGIN, 0, naive.mth([]))


def test_events_are_numbered_in_their_order(audit: Audit) -> None:
    first, second = event(), event()
    sequenced = audit.append(first, second)
    assert [(s["eventId"], s["index"]) for s in sequenced] == [(first["eventId"], 0), (second["eventId"], 1)]


def test_an_answered_event_is_covered_by_a_signed_checkpoint(audit: Audit) -> None:
    audit.append(*(event() for _ in range(5)))
    assert _checkpoint(audit).size == 5


def test_signed_root_is_the_rfc_root_of_the_public_entries(audit: Audit) -> None:
    for size in (1, 255, 2, 70):
        audit.append(*(event() for _ in range(size)))
    entries = decode_bundle(audit.client.get("/audit/tile/entries/000").content)
    entries += decode_bundle(audit.client.get("/audit/tile/entries/001.p/72").content)
    assert _checkpoint(audit) == Checkpoint(ORIGIN, 328, naive.mth(entries))


def test_tiles_hold_the_hashes_of_the_entries(audit: Audit) -> None:
    audit.append(*(event() for _ in range(300)))
    entries = decode_bundle(audit.client.get("/audit/tile/entries/000").content)
    assert audit.client.get("/audit/tile/0/000").content == b"".join(map(leaf_hash, entries))
    assert audit.client.get("/audit/tile/1/000.p/1").content == naive.mth(entries)


def test_receipt_proves_the_entry_with_the_public_key_alone(audit: Audit) -> None:
    audit.append(*(event() for _ in range(9)))
    proof = parse_proof(audit.get("/audit/entries/6/receipt", Role.CLINICIAN).text)
    assert proof.extra is not None
    assert verify_proof(proof, proof.extra, ORIGIN, [parse_verifier_key(audit.vkey)]).size == 9


def test_receipt_stays_the_same_while_the_log_grows(audit: Audit) -> None:
    audit.append(event())
    before = audit.get("/audit/entries/0/receipt").text
    audit.append(event(), event())
    assert audit.get("/audit/entries/0/receipt").text == before


def test_the_same_event_again_keeps_its_place(audit: Audit) -> None:
    sent = event()
    first = audit.append(sent)
    audit.append(event())
    assert audit.append(sent) == first


def test_the_same_event_twice_in_one_batch_is_one_entry(audit: Audit) -> None:
    sent = event()
    assert [s["index"] for s in audit.append(sent, sent)] == [0, 0]
    assert _checkpoint(audit).size == 1


def test_another_event_under_a_known_id_is_refused(audit: Audit) -> None:
    sent = event()
    audit.append(sent)
    answer = audit.post("/internal/audit/events", {"events": [{**sent, "action": "D"}]}, Role.SERVICE)
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert sent["eventId"] in answer.json()["detail"]


def test_a_refused_batch_leaves_nothing_but_the_refusal(audit: Audit) -> None:
    sent = event()
    audit.append(sent)
    for _ in range(2):
        audit.post("/internal/audit/events", {"events": [event(), {**sent, "action": "D"}]}, Role.SERVICE)
    assert _checkpoint(audit).size == 2
    refusal = audit.get("/audit/entries/1").json()["leaf"]["event"]
    assert (refusal["subtype"], refusal["object"]["id"]) == ("event-conflict", sent["eventId"])


def test_entry_bundle_is_compressed_only_for_those_who_can_read_it(audit: Audit) -> None:
    audit.append(event())
    path = "/audit/tile/entries/000.p/1"
    plain = audit.client.get(path, headers={"Accept-Encoding": "identity"})
    packed = audit.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert plain.content == packed.content


def test_log_goes_on_after_a_restart(bed: TestBed) -> None:
    with open_audit(bed) as audit:
        audit.append(event(), event())
    with open_audit(bed) as audit:
        assert [s["index"] for s in audit.append(event())] == [2]
        assert _checkpoint(audit).size == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tenant": "elsewhere"}, "events.0.tenant"),
        ({"occurredAt": "2026-01-31T08:00:00"}, "events.0.occurredAt"),
        ({"occurredAt": "yesterday"}, "events.0.occurredAt"),
        ({"details": {"a": {"b": [0, 0.5]}}}, "events.0.details.a.b.1"),
        ({"details": {"n": 2**53 + 1}}, "events.0"),
        ({"details": {"text": "x" * 66_000}}, "events.0"),
        ({"details": {"text": "nul\x00"}}, "events.0"),
        ({"subjectRef": "MRN-4711"}, "events.0.subjectRef"),
        ({"object": {"kind": "note", "id": "n", "digest": "sha256:" + "a" * 64}}, "events.0.object.digest"),
        ({"eventId": "7"}, "events.0.eventId"),
        ({"action": "X"}, "events.0.action"),
        ({"surprise": 1}, "events.0.surprise"),
        ({"actor": {"issuer": "x"}}, "events.0.actor.subject"),
    ],
)
def test_malformed_event_is_refused_naming_the_field(audit: Audit, change: dict[str, object], field: str) -> None:
    answer = audit.post("/internal/audit/events", {"events": [event(**change)]}, Role.SERVICE)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert all(error["fix"] for error in answer.json()["errors"])


@pytest.mark.parametrize("body", [{"events": []}, {"events": [event()] * 1001}, {}, []])
def test_batch_of_no_or_too_many_events_is_refused(audit: Audit, body: object) -> None:
    assert audit.post("/internal/audit/events", body, Role.SERVICE).status_code == 422


@pytest.mark.parametrize("text", ["{", '{"events": [{"details": {"x": "\\ud800"}}]}', "[" * 5000])
def test_unreadable_json_is_refused(audit: Audit, text: str) -> None:
    headers = {**audit.bed.headers(Role.SERVICE), "Content-Type": "application/json"}
    answer = audit.client.post("/internal/audit/events", content=text, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR, Role.ADMIN])
def test_only_services_append(audit: Audit, role: Role) -> None:
    assert audit.post("/internal/audit/events", {"events": [event()]}, role).status_code == 403


@pytest.mark.parametrize("path", ["/audit/entries", "/audit/entries/0", "/audit/entries/0/receipt", "/audit/key"])
def test_without_a_token_only_checkpoint_and_tiles_are_open(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401


@pytest.mark.parametrize("path", ["0/000", "0/000.p/4", "1/000.p/1", "entries/000.p/4", "entries/001.p/1", "63/000"])
def test_tile_beyond_the_checkpoint_is_not_found(audit: Audit, path: str) -> None:
    audit.append(*(event() for _ in range(3)))
    assert audit.client.get(f"/audit/tile/{path}").status_code == 404


@pytest.mark.parametrize("path", ["0/0", "0/000.p/0", "0/x000/001", "entries/1", "0/000.p/256", "entries/000/"])
def test_misspelt_tile_is_a_bad_request(audit: Audit, path: str) -> None:
    assert audit.client.get(f"/audit/tile/{path}").status_code == 400


@pytest.mark.parametrize("level", ["64", "-1", "x", "00"])
def test_tile_level_outside_the_specification_is_refused(audit: Audit, level: str) -> None:
    audit.append(event())
    assert audit.client.get(f"/audit/tile/{level}/000.p/1").status_code in (400, 422)


def test_tiles_may_be_cached_for_ever_and_the_checkpoint_not(audit: Audit) -> None:
    audit.append(event())
    assert "immutable" in audit.client.get("/audit/tile/0/000.p/1").headers["cache-control"]
    assert audit.client.get("/audit/checkpoint").headers["cache-control"] == "no-cache"


def test_key_is_the_vkey_of_the_signer(audit: Audit) -> None:
    assert audit.get("/audit/key", Role.CLINICIAN).text == audit.vkey


def test_private_key_is_readable_by_its_owner_only(audit: Audit) -> None:
    assert (audit.bed.directory / "log.key").stat().st_mode & 0o077 == 0


def test_leaf_hash_in_the_answer_is_that_of_the_public_leaf(audit: Audit) -> None:
    placed = audit.append(event())
    (leaf,) = decode_bundle(audit.client.get("/audit/tile/entries/000.p/1").content)
    assert base64.b64decode(placed[0]["leafHash"]) == leaf_hash(leaf)


def _raw(audit: Audit, details: str) -> Any:
    """One event whose details are spelt just so."""
    sent = json.dumps({"events": [event(details={"here": 0})]}).replace('{"here": 0}', details)
    headers = {**audit.bed.headers(Role.SERVICE), "Content-Type": "application/json"}
    return audit.client.post("/internal/audit/events", content=sent.encode(), headers=headers)


DISPUTED = [
    '{"n": NaN}', '{"n": Infinity}', '{"n": -Infinity}', '{"n": 1e400}', '{"n": 1.0}', '{"n": 1e2}',
    '{"n": 9007199254740993}', '{"n": -9007199254740993}', '{"a": ' + "[" * 40 + "]" * 40 + "}",
]  # fmt: skip


@pytest.mark.parametrize("details", DISPUTED)
def test_34_numbers_and_depths_that_readers_disagree_about_are_refused(audit: Audit, details: str) -> None:
    answer = _raw(audit, details)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["errors"]


def test_34_of_a_name_given_twice_the_leaf_holds_one(audit: Audit) -> None:
    assert _raw(audit, '{"n": 1, "n": 2}').status_code == 200
    entry = audit.get("/audit/entries/0")
    assert (entry.json()["leaf"]["event"]["details"], entry.text.count('"n":')) == ({"n": 2}, 1)


def test_34_text_is_kept_as_it_came_whatever_its_normal_form(audit: Audit) -> None:
    composed, decomposed, line = "\u00e9", "e\u0301", "agent\nFORGED line"
    audit.append(*(event(details={"text": text}) for text in (composed, decomposed, line)))
    kept = [audit.get(f"/audit/entries/{n}").json()["leaf"]["event"]["details"]["text"] for n in range(3)]
    assert kept == [composed, decomposed, line]
    assert b"\n" not in audit.get("/audit/entries/2").content, "a line of an export is one entry"


def test_when_too_many_events_wait_the_sender_is_told_when_to_come_back(bed: TestBed) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with open_audit(bed, max_pending_events=1_000) as audit, ThreadPoolExecutor(1) as pool:
        audit.append(event())
        with _write_lock(bed.directory / "audit.db"):
            full = pool.submit(audit.append, *(event() for _ in range(1_000)))
            answer = _send_until(audit, 429)
        assert (answer.headers["retry-after"], answer.headers["content-type"]) == ("1", "application/problem+json")
        assert full.result(30)[-1]["index"] >= 1_000
        assert audit.append(event()), "and then it goes on"


@contextmanager
def _write_lock(database: Path) -> Iterator[None]:
    """Nobody else writes meanwhile."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def _send_until(audit: Audit, status: int) -> Any:
    """Events that nobody waits for, until one is answered at once with this status."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if audit.app.state.audit.sequencer._pending >= 1_000:
            answer = audit.post("/internal/audit/events", {"events": [event()]}, Role.SERVICE)
            assert answer.status_code == status, answer.text
            return answer
        time.sleep(0.01)
    raise AssertionError("the queue never filled")
