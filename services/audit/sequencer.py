"""The one writer of the log: a thread that numbers what waits, commits it, signs the new tree, and only then answers.

Whatever arrives while one group is being committed forms the next group, so that under load many entries share two
commits. The order of steps is what makes a crash harmless:

1. one transaction takes the coordinate row, numbers the group, writes leaves, tiles and what else belongs to the
   events, moves the coordinate, commits (a crash before the commit leaves nothing, and nobody was answered);
2. a second one takes the coordinate row again, reads back what was stored, checks that it continues the last signed
   tree, signs and stores the checkpoint (a crash before it leaves entries that nobody was answered about; the next
   start signs them);
3. callers are answered. A caller who was not sends the same events again and gets the same indices.

Two sequencers started by mistake take turns at the coordinate row: they cannot fork the log.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.orm import Session

from services.audit.domain.entries import NewEntry, Placed, leaf_bytes
from services.audit.errors import EventConflict, LogBusy, LogDamaged, LogUnavailable
from services.audit.failpoints import reach
from services.audit.signing import Signer, check_signed_tree, sign_present_tree
from services.audit.store import log as store
from services.audit.store import producers, spans
from services.audit.store.durability import assert_durable
from shared.clock import Clock, utc_now
from shared.database import Sessions, reading
from shared.tlog.tiles import grow
from shared.tlog.tree import leaf_hash

ANSWER_TIMEOUT_S = 30.0
STOPPED = "The audit log has stopped: what is stored is not what was signed."
APPENDED = Counter("consilium_audit_entries_total", "Entries appended to the log.")
WAITING = Gauge("consilium_audit_waiting_events", "Events that wait for the sequencer.")
logger = structlog.get_logger(__name__)

Published = Callable[[], None]
"""Told after each new checkpoint; must return at once."""
Apply = Callable[[Session, int], Any]
"""What changes together with an event, in its transaction; gets the event's log index. Raising refuses the event."""


@dataclass
class Submission:
    """Events that one caller waits for: all of them enter the log, or none."""

    entries: Sequence[NewEntry]
    apply: Apply | None = None
    answer: Future[tuple[list[Placed], Any]] = field(default_factory=Future)
    placed: list[Placed] = field(default_factory=list)
    result: Any = None
    refusal: Exception | None = None


