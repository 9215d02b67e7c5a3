"""Imported files of one patient, and how they go."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.vitals.imports.domain import State
from services.vitals.imports.pieces import pieces_of
from services.vitals.imports.store import ImportRow, RejectRow
from shared.blobs import BlobStore
from shared.database import erase_rows
from shared.erasure import Found, Subject
from shared.errors import NotFound
from shared.web import Runtime


def erase(session: Session, runtime: Runtime, subject: Subject) -> Found:
    """The imports that name the patient, whoever works on them; and all finished ones that name nobody, since nobody
    knows whose records their reports and files are about. Those of them that are not finished go on without the
    patient, and their files go at the end.
    """
    finished = ImportRow.state.in_([State.SUCCEEDED, State.FAILED])
    mine = sa.and_(
        ImportRow.tenant == subject.tenant,
        sa.or_(ImportRow.patient.in_(subject.patients), sa.and_(ImportRow.patient == "", finished)),
    )
    files = session.execute(sa.select(ImportRow.owner, ImportRow.pieces).where(mine)).all()
    digests = _digests(runtime.blobs, [file.pieces for file in files if not file.owner])
    ids = sa.select(ImportRow.id).where(mine)
    stores = {"import_reject": erase_rows(session, RejectRow, RejectRow.job.in_(ids))}
    stores["import_job"] = erase_rows(session, ImportRow, mine)
    if digests:
        others = session.scalars(sa.select(ImportRow.pieces).where(ImportRow.owner.is_(None))).all()
        digests -= _digests(runtime.blobs, others)
    return Found(stores, digests, frozenset(file.owner for file in files if file.owner))


def _digests(blobs: BlobStore, lists: Iterable[str]) -> frozenset[str]:
    """Of files from before each had a scope of its own: their pieces, and the lists of them."""
    found: set[str] = set()
    for listed in lists:
        try:
            found |= {listed, *pieces_of(blobs, listed)}
        except NotFound:
            continue
    return frozenset(found)
