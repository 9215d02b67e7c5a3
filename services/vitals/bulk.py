"""The way of many samples into PostgreSQL: COPY, where there may be duplicates by a table of the transaction's own.

COPY knows no `ON CONFLICT`, and one duplicate would undo the whole body.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby, islice
from operator import itemgetter
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
    f"WITH new AS (INSERT INTO sample ({_COLUMNS}) SELECT {_COLUMNS} FROM sample_stage "  # noqa: S608  # our own names
    "ON CONFLICT DO NOTHING RETURNING patient) SELECT patient, count(*) FROM new GROUP BY patient"
)
_OVERLAP = sa.text(
    "SELECT EXISTS (SELECT FROM unnest(CAST(:patients AS text[]), CAST(:earliest AS timestamptz[]), "
    "CAST(:latest AS timestamptz[])) AS new (patient, earliest, latest) CROSS JOIN LATERAL (SELECT FROM sample AS s "
    "WHERE s.tenant = :tenant AND s.patient = new.patient AND s.effective BETWEEN new.earliest AND new.latest LIMIT 1) "
    "AS known)"
)
KEY = itemgetter(0, 4, 1, 5, 2)
"""Of a sample: patient, effective, code, device, value; those of the primary key that are not the same for a batch."""


def add(connection: sa.Connection, tenant: str, batch: int, samples: Sequence[Sample]) -> Mapping[str, int]:
    """Store those samples, in the order of `KEY`, that are not stored yet; gives how many of each patient that were.

    The caller holds the locks of their patients (`store.lock_patients`), so nobody adds samples of them meanwhile.
    Where none is stored between a patient's first and last time, none can be a duplicate, and they go straight in.
    """
    if not samples:
        return {}
    distinct = [next(same) for _, same in groupby(samples, KEY)]
    ensure_months(connection, {date(year, month, 1) for year, month in {_month(sample) for sample in distinct}})
    if _may_be_known(connection, tenant, distinct):
        connection.execute(_STAGE)
        _copy(connection, "sample_stage", tenant, batch, distinct)
        return {row[0]: row[1] for row in connection.execute(_MOVE)}
    _copy(connection, "sample", tenant, batch, distinct)
    return Counter(sample.patient for sample in distinct)


def _month(sample: Sample) -> tuple[int, int]:
    return sample.effective.year, sample.effective.month


def _may_be_known(connection: sa.Connection, tenant: str, samples: Sequence[Sample]) -> bool:
    reach = dict[str, tuple[datetime, datetime]]()
    for sample in samples:  # each patient's oldest first
        reach[sample.patient] = reach.get(sample.patient, (sample.effective,))[0], sample.effective
    earliest, latest = zip(*reach.values(), strict=True)
    ranges = {"patients": list(reach), "earliest": list(earliest), "latest": list(latest)}
    return bool(connection.scalar(_OVERLAP, {"tenant": tenant, **ranges}))


def _copy(connection: sa.Connection, table: str, tenant: str, batch: int, samples: Sequence[Sample]) -> None:
    driver: Any = connection.connection.dbapi_connection  # psycopg's own, which has COPY
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as copy:
        lines = _lines(samples, f"{_text(tenant)}\t{batch}\n")
        while chunk := "".join(islice(lines, LINES)):
            copy.write(chunk)


def _lines(samples: Iterable[Sample], end: str) -> Iterator[str]:
    for s in samples:
        zone = r"\N" if s.zone_minutes is None else s.zone_minutes
        corrected = r"\N" if s.corrected is None else s.corrected.isoformat()
        yield (
            f"{_text(s.patient)}\t{s.effective.isoformat()}\t{s.code}\t{_text(s.device)}\t{s.value!r}\t"
            f"{_text(s.sent_code)}\t{s.sent_value!r}\t{_text(s.sent_unit)}\t{zone}\t{corrected}\t{end}"
        )


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    """As COPY's text format has it (PostgreSQL, COPY, File Formats)."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
