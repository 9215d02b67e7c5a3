"""Signs the present tree, after checking that it is what was stored and that it continues what was signed."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from services.audit.errors import LogDamaged
from services.audit.store import log as store
from shared.tlog.checkpoint import Checkpoint, CheckpointSigner, open_checkpoint, sign_checkpoint
from shared.tlog.compact import CompactTree
from shared.tlog.note import NoteError, VerifierKey
from shared.tlog.tiles import TileReader, root_at
from shared.tlog.tree import EMPTY_ROOT


class Signer(CheckpointSigner, Protocol):
    """The log's keys."""

    @property
    def verifier_key(self) -> VerifierKey:
        """The main one, whose name is the log's."""
        ...


def sign_present_tree(session: Session, signer: Signer, now: datetime) -> None:
    """Sign and store the checkpoint of the log's present size, unless it is there.

    The caller's transaction must have begun for writing; this takes the coordinate row, so that checkpoints are made
    one by one.

    Raises: LogDamaged: the stored bytes, the tiles and the last checkpoint do not agree. Nothing is signed.
    """
    size = store.take_coordinate(session)
    last = store.latest_checkpoint(session)
    if last is not None and last.size == size:
        return
    if last is not None and last.size > size:
        raise LogDamaged(
            f"The log has {size} entries, and {last.size} were signed before: entries were lost or rolled back."
        )
    _check_signed_by_us(last, signer)
    root = _recomputed_root(session, last, size)
    note = sign_checkpoint(Checkpoint(signer.verifier_key.name, size, root), signer)
    store.add_checkpoint(session, store.SignedCheckpoint(size, root, note), now)


def check_signed_tree(session: Session, signer: Signer) -> None:
    """Check that the last checkpoint is this key's and that the tiles still lead to its root.

    Raises: LogDamaged.
    """
    last = store.latest_checkpoint(session)
    _check_signed_by_us(last, signer)
    if last is not None:
        _signed_tree(last.size, last.root, store.tile_reader(session))


def _recomputed_root(session: Session, last: store.SignedCheckpoint | None, size: int) -> bytes:
    """The root of the first `size` leaves, from the signed tree and the leaves' bytes, and equally from the tiles."""
    read = store.tile_reader(session)
    signed_size, signed_root = (last.size, last.root) if last else (0, EMPTY_ROOT)
    tree = _signed_tree(signed_size, signed_root, read)
    hashes = store.stored_leaf_hashes(session, signed_size, size)
    if len(hashes) != size - signed_size:
        raise LogDamaged(f"Entry {signed_size + len(hashes)} is missing.")
    for leaf in hashes:
        tree.append(leaf)
    root = tree.root()
    if not hmac.compare_digest(root, root_at(size, read)):
        raise LogDamaged(f"The tiles do not belong to the stored entries {signed_size} to {size - 1}.")
    return root


def _signed_tree(size: int, root: bytes, read: TileReader) -> CompactTree:
    try:
        tree = CompactTree.from_tiles(size, read)
    except IndexError as error:
        raise LogDamaged(f"A tile of the first {size} entries is missing.") from error
    if not hmac.compare_digest(tree.root(), root):
        raise LogDamaged(f"The tiles of the first {size} entries are not those that were signed.")
    return tree


def _check_signed_by_us(last: store.SignedCheckpoint | None, signer: Signer) -> None:
    if last is None:
        return
    try:
        signed = open_checkpoint(last.note, signer.verifier_key.name, signer.verifier_keys)
    except NoteError as error:
        raise LogDamaged(
            "The last checkpoint was not signed by this log's key: restore the key, or the database."
        ) from error
    if (signed.size, signed.root) != (last.size, last.root):
        raise LogDamaged("The last checkpoint's columns are not what its note says.")
