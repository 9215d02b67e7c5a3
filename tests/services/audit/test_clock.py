"""33: the order of the log is its index, whatever the clocks say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.audit.verify.log import verify_log
from services.audit.verify.notes import parse_key
from services.audit.verify.sources import open_source
from tests.services.audit.support import event, open_audit
from tests.support.common import TestBed

NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)
SERVER = {
    "backwards": lambda n: NOON - timedelta(seconds=n),
    "ten years on": lambda n: NOON + timedelta(days=3653 * (n == 2)),
    "standing still": lambda n: NOON,
    "around a leap second": lambda n: datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC) + timedelta(seconds=n),
}
PRODUCER = {
    "backwards": ["2026-06-30T12:00:00Z", "2026-06-30T11:00:00Z", "1999-12-31T23:59:59.999999Z"],
    "summer time ends": ["2026-10-25T02:59:59+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:59:59+01:00"],
    "far ahead": ["2036-06-30T12:00:00Z", "9999-12-31T23:59:59Z", "2026-06-30T12:00:00Z"],
}


@pytest.mark.parametrize("clock", SERVER.values(), ids=SERVER)
@pytest.mark.parametrize("occurred", PRODUCER.values(), ids=PRODUCER)
def test_order_is_the_index_and_both_times_are_kept(
    bed: TestBed, clock: Callable[[int], datetime], occurred: list[str]
) -> None:
    calls = iter(range(10_000))
    with open_audit(bed, clock=lambda: clock(next(calls))) as audit:
        placed = [audit.append(event(occurredAt=moment))[0]["index"] for moment in occurred]
        leaves = [audit.get(f"/audit/entries/{index}").json()["leaf"] for index in placed]
    assert placed == [0, 1, 2]
    assert [_instant(leaf["event"]["occurredAt"]) for leaf in leaves] == [_instant(moment) for moment in occurred]
    assert all(leaf["receivedAt"].endswith("Z") for leaf in leaves)
    with open_source(str(bed.directory / "audit.db")) as source:
        assert verify_log(source, [parse_key(audit.vkey)]).faults == []


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
