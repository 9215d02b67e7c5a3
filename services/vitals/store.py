"""Rows of the vitals service and every query on them. Functions take and give domain types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from services.vitals.domain import Batch, Point, Sample, Window
from services.vitals.signs import SIGN_OF
from shared.database import UtcDateTime, new_metadata
from shared.outbox import OutboxMixin

CHUNK = 5000
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Base(DeclarativeBase):
    """All tables of the vitals service."""

    metadata = new_metadata()


class OutboxRow(OutboxMixin, Base):
    """Audit events on their way."""


class BatchRow(Base):
    """One request that brought samples: where they come from, and when."""

    __tablename__ = "batch"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(sa.String(36), unique=True)
    digest: Mapped[str] = mapped_column(sa.String(80))
    source: Mapped[str] = mapped_column(sa.String(255))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SampleRow(Base):
    """One measurement, written once and never changed.

    The key is the measurement itself, so that a duplicate cannot be stored; patient and time stand first in it, so that
    a window is one range of the index. On SQLite the table is that index.
    """

    __tablename__ = "sample"
    __table_args__ = ({"sqlite_with_rowid": False},)

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    patient: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    effective: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    device: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    value: Mapped[float] = mapped_column(sa.Double, primary_key=True)
    sent_code: Mapped[str] = mapped_column(sa.String(16))
    sent_value: Mapped[float] = mapped_column(sa.Double)
    sent_unit: Mapped[str] = mapped_column(sa.String(64))
    batch: Mapped[int] = mapped_column(sa.ForeignKey("batch.number"))


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
        return Window(self.id, self.digest, self.blob, self.patient, self.start, self.end, self.received_at, quality)


def add_batch(session: Session, batch: Batch, source: str, received_at: datetime) -> int:
    """Store where samples come from; gives the number that their rows carry."""
    row = BatchRow(id=batch.id, digest=batch.digest, source=source, received_at=received_at)
    session.add(row)
    session.flush()
    return row.number


def add_samples(session: Session, tenant: str, batch: int, samples: Sequence[Sample]) -> int:
    """Store those samples that are not stored yet; gives how many they were."""
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    add, added, rest = _add_as_arrays if on_postgresql else _add_as_rows, 0, iter(samples)
    connection = session.connection()
    while chunk := list(islice(rest, CHUNK)):
        added += add(connection, tenant, batch, chunk)
    return added


def _add_as_rows(connection: sa.Connection, tenant: str, batch: int, samples: Sequence[Sample]) -> int:
    # The table, not the mapped class: the ORM's bulk insert counts no rows.
    unless_known = sqlite.insert(_SAMPLES).on_conflict_do_nothing()
    rows = [{**{name: getattr(s, name) for name in _SENT}, "tenant": tenant, "batch": batch} for s in samples]
    return connection.execute(unless_known, rows, execution_options=_COUNTED).rowcount


def _add_as_arrays(connection: sa.Connection, tenant: str, batch: int, samples: Sequence[Sample]) -> int:
    # One statement for all: the driver's executemany sends them one by one, several times slower.
    columns = {name: [getattr(sample, name) for sample in samples] for name in _SENT}
    values = {**columns, "tenant": tenant, "batch": batch}
    return connection.execute(_INSERT_ARRAYS, values, execution_options=_COUNTED).rowcount


_COUNTED = {"preserve_rowcount": True}
_SAMPLES = Base.metadata.tables["sample"]
_SENT = ("patient", "effective", "code", "device", "value", "sent_code", "sent_value", "sent_unit")


def _insert_arrays() -> sa.Insert:
    kinds = _SAMPLES.c
    arrays = sa.func.unnest(*(sa.bindparam(name, type_=postgresql.ARRAY(kinds[name].type)) for name in _SENT))
    rows = arrays.table_valued(*_SENT).render_derived()
    tenant, batch = (sa.bindparam(name, type_=kinds[name].type) for name in ("tenant", "batch"))
    insert = postgresql.insert(_SAMPLES)
    chosen = sa.select(*(rows.c[name] for name in _SENT), tenant, batch)
    return insert.from_select([*_SENT, "tenant", "batch"], chosen).on_conflict_do_nothing()


_INSERT_ARRAYS = _insert_arrays()


def newest_time(session: Session, tenant: str, patient: str, until: datetime | None = None) -> datetime | None:
    """When the newest measurement of a patient was made, at or before `until`."""
    query = sa.select(sa.func.max(SampleRow.effective)).where(SampleRow.tenant == tenant, SampleRow.patient == patient)
    if until is not None:
        query = query.where(SampleRow.effective <= until)
    return session.scalar(query)


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
    s = SampleRow
    query = sa.select(s.code, s.value, s.effective, s.device).where(*_range(tenant, patient, start, end, codes))
    backwards = query.order_by(s.effective.desc(), s.code.desc(), s.device.desc(), s.value.desc()).limit(newest)
    points = [
        Point(code, value, SIGN_OF[code].unit, at, device) for code, value, at, device in session.execute(backwards)
    ]
    return points[::-1]


def count_between(
    session: Session, tenant: str, patient: str, start: datetime, end: datetime, *, codes: Sequence[str] = ()
) -> int:
    """How many measurements there are from `start` to `end`."""
    query = sa.select(sa.func.count()).select_from(SampleRow).where(*_range(tenant, patient, start, end, codes))
    return session.scalar(query) or 0


def _range(
    tenant: str, patient: str, start: datetime, end: datetime, codes: Sequence[str]
) -> list[sa.ColumnElement[bool]]:
    s = SampleRow
    within = [s.tenant == tenant, s.patient == patient, s.effective >= start, s.effective <= end]
    return [*within, s.code.in_(codes)] if codes else within


def last_received(session: Session, tenant: str, patient: str, start: datetime, end: datetime) -> datetime:
    """When the last of the measurements from `start` to `end` came in. There must be one."""
    newest = sa.select(sa.func.max(SampleRow.batch)).where(*_range(tenant, patient, start, end, ()))
    return session.scalars(sa.select(BatchRow.received_at).where(BatchRow.number == newest.scalar_subquery())).one()


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
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = dialect.insert(WindowRow).values(
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
