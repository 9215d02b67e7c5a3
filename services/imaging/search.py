"""QIDO-RS matching (PS3.18 section 10.6, PS3.4 C.2.2.2) as SQL: equality, UID lists, date ranges, wildcards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.imaging.errors import MalformedQuery
from services.imaging.store import InstanceRow
from shared.errors import FieldProblem

Condition = sa.ColumnElement[bool]
Column = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]


MATCHED: Mapping[str, Column] = {
    "PatientID": InstanceRow.patient,
    "PatientName": InstanceRow.patient_name,
    "StudyInstanceUID": InstanceRow.study_instance_uid,
    "SeriesInstanceUID": InstanceRow.series_instance_uid,
    "SOPInstanceUID": InstanceRow.sop_instance_uid,
    "SOPClassUID": InstanceRow.sop_class_uid,
    "StudyDate": InstanceRow.study_date,
    "AccessionNumber": InstanceRow.accession_number,
    "Modality": InstanceRow.modality,
    "ModalitiesInStudy": InstanceRow.modality,
    "StudyDescription": InstanceRow.study_description,
}
"""The attributes that can be searched for."""


def condition(keyword: str, value: str) -> Condition:
    """One search parameter as a condition.

    Raises: MalformedQuery: an attribute that cannot be searched for. Ignoring it would list other patients.
    """
    column = MATCHED.get(keyword)
    if column is None:
        raise MalformedQuery(
            "A search parameter is not supported.",
            fields=[
                FieldProblem("query", "names an attribute that cannot be searched for", f"use {', '.join(MATCHED)}")
            ],
        )
    if keyword == "StudyDate":
        return _dates(value)
    if keyword.endswith("UID"):
        return _any_of(column, value)
    if "*" in value or "?" in value:
        return _wildcard(column, value)
    if keyword in ("Modality", "ModalitiesInStudy"):
        # Lists are for UIDs (PS3.4 C.2.2.2.2); OHIF sends them of modalities too.
        return _any_of(column, value)
    if keyword in ("PatientName", "StudyDescription"):
        return sa.func.lower(column) == value.lower()
    return column == value


def _any_of(column: Column, value: str) -> Condition:
    return column.in_(value.replace("\\", ",").split(","))


def _dates(value: str) -> Condition:
    first, dash, last = value.partition("-")
    if not dash and first:
        last = first
    if not all(end == "" or (end.isdigit() and len(end) == 8) for end in (first, last)):
        fix = "use YYYYMMDD, YYYYMMDD-YYYYMMDD, or a range open at one end"
        raise MalformedQuery(
            "StudyDate is not a date or a range.", fields=[FieldProblem("StudyDate", "is no date", fix)]
        )
    known = InstanceRow.study_date != ""
    return sa.and_(known, InstanceRow.study_date >= first, InstanceRow.study_date <= (last or "99999999"))


def _wildcard(column: Column, value: str) -> Condition:
    escaped = value.lower().replace("/", "//").replace("%", "/%").replace("_", "/_")
    return sa.func.lower(column).like(escaped.replace("*", "%").replace("?", "_"), escape="/")


def find_groups(
    session: Session,
    tenant: str,
    level: Sequence[InstrumentedAttribute[str]],
    where: Sequence[Condition],
    limit: int,
    offset: int,
) -> tuple[list[list[InstanceRow]], int]:
    """The studies, series or instances that match, newest first, of each all its instances; and how many follow.

    Args:
        level: the columns that identify one of them.
    """
    newest = sa.func.max(InstanceRow.received_at)
    matching = sa.select(*level).where(InstanceRow.tenant == tenant, *where).group_by(*level)
    keys = session.execute(matching.order_by(newest.desc(), *level).limit(limit).offset(offset)).all()
    if not keys:
        return [], 0
    more = 0 if len(keys) < limit else _count(session, matching) - offset - len(keys)
    groups: dict[tuple[str, ...], list[InstanceRow]] = {tuple(key): [] for key in keys}
    query = sa.select(InstanceRow).where(
        InstanceRow.tenant == tenant, sa.tuple_(*level).in_([tuple(key) for key in keys])
    )
    for row in session.scalars(query.order_by(InstanceRow.received_at, InstanceRow.id)):
        groups[tuple(getattr(row, column.key) for column in level)].append(row)
    return list(groups.values()), more


def _count(session: Session, matching: sa.SelectBase) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(matching.subquery())) or 0
