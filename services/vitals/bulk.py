"""The way of many samples into PostgreSQL: COPY, where there may be duplicates by a table of the transaction's own.

COPY knows no `ON CONFLICT`, and one duplicate would undo the whole body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import chain, groupby, islice
from operator import eq, itemgetter
from typing import Any

import sqlalchemy as sa

from services.vitals.domain import Sample
from services.vitals.partitions import ensure_months

LINES = 2000
"""Rows that are handed to the driver at once."""
_COLUMNS = (
    "patient, effective, code, device, value, sent_code, sent_value, sent_unit, zone_minutes, corrected, tenant, batch"
)
_STAGE = sa.text(
    "CREATE TEMPORARY TABLE IF NOT EXISTS sample_stage (LIKE sample INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"
)
_MOVE = sa.text(
    "WITH reach AS MATERIALIZED (SELECT tenant, patient, min(effective) AS earliest, max(effective) AS latest "  # noqa: S608  # our own names
    "FROM sample_stage GROUP BY tenant, patient, date_bin('1 hour', effective, '2000-01-01Z')), "
    f"new AS (INSERT INTO sample ({_COLUMNS}) SELECT {_COLUMNS} FROM sample_stage AS n WHERE NOT EXISTS ("
    "SELECT FROM reach AS r JOIN sample AS s ON s.tenant = r.tenant AND s.patient = r.patient "
    "AND s.effective BETWEEN r.earliest AND r.latest "
    "WHERE (s.patient, s.effective, s.code, s.device, s.value) = (n.patient, n.effective, n.code, n.device, n.value)) "
    "RETURNING patient) SELECT patient, count(*) FROM new GROUP BY patient"
)
"""What is stored in the hours of the staged samples is read once and set against them; `ON CONFLICT` would look each
one up by itself."""
_OVERLAP = sa.text(
    "SELECT EXISTS (SELECT FROM unnest(CAST(:patients AS text[]), CAST(:earliest AS timestamptz[]), "
    "CAST(:latest AS timestamptz[])) AS new (patient, earliest, latest) CROSS JOIN LATERAL (SELECT FROM sample AS s "
    "WHERE s.tenant = :tenant AND s.patient = new.patient AND s.effective BETWEEN new.earliest AND new.latest LIMIT 1) "
    "AS known)"
)
KEY = itemgetter(0, 4, 1, 5, 2)
"""Of a sample: patient, effective, code, device, value; those of the primary key that are not the same for a batch."""
_PATIENT = itemgetter(0)


def add(connection: sa.Connection, tenant: str, batch: int, samples: Sequence[Sample]) -> Mapping[str, int]:
    """Store those samples, in the order of `KEY`, that are not stored yet; gives how many of each patient that were.

    The caller holds the locks of their patients (`store.lock_patients`), so nobody adds samples of them meanwhile.
    Where none is stored between a patient's first and last time, none can be a duplicate, and they go straight in.
    """
    if not samples:
        return {}
    of_patients = {patient: _distinct(list(group)) for patient, group in groupby(samples, _PATIENT)}
    ensure_months(connection, _months(of_patients.values()))
    if _may_be_known(connection, tenant, of_patients):
        connection.execute(_STAGE)
        _copy(connection, "sample_stage", tenant, batch, of_patients.values())
        return {row[0]: row[1] for row in connection.execute(_MOVE)}
    _copy(connection, "sample", tenant, batch, of_patients.values())
    return {patient: len(group) for patient, group in of_patients.items()}


def _distinct(samples: list[Sample]) -> list[Sample]:
    keys = list(map(KEY, samples))
    if any(map(eq, keys, islice(keys, 1, None))):
        return [next(same) for _, same in groupby(samples, KEY)]
    return samples


def _months(groups: Iterable[Sequence[Sample]]) -> set[date]:
    """The first days of the months that samples, oldest first, lie in."""
    months = set[tuple[int, int]]()
    for group in groups:
        ends = {_month(group[0]), _month(group[-1])}
        months |= ends if len(ends) == 1 else set(map(_month, group))
    return {date(year, month, 1) for year, month in months}


def _month(sample: Sample) -> tuple[int, int]:
    return sample.effective.year, sample.effective.month


def _may_be_known(connection: sa.Connection, tenant: str, of_patients: Mapping[str, Sequence[Sample]]) -> bool:
    ranges = {
        "patients": list(of_patients),
        "earliest": [group[0].effective for group in of_patients.values()],
        "latest": [group[-1].effective for group in of_patients.values()],
    }
    return bool(connection.scalar(_OVERLAP, {"tenant": tenant, **ranges}))


def _copy(connection: sa.Connection, table: str, tenant: str, batch: int, groups: Iterable[Sequence[Sample]]) -> None:
    driver: Any = connection.connection.dbapi_connection  # psycopg's own, which has COPY
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as copy:
        lines = _lines(chain.from_iterable(groups), f"{_text(tenant)}\t{batch}\n")
        while chunk := "".join(islice(lines, LINES)):
            copy.write(chunk)


def _lines(samples: Iterable[Sample], end: str) -> Iterator[str]:
    """Samples as lines of COPY. Spelling a time takes longest; neighbours often share theirs."""
    said: datetime | None = None
    at = ""
    for patient, code, value, _, effective, device, sent_code, sent_value, sent_unit, minutes, _, true in samples:
        if effective is not said:
            said, at = effective, effective.isoformat()
        number = repr(value)
        sent = number if sent_value == value else repr(sent_value)
        zone = r"\N" if minutes is None else minutes
        corrected = r"\N" if true is None else true.isoformat()
        yield (
            f"{_text(patient)}\t{at}\t{code}\t{_text(device)}\t{number}\t"
            f"{sent_code}\t{sent}\t{_text(sent_unit)}\t{zone}\t{corrected}\t{end}"
        )


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    """As COPY's text format has it (PostgreSQL, COPY, File Formats)."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
