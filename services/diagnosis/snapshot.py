"""The case snapshot: which evidence is used, frozen with its digests in a content-addressed manifest."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.diagnosis.languages import is_read
from shared.clock import rfc3339
from shared.contracts.audit import ConsentBasis
from shared.contracts.base import Modality, Purpose
from shared.contracts.evidence import EvidenceRef
from shared.digests import canonical_json, digest_bytes

SCHEMA = "consilium.case/1"
MAX_IMAGES = 2
MAX_NOTES = 3
"""Of those that are scored, and of those that are set aside."""
NOTES_WITHIN = timedelta(days=7)
STALE_AFTER = timedelta(days=7)
LATERAL_VIEWS = frozenset({"LL", "RL", "LATERAL", "LLD", "RLD"})
"""View Position (0018,5101) of radiographs that are not frontal."""

Known = Mapping[Modality, tuple[EvidenceRef, ...]]
Consents = Mapping[Modality, ConsentBasis]


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence as a manifest names it."""

    kind: Modality
    id: str
    digest: str
    effective_at: datetime


@dataclass(frozen=True)
class Manifest:
    """What a case consists of. Equal manifests have equal digests; with the same bundle they give the same result."""

    subject: str
    """The patient's pseudonym."""
    as_of: datetime
    requested: tuple[Modality, ...]
    evidence: tuple[Evidence, ...]
    consent: Consents
    withheld: tuple[Modality, ...]
    """Evidence of these exists, and no consent lets it be used."""
    purpose: Purpose = Purpose.TREAT

    def of(self, kind: Modality) -> tuple[Evidence, ...]:
        """The evidence of one modality, newest first."""
        return tuple(item for item in self.evidence if item.kind is kind)

    @property
    def used(self) -> tuple[Modality, ...]:
        """The modalities that have evidence in it."""
        return tuple(kind for kind in Modality if self.of(kind))

    def age(self, kind: Modality, among: Collection[str] | None = None) -> timedelta | None:
        """How much older than the case the newest evidence of a modality is, of the ids in `among` if given."""
        times = [item.effective_at for item in self.of(kind) if among is None or item.id in among]
        return self.as_of - max(times) if times else None

    def to_bytes(self) -> bytes:
        """Canonical JSON; its digest is the case's."""
        return canonical_json(
            {
                "schema": SCHEMA,
                "subject": self.subject,
                "asOf": rfc3339(self.as_of),
                "purpose": self.purpose.value,
                "modalities": [kind.value for kind in self.requested],
                "evidence": [_evidence_json(item) for item in self.evidence],
                "consent": {kind.value: _basis_json(basis) for kind, basis in self.consent.items()},
                "withheld": [kind.value for kind in self.withheld],
            }
        )

    @property
    def digest(self) -> str:
        """`sha256:…` of the canonical JSON."""
        return digest_bytes(self.to_bytes())

    def under(self, decisions: Consents) -> Manifest:
        """The same case after consent was asked again: what is denied now is withheld, what was denied stays so."""
        denied = {kind for kind in self.used if decisions[kind].decision == "deny"}
        if not denied:
            return self
        return replace(
            self,
            evidence=tuple(item for item in self.evidence if item.kind not in denied),
            consent={**self.consent, **{kind: decisions[kind] for kind in denied}},
            withheld=tuple(kind for kind in Modality if kind in denied or kind in self.withheld),
        )


def parse_manifest(content: bytes) -> Manifest:
    """The manifest that `Manifest.to_bytes` wrote.

    Raises: ValueError: another schema.
    """
    data = json.loads(content)
    if data["schema"] != SCHEMA:
        raise ValueError(f"manifest schema {data['schema']!r}, this code reads {SCHEMA!r}")
    return Manifest(
        subject=data["subject"],
        as_of=datetime.fromisoformat(data["asOf"]),
        requested=tuple(Modality(kind) for kind in data["modalities"]),
        evidence=tuple(_evidence(item) for item in data["evidence"]),
        consent={Modality(kind): ConsentBasis.model_validate(basis) for kind, basis in data["consent"].items()},
        withheld=tuple(Modality(kind) for kind in data["withheld"]),
        purpose=Purpose(data["purpose"]),
    )


