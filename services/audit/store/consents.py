"""Queries about consents: versions are only ever added."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.consent import Consent, Recipient, provision_from_json, provision_json, recipient_json
from services.audit.store.rows import ConsentRow
from shared.contracts.base import Modality, Purpose


def add_version(session: Session, consent: Consent) -> None:
    """Write one version."""
    session.execute(sa.insert(ConsentRow), [_to_row(consent)])


def find_consent(session: Session, consent_id: str) -> Consent | None:
    """The newest version of a consent."""
    query = sa.select(ConsentRow).where(ConsentRow.id == consent_id).order_by(ConsentRow.version.desc()).limit(1)
    row = session.execute(query).scalar()
    return _to_domain(row) if row else None


def versions_of(session: Session, consent_id: str) -> list[Consent]:
    """All versions of a consent, the first one first."""
    query = sa.select(ConsentRow).where(ConsentRow.id == consent_id).order_by(ConsentRow.version)
    return [_to_domain(row) for row in session.execute(query).scalars()]


def consents_of(session: Session, subject_ref: str) -> tuple[list[Consent], int]:
    """The newest versions of all of a patient's consents, oldest consent first, and the patient's epoch.

    The epoch is the number of versions: it grows with every change and never falls.
    """
    query = sa.select(ConsentRow).where(ConsentRow.subject_ref == subject_ref).order_by(ConsentRow.idx)
    versions = session.execute(query).scalars().all()
    newest = {row.id: row for row in versions}
    return sorted(map(_to_domain, newest.values()), key=lambda c: c.given_index), len(versions)


def speaking_since(session: Session, purpose: Purpose, index: int) -> tuple[set[str], int]:
    """The patients of whom a version after a log index speaks of a purpose, and the newest version's index."""
    newest = session.scalar(sa.select(sa.func.max(ConsentRow.idx)))
    if newest is None or newest <= index:
        return set(), index
    named = sa.or_(ConsentRow.purpose == str(purpose), sa.cast(ConsentRow.purposes, sa.String).contains(f'"{purpose}"'))
    query = sa.select(ConsentRow.subject_ref).where(ConsentRow.idx > index, ConsentRow.idx <= newest, named).distinct()
    return set(session.scalars(query)), newest


def _to_row(consent: Consent) -> dict[str, object]:
    return {
        "id": consent.id,
        "version": consent.version,
        "idx": consent.index,
        "given_idx": consent.given_index,
        "patient": consent.patient,
        "subject_ref": consent.subject_ref,
        "decision": consent.decision,
        "purpose": str(consent.purposes[0]),
        "purposes": [str(purpose) for purpose in consent.purposes],
        "modalities": [str(modality) for modality in consent.modalities],
        "start": consent.start,
        "end": consent.end,
        "withdrawn": consent.withdrawn,
        "given_at": consent.given_at,
        "recorded_at": consent.recorded_at,
        "recipients": [recipient_json(recipient) for recipient in consent.recipients],
        "exceptions": [provision_json(exception) for exception in consent.exceptions],
        "policy_uri": consent.policy_uri,
        "source_digest": consent.source_digest,
    }


def _to_domain(row: ConsentRow) -> Consent:
    return Consent(
        id=row.id,
        version=row.version,
        patient=row.patient,
        subject_ref=row.subject_ref,
        decision="permit" if row.decision == "permit" else "deny",
        purposes=tuple(Purpose(value) for value in row.purposes or [row.purpose]),
        modalities=tuple(Modality(value) for value in row.modalities),
        start=row.start,
        end=row.end,
        withdrawn=row.withdrawn,
        given_index=row.given_idx,
        index=row.idx,
        given_at=row.given_at,
        recorded_at=row.recorded_at,
        recipients=tuple(Recipient(**value) for value in row.recipients or []),
        exceptions=tuple(provision_from_json(value) for value in row.exceptions or []),
        policy_uri=row.policy_uri,
        source_digest=row.source_digest,
    )
