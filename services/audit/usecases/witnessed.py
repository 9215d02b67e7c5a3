"""Checkpoints that enough witnesses have cosigned."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.errors import NoSuchEntry
from services.audit.store import cosignatures as store
from services.audit.store import log as log_store
from services.audit.witnessing import identity_of

LOOKED_AT = 50
"""Cosigned sizes that are tried before the answer is that there is no quorum."""


def newest_witnessed(context: AuditContext, session: Session) -> log_store.SignedCheckpoint:
    """The newest checkpoint with a quorum, the witnesses' lines under its own. Raises: NoSuchEntry."""
    return _first_with_quorum(context, session, store.newest_sizes(session, LOOKED_AT))


def first_witnessed(context: AuditContext, session: Session, index: int) -> log_store.SignedCheckpoint:
    """The first checkpoint with a quorum that covers this entry. Raises: NoSuchEntry."""
    return _first_with_quorum(context, session, store.sizes_above(session, index, LOOKED_AT))


def _first_with_quorum(context: AuditContext, session: Session, sizes: Iterable[int]) -> log_store.SignedCheckpoint:
    names = {identity_of(witness): witness.name for witness in context.witnesses.witnesses}
    for size in sizes:
        lines = {who: line for who, line in store.lines_of(session, size).items() if who in names}
        checkpoint = log_store.checkpoint_of(session, size)
        if lines and checkpoint is not None and context.witnesses.holds({names[who] for who in lines}):
            return log_store.SignedCheckpoint(size, checkpoint.root, checkpoint.note + "".join(lines.values()))
    raise NoSuchEntry("No checkpoint that covers this is cosigned by a quorum of the witnesses yet.")
