"""What an access opens, and what it does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.audit.domain.break_glass import Access, decide_emergency
from services.audit.domain.consent import Consent, Request
from shared.contracts.audit import Actor
from shared.contracts.base import Modality, Purpose
from tests.services.audit.domain.test_consent import DAY, DR_HILL, DR_LAKE, NOW, OPT_IN, _consent

HOUR = timedelta(hours=1)
DENIAL = _consent(1, decision="deny")


def _access(**more: Any) -> Access:
    plain: dict[str, Any] = {
        "id": "a1", "patient": "p", "subject_ref": "pat-p", "purpose": Purpose.BTG, "modalities": (Modality.IMAGE,),
        "reason": "unconscious, no relatives", "issuer": "idp", "subject": "dr-hill", "opened_at": NOW,
        "expires_at": NOW + HOUR, "review_due_at": NOW + DAY, "index": 7,
    }  # fmt: skip
    return Access(**{**plain, **more})


def _image(
    *accesses: Access,
    consents: tuple[Consent, ...] = (DENIAL,),
    actor: Actor | None = DR_HILL,
    later: timedelta = HOUR / 2,
    purpose: Purpose = Purpose.BTG,
) -> str:
    request = Request(purpose, [Modality.IMAGE], actor)
    return decide_emergency(consents, accesses, request, NOW + later, OPT_IN)[Modality.IMAGE].decision


def test_an_access_opens_what_was_denied_to_treatment() -> None:
    assert (_image(), _image(_access())) == ("deny", "permit")


@pytest.mark.parametrize("actor", [DR_LAKE, None, DR_HILL.model_copy(update={"issuer": "other"})])
def test_an_access_is_for_who_opened_it_alone(actor: Actor | None) -> None:
    assert _image(_access(), actor=actor) == "deny"


@pytest.mark.parametrize(
    ("later", "decision"), [(timedelta(0), "permit"), (HOUR - timedelta(microseconds=1), "permit"), (HOUR, "deny")]
)
def test_an_access_ends_by_itself(later: timedelta, decision: str) -> None:
    assert _image(_access(), later=later) == decision


def test_an_access_is_for_its_purpose_and_modality() -> None:
    assert _image(_access(), purpose=Purpose.ETREAT) == "deny"
    assert _image(_access(modalities=(Modality.NOTE,))) == "deny"


def test_an_emergency_may_use_what_treatment_may() -> None:
    assert _image(consents=(_consent(1),)) == "permit"


def test_an_express_denial_of_the_emergency_stands() -> None:
    assert _image(_access(), consents=(_consent(1, decision="deny", purposes=(Purpose.BTG,)),)) == "deny"


def test_a_permission_that_rests_on_an_access_names_it() -> None:
    request = Request(Purpose.BTG, [Modality.IMAGE], DR_HILL)
    opened = decide_emergency((DENIAL,), [_access()], request, NOW, OPT_IN)[Modality.IMAGE]
    denied = decide_emergency((DENIAL,), [], request, NOW, OPT_IN)[Modality.IMAGE]
    assert (opened.consent_id, denied.consent_id) == ("a1", DENIAL.id)
    assert opened.digest != denied.digest
