"""The stages of model bundles as a fold of the logged events about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """Where a bundle stands. One bundle at most is active, one the canary, one the shadow."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    """Answers beside the active one, after it, and is shown to nobody."""
    CANARY = "canary"
    """Answers for a share of the patients in place of the active one."""
    ACTIVE = "active"
    RETIRED = "retired"


class BundleChange(StrEnum):
    """What a logged event did to a bundle: put it into a stage, or went back to it."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    CANARY = "canary"
    ACTIVE = "active"
    RETIRED = "retired"
    ROLLED_BACK_TO = "rolled-back-to"
    ACTIVATED_LOCALLY = "activated-locally"
    """Active by the word of whoever runs this suite, not by the approval of two people."""


@dataclass(frozen=True)
class Bundle:
    """A registered model bundle; `digest` is the content address of its files."""

    id: str
    name: str
    version: str
    digest: str
    card: dict[str, Any]
    registered_at: datetime


@dataclass(frozen=True)
class BundleEvent:
    """One logged change."""

    index: int
    bundle_id: str
    change: BundleChange
    at: datetime
    actor: str
    reason: str | None = None
    percent: int | None = None
    """Of the patients, where it became the canary."""


@dataclass
class Registry:
    """The state after some events: each bundle's stage, the active one, and those active before it, oldest first."""

    stages: dict[str, Stage] = field(default_factory=dict)
    active: str | None = None
    history: list[str] = field(default_factory=list)
    percent: int | None = None
    """The canary's share of the patients; None where there is no canary."""

    def in_stage(self, stage: Stage) -> str | None:
        """The bundle in a stage that holds one at most."""
        return next((bundle for bundle, found in self.stages.items() if found is stage), None)

    @property
    def previous(self) -> str | None:
        """The bundle that a rollback would make active."""
        return self.history[-1] if self.history else None


def fold(events: Iterable[BundleEvent]) -> Registry:
    """The registry after these events, which are in the order of their log index."""
    registry = Registry()
    for event in events:
        _apply(registry, event)
    return registry


def _apply(registry: Registry, event: BundleEvent) -> None:
    bundle = event.bundle_id
    if event.change is BundleChange.ROLLED_BACK_TO:
        # What it replaces does not enter the history: a later rollback must not land on it.
        registry.history = registry.history[: registry.history.index(bundle)]
        _activate(registry, bundle)
        # Whoever goes back wants nothing new to answer.
        canary = registry.in_stage(Stage.CANARY)
        if canary is not None:
            registry.stages[canary], registry.percent = Stage.RETIRED, None
        return
    is_local = event.change is BundleChange.ACTIVATED_LOCALLY
    stage = Stage.ACTIVE if is_local else Stage(event.change)
    if registry.stages.get(bundle) is Stage.CANARY:
        registry.percent = None
    if stage is Stage.ACTIVE:
        before = [] if registry.active in (None, bundle) else [registry.active]
        registry.history = [known for known in registry.history if known != bundle] + [b for b in before if b]
        _activate(registry, bundle)
        return
    if registry.active == bundle:
        registry.active = None
    registry.history = [known for known in registry.history if known != bundle]
    registry.stages[bundle] = stage
    if stage is Stage.CANARY:
        registry.percent = event.percent


def _activate(registry: Registry, bundle: str) -> None:
    if registry.active not in (None, bundle):
        registry.stages[str(registry.active)] = Stage.RETIRED
    registry.active = bundle
    registry.stages[bundle] = Stage.ACTIVE
