"""Fills an audit database with as many made-up entries as wanted, through the log's own leaves, tiles and signatures.

Only the way in is another than the sequencer's: an event of each kind is checked and written canonically once, and its
entries differ from it in ids, times and people. Rows go in by the driver, indexes are built at the end.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.entries import leaf_bytes, model_of, new_entry
from services.audit.signing import Signer, sign_present_tree
from services.audit.store import log as store
from services.audit.store.rows import LeafRow
from shared.clock import rfc3339
from shared.contracts.audit import Actor, AuditEvent, AuditObject
from shared.database import Sessions
from shared.tlog.tiles import grow
from shared.tlog.tree import leaf_hash

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
BATCH = 25_600
PATIENTS, PEOPLE = 200_000, 2_000
MODELS = tuple(f"sha256:{n:064x}" for n in range(1, 5))
_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_MARKS = {
    "event": "00000000-0000-0000-0000-0000000000e1", "patient": "5" * 32, "person": "a-person",
    "thing": "a-thing", "time": rfc3339(_TIME), "jti": "a-token", "request": "a-request",
}  # fmt: skip
KINDS: tuple[tuple[int, dict[str, Any]], ...] = (
    (400, {"producer": "notes", "type": "read", "subtype": "note-read", "purpose_of_use": "TREAT"}),
    (300, {"producer": "vitals", "type": "ingest", "subtype": "vitals-stored", "action": "C"}),
    (100, {"producer": "imaging", "type": "read", "subtype": "dicom-retrieved", "purpose_of_use": "TREAT"}),
    (60, {"producer": "imaging", "type": "ingest", "subtype": "dicom-stored", "action": "C"}),
    (60, {"producer": "diagnosis", "type": "prediction", "subtype": "diagnosis-released", "purpose_of_use": "TREAT"}),
    (40, {"producer": "diagnosis", "type": "read", "subtype": "diagnosis-read", "purpose_of_use": "TREAT"}),
    (25, {"producer": "diagnosis", "type": "feedback", "subtype": "diagnosis-accepted", "purpose_of_use": "TREAT"}),
    (7, {"producer": "imaging", "type": "delivery", "subtype": "dicom-deidentified", "purpose_of_use": "HRESCH"}),
    (5, {"producer": "notes", "type": "ingest", "subtype": "note-refused", "outcome": "refused"}),
    (2, {"producer": "ehr", "type": "read", "subtype": "cds-hook-answered", "purpose_of_use": "TREAT"}),
    (1, {"producer": "diagnosis", "type": "prediction", "subtype": "diagnosis-failed", "outcome": "failure"}),
)
"""How many of a thousand entries are of which kind."""


def subject_ref(patient: int) -> str:
    """The pseudonym of a made-up patient."""
    return "pat-" + hashlib.sha256(b"%d" % patient).hexdigest()[:32]


def fill(sessions: Sessions, signer: Signer, size: int, told: Callable[[int], None] = lambda done: None) -> None:
    """Append entries up to a size, signing after each batch; `told` how many there are."""
    indexes = list(sa.inspect(LeafRow).local_table.indexes)  # type: ignore[attr-defined]  # a Table
    engine = sessions.kw["bind"]
    for index in indexes:
        index.drop(engine)
    entries, done = _Entries(size), 0
    while done < size:
        with sessions.begin() as session:
            done += _append(session, entries, done, min(BATCH, size - done))
            sign_present_tree(session, signer, BEGIN + SPAN)
        told(done)
    for index in indexes:
        index.create(engine)
    with engine.connect() as connection:
        connection.execute(sa.text("ANALYZE"))
        connection.commit()


def _append(session: Session, entries: _Entries, first: int, count: int) -> int:
    rows = list(entries.rows(first, count))
    _insert(session, rows)
    hashes = [row["leaf_hash"] for row in rows]
    spans = "SELECT idx / 256, min(occurred_at), max(occurred_at) FROM leaf WHERE idx >= :first GROUP BY idx / 256"
    session.execute(sa.text(f"INSERT INTO leaf_span {spans}"), {"first": first})
    store.put_tiles(session, grow(first, hashes, store.tile_reader(session)))
    store.move_coordinate(session, first, first + count)
    return count


def _insert(session: Session, rows: list[dict[str, Any]]) -> None:
    connection: Any = session.connection().connection.driver_connection
    names, values = ", ".join(rows[0]), [tuple(row.values()) for row in rows]
    if session.get_bind().dialect.name == "postgresql":
        with connection.cursor() as cursor, cursor.copy(f"COPY leaf ({names}) FROM STDIN") as copy:
            for one in values:
                copy.write_row(one)
        return
    spelt = [tuple(_spelt(value) for value in one) for one in values]
    connection.executemany(f"INSERT INTO leaf ({names}) VALUES ({', '.join('?' * len(rows[0]))})", spelt)


def _spelt(value: Any) -> Any:
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


class _Entries:
    """Entries by index, always the same for one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        kinds = [(weight, fields, MODELS if fields["type"] == "prediction" else (None,)) for weight, fields in KINDS]
        self._kinds = [_Kind(fields, model) for _, fields, models in kinds for model in models]
        self._weights = [weight / len(models) for weight, _, models in kinds for _ in models]

    def rows(self, first: int, count: int) -> Iterator[dict[str, Any]]:
        chance = random.Random(first)
        step = SPAN / self._size
        for index, kind in enumerate(chance.choices(self._kinds, self._weights, k=count), first):
            received = BEGIN + step * index
            late = timedelta(days=chance.random() * 30) if chance.random() < 0.01 else timedelta(seconds=1)
            yield kind.row(index, chance, received, received - late)


