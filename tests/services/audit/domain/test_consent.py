"""The consent rule, case by case and as laws."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.consent import Consent, Policy, Provision, Recipient, Request, Verdict, content_of, decide
from shared.contracts.audit import Actor
from shared.contracts.base import Modality, Purpose

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OPT_IN, OPT_OUT = Policy(frozenset()), Policy(frozenset(Purpose))
DR_HILL = Actor(issuer="idp", subject="dr-hill", role="clinician", client_id="ward-7")
DR_LAKE = Actor(issuer="idp", subject="dr-lake", role="clinician")


def _consent(given: int, **more: Any) -> Consent:
    plain: dict[str, Any] = {
        "id": f"c{given}", "version": 1, "patient": "p", "subject_ref": "pat-p", "decision": "permit",
        "purposes": (Purpose.TREAT,), "modalities": (Modality.IMAGE,), "start": None, "end": None, "withdrawn": False,
        "given_index": given, "index": given, "given_at": NOW, "recorded_at": NOW,
    }  # fmt: skip
    return Consent(**{**plain, **more})


def _all(consents: Any, policy: Policy = OPT_IN, actor: Actor | None = None) -> dict[Modality, Verdict]:
    return decide(consents, Request(Purpose.TREAT, list(Modality), actor), NOW, policy)


def _image(*consents: Consent, policy: Policy = OPT_IN, actor: Actor | None = None) -> str:
    return _all(consents, policy, actor)[Modality.IMAGE].decision


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
    ("deny, then a permit expired", [_consent(1, decision="deny"), _consent(2, end=NOW - DAY)], "deny", "deny"),
    ("deny, then a deny expired", [_consent(1, decision="deny"), _consent(2, decision="deny", end=NOW - DAY)],
     "deny", "deny"),
    ("permit, then a deny expired", [_consent(1), _consent(2, decision="deny", end=NOW - DAY)], "deny", "permit"),
    ("withdrawn, then a permit expired", [_consent(1, withdrawn=True), _consent(2, end=NOW - DAY)], "deny", "deny"),
    ("several purposes", [_consent(1, purposes=(Purpose.HRESCH, Purpose.TREAT))], "permit", "permit"),
    ("other purpose", [_consent(1, purposes=(Purpose.HRESCH,))], "deny", "permit"),
    ("other modality", [_consent(1, modalities=(Modality.NOTE,))], "deny", "permit"),
    ("permit, then deny of another modality", [_consent(1), _consent(2, decision="deny", modalities=(Modality.NOTE,))],
     "permit", "permit"),
]  # fmt: skip


@pytest.mark.parametrize(("consents", "opt_in", "opt_out"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_rule_decides_each_case(consents: list[Consent], opt_in: str, opt_out: str) -> None:
    assert (_image(*consents), _image(*consents, policy=OPT_OUT)) == (opt_in, opt_out)


times = st.none() | st.integers(-9, 9).map(lambda days: NOW + days * DAY)
recipients = st.lists(
    st.builds(
        Recipient,
        role=st.sampled_from(["clinician", "researcher"]),
        subject=st.none() | st.sampled_from(["dr-hill", "dr-lake"]),
    ),
    max_size=2,
).map(tuple)
modalities = st.sets(st.sampled_from(Modality)).map(tuple)
decisions = st.sampled_from(["permit", "deny"])
provisions = st.builds(Provision, decisions, st.just(()), modalities, recipients, times, times)
any_consent = st.builds(
    _consent,
    st.integers(0, 50),
    decision=decisions,
    purposes=st.sets(st.sampled_from(Purpose), min_size=1).map(tuple),
    modalities=modalities.filter(bool),
    start=times,
    end=times,
    withdrawn=st.booleans(),
    recipients=recipients,
    exceptions=st.lists(provisions, max_size=2).map(tuple),
).map(
    lambda consent: replace(consent, exceptions=tuple(e for e in consent.exceptions if e.decision != consent.decision))
)
histories = st.lists(any_consent, max_size=8, unique_by=lambda consent: consent.given_index)
actors = st.sampled_from([None, DR_HILL, DR_LAKE])
policies = st.sampled_from([OPT_IN, OPT_OUT])


def _permitted(consents: Any, policy: Policy, actor: Actor | None) -> set[Modality]:
    return {kind for kind, verdict in _all(consents, policy, actor).items() if verdict.decision == "permit"}


@given(histories, st.randoms(), actors)
def test_order_in_which_consents_are_read_does_not_matter(consents: list[Consent], random: Any, actor: Any) -> None:
    shuffled = list(consents)
    random.shuffle(shuffled)
    assert _all(consents, actor=actor) == _all(shuffled, actor=actor)


@given(histories, actors)
def test_a_last_denial_always_denies(consents: list[Consent], actor: Any) -> None:
    last = _consent(99, decision="deny", modalities=tuple(Modality))
    assert _permitted([*consents, last], OPT_OUT, actor) == set()


@given(histories, any_consent, policies, actors)
def test_a_denial_added_never_permits_more(consents: list[Consent], added: Consent, policy: Any, actor: Any) -> None:
    consents = [replace(consent, given_index=2 * consent.given_index) for consent in consents]
    denial = replace(added, id="added", decision="deny", exceptions=(), given_index=2 * added.given_index + 1)
    assert _permitted([*consents, denial], policy, actor) <= _permitted(consents, policy, actor)


@given(histories.filter(bool), policies, actors, st.data())
def test_a_withdrawal_never_permits_more(consents: list[Consent], policy: Any, actor: Any, data: Any) -> None:
    position = data.draw(st.integers(0, len(consents) - 1))
    after = list(consents)
    after[position] = replace(after[position], withdrawn=True, version=2)
    assert _permitted(after, policy, actor) <= _permitted(consents, policy, actor)


@given(histories.filter(bool), provisions, policies, actors, st.data())
def test_an_exception_that_denies_never_permits_more(
    consents: list[Consent], added: Provision, policy: Any, actor: Any, data: Any
) -> None:
    position = data.draw(st.integers(0, len(consents) - 1))
    before = [replace(c, decision="permit", exceptions=()) if n == position else c for n, c in enumerate(consents)]
    after = list(before)
    after[position] = replace(after[position], exceptions=(replace(added, decision="deny"),))
    assert _permitted(after, policy, actor) <= _permitted(before, policy, actor)


@given(histories, any_consent, policies, actors)
def test_what_may_not_narrow_takes_nothing_away(
    consents: list[Consent], last: Consent, policy: Any, actor: Any
) -> None:
    added = replace(last, id="last", given_index=99)
    if not added.may_narrow(NOW):
        assert _permitted(consents, policy, actor) <= _permitted([*consents, added], policy, actor)


@given(histories, policies)
def test_whom_nobody_knows_is_permitted_no_more_than_anybody(consents: list[Consent], policy: Any) -> None:
    unknown = _permitted(consents, policy, None)
    assert all(unknown <= _permitted(consents, policy, actor) for actor in (DR_HILL, DR_LAKE))


@given(histories, actors)
def test_opt_in_never_permits_what_no_consent_permits(consents: list[Consent], actor: Any) -> None:
    refusing = [c for c in consents if c.withdrawn or (c.decision == "deny" and not c.exceptions)]
    assert _permitted(refusing, OPT_IN, actor) == set()


@given(histories, actors)
def test_every_permit_by_opt_in_names_a_consent_that_holds(consents: list[Consent], actor: Any) -> None:
    by_id = {consent.id: consent for consent in consents}
    for modality, verdict in _all(consents, actor=actor).items():
        if verdict.decision == "permit":
            consent = by_id[str(verdict.consent_id)]
            assert modality in consent.modalities
            assert not consent.withdrawn


def test_a_consent_for_somebody_permits_nobody_else() -> None:
    to_hill = _consent(1, recipients=(Recipient(subject="dr-hill"),))
    assert [_image(to_hill, actor=actor) for actor in (DR_HILL, DR_LAKE, None)] == ["permit", "deny", "deny"]


def test_a_denial_for_somebody_leaves_the_others_what_they_had() -> None:
    not_hill = _consent(2, decision="deny", recipients=(Recipient(subject="dr-hill"),))
    found = [_image(_consent(1), not_hill, actor=actor) for actor in (DR_HILL, DR_LAKE, None)]
    assert found == ["deny", "permit", "deny"]


def test_all_that_names_a_recipient_must_be_true() -> None:
    consent = _consent(1, recipients=(Recipient(role="clinician", client_id="ward-7"),))
    assert [_image(consent, actor=actor) for actor in (DR_HILL, DR_LAKE)] == ["permit", "deny"]


def test_an_exception_turns_the_decision_for_what_it_names() -> None:
    consent = _consent(1, modalities=tuple(Modality), exceptions=(Provision("deny", modalities=(Modality.NOTE,)),))
    assert {kind: v.decision for kind, v in _all([consent]).items()} == {
        Modality.IMAGE: "permit", Modality.NOTE: "deny", Modality.VITALS: "permit",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "decision"),
    [
        (NOW, None, "deny"),
        (NOW + timedelta(microseconds=1), None, "permit"),
        (None, NOW, "permit"),
        (None, NOW + timedelta(microseconds=1), "deny"),
    ],
)
def test_an_exception_holds_from_its_start_up_to_its_end(start: Any, end: Any, decision: str) -> None:
    assert _image(_consent(1, exceptions=(Provision("deny", start=start, end=end),))) == decision


def test_the_digest_of_a_decision_changes_with_what_it_was_decided_on() -> None:
    first, other = _consent(1), _consent(2, purposes=(Purpose.HRESCH,))
    withdrawn = replace(first, withdrawn=True, version=2)
    digests = [_all(found)[Modality.IMAGE].digest for found in ([], [first], [first, other], [withdrawn])]
    digests.append(_all([first], OPT_OUT)[Modality.IMAGE].digest)
    assert digests[1] == digests[2]
    assert len(set(digests)) == 4


def test_storing_is_opt_out_and_everything_else_opt_in_unless_the_site_says_otherwise() -> None:
    assert Policy.from_rules({}).opt_out == {Purpose.RECORDMGT}
    assert Policy.from_rules({"TREAT": "opt-out", "RECORDMGT": "opt-in"}).opt_out == {Purpose.TREAT}


def test_whatever_a_consent_says_is_in_what_the_log_commits_to() -> None:
    plain = _consent(1)
    changed = [
        replace(plain, exceptions=(Provision("deny"),)), replace(plain, recipients=(Recipient("clinician"),)),
        replace(plain, end=NOW), replace(plain, policy_uri="urn:p"), replace(plain, source_digest="sha256:0"),
        replace(plain, withdrawn=True), replace(plain, purposes=(Purpose.HRESCH,)),
    ]  # fmt: skip
    assert all(content_of(one) != content_of(plain) for one in changed)


def test_policies_have_different_digests() -> None:
    assert OPT_IN.digest != OPT_OUT.digest


@pytest.mark.parametrize("rules", [{"TREAT": "sometimes"}, {"FUN": "opt-out"}])
def test_unknown_policy_is_refused(rules: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"sometimes|FUN"):
        Policy.from_rules(rules)
