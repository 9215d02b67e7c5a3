"""Rows of the vitals service and every query on them. Functions take and give domain types."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from services.vitals import bulk
from services.vitals.clocks import ClockEstimate, Reading, estimate
from services.vitals.domain import Arrival, Batch, Point, Sample, Window, in_order
from services.vitals.signs import SIGN_OF
from shared.database import UtcDateTime, insert_into, new_metadata
from shared.erasure import ErasureMixin
from shared.hl7v2.once import MessageMixin
from shared.outbox import OutboxCounterMixin, OutboxMixin

READINGS = 32
"""Looks at a clock that an estimate rests on."""
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Base(DeclarativeBase):
    """All tables of the vitals service."""

    metadata = new_metadata()


class OutboxRow(OutboxMixin, Base):
    """Audit events on their way."""


class OutboxCounterRow(OutboxCounterMixin, Base):
    """The number that an audit event was given last."""


class ErasureRow(ErasureMixin, Base):
    """Patients who were erased, by pseudonym."""


class BatchRow(Base):
    """One request that brought samples: where they come from, and when."""

    __tablename__ = "batch"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(sa.String(36), unique=True)
    digest: Mapped[str] = mapped_column(sa.String(80))
    """Of the body; empty once one of its patients was erased."""
    source: Mapped[str] = mapped_column(sa.String(255))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SampleRow(Base):
    """One measurement, written once and never changed.

    The key is the measurement itself, so that a duplicate cannot be stored; patient and time stand first in it, so that
    a window is one range of the index. On SQLite the table is that index.
    """

    __tablename__ = "sample"
    __table_args__ = ({"sqlite_with_rowid": False, "postgresql_partition_by": "RANGE (effective)"},)

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    patient: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    effective: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    device: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    value: Mapped[float] = mapped_column(sa.Double, primary_key=True)
    sent_code: Mapped[str] = mapped_column(sa.String(16))
    sent_value: Mapped[float] = mapped_column(sa.Double)
    sent_unit: Mapped[str] = mapped_column(sa.String(64))
    batch: Mapped[int] = mapped_column(BigId)
    """Of `BatchRow`, without a foreign key: PostgreSQL would look each one up (ADR 0119)."""
    zone_minutes: Mapped[int | None] = mapped_column(sa.SmallInteger)
    corrected: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The true time, where the device's clock was wrong. `effective` is what the device said, and stays the key: how
    wrong a clock is taken for may change between two sendings of the same sample."""


_CORRECTED = SampleRow.corrected.is_not(None)
sa.Index(
    "ix_sample_corrected",
    SampleRow.tenant,
    SampleRow.patient,
    SampleRow.corrected,
    sqlite_where=_CORRECTED,
    postgresql_where=_CORRECTED,
)


class CorrectionRow(Base):
    """Which value stands at a time of one device's measurements, where a sender corrected it.

    Others of that time stay stored, are never read again, and do not come back when they are sent again.
    """

    __tablename__ = "correction"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    patient: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    effective: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    device: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    value: Mapped[float] = mapped_column(sa.Double)
    batch: Mapped[int] = mapped_column(sa.BigInteger)
    """Which brought the correction."""


class MessageRow(MessageMixin, Base):
    """An HL7 v2 message that was taken: who sent it under which control id (as a digest), and what it said."""


class ArrivalRow(Base):
    """New samples of one patient with one batch."""

    __tablename__ = "arrival"
    __table_args__ = (sa.Index("ix_arrival_patient", "tenant", "patient", "number"),)

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    patient: Mapped[str] = mapped_column(sa.String(64))
    batch: Mapped[int] = mapped_column(sa.BigInteger)
    earliest: Mapped[datetime] = mapped_column(UtcDateTime)
    latest: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def to_domain(self) -> Arrival:
        """The arrival as the use cases know it."""
        return Arrival(self.number, self.patient, self.batch, self.earliest, self.latest, self.received_at)


class DeviceClockRow(Base):
    """What a device's clock showed when it sent a batch, and what was known of the clock then."""

    __tablename__ = "device_clock"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    patient: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    device: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    batch: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    drift_ppm: Mapped[float | None] = mapped_column(sa.Double)
    confidence: Mapped[str] = mapped_column(sa.String(8))