class _Kind:
    """An event of one kind in canonical form, cut where its entries differ."""

    def __init__(self, fields: dict[str, Any], model: str | None) -> None:
        event = AuditEvent(
            **{"action": "R", "outcome": "success", **fields}, event_id=_MARKS["event"], tenant="default",
            occurred_at=_TIME, subject_ref="pat-" + _MARKS["patient"], request_id=_MARKS["request"],
            actor=Actor(issuer="bench", subject=_MARKS["person"], role="clinician", jti=_MARKS["jti"]),
            object=AuditObject(kind="note", id=_MARKS["thing"]), details={"bundleDigest": model} if model else {},
        )  # fmt: skip
        body = new_entry(event, "default").body
        marks = b"|".join(re.escape(mark.encode()) for mark in _MARKS.values())
        names = {mark.encode(): name for name, mark in _MARKS.items()}
        self._pieces = [names.get(piece, piece) for piece in re.split(b"(%b)" % marks, body)]
        self._copies = {
            "producer": event.producer, "type": event.type, "subtype": event.subtype, "outcome": event.outcome,
            "purpose": event.purpose_of_use, "model": model_of(event),
        }  # fmt: skip

    def row(self, index: int, chance: random.Random, received: datetime, occurred: datetime) -> dict[str, Any]:
        # Of some patients and people there is far more than of others.
        patient, person = (int(many * chance.random() ** 2) for many in (PATIENTS, PEOPLE))
        said = {
            "event": f"{index:08x}-0000-7000-8000-{chance.getrandbits(48):012x}", "patient": subject_ref(patient)[4:],
            "person": f"person-{person}", "thing": f"{chance.getrandbits(64):016x}", "time": rfc3339(occurred),
            "jti": f"{chance.getrandbits(128):032x}", "request": f"{chance.getrandbits(128):032x}",
        }  # fmt: skip
        body = b"".join(said[piece].encode() if isinstance(piece, str) else piece for piece in self._pieces)
        entry = leaf_bytes(body, received)
        return {
            "idx": index, "event_id": said["event"], "body_digest": hashlib.sha256(body).digest(), "entry": entry,
            "leaf_hash": leaf_hash(entry), "received_at": received, "occurred_at": occurred, **self._copies,
            "actor": said["person"], "subject_ref": "pat-" + said["patient"], "object_id": said["thing"],
        }  # fmt: skip
