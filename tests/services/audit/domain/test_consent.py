"""The consent rule, case by case and as laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.consent import Consent, Policy, decide
from shared.contracts.base import Modality, Purpose

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OPT_IN, OPT_OUT = Policy(), Policy(frozenset({Purpose.TREAT}))


def _consent(given: int, **more: Any) -> Consent:
    plain: dict[str, Any] = {
        "id": f"c{given}", "version": 1, "patient": "p", "subject_ref": "pat-p", "decision": "permit",
        "purpose": Purpose.TREAT, "modalities": (Modality.IMAGE,), "start": None, "end": None, "withdrawn": False,
        "given_index": given, "index": given, "given_at": NOW, "recorded_at": NOW,
    }  # fmt: skip
    return Consent(**{**plain, **more})


def _image(*consents: Consent, policy: Policy = OPT_IN) -> str:
    return decide(consents, Purpose.TREAT, [Modality.IMAGE], NOW, policy)[Modality.IMAGE].decision


CASES = [
    ("no consent", [], "deny", "permit"),
    ("permit", [_consent(1)], "permit", "permit"),
    ("deny", [_consent(1, decision="deny")], "deny", "deny"),
    ("permit, then deny", [_consent(1), _consent(2, decision="deny")], "deny", "deny"),
    ("deny, then permit", [_consent(1, decision="deny"), _consent(2)], "permit", "permit"),
    ("withdrawn", [_consent(1, withdrawn=True)], "deny", "deny"),
    ("permit, then one withdrawn", [_consent(1), _consent(2, withdrawn=True)], "deny", "deny"),
    ("older one withdrawn later", [_consent(1, withdrawn=True, index=3, version=2), _consent(2)], "permit", "permit"),
    ("withdrawn and expired", [_consent(1, withdrawn=True, end=NOW - DAY)], "deny", "deny"),
    ("expired", [_consent(1, end=NOW - DAY)], "deny", "permit"),
    ("expires this moment", [_consent(1, end=NOW)], "deny", "permit"),
    ("expires in a moment", [_consent(1, end=NOW + timedelta(microseconds=1))], "permit", "permit"),
    ("begins this moment", [_consent(1, start=NOW)], "permit", "permit"),
    ("not begun", [_consent(1, start=NOW + DAY)], "deny", "permit"),
    ("permit, then a denial not begun", [_consent(1), _consent(2, decision="deny", start=NOW + DAY)],
     "permit", "permit"),
    ("permit, then a permit expired", [_consent(1), _consent(2, end=NOW - DAY)], "deny", "permit"),
    ("other purpose", [_consent(1, purpose=Purpose.HRESCH)], "deny", "permit"),
    ("other modality", [_consent(1, modalities=(Modality.NOTE,))], "deny", "permit"),
    ("permit, then deny of another modality", [_consent(1), _consent(2, decision="deny", modalities=(Modality.NOTE,))],
     "permit", "permit"),
]  # fmt: skip


@pytest.mark.parametrize(("consents", "opt_in", "opt_out"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_rule_decides_each_case(consents: list[Consent], opt_in: str, opt_out: str) -> None:
    assert (_image(*consents), _image(*consents, policy=OPT_OUT)) == (opt_in, opt_out)


any_consent = st.builds(
    _consent,
    st.integers(0, 50),
    decision=st.sampled_from(["permit", "deny"]),
    purpose=st.sampled_from(Purpose),
    modalities=st.sets(st.sampled_from(Modality), min_size=1).map(tuple),
    start=st.none() | st.integers(-9, 9).map(lambda days: NOW + days * DAY),
    end=st.none() | st.integers(-9, 9).map(lambda days: NOW + days * DAY),
    withdrawn=st.booleans(),
)
histories = st.lists(any_consent, max_size=8, unique_by=lambda consent: consent.given_index)


@given(histories, st.randoms())
def test_order_in_which_consents_are_read_does_not_matter(consents: list[Consent], random: Any) -> None:
    shuffled = list(consents)
    random.shuffle(shuffled)
    every = list(Modality)
    assert decide(consents, Purpose.TREAT, every, NOW, OPT_IN) == decide(shuffled, Purpose.TREAT, every, NOW, OPT_IN)


@given(histories)
def test_a_last_denial_always_denies(consents: list[Consent]) -> None:
    last = _consent(99, decision="deny", modalities=tuple(Modality))
    verdicts = decide([*consents, last], Purpose.TREAT, list(Modality), NOW, OPT_OUT)
    assert {verdict.decision for verdict in verdicts.values()} == {"deny"}


@given(histories)
def test_opt_in_never_permits_what_no_consent_permits(consents: list[Consent]) -> None:
    refusing = [consent for consent in consents if consent.decision == "deny" or consent.withdrawn]
    verdicts = decide(refusing, Purpose.TREAT, list(Modality), NOW, OPT_IN)
    assert {verdict.decision for verdict in verdicts.values()} == {"deny"}


@given(histories)
def test_every_permit_by_opt_in_names_a_consent_that_holds(consents: list[Consent]) -> None:
    by_id = {consent.id: consent for consent in consents}
    for modality, verdict in decide(consents, Purpose.TREAT, list(Modality), NOW, OPT_IN).items():
        if verdict.decision == "permit":
            consent = by_id[str(verdict.consent_id)]
            assert modality in consent.modalities
            assert not consent.withdrawn


def test_policies_have_different_digests() -> None:
    assert OPT_IN.digest != OPT_OUT.digest


@pytest.mark.parametrize("rules", [{"TREAT": "sometimes"}, {"FUN": "opt-out"}])
def test_unknown_policy_is_refused(rules: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"sometimes|FUN"):
        Policy.from_rules(rules)