class Sequencer:
    """Appends to the log. Thread-safe; one per process."""

    def __init__(
        self,
        sessions: Sessions,
        signer: Signer,
        *,
        clock: Clock = utc_now,
        max_pending_events: int = 20_000,
        max_batch_events: int = 1_000,
        published: Published = lambda: None,
    ) -> None:
        self._sessions, self._signer, self._clock = sessions, signer, clock
        self._max_pending, self._max_batch = max_pending_events, max_batch_events
        self._published = published
        self._queue: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0
        self._running = False
        self._thread = threading.Thread(target=self._run, name="audit-sequencer", daemon=True)
        self.damage: str | None = None
        """Why the log signs nothing more, if so."""

    def start(self) -> None:
        """Sign what an earlier process committed and did not sign, then take events.

        A damaged log starts too, for reading; it takes no event, and `damage` says why.
        """
        try:
            with self._sessions.begin() as session:
                assert_durable(session)
                check_signed_tree(session, self._signer)
            if self.damage is None:
                self._publish()
        except LogDamaged as error:
            self.halt(error.detail)
        self._running = True
        self._thread.start()

    def halt(self, reason: str) -> None:
        """Sign nothing more and take nothing more; readers are still answered."""
        self.damage = reason
        logger.critical("audit log is damaged and stopped", detail=reason)

    def stop(self) -> None:
        """Work off what waits, then end."""
        with self._lock:
            if not self._running:
                return
            self._running = False
            self._queue.put(None)
        self._thread.join(timeout=ANSWER_TIMEOUT_S)

    def submit(self, entries: Sequence[NewEntry], apply: Apply | None = None) -> Future[tuple[list[Placed], Any]]:
        """Put events in line; the future gives their places and what `apply` returned, once a signed checkpoint
        covers them.

        Raises: LogBusy: too many wait already. LogUnavailable: the log is not running, or damaged.
        """
        submission = Submission(entries, apply)
        with self._lock:
            if self.damage is not None:
                raise LogDamaged(STOPPED)
            if not self._running:
                raise LogUnavailable("The audit log is not running; send the events again.")
            if self._pending + len(entries) > self._max_pending:
                raise LogBusy("Too many events wait for the audit log.", headers={"Retry-After": "1"})
            self._pending += len(entries)
            WAITING.set(self._pending)
            self._queue.put(submission)
        reach("after-enqueue")
        return submission.answer

    def append(self, entries: Sequence[NewEntry], apply: Apply | None = None) -> tuple[list[Placed], Any]:
        """`submit`, and wait for the answer.

        Raises: EventConflict, LogBusy, LogUnavailable, and whatever `apply` raises.
        """
        try:
            return self.submit(entries, apply).result(ANSWER_TIMEOUT_S)
        except FutureTimeout as error:
            raise LogUnavailable("The audit log is too slow just now; send the events again.") from error

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            # From here on a caller cannot cancel. For those who did so before nothing is done: they were told nothing.
            waited_for = [submission for submission in group if submission.answer.set_running_or_notify_cancel()]
            if waited_for:
                self._work_off(waited_for)
            self._forget(group)

    def _next_group(self) -> list[Submission] | None:
        """What waits, up to a batch; blocks while nothing does. None: the end."""
        first = self._queue.get()
        if first is None:
            return None
        group, count = [first], len(first.entries)
        while count < self._max_batch and not self._queue.empty():
            following = self._queue.get()
            if following is None:
                self._queue.put(None)
                break
            group.append(following)
            count += len(following.entries)
        return group

    def _work_off(self, group: list[Submission]) -> None:
        try:
            if self.damage is not None:
                raise LogDamaged(STOPPED)
            self._commit(group)
            reach("after-commit")
            self._publish()
            reach("after-publish")
        except Exception as error:
            # The thread must live on, and the callers must learn that they have to ask again.
            logger.error("audit log could not append", reason=type(error).__name__)
            failure = error if isinstance(error, LogDamaged) else _outcome_unknown(error)
            for submission in group:
                submission.refusal = submission.refusal or failure
        self._answer(group)

    def _forget(self, group: list[Submission]) -> None:
        with self._lock:
            self._pending -= sum(len(submission.entries) for submission in group)
            WAITING.set(self._pending)

    @staticmethod
    def _answer(group: list[Submission]) -> None:
        for submission in group:
            if submission.refusal is not None:
                submission.answer.set_exception(submission.refusal)
            else:
                submission.answer.set_result((submission.placed, submission.result))

    def _commit(self, group: list[Submission]) -> None:
        ids = [entry.event.event_id for submission in group for entry in submission.entries]
        with self._sessions.begin() as session:
            size = store.take_coordinate(session)
            received_at = self._clock()
            known = store.find_placed(session, ids)
            fresh: list[store.NewLeaf] = []
            for submission in group:
                leaves = _number(session, submission, known, size + len(fresh), received_at)
                fresh += leaves
                known |= {leaf.entry.event.event_id: _place(leaf) for leaf in leaves}
            if not fresh:
                return
            store.add_leaves(session, fresh, received_at)
            spans.saw_leaves(session, fresh)
            producers.saw_events(session, [leaf.entry.event for leaf in fresh], received_at)
            reach("after-leaves")
            store.put_tiles(session, grow(size, [leaf.leaf_hash for leaf in fresh], store.tile_reader(session)))
            store.move_coordinate(session, size, size + len(fresh))
            reach("before-commit")
        APPENDED.inc(len(fresh))

    def _publish(self) -> None:
        with reading(self._sessions) as session:
            last = store.latest_checkpoint(session)
            if last is not None and last.size == store.read_coordinate(session):
                return
        try:
            with self._sessions.begin() as session:
                sign_present_tree(session, self._signer, self._clock())
                reach("before-publish")
        except LogDamaged as error:
            self.halt(error.detail)
            raise
        self._published()


def _number(
    session: Session, submission: Submission, known: dict[str, Placed], first: int, received_at: Any
) -> list[store.NewLeaf]:
    """Number the events of one submission that the log does not hold yet; on a refusal, none of them."""
    here: dict[str, Placed] = {}
    leaves: list[store.NewLeaf] = []
    try:
        for entry in submission.entries:
            event_id = entry.event.event_id
            place = known.get(event_id) or here.get(event_id)
            if place is None:
                leaf = leaf_bytes(entry.body, received_at)
                leaves.append(store.NewLeaf(first + len(leaves), entry, leaf, leaf_hash(leaf)))
                place = here[event_id] = _place(leaves[-1])
            elif place.digest != entry.digest:
                detail = f"The log holds another event under the id {event_id}; it keeps the first."
                raise EventConflict(detail, extra={"eventId": event_id})
            submission.placed.append(place)
        if submission.apply is not None:
            with session.begin_nested():
                submission.result = submission.apply(session, submission.placed[0].index)
    except Exception as error:
        # One caller's refusal is not the others': the group goes on without it.
        submission.refusal = error
        return []
    return leaves


def _place(leaf: store.NewLeaf) -> Placed:
    return Placed(leaf.index, leaf.entry.digest, leaf.leaf_hash)


def _outcome_unknown(cause: Exception) -> LogUnavailable:
    failure = LogUnavailable(
        "The audit log could not store the events just now; send them again.", headers={"Retry-After": "1"}
    )
    failure.__cause__ = cause
    return failure
