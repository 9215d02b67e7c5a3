"""What the vitals service keeps of one patient, and how it goes."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.vitals.imports import erasing as imports
from services.vitals.imports.store import ImportRow
from services.vitals.store import (
    ArrivalRow,
    BatchRow,
    CorrectionRow,
    DeviceClockRow,
    ErasureRow,
    MessageRow,
    SampleRow,
    WindowRow,
)
from shared.database import change_rows, erase_rows
from shared.erasure import KEPT_EVERYWHERE, Eraser, Found, Subject
from shared.web import Runtime

KEPT = {
    **KEPT_EVERYWHERE,
    "batch": "who sent when; it may be of many patients, and the digest of its body is taken out",
}
"""Tables that an erasure leaves alone, and why."""
OF_A_PATIENT = (SampleRow, CorrectionRow, ArrivalRow, DeviceClockRow)


def patients(session: Session, tenant: str) -> Iterable[str]:
    """Every identifier of a patient that has samples, windows or imports here."""
    rows = (*OF_A_PATIENT, WindowRow, ImportRow)
    return session.scalars(sa.union(*(sa.select(row.patient).where(row.tenant == tenant) for row in rows))).all()


def erase(session: Session, runtime: Runtime, subject: Subject) -> Found:
    """Samples with their corrections, arrivals and clocks, frozen windows, imports, digests of bodies and messages."""
    batches = sa.union(*(sa.select(row.batch).where(*_mine(row, subject)) for row in OF_A_PATIENT))
    forgotten = sa.update(BatchRow).where(BatchRow.number.in_(batches), BatchRow.digest != "").values(digest="")
    stores = {"batch": change_rows(session, forgotten)}
    files = imports.erase(session, runtime, subject)
    windows = session.scalars(sa.select(WindowRow.blob).where(*_mine(WindowRow, subject))).all()
    for row in (*OF_A_PATIENT, WindowRow):
        stores[row.__tablename__] = erase_rows(session, row, *_mine(row, subject))
    stores["hl7_message"] = erase_rows(
        session, MessageRow, MessageRow.tenant == subject.tenant, MessageRow.subject_ref == subject.subject_ref
    )
    # A window's content names its patient: no other has the same.
    return Found({**stores, **files.stores}, files.digests | set(windows), files.owners)


def _mine(
    row: type[SampleRow | CorrectionRow | ArrivalRow | DeviceClockRow | WindowRow], subject: Subject
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return row.tenant == subject.tenant, row.patient.in_(subject.patients)


ERASER = Eraser("vitals", ErasureRow, patients, erase)
