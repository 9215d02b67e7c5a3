"""SMART v2 scopes: what they grant, and that nothing else grants anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.scopes import MOST, ORDER, Scope, parse_scope, parse_scopes

LEVELS = st.sampled_from(["patient", "user", "system"])
RESOURCES = st.one_of(st.just("*"), st.from_regex(r"[A-Z][A-Za-z]{1,30}", fullmatch=True))
LETTERS = st.sets(st.sampled_from(ORDER), min_size=1).map(lambda some: "".join(sorted(some, key=ORDER.index)))
SCOPES = st.builds(Scope, LEVELS, RESOURCES, LETTERS)


@given(SCOPES)
def test_what_is_written_is_read_again(scope: Scope) -> None:
    assert parse_scope(str(scope)) == scope


@given(st.text(max_size=40))
def test_whatever_is_read_was_of_the_form(text: str) -> None:
    scope = parse_scope(text)
    assert scope is None or str(scope) == text


@given(SCOPES, st.sampled_from(ORDER), RESOURCES)
def test_a_grant_is_its_letters_for_its_resource(scope: Scope, letter: str, resource: str) -> None:
    assert scope.grants(resource, letter) == (letter in scope.allows and scope.resource in ("*", resource))


@given(st.lists(SCOPES, min_size=1, max_size=8), SCOPES, RESOURCES, st.sampled_from(ORDER))
def test_another_scope_never_takes_anything_away(some: list[Scope], more: Scope, resource: str, letter: str) -> None:
    rank = {None: 0, "patient": 1, "any": 2}
    before, after = (parse_scopes(" ".join(map(str, scopes))) for scopes in (some, [*some, more]))
    assert before is not None
    assert after is not None
    assert rank[before.level_for(resource, letter)] <= rank[after.level_for(resource, letter)]


# The examples of SMART App Launch 2.2, section 4.0.2, and forms that look like them.
@pytest.mark.parametrize(
    ("text", "allows"),
    [
        ("patient/Observation.rs", "rs"),
        ("patient/*.cruds", "cruds"),
        ("system/AuditEvent.rs", "rs"),
        ("user/DocumentReference.c", "c"),
    ],
)
def test_scopes_of_the_standard(text: str, allows: str) -> None:
    scope = parse_scope(text)
    assert scope is not None
    assert scope.allows == allows


@pytest.mark.parametrize(
    "text",
    [
        "patient/Observation.sr", "patient/Observation.rr", "patient/Observation.", "patient/Observation",
        "patient/Observation.read", "patient/*.*", "patient/observation.r", "admin/Observation.r",
        "patient/Observation.rs ", "patient/Observation.rs?category=laboratory", "Patient/Observation.rs",
        "patient/Observation.rs\n", "launch/patient",
    ],
)  # fmt: skip
def test_what_is_of_another_form_grants_nothing(text: str) -> None:
    assert parse_scope(text) is None


def test_a_token_without_smart_scopes_is_left_to_its_role() -> None:
    assert parse_scopes(None) is None
    assert parse_scopes("openid profile launch/patient") is None


def test_a_smart_scope_that_is_not_understood_grants_nothing_and_still_binds() -> None:
    scopes = parse_scopes("openid patient/*.read")
    assert scopes is not None
    assert scopes.level_for("Observation", "r") is None


@pytest.mark.parametrize("claim", [["system/*.r"], 5, {"a": 1}, " ".join(["system/*.r"] * (MOST + 1))])
def test_a_claim_of_another_form_is_refused(claim: object) -> None:
    with pytest.raises(ValueError, match="scope"):
        parse_scopes(claim)
