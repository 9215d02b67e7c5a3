"""Works out what can be derived of a patient at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.vitals import store
from services.vitals.derived.domain import Derived, Evidence, Stated
from services.vitals.derived.heart import resting_heart_rate, variability
from services.vitals.derived.news2 import news2
from services.vitals.errors import InvalidSearch
from services.vitals.plausibility import evidence_of
from services.vitals.sources import SourceRules
from services.vitals.usecases import Asker
from shared.intake import patient_problem
from shared.web import Runtime

LOOK_BACK = timedelta(hours=25)
"""A day, and the stillness before it."""


def derive(
    session: Session, runtime: Runtime, asker: Asker, rules: SourceRules, patient: str, as_of: datetime, stated: Stated
) -> list[Derived]:
    """All values that this service knows to derive. Raises: InvalidSearch."""
    if problem := patient_problem(patient):
        raise InvalidSearch(problem)
    points = store.points_between(session, runtime.common.tenant, patient, as_of - LOOK_BACK, as_of)
    evidence = Evidence(as_of, evidence_of(points, rules)[0])
    found = [news2(evidence, stated), resting_heart_rate(evidence), *variability(evidence)]
    event = runtime.events.event(
        asker.principal,
        "read",
        "vitals-derived",
        "R",
        patient=patient,
        kind="vitals",
        request_id=asker.request_id,
        details={"samples": len(points), "derived": [d.by.name for d in found if d.value is not None]},
    )
    runtime.record(session, event)
    return found
