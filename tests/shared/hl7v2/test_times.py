"""Times in HL7's spelling, by the definition of TS (HL7 2.7 chapter 2A)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from shared.hl7v2.times import read_hl7_time, zone_of

NOW = datetime(2026, 7, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("202603140830+0000", "2026-03-14T08:30:00+00:00"),
        ("20260314083015+0100", "2026-03-14T07:30:15+00:00"),
        ("20260314083015.1234-0500", "2026-03-14T13:30:15.123400+00:00"),
        ("200801311600+0215", "2008-01-31T13:45:00+00:00"),
    ],
)
def test_a_time_with_an_offset_is_taken(text: str, meant: str) -> None:
    assert read_hl7_time("TXA-6", text, NOW, None, None) == datetime.fromisoformat(meant)


def test_the_offset_of_the_message_holds_before_the_sites_zone() -> None:
    assert read_hl7_time("TXA-6", "202603140830", NOW, "-0500", BERLIN) == datetime(2026, 3, 14, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(("text", "hour"), [("202603140830", 7), ("202606140830", 6), ("202510260230", 0)])
def test_the_sites_zone_keeps_its_summer_time(text: str, hour: int) -> None:
    found = read_hl7_time("TXA-6", text, NOW, None, BERLIN)
    assert isinstance(found, datetime)
    assert found.hour == hour


@pytest.mark.parametrize(
    "text",
    ["202603140830", "20260314", "2026", "2026031408+0000", "20260230083000+0000", "202603142530+0000", "yesterday",
     "2026-03-14T08:30:00Z", "198912312359+0000", "202607010101+0000", "٢٠٢٦٠٣١٤٠٨٣٠"],
)  # fmt: skip
def test_a_time_that_cannot_be_is_a_fault_of_its_field(text: str) -> None:
    found = read_hl7_time("TXA-6", text, NOW, None, None)
    assert not isinstance(found, datetime)
    assert (found.field, bool(found.fix)) == ("TXA-6", True)


@pytest.mark.parametrize("text", ["202602300830", "202603142530", "000003140830"])
def test_a_day_that_the_calendar_lacks_is_a_fault_in_any_zone(text: str) -> None:
    assert not isinstance(read_hl7_time("TXA-6", text, NOW, None, BERLIN), datetime)


def test_the_offset_of_a_time_is_its_end() -> None:
    assert [zone_of(text) for text in ("202603140830+0100", "202603140830", "")] == ["+0100", None, None]
