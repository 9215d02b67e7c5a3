"""Partitions of the table of samples on PostgreSQL: one for each month in which a device says it measured.

They are made when samples of a new month come. Times before 1990 and after 2099, which only clocks that were never set
show, share one each.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa

FIRST_YEAR, LAST_YEAR = 1990, 2099


def ensure_months(connection: sa.Connection, days: Iterable[date]) -> None:
    """Make those partitions that these days need and that are not there, in the caller's transaction.

    A partition that is attached blocks neither readers nor writers of the others; who needs the same new month waits
    for this transaction.
    """
    months = sorted({(day.year, day.month) for day in days if FIRST_YEAR <= day.year <= LAST_YEAR})
    names = {f"sample_{year}_{month:02}": (year, month) for year, month in months}
    known = sa.text("SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NULL")
    if not (missing := connection.scalars(known, {"names": list(names)}).all()):
        return
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('vitals-partitions'))"))
    for name in connection.scalars(known, {"names": missing}).all():
        year, month = names[name]
        until = date(year + month // 12, month % 12 + 1, 1)
        bounds = f"FROM ('{year}-{month:02}-01Z') TO ('{until}Z')"
        connection.execute(sa.text(f"CREATE TABLE {name} (LIKE sample INCLUDING DEFAULTS)"))
        connection.execute(sa.text(f"ALTER TABLE sample ATTACH PARTITION {name} FOR VALUES {bounds}"))