class WindowRow(Base):
    """One frozen window."""

    __tablename__ = "window"
    __table_args__ = (sa.UniqueConstraint("tenant", "patient", "digest", name="uq_window_content"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    patient: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[str] = mapped_column(sa.String(80))
    blob: Mapped[str] = mapped_column(sa.String(80))
    start: Mapped[datetime] = mapped_column(UtcDateTime)
    end: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    quality: Mapped[str] = mapped_column(sa.Text)

    def to_domain(self) -> Window:
        """The window as the use cases know it."""
        quality = json.loads(self.quality)
        times = (self.start, self.end, self.received_at)
        return Window(self.id, self.digest, self.blob, self.patient, *times, quality)


def add_batch(session: Session, batch: Batch, source: str) -> int:
    """Store where samples come from; gives the number that their rows carry."""
    row = BatchRow(id=batch.id, digest=batch.digest, source=source, received_at=batch.received_at)
    session.add(row)
    session.flush()
    return row.number


def add_samples(session: Session, tenant: str, batch: int, samples: Sequence[Sample]) -> Mapping[str, int]:
    """Store those samples that are not stored yet; gives how many of each patient that were."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        return bulk.add(connection, tenant, batch, samples)
    # The table, not the mapped class: the ORM's bulk insert counts no rows.
    unless_known, added = sqlite.insert(Base.metadata.tables["sample"]).on_conflict_do_nothing(), dict[str, int]()
    for patient, group in groupby(samples, key=lambda sample: sample.patient):
        rows = [{**{name: getattr(s, name) for name in _KEPT}, "tenant": tenant, "batch": batch} for s in group]
        added[patient] = connection.execute(unless_known, rows, execution_options={"preserve_rowcount": True}).rowcount
    return added


_KEPT = (
    "patient",
    "effective",
    "code",
    "device",
    "value",
    "sent_code",
    "sent_value",
    "sent_unit",
    "zone_minutes",
    "corrected",
)


def add_corrections(session: Session, tenant: str, batch: int, samples: Sequence[Sample]) -> Mapping[str, int]:
    """Let these samples, which are stored, stand in the place of others of their time; gives how many of each patient
    did not stand there already."""
    changed = Counter[str]()
    for s in samples:
        key = {"tenant": tenant, "patient": s.patient, "effective": s.effective, "code": s.code, "device": s.device}
        insert = insert_into(session, CorrectionRow).values(**key, value=s.value, batch=batch)
        new = insert.excluded
        upsert = insert.on_conflict_do_update(
            index_elements=list(key),
            set_={"value": new.value, "batch": new.batch},
            where=CorrectionRow.value != new.value,
        )
        changed[s.patient] += len(session.execute(upsert.returning(CorrectionRow.patient)).all())
    return changed


_Part = sa.Select[*tuple[Any, ...]]


def newest_time(session: Session, tenant: str, patient: str, until: datetime | None = None) -> datetime | None:
    """When the newest measurement of a patient was made, at or before `until`."""
    found = []
    for part in _parts(tenant, patient, None, until, ()):
        at = part.selected_columns["at"]
        found.append(session.scalar(part.with_only_columns(at).order_by(at.desc()).limit(1)))
    return max((moment for moment in found if moment is not None), default=None)


def points_between(
    session: Session,
    tenant: str,
    patient: str,
    start: datetime,
    end: datetime,
    *,
    codes: Sequence[str] = (),
    newest: int | None = None,
) -> list[Point]:
    """Measurements from `start` to `end`, both included, oldest first; only the `newest` many if that is given."""
    points: list[Point] = []
    for part in _parts(tenant, patient, start, end, codes):
        s = part.selected_columns
        backwards = part.order_by(s["at"].desc(), s.code.desc(), s.device.desc(), s.value.desc()).limit(newest)
        for code, value, at, device, device_time, zone, _ in session.execute(backwards):
            points.append(Point(code, value, SIGN_OF[code].unit, at, device, device_time, zone))
    points = in_order(points)
    return points[-newest:] if newest else points


def count_between(
    session: Session, tenant: str, patient: str, start: datetime, end: datetime, *, codes: Sequence[str] = ()
) -> int:
    """How many measurements there are from `start` to `end`."""
    parts = (part.subquery() for part in _parts(tenant, patient, start, end, codes))
    return sum(session.scalar(sa.select(sa.func.count()).select_from(part)) or 0 for part in parts)


def _parts(
    tenant: str, patient: str, start: datetime | None, end: datetime | None, codes: Sequence[str]
) -> tuple[_Part, _Part]:
    """Samples by the time that the device said, and those by their corrected time: each is a range of one index.
    Those in whose place another value stands are left out."""
    s, c = SampleRow, CorrectionRow
    same = (getattr(c, name) == getattr(s, name) for name in ("tenant", "patient", "effective", "code", "device"))
    stands = ~sa.exists().where(*same, c.value != s.value)
    said, true = (
        sa.select(s.code, s.value, at.label("at"), s.device, device_time.label("device_time"), s.zone_minutes, s.batch)
        .where(s.tenant == tenant, s.patient == patient, corrected, stands)
        .where(
            *([at >= start] if start else []), *([at <= end] if end else []), *([s.code.in_(codes)] if codes else [])
        )
        for at, device_time, corrected in (
            (s.effective, sa.null(), s.corrected.is_(None)),
            (s.corrected, s.effective, s.corrected.is_not(None)),
        )
    )
    return said, true


def last_received(session: Session, tenant: str, patient: str, start: datetime, end: datetime) -> datetime:
    """When the last of the measurements from `start` to `end` came in. There must be one."""
    parts = (part.subquery() for part in _parts(tenant, patient, start, end, ()))
    newest = max(session.scalar(sa.select(sa.func.max(part.c.batch))) or 0 for part in parts)
    return session.scalars(sa.select(BatchRow.received_at).where(BatchRow.number == newest)).one()


def find_window(session: Session, tenant: str, window_id: str) -> Window | None:
    """The frozen window with this id."""
    row = session.scalar(sa.select(WindowRow).where(WindowRow.tenant == tenant, WindowRow.id == window_id))
    return row.to_domain() if row else None


def find_window_by_digest(session: Session, tenant: str, patient: str, digest: str) -> Window | None:
    """The frozen window with this content."""
    same = (WindowRow.tenant == tenant, WindowRow.patient == patient, WindowRow.digest == digest)
    row = session.scalar(sa.select(WindowRow).where(*same))
    return row.to_domain() if row else None


def add_window(session: Session, tenant: str, window: Window) -> None:
    """Store a window unless its content is stored."""
    row = insert_into(session, WindowRow).values(
        id=window.id,
        tenant=tenant,
        patient=window.patient,
        digest=window.digest,
        blob=window.blob,
        start=window.start,
        end=window.end,
        received_at=window.received_at,
        quality=json.dumps(window.quality),
    )
    session.execute(row.on_conflict_do_nothing(index_elements=["tenant", "patient", "digest"]))


BUCKETS = 256


def lock_patients(session: Session, tenant: str, patients: Iterable[str]) -> None:
    """Until the transaction ends no other one adds samples of these patients, so that their arrivals are numbered in
    the order of their commits. SQLite has one writer anyway. In buckets, because PostgreSQL's locks are few."""
    if session.get_bind().dialect.name == "postgresql":
        buckets = sorted({zlib.crc32(f"{tenant} {patient}".encode()) % BUCKETS for patient in patients})
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtext('vitals-arrivals'), b) FROM unnest(:buckets) AS b")
        session.execute(
            lock.bindparams(sa.bindparam("buckets", type_=postgresql.ARRAY(sa.Integer))), {"buckets": buckets}
        )


def add_arrival(
    session: Session, tenant: str, number: int, batch: Batch, patient: str, times: Sequence[datetime]
) -> None:
    """Say that new samples of a patient came, and from when to when they reach."""
    reach = {"earliest": min(times), "latest": max(times), "received_at": batch.received_at}
    session.execute(sa.insert(ArrivalRow), [{"tenant": tenant, "patient": patient, "batch": number, **reach}])


def last_arrival(session: Session, tenant: str, patient: str) -> int:
    """Number of a patient's last arrival, 0 where there is none."""
    mine = (ArrivalRow.tenant == tenant, ArrivalRow.patient == patient)
    return session.scalar(sa.select(sa.func.max(ArrivalRow.number)).where(*mine)) or 0


def next_arrival(session: Session, tenant: str, patient: str, after: int) -> Arrival | None:
    """A patient's first arrival behind a number."""
    a = ArrivalRow
    query = sa.select(a).where(a.tenant == tenant, a.patient == patient, a.number > after)
    row = session.scalar(query.order_by(a.number).limit(1))
    return row.to_domain() if row else None


def points_of(session: Session, tenant: str, arrival: Arrival, offset: int, limit: int) -> list[Point]:
    """A page of the samples that came with an arrival, oldest first."""
    parts = _parts(tenant, arrival.patient, arrival.earliest, arrival.latest, ())
    of_batch = sa.union_all(*(part.where(SampleRow.batch == arrival.batch) for part in parts)).subquery()
    c = of_batch.c
    page = sa.select(c.code, c.value, c["at"], c.device, c.device_time, c.zone_minutes)
    rows = session.execute(page.order_by(c["at"], c.code, c.device, c.value).offset(offset).limit(limit))
    return [Point(code, value, SIGN_OF[code].unit, *rest) for code, value, *rest in rows]


def clock_readings(session: Session, tenant: str, patient: str, device: str) -> list[Reading]:
    """What a device's clock showed at its last sendings, oldest first."""
    c = DeviceClockRow
    query = sa.select(c.sent_at, c.received_at).where(c.tenant == tenant, c.patient == patient, c.device == device)
    newest = session.execute(query.order_by(c.batch.desc()).limit(READINGS))
    return sorted((Reading(*row) for row in newest), key=lambda reading: reading.received)


def add_clock(session: Session, tenant: str, patient: str, device: str, batch: int, known: ClockEstimate) -> None:
    """Keep what a device's clock showed and what it was taken for."""
    latest = {"sent_at": known.latest.sent, "received_at": known.latest.received}
    row = DeviceClockRow(tenant=tenant, patient=patient, device=device, batch=batch, **latest)
    row.drift_ppm, row.confidence = known.drift_ppm, known.confidence
    session.add(row)


def clocks_of(session: Session, tenant: str, patient: str) -> dict[str, ClockEstimate]:
    """What is known of the clocks of a patient's devices."""
    c = DeviceClockRow
    devices = session.scalars(sa.select(c.device).where(c.tenant == tenant, c.patient == patient).distinct())
    return {device: estimate(clock_readings(session, tenant, patient, device)) for device in sorted(devices)}
