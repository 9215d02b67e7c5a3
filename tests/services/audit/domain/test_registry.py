"""Stages as a fold of events."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.registry import BundleChange, BundleEvent, Registry, Stage, fold

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _history(*changes: tuple[str, str]) -> Registry:
    return fold(BundleEvent(n, bundle, BundleChange(change), AT, "x") for n, (bundle, change) in enumerate(changes))


def test_activation_retires_the_active_one() -> None:
    registry = _history(("a", "active"), ("b", "active"))
    assert registry.stages == {"a": Stage.RETIRED, "b": Stage.ACTIVE}
    assert (registry.active, registry.previous) == ("b", "a")


def test_rollback_returns_and_retires_what_it_leaves() -> None:
    registry = _history(("a", "active"), ("b", "active"), ("a", "rolled-back-to"))
    assert registry.stages == {"a": Stage.ACTIVE, "b": Stage.RETIRED}
    assert registry.previous is None


def test_two_rollbacks_go_back_two_bundles() -> None:
    registry = _history(
        ("a", "active"), ("b", "active"), ("c", "active"), ("b", "rolled-back-to"), ("a", "rolled-back-to")
    )
    assert (registry.active, registry.previous) == ("a", None)


def test_rollback_passes_over_a_bundle_retired_by_hand() -> None:
    registry = _history(("a", "active"), ("b", "active"), ("c", "active"), ("b", "retired"))
    assert registry.previous == "a"


def test_retiring_the_active_bundle_leaves_none_active() -> None:
    registry = _history(("a", "active"), ("b", "active"), ("b", "retired"))
    assert (registry.active, registry.previous) == (None, "a")


def test_shadow_does_not_touch_the_active_bundle() -> None:
    registry = _history(("a", "active"), ("b", "candidate"), ("b", "shadow"))
    assert registry.stages == {"a": Stage.ACTIVE, "b": Stage.SHADOW}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["candidate", "shadow", "active", "retired"]))))
def test_one_bundle_at_most_is_active(changes: list[tuple[str, str]]) -> None:
    registry = _history(*changes)
    active = [bundle for bundle, stage in registry.stages.items() if stage is Stage.ACTIVE]
    assert active == ([registry.active] if registry.active else [])
    assert registry.active not in registry.history
