"""What a witness does: cosign a checkpoint that continues what it knows, and keep what contradicts it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from services.witness import store
from services.witness.errors import MalformedRequest, NotSignedByLog, OtherSizeKnown, ProofFails, UnknownLog
from shared.clock import Clock
from shared.database import Sessions, reading
from shared.errors import FieldProblem
from shared.tlog.checkpoint import Checkpoint, parse_checkpoint_text
from shared.tlog.cosignature import Ed25519Cosigner
from shared.tlog.note import NoteError, VerifierKey, open_note, parse_note
from shared.tlog.tree import EMPTY_ROOT, ProofError, verify_consistency
from shared.tlog.witnessing import AddCheckpoint, parse_add_checkpoint

logger = structlog.get_logger(__name__)
FIX = "send what C2SP tlog-witness describes"


@dataclass(frozen=True)
class WitnessContext:
    """The witness's memory, its key, and the logs' keys by origin."""

    sessions: Sessions
    cosigner: Ed25519Cosigner
    logs: Mapping[str, Sequence[VerifierKey]]
    clock: Clock


def add_checkpoint(context: WitnessContext, body: bytes) -> str:
    """Cosign a checkpoint; gives the signature line. What it rests on is stored before that.

    Raises: MalformedRequest, UnknownLog, NotSignedByLog, OtherSizeKnown, ProofFails.
    """
    request, checkpoint = _parse(body)
    _check_signed(context, request.note, checkpoint.origin)
    if request.old > checkpoint.size:
        raise _malformed("old", "the old size is beyond the checkpoint's")
    now = context.clock()
    try:
        return _cosign(context, request, checkpoint, now)
    except _Contradiction as found:
        logger.critical(
            "a log contradicts itself", origin=checkpoint.origin, known=found.known.size, shown=checkpoint.size
        )
        with context.sessions.begin() as session:
            store.add_evidence(session, checkpoint.origin, found.known.note, request.note, now)
        raise found.refusal from found


class _Contradiction(Exception):
    """The log has signed this checkpoint and one that it does not continue."""

    def __init__(self, known: store.Watched, refusal: Exception) -> None:
        super().__init__()
        self.known, self.refusal = known, refusal


def newest_checkpoint(context: WitnessContext, origin: str) -> str:
    """The newest cosigned note of a log, with this witness's line. Raises: UnknownLog."""
    with reading(context.sessions) as session:
        watched = store.find_watched(session, origin)
    if watched is None or not watched.note:
        raise UnknownLog("No checkpoint of a log of this origin was cosigned here.")
    return watched.note + watched.cosignature


def list_evidence(context: WitnessContext, origin: str) -> list[store.Evidence]:
    """What contradicts a log. Raises: UnknownLog."""
    if origin not in context.logs:
        raise UnknownLog("No log of this origin is watched here.")
    with reading(context.sessions) as session:
        return store.all_evidence(session, origin)


def _parse(body: bytes) -> tuple[AddCheckpoint, Checkpoint]:
    try:
        request = parse_add_checkpoint(body)
        return request, parse_checkpoint_text(parse_note(request.note).text)
    except NoteError as error:
        raise _malformed("body", str(error)) from error


def _check_signed(context: WitnessContext, note: str, origin: str) -> None:
    keys = context.logs.get(origin)
    if keys is None:
        raise UnknownLog("No log of this origin is watched here.")
    try:
        open_note(note, keys)
    except NoteError as error:
        raise NotSignedByLog("The checkpoint is not signed by the log's key.") from error


def _cosign(context: WitnessContext, request: AddCheckpoint, checkpoint: Checkpoint, now: datetime) -> str:
    # One transaction from looking at what is known to writing what is new: otherwise a slow request for a smaller tree
    # could overtake one for a larger, and the larger would be forgotten (tlog-witness, "add-checkpoint").
    with context.sessions.begin() as session:
        known = store.take_watched(session, checkpoint.origin)
        if request.old != known.size:
            raise OtherSizeKnown(known.size)
        if known.note and checkpoint.size == known.size and not hmac.compare_digest(checkpoint.root, known.root):
            raise _Contradiction(known, OtherSizeKnown(known.size))
        _check_proof(request, checkpoint, known)
        line = context.cosigner.line(parse_note(request.note).text, int(now.timestamp()))
        store.put_checkpoint(session, checkpoint, request.note, line, now)
    return line


def _check_proof(request: AddCheckpoint, checkpoint: Checkpoint, known: store.Watched) -> None:
    if known.size == 0:
        if request.proof or (checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT):
            raise _proof_fails("from an empty log on nothing is proved, and the empty tree has one root")
        return
    try:
        verify_consistency(known.size, checkpoint.size, request.proof, known.root, checkpoint.root)
    except ProofError as error:
        # Perhaps only the proof is wrong; but the log has signed this, and whoever looks into it will want it.
        raise _Contradiction(known, _proof_fails(str(error))) from error


def _proof_fails(problem: str) -> ProofFails:
    return ProofFails("The proof does not verify.", fields=[FieldProblem("proof", problem, FIX)])


def _malformed(field: str, problem: str) -> MalformedRequest:
    return MalformedRequest("Not a request that a witness can read.", fields=[FieldProblem(field, problem, FIX)])
