"""What an auditor asks the log, page by page and as an export."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.audit.api.cursors import encode_cursor
from services.audit.domain.entries import EntryFilter, Page
from services.audit.store import entries as entry_store
from services.audit.store.entries import find_entries
from services.audit.usecases import entries as usecases
from shared.auth import Role
from shared.tlog.tree import leaf_hash
from tests.services.audit.support import Audit, event


def _indices(audit: Audit, **query: Any) -> list[int]:
    return [entry["index"] for entry in audit.get("/audit/entries", **query).json()["items"]]


MODEL = "sha256:" + "b" * 64


@pytest.fixture
def filled(audit: Audit) -> Audit:
    """A log with five entries that differ in what can be asked by."""
    audit.append(
        event(occurredAt="2026-01-01T00:00:00Z", subjectRef="pat-" + "a" * 32),
        event(occurredAt="2026-01-02T00:00:00Z", type="ingest", subtype="dicom-stored", producer="imaging"),
        event(occurredAt="2026-01-03T00:00:00+05:00", object={"kind": "note", "id": "n-1"}),
        event(occurredAt="2026-01-04T00:00:00Z", actor={"issuer": "x", "subject": "dr-b", "role": "clinician"}),
        event(
            occurredAt="2026-01-05T00:00:00Z", outcome="refused", purposeOfUse="HRESCH", details={"bundleDigest": MODEL}
        ),
    )
    return audit


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"subjectRef": "pat-" + "a" * 32}, [0]),
        ({"type": "ingest"}, [1]),
        ({"subtype": "dicom-stored"}, [1]),
        ({"producer": "imaging"}, [1]),
        ({"objectId": "n-1"}, [2]),
        ({"actor": "dr-b"}, [3]),
        ({"outcome": "refused"}, [4]),
        ({"purpose": "HRESCH"}, [4]),
        ({"model": MODEL}, [4]),
        ({"to": "2026-01-02T00:00:00Z", "type": "read"}, [0]),
        ({"from": "2026-01-04T00:00:00Z", "to": "2026-01-05T00:00:00Z", "subjectRef": "pat-" + "a" * 32}, []),
        ({"from": "2026-01-02T19:00:00Z", "to": "2026-01-04T00:00:00Z"}, [2]),
        ({"firstIndex": 1, "lastIndex": 2}, [2, 1]),
        ({"type": "read", "order": "oldest", "lastIndex": 3}, [0, 2, 3]),
        ({"type": "nothing"}, []),
    ],
)
def test_filter_finds_exactly_what_it_names(filled: Audit, query: dict[str, Any], expected: list[int]) -> None:
    assert _indices(filled, **query) == expected


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_follow_one_another_without_gap_or_repeat(filled: Audit, order: str) -> None:
    seen, cursor = [], None
    while True:
        params: dict[str, Any] = {"order": order, "limit": 2, "lastIndex": 4, **({"cursor": cursor} if cursor else {})}
        page = filled.get("/audit/entries", **params).json()
        seen += [entry["index"] for entry in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert seen == sorted(seen, reverse=order == "newest")


def test_pages_see_the_log_as_of_one_checkpoint(filled: Audit) -> None:
    page = filled.get("/audit/entries", order="oldest", limit=4).json()
    filled.append(event(), event())
    following = filled.get("/audit/entries", order="oldest", limit=100, cursor=page["next"]).json()
    assert following["checkpoint"] == page["checkpoint"]
    assert [entry["index"] for entry in following["items"]] == [4]


def test_export_lines_hold_the_leaves_very_bytes(filled: Audit) -> None:
    headers = {**filled.bed.headers(Role.AUDITOR), "Accept": "application/x-ndjson"}
    answer = filled.client.get("/audit/entries?order=oldest", headers=headers)
    lines = answer.content.splitlines()
    leaves = [line.split(b'"leaf":', 1)[1][:-1] for line in lines]
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [base64.b64decode(json.loads(line)["leafHash"]) for line in lines] == [leaf_hash(leaf) for leaf in leaves]
    assert len(lines) == 5


def test_each_query_is_itself_an_entry(filled: Audit) -> None:
    filled.get("/audit/entries", actor="dr-b")
    newest = filled.get("/audit/entries").json()["items"][0]["leaf"]["event"]
    assert (newest["type"], newest["actor"]["role"], newest["details"]["filter"]) == (
        "query",
        "auditor",
        {"actor": "dr-b"},
    )


def test_reading_one_entry_is_itself_an_entry(filled: Audit) -> None:
    filled.get("/audit/entries/2")
    newest = filled.get("/audit/entries").json()["items"][0]["leaf"]["event"]
    assert newest["details"] == {"index": 2}


@pytest.mark.parametrize("index", [5, 2**40])
def test_entry_beyond_the_log_is_not_found(filled: Audit, index: int) -> None:
    assert filled.get(f"/audit/entries/{index}").status_code == 404
    assert filled.get(f"/audit/entries/{index}/receipt").status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "query.from"),
        ({"from": "2026-01-01T00:00:00"}, "query.from"),
        ({"limit": 0}, "query.limit"),
        ({"limit": 501}, "query.limit"),
        ({"order": "random"}, "query.order"),
        ({"outcome": "maybe"}, "query.outcome"),
        ({"actor": "a\x00"}, "query.actor"),
        ({"firstIndex": -1}, "query.firstIndex"),
        ({"firstIndex": 10**30}, "query.firstIndex"),
        ({"surprise": 1}, "query.surprise"),
        ({"cursor": "%%%"}, "cursor"),
        ({"cursor": "e30"}, "cursor"),
        ({"cursor": base64.urlsafe_b64encode(b'{"after":1,"size":1,"root":"","query":""}').decode()}, "cursor"),
    ],
)
def test_malformed_query_is_refused_naming_the_parameter(audit: Audit, query: dict[str, Any], field: str) -> None:
    answer = audit.get("/audit/entries", **query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert field in {error["field"] for error in answer.json()["errors"]}


def test_cursor_of_another_query_is_refused(filled: Audit) -> None:
    cursor = filled.get("/audit/entries", limit=1).json()["next"]
    assert filled.get("/audit/entries", limit=1, cursor=cursor, actor="dr-b").status_code == 422


def test_41_a_cursor_with_any_character_changed_is_refused(filled: Audit) -> None:
    cursor = filled.get("/audit/entries", limit=1).json()["next"]
    assert filled.get("/audit/entries", limit=1, cursor=cursor).status_code == 200
    for at in range(len(cursor)):
        other = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        assert filled.get("/audit/entries", limit=1, cursor=other).status_code == 422, at


def test_41_a_cursor_of_a_tree_that_is_gone_is_refused(filled: Audit) -> None:
    """As after a restore: the same size, another root."""
    cursor = filled.get("/audit/entries", limit=1).json()["next"]
    content = json.loads(base64.urlsafe_b64decode(cursor.partition(".")[0] + "=="))
    page, pseudonyms = Page("newest", content["size"], content["after"]), filled.app.state.audit.events.pseudonyms
    assert cursor == encode_cursor(pseudonyms, EntryFilter(), page, bytes.fromhex(content["root"]))
    forked = encode_cursor(pseudonyms, EntryFilter(), page, bytes(32))
    assert filled.get("/audit/entries", limit=1, cursor=forked).status_code == 422


def test_a_patient_is_asked_for_in_a_body_and_logged_by_pseudonym(filled: Audit) -> None:
    consent = {"patient": "MRN-7", "decision": "permit", "purpose": "TREAT", "modalities": ["note"]}
    given = filled.post("/consents", consent).json()
    page = filled.post("/audit/entries/search", {"patient": "MRN-7", "limit": 1}, Role.AUDITOR).json()
    assert [entry["index"] for entry in page["items"]] == [given["index"]]
    newest = filled.get("/audit/entries", subtype="audit-entries").json()["items"][0]["leaf"]["event"]
    assert newest["subjectRef"] == newest["details"]["filter"]["subject_ref"] == given["subjectRef"]
    assert "MRN-7" not in json.dumps(newest)


def test_pages_of_a_patient_follow_by_the_cursor(filled: Audit) -> None:
    for _ in range(3):
        filled.get("/consents", Role.CLINICIAN, patient="MRN-8")
    body: dict[str, Any] = {"patient": "MRN-8", "limit": 2, "order": "oldest"}
    first = filled.post("/audit/entries/search", body, Role.AUDITOR).json()
    second = filled.post("/audit/entries/search", {**body, "cursor": first["next"]}, Role.AUDITOR).json()
    assert [entry["index"] for entry in first["items"] + second["items"]] == [5, 6, 7]


@pytest.mark.parametrize(
    "body", [{"patient": "a", "subjectRef": "pat-" + "a" * 32}, {"patient": ""}, {"patient": "a\x00"}]
)
def test_a_search_that_names_no_one_patient_is_refused(filled: Audit, body: dict[str, Any]) -> None:
    assert filled.post("/audit/entries/search", body, Role.AUDITOR).status_code == 422


@pytest.mark.parametrize("few", [0, 50, 20_000])
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize(("start", "end"), [(None, 40), (600, None), (100, 140), (0, 900), (899, 900), (950, 990)])
def test_times_in_any_order_give_what_a_look_at_every_entry_gives(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, few: int, order: Any, start: int | None, end: int | None
) -> None:
    """Every tenth entry is told late or early, so that most tiles span more than their own time."""
    monkeypatch.setattr(entry_store, "FEW", few)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = [n if n % 10 else n * 7 % 900 for n in range(900)]
    audit.append(*(event(occurredAt=(begin + timedelta(minutes=minute)).isoformat()) for minute in minutes))
    first, last = (None if minute is None else begin + timedelta(minutes=minute) for minute in (start, end))
    wanted = EntryFilter(occurred_from=first, occurred_to=last, first_index=20)
    expected = [n for n, minute in enumerate(minutes) if n >= 20 and (start or 0) <= minute < (end or 10**6)]
    found: list[int] = []
    page = Page(order, 900)
    with audit.app.state.audit.sessions() as session:
        while chunk := find_entries(session, wanted, page, 37):
            found += [entry.index for entry in chunk]
            page = Page(order, 900, found[-1])
    assert found == (expected[::-1] if order == "newest" else expected)


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.ADMIN, Role.SERVICE])
def test_only_auditors_query(audit: Audit, role: Role) -> None:
    assert audit.get("/audit/entries", role).status_code == 403
    assert audit.get("/audit/entries/0", role).status_code == 403
    assert audit.post("/audit/entries/search", {}, role).status_code == 403


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SERVICE])
def test_receipts_are_for_those_who_check_them(filled: Audit, role: Role) -> None:
    assert filled.get("/audit/entries/0/receipt", role).status_code == 403


def test_the_feed_of_ingests_names_pseudonyms_in_order_and_where_to_go_on(audit: Audit) -> None:
    first, second = "pat-" + "a" * 32, "pat-" + "b" * 32
    begin = _feed(audit)["next"]
    audit.append(
        event(type="ingest", subjectRef=first, details={"late": True}),
        event(type="read", subjectRef=first),
        event(type="ingest", subjectRef=first, outcome="refused"),
        event(type="ingest", subjectRef=None),
        event(type="ingest", subjectRef=second),
    )
    feed = _feed(audit, begin=begin)
    assert [(item["subjectRef"], item["late"]) for item in feed["items"]] == [(first, True), (second, False)]
    assert _feed(audit, begin=feed["next"]) == {"items": [], "next": feed["next"]}


def test_the_feed_goes_on_after_a_full_page(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecases, "EXPORT_CHUNK", 2)
    begin = _feed(audit)["next"]
    subjects = [f"pat-{n:032x}" for n in range(5)]
    audit.append(*(event(type="ingest", subjectRef=subject) for subject in subjects))
    seen: list[str] = []
    while (feed := _feed(audit, begin=begin))["items"]:
        seen, begin = seen + [item["subjectRef"] for item in feed["items"]], feed["next"]
    assert seen == subjects


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SERVICE])
def test_the_feed_of_ingests_is_for_services_alone(audit: Audit, role: Role) -> None:
    assert audit.get("/internal/audit/ingests", role=role).status_code == 403


def _feed(audit: Audit, **query: Any) -> Any:
    return audit.get("/internal/audit/ingests", role=Role.SERVICE, **query).json()