def freeze(
    subject: str,
    as_of: datetime,
    requested: tuple[Modality, ...],
    known: Known,
    decisions: Consents,
    purpose: Purpose = Purpose.TREAT,
) -> Manifest:
    """A manifest of the evidence that is selected and permitted."""
    chosen = {kind: select(kind, known[kind], as_of) for kind in requested}
    permitted = [kind for kind in requested if decisions[kind].decision == "permit"]
    return Manifest(
        subject=subject,
        as_of=as_of,
        requested=requested,
        evidence=tuple(
            Evidence(kind, ref.id, ref.digest, ref.effective_at) for kind in permitted for ref in chosen[kind]
        ),
        consent={kind: decisions[kind] for kind in requested},
        withheld=tuple(kind for kind in requested if chosen[kind] and kind not in permitted),
        purpose=purpose,
    )


def case_time(known: Known, now: datetime) -> datetime | None:
    """When the newest evidence was true, but not later than now; None where there is no evidence."""
    times = [ref.effective_at for refs in known.values() for ref in refs]
    return min(max(times), now) if times else None


def select(kind: Modality, refs: Iterable[EvidenceRef], as_of: datetime) -> tuple[EvidenceRef, ...]:
    """The pieces of one modality that a case uses, newest first.

    At most two images (lateral views only where there is no other), three notes that can be scored within seven
    days of the newest such, three in other languages beside them, one vitals window.
    """
    newest_first = sorted(
        (ref for ref in refs if ref.effective_at <= as_of),
        key=lambda ref: (ref.effective_at, ref.received_at, ref.id),
        reverse=True,
    )
    if kind is Modality.IMAGE:
        frontal = [ref for ref in newest_first if not _is_lateral(ref)]
        return tuple((frontal or newest_first)[:MAX_IMAGES])
    if kind is Modality.NOTE:
        return _select_notes(newest_first)
    return tuple(newest_first[:1])


def can_be_scored(ref: EvidenceRef) -> bool:
    """Whether the model reads it; a note in another language is named in the result and set aside."""
    return is_read(ref.quality.get("language"))


def _select_notes(newest_first: Sequence[EvidenceRef]) -> tuple[EvidenceRef, ...]:
    # A note that is set aside takes nobody's place, and the others' week does not count from it.
    scored = [ref for ref in newest_first if can_be_scored(ref)]
    foreign = [ref for ref in newest_first if not can_be_scored(ref)]
    chosen = _recent(scored, scored[:1]) + _recent(foreign, newest_first[:1])
    return tuple(ref for ref in newest_first if ref in chosen)


def _recent(notes: Sequence[EvidenceRef], newest: Sequence[EvidenceRef]) -> list[EvidenceRef]:
    return [ref for ref in notes if newest[0].effective_at - ref.effective_at <= NOTES_WITHIN][:MAX_NOTES]


def _is_lateral(ref: EvidenceRef) -> bool:
    return str(ref.quality.get("viewPosition", "")).upper() in LATERAL_VIEWS


def _basis_json(basis: ConsentBasis) -> dict[str, Any]:
    # Cases frozen before decisions had a digest must keep their own.
    return basis.model_dump(by_alias=True, mode="json", exclude=set() if basis.digest else {"digest"})


def _evidence_json(item: Evidence) -> dict[str, Any]:
    return {
        "kind": item.kind.value,
        "id": item.id,
        "digest": item.digest,
        "effectiveAt": rfc3339(item.effective_at),
    }


def _evidence(data: Mapping[str, str]) -> Evidence:
    return Evidence(Modality(data["kind"]), data["id"], data["digest"], datetime.fromisoformat(data["effectiveAt"]))
