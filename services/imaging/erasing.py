"""What the imaging service keeps of one patient, and how it goes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.imaging.store import CommitmentRow, ErasureRow, InstanceRow, OwnerRow, QualityRow, ReviewRow
from shared.database import erase_rows
from shared.erasure import KEPT_EVERYWHERE, Eraser, Found, Subject
from shared.web import Runtime

PARAMETERS = 10_000
"""Of one statement: databases take some ten thousand."""
KEPT = KEPT_EVERYWHERE
"""Tables that an erasure leaves alone, and why."""


def patients(session: Session, tenant: str) -> Iterable[str]:
    """Every identifier of a patient that has an instance or a study here."""
    of_instances = sa.select(InstanceRow.patient).where(InstanceRow.tenant == tenant)
    return session.scalars(of_instances.union(sa.select(OwnerRow.patient).where(OwnerRow.tenant == tenant))).all()


def erase(session: Session, _: Runtime, subject: Subject) -> Found:
    """Instances with their headers, findings and reviews, and whose their studies were; requests for commitment
    forget the instances. Files for research are made when they are asked for, and never kept.
    """
    mine = sa.and_(InstanceRow.tenant == subject.tenant, InstanceRow.patient.in_(subject.patients))
    rows = session.execute(
        sa.select(InstanceRow.id, InstanceRow.sop_instance_uid, InstanceRow.digest, InstanceRow.rendered_digest)
        .where(mine)
    ).all()  # fmt: skip
    ids = sa.select(InstanceRow.id).where(mine)
    stores = Counter(
        commitment=_forget_instances(session, subject.tenant, {row.sop_instance_uid for row in rows}),
        review=erase_rows(session, ReviewRow, ReviewRow.instance_id.in_(ids)),
        quality=erase_rows(session, QualityRow, QualityRow.instance_id.in_(ids)),
        instance=erase_rows(session, InstanceRow, mine),
        owner=erase_rows(
            session, OwnerRow, OwnerRow.tenant == subject.tenant, OwnerRow.patient.in_(subject.patients)
        ),
    )  # fmt: skip
    named = {digest for row in rows for digest in (row.digest, row.rendered_digest) if digest}
    return Found(stores, frozenset(named - _still_named(session, named)))


def _still_named(session: Session, digests: Collection[str]) -> set[str]:
    """Those that another patient's instance names: two films may be rendered alike."""
    found: set[str] = set()
    listed = sorted(digests)
    for start in range(0, len(listed), PARAMETERS):
        some = listed[start : start + PARAMETERS]
        for column in (InstanceRow.digest, InstanceRow.rendered_digest):
            found |= {digest for digest in session.scalars(sa.select(column).where(column.in_(some))) if digest}
    return found


def _forget_instances(session: Session, tenant: str, sop_instance_uids: set[str]) -> int:
    """Take instances out of requests for storage commitment; one that asked for nothing else goes.

    A report that does not name an instance does not commit it: its sender keeps the copy.
    """
    changed = 0
    for row in session.scalars(sa.select(CommitmentRow).where(CommitmentRow.tenant == tenant)):
        asked = json.loads(row.instances)
        others = [pair for pair in asked if not sop_instance_uids & set(pair)]
        if len(others) == len(asked):
            continue
        changed += 1
        row.instances = json.dumps(others)
        if not others:
            session.delete(row)
    session.flush()
    return changed


ERASER = Eraser("imaging", ErasureRow, patients, erase)
