"""The rule of retention, and that nothing is deleted by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from shared.auth import Role
from shared.clock import years_before
from tests.services.audit.support import event, open_audit, settings_of
from tests.support.common import TestBed

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def test_everything_is_kept_for_ever_unless_told_otherwise(bed: TestBed) -> None:
    with open_audit(bed, clock=lambda: BEGIN) as audit:
        audit.append(event())
        told = audit.get("/audit/retention").json()
    assert told == {"years": None, "pruning": "off", "oldest": "2026-01-01T00:00:00Z", "keepFrom": None, "past": 0}


def test_what_is_older_than_the_rule_is_counted_and_kept(bed: TestBed) -> None:
    now = BEGIN
    with open_audit(bed, clock=lambda: now, retention_years=6) as audit:
        for day in range(10):
            now = BEGIN + timedelta(days=day)
            audit.append(event(), event())
        now = datetime(2032, 1, 5, tzinfo=UTC)
        told = audit.get("/audit/retention", Role.ADMIN).json()
        assert (told["keepFrom"], told["past"]) == ("2026-01-05T00:00:00Z", 8)
        assert audit.get("/audit/entries/0").json()["index"] == 0


def test_asking_is_an_entry(bed: TestBed) -> None:
    with open_audit(bed) as audit:
        audit.append(event())
        audit.get("/audit/retention")
        assert len(audit.get("/audit/entries", subtype="audit-retention").json()["items"]) == 1


def test_less_than_six_years_is_no_rule(bed: TestBed) -> None:
    with pytest.raises(ValidationError, match="retention_years"):
        settings_of(bed, retention_years=5)


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.SERVICE])
def test_it_is_for_auditors_and_administrators(bed: TestBed, role: Role) -> None:
    with open_audit(bed) as audit:
        assert audit.get("/audit/retention", role).status_code == 403


def test_a_leap_day_has_a_day_six_years_before() -> None:
    assert years_before(datetime(2028, 2, 29, tzinfo=UTC), 6) == datetime(2022, 2, 28, tzinfo=UTC)
