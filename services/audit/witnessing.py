"""Has the log's checkpoints cosigned by witnesses (C2SP `tlog-witness`), apart from the path of the events.

A thread shows each witness the newest checkpoint, once a second while there are newer ones. A witness that does not
answer delays nothing but its own line. One that knows more than the log, or another history, stops the log: the
database was rolled back or rewritten, and whatever would be signed now would be a fork.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import structlog
from prometheus_client import Gauge

from services.audit.store import cosignatures as store
from services.audit.store import log as log_store
from services.audit.verify.policy import Policy, Witness
from shared.certificates import authorities
from shared.clock import Clock
from shared.database import Sessions, reading
from shared.tlog.checkpoint import parse_decimal
from shared.tlog.cosignature import CosignatureKey
from shared.tlog.note import NoteError, open_note
from shared.tlog.tiles import consistency_proof
from shared.tlog.witnessing import SIZE_TYPE, AddCheckpoint, format_add_checkpoint

INTERVAL_S = 30.0
"""How long a witness that did not answer is left alone, unless there is something new to ask."""
PAUSE_S = 1.0
"""Between two rounds: while events come, each has many checkpoints to choose from, and the newest is enough."""
TIMEOUT = httpx.Timeout(10.0, connect=2.0)
MAX_TRIES = 3
COSIGNED = Gauge("consilium_audit_cosigned_size", "Entries that this witness has cosigned.", ["witness"])
logger = structlog.get_logger(__name__)

Halt = Callable[[str], None]
"""Stops the log, with the reason."""


class _Refused(Exception):
    """A witness's answer that is no cosignature; the message says what it was."""


@dataclass(frozen=True)
class _Question:
    """The newest checkpoint, and a size from which to prove it."""

    checkpoint: log_store.SignedCheckpoint
    old: int
    proof: tuple[bytes, ...]


class Witnessing:
    """Asks the witnesses of a policy that have an address."""

    def __init__(self, sessions: Sessions, policy: Policy, *, clock: Clock, halt: Halt) -> None:
        self._sessions, self._clock, self._halt = sessions, clock, halt
        self._witnesses = [witness for witness in policy.witnesses if witness.url]
        self._http = httpx.Client(timeout=TIMEOUT, verify=authorities(), trust_env=False)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit-witnessing", daemon=True)

    def start(self) -> None:
        """Ask once, so that a log which was rolled back does not start to sign; then go on asking beside it."""
        if self._witnesses:
            self.ask_all()
            self._thread.start()

    def stop(self) -> None:
        """Finish the question in hand."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=TIMEOUT.read)
        self._http.close()

    def wake(self) -> None:
        """There is a new checkpoint."""
        self._wake.set()

    def ask_all(self) -> None:
        """Ask every witness for the newest checkpoint, unless it has cosigned that."""
        for witness in self._witnesses:
            try:
                self._ask(witness)
            except (httpx.HTTPError, _Refused, NoteError) as error:
                reason = str(error) if isinstance(error, _Refused | NoteError) else type(error).__name__
                logger.warning("a witness has not cosigned", witness=witness.name, reason=reason)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
            try:
                self.ask_all()
            except Exception as error:
                # The thread must live on: the next checkpoint wants its witnesses too.
                logger.error("witnesses could not be asked", reason=type(error).__name__)
            self._stop.wait(PAUSE_S)

    def _ask(self, witness: Witness) -> None:
        with reading(self._sessions) as session:
            old = store.newest_size(session, identity_of(witness))
        for _ in range(MAX_TRIES):
            question = self._question(old)
            if question is None or self._stop.is_set():
                return
            answer = self._post(witness, question)
            if answer.status_code == 200:
                self._keep(witness, question.checkpoint, answer.text)
                return
            old = self._size_known(witness, question, answer)
        raise _Refused("it names another size each time")

    def _question(self, old: int) -> _Question | None:
        with reading(self._sessions) as session:
            checkpoint = log_store.latest_checkpoint(session)
            if checkpoint is None or checkpoint.size == 0:
                return None
            if old > checkpoint.size:
                self._roll_back_found(old, checkpoint.size)
                return None
            proof = consistency_proof(old, checkpoint.size, log_store.tile_reader(session))
        return _Question(checkpoint, old, tuple(proof))

    def _post(self, witness: Witness, question: _Question) -> httpx.Response:
        body = format_add_checkpoint(AddCheckpoint(question.old, question.proof, question.checkpoint.note))
        return self._http.post(f"{str(witness.url).rstrip('/')}/add-checkpoint", content=body.encode())

    def _size_known(self, witness: Witness, question: _Question, answer: httpx.Response) -> int:
        """The size that a refusal tells. Raises: _Refused."""
        if answer.status_code == 422:
            self._halt(f"The witness {witness.name} knows {question.old} entries of another history of this log.")
            raise _Refused("it knows another history")
        if answer.status_code != 409 or not answer.headers.get("content-type", "").startswith(SIZE_TYPE):
            raise _Refused(f"it answered {answer.status_code}")
        known = parse_decimal(answer.text.removesuffix("\n"))
        if known == question.old == question.checkpoint.size:
            self._halt(f"The witness {witness.name} knows another tree of {known} entries of this log.")
            raise _Refused("it knows another tree of this size")
        return known

    def _roll_back_found(self, known: int, size: int) -> None:
        self._halt(f"A witness has cosigned {known} entries of this log, which has {size}: it was rolled back.")

    def _keep(self, witness: Witness, checkpoint: log_store.SignedCheckpoint, lines: str) -> None:
        """Keep the witness's own line of the answer, if it is good. Raises: NoteError."""
        key = CosignatureKey(witness.key.name, witness.key.kind, witness.key.public)
        note = open_note(checkpoint.note + lines, [key])
        number = next(n for n, line in enumerate(note.signatures) if (line.name, line.key_id) == (key.name, key.key_id))
        line = (checkpoint.note + lines).split("\n")[:-1][number - len(note.signatures)]
        with self._sessions.begin() as session:
            store.add_cosignature(session, checkpoint.size, identity_of(witness), f"{line}\n", self._clock())
        COSIGNED.labels(witness.name).set(checkpoint.size)


def identity_of(witness: Witness) -> str:
    """Name and key id: what tells this witness, under this key, from all others."""
    return f"{witness.key.name}+{witness.key.key_id.hex()}"
