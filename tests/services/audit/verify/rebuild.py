"""What an administrator can do who holds database *and* signing key: a new log that is sound in itself."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from services.audit.store import log as store
from services.audit.verify.entries import HEAD, TAIL
from shared.database import create_engine, session_factory
from shared.tlog.checkpoint import Checkpoint, sign_checkpoint
from shared.tlog.note import NoteSigner, parse_verifier_key
from shared.tlog.tiles import grow, root_at
from shared.tlog.tree import leaf_hash
from tests.services.audit.support import lift_guards
from tests.services.audit.verify.houses import Left

SIDES = ("consent", "bundle_event", "bundle_evidence")


def rebuild(left: Left, *, keep: int | None = None, forge: int | None = None) -> str:
    """Cut the log after `keep` entries, or put other words into entry `forge`; then make tiles and checkpoint anew.

    Gives the new checkpoint's note.
    """
    signer = NoteSigner(
        parse_verifier_key(left.vkey).name,
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(left.key_file.read_text().strip())),
    )
    engine = create_engine(left.url)
    with session_factory(engine).begin() as session:
        lift_guards(session.connection())
        if keep is not None:
            for table in ("leaf", *SIDES):
                session.execute(sa.text(f"DELETE FROM {table} WHERE idx >= {keep}"))
        if forge is not None:
            _forge(session, forge)
        note = _sign_anew(session, signer)
    engine.dispose()
    return note


def _forge(session: Session, index: int) -> None:
    entry = bytes(session.execute(sa.text(f"SELECT entry FROM leaf WHERE idx = {index}")).scalar_one())
    forged = entry.replace(b'"subject":"demo-clinician"', b'"subject":"somebody-else"')
    assert forged != entry
    values = {"e": forged, "h": leaf_hash(forged), "b": hashlib.sha256(forged[len(HEAD) : -TAIL]).digest()}
    change = "UPDATE leaf SET entry = :e, leaf_hash = :h, body_digest = :b, actor = 'somebody-else'"
    session.execute(sa.text(f"{change} WHERE idx = {index}"), values)


def _sign_anew(session: Session, signer: NoteSigner) -> str:
    for table in ("tile", "checkpoint", "leaf_span"):
        session.execute(sa.text(f"DELETE FROM {table}"))
    hashes = store.stored_leaf_hashes(session, 0, 10**9)
    store.put_tiles(session, grow(0, hashes, lambda level, n: b""))
    session.execute(sa.text(f"UPDATE coordinate SET size = {len(hashes)}"))
    spans = "SELECT idx / 256, min(occurred_at), max(occurred_at) FROM leaf GROUP BY idx / 256"
    session.execute(sa.text(f"INSERT INTO leaf_span {spans}"))
    root = root_at(len(hashes), store.tile_reader(session))
    note = sign_checkpoint(Checkpoint(signer.verifier_key.name, len(hashes), root), signer)
    store.add_checkpoint(session, store.SignedCheckpoint(len(hashes), root, note), datetime.now(UTC))
    return note
