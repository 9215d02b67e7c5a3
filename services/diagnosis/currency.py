"""Whether the evidence of a frozen case is still what would be used at its time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.diagnosis.snapshot import Known, Manifest, can_be_scored, select
from shared.contracts.base import Modality
from shared.contracts.evidence import EvidenceRef


class Happening(StrEnum):
    """What became of a piece of evidence after a case was frozen."""

    ARRIVED_LATE = "arrived-late"
    """It was true of the patient at the case's time and would be used, but came after the case was frozen."""
    REPLACED = "replaced"
    """Its author sent a new version."""
    CANCELLED = "cancelled"
    """Its author took it back."""
    GONE = "gone"
    """It is no longer kept."""


@dataclass(frozen=True)
class Change:
    """One piece of evidence that a case would have otherwise now."""

    modality: Modality
    happening: Happening
    evidence: str
    """Its id. The window of vital signs bears the id that the case knows it by, where the case has one."""


@dataclass(frozen=True)
class Outdated:
    """That a diagnosis no longer rests on what is known of its time."""

    job_id: str
    found_at: datetime
    changes: tuple[Change, ...]
    superseded_by: str | None = None
    """A newer diagnosis of the patient, as of the same time or a later one, of other evidence."""


STATUSES = {"superseded": Happening.REPLACED, "cancelled": Happening.CANCELLED}
"""What `quality.status` of a note that stood at the case's time says of it now."""


def changes(manifest: Manifest, known: Known) -> tuple[Change, ...]:
    """How the evidence that would be used now, as of the case's time, differs from what the case froze.

    Only modalities that consent let the case use are compared: of the others it says nothing either way.
    """
    found: list[Change] = []
    for kind in manifest.requested:
        if manifest.consent[kind].decision == "permit" and kind not in manifest.withheld:
            compare = _of_window if kind is Modality.VITALS else _of_documents
            found += compare(kind, manifest, known[kind])
    return tuple(found)


def _of_window(kind: Modality, manifest: Manifest, known: tuple[EvidenceRef, ...]) -> list[Change]:
    before, now = manifest.of(kind), select(kind, known, manifest.as_of)
    if not before:
        return [Change(kind, Happening.ARRIVED_LATE, ref.id) for ref in now]
    if not now:
        return [Change(kind, Happening.GONE, item.id) for item in before]
    return [Change(kind, Happening.ARRIVED_LATE, before[0].id)] if before[0].digest != now[0].digest else []


def _of_documents(kind: Modality, manifest: Manifest, known: tuple[EvidenceRef, ...]) -> list[Change]:
    refs = {ref.id: ref for ref in known}
    # What was frozen only to be named as set aside changes nothing when it goes, nor when more of it comes.
    foreign = {ref.id for ref in known if not can_be_scored(ref)}
    used = {item.id for item in manifest.of(kind)} - foreign
    fates = {key: _fate(refs.get(key)) for key in sorted(used)}
    fallen = [Change(kind, fate, key) for key, fate in fates.items() if fate is not None]
    late = [ref for ref in select(kind, known, manifest.as_of) if ref.id not in used | foreign]
    return fallen + [Change(kind, Happening.ARRIVED_LATE, ref.id) for ref in late]


def _fate(ref: EvidenceRef | None) -> Happening | None:
    if ref is None:
        return Happening.GONE
    return STATUSES.get(str(ref.quality.get("status")))


def as_json(change: Change) -> dict[str, str]:
    """A change as its row and its event hold it."""
    return {
        "modality": change.modality.value,
        "happening": change.happening.value,
        "evidence": change.evidence,
    }


def from_json(data: dict[str, Any]) -> Change:
    """The change that `as_json` wrote."""
    return Change(Modality(data["modality"]), Happening(data["happening"]), data["evidence"])
