"""Giving images to research: with consent, without their patient, and once burned-in text was looked for."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from sqlalchemy.orm import Session

from services.imaging import review_queue, store
from services.imaging.deid.burned_in import TextFinder, cleaned, examine
from services.imaging.deid.deidentify import deidentified
from services.imaging.deid.identity import ResearchIdentity
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.reading import read_instance
from services.imaging.domain import Region, Review, ReviewState
from services.imaging.errors import NoResearchConsent, NoSuchInstance, NothingToExport, Refused, RegionOutside
from services.imaging.store import InstanceRow
from services.imaging.usecases.reads import blobs_of
from shared.auditing import actor_of
from shared.auth import Principal
from shared.contracts.audit import ConsentBasis, ConsentQuestion
from shared.contracts.base import Modality, Purpose
from shared.database import reading
from shared.errors import FieldProblem
from shared.web import Runtime

CANNOT_BE_SHOWN = "cannot-be-shown"
# The same bytes for the same study: a zip file would else hold the time at which it was made.
NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Exported:
    """What leaves of one study, and how much of it does not."""

    study: str
    """Its new StudyInstanceUID."""
    files: tuple[tuple[str, bytes], ...]
    """(name, DICOM file); the name is the new SOPInstanceUID."""
    withheld: tuple[tuple[str, str], ...]
    """(new SOPInstanceUID, why)."""

    def to_zip(self) -> bytes:
        """A zip file of the instances and `manifest.json`."""
        stream = BytesIO()
        manifest = {
            "study": self.study,
            "exported": [name for name, _ in self.files],
            "withheld": [{"sopInstanceUid": uid, "reason": reason} for uid, reason in self.withheld],
        }
        with zipfile.ZipFile(stream, "w") as archive:
            for name, content in (*self.files, ("manifest.json", json.dumps(manifest, indent=1).encode())):
                archive.writestr(zipfile.ZipInfo(name, NO_TIME), content)
        return stream.getvalue()


@dataclass(frozen=True)
class Exporter:
    """What every export needs."""

    runtime: Runtime
    identity: ResearchIdentity
    decoders: Decoders
    find_text: TextFinder | None

    def export(self, rows: Sequence[InstanceRow]) -> tuple[Exported, list[Review]]:
        """What of these instances may leave now, and what was found of those that nobody had asked for before."""
        files, withheld, found = [], [], []
        for row in rows:
            content = blobs_of(self.runtime, row).get(row.digest)
            read, uid = read_instance(content), self.identity.uid(row.sop_instance_uid)
            try:
                review = self._kept_review(row)
                if review is None:
                    review = examine(row.id, read, self.decoders, self.find_text)
                    found.append(review)
                if review.state in (ReviewState.WAITING, ReviewState.WITHHELD):
                    withheld.append((uid, review.state.value))
                    continue
                leaving = deidentified(read, self.identity, cleaned(read, review, self.decoders))
                files.append((f"{uid}.dcm", leaving))
            except Refused:
                withheld.append((uid, CANNOT_BE_SHOWN))
        study = self.identity.uid(rows[0].study_instance_uid)
        return Exported(study, tuple(files), tuple(withheld)), found

    def _kept_review(self, row: InstanceRow) -> Review | None:
        with reading(self.runtime.sessions) as session:
            return review_queue.find(session, self.runtime.common.tenant, row.id)


def research_consent(runtime: Runtime, patient: str, researcher: Principal) -> ConsentBasis:
    """What the patient has said to research with images by this researcher.

    Raises: Unavailable: nobody knows, so there is no consent.
    """
    question = ConsentQuestion(
        patient=patient, purpose=Purpose.HRESCH, modalities=[Modality.IMAGE], actor=actor_of(researcher)
    )
    return runtime.audit.decide(question).decisions[Modality.IMAGE]


def no_consent() -> NoResearchConsent:
    """The refusal of a study whose patient has not permitted research."""
    return NoResearchConsent("This patient has not permitted research (HRESCH) with images.")


def nothing_to_export(exported: Exported) -> NothingToExport:
    """The refusal of a study of which nothing may leave yet."""
    reasons = [reason for _, reason in exported.withheld]
    counts = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
    return NothingToExport(
        "No instance of this study may leave yet: ask a clinician to decide (GET /research/reviews).",
        extra={"withheld": counts},
    )


def record_export(
    session: Session,
    runtime: Runtime,
    principal: Principal,
    rows: Sequence[InstanceRow],
    basis: ConsentBasis,
    exported: Exported | None,
    found: Sequence[Review],
    request_id: str,
) -> None:
    """Keep what was found, and that somebody asked; `exported` is None where there is no consent."""
    now = runtime.clock()
    for review in found:
        review_queue.add(session, runtime.common.tenant, review, now)
    refused = exported is None or not exported.files
    why = "no-research-consent" if exported is None else "nothing-to-export"
    event = runtime.events.event(
        principal,
        "delivery",
        "dicom-deidentified",
        "R",
        outcome="refused" if refused else "success",
        reason=why if refused else None,
        patient=rows[0].patient,
        kind="image",
        purpose=Purpose.HRESCH,
        consent=basis,
        request_id=request_id,
        details={
            "instances": [row.id for row in rows],
            "exported": len(exported.files) if exported else 0,
            "withheld": len(exported.withheld) if exported else len(rows),
        },
    )
    runtime.record(session, event)


def decide_review(
    session: Session,
    runtime: Runtime,
    principal: Principal,
    instance_id: str,
    state: ReviewState,
    regions: Sequence[Region],
    request_id: str,
) -> Review:
    """Keep what a person has decided of an image, with who it was in the log.

    Raises: NoSuchInstance: nobody has asked for this instance. RegionOutside: it would blank nothing.
    """
    tenant = runtime.common.tenant
    row = store.find_by_id(session, tenant, instance_id)
    if row is not None:
        _check_inside(regions, row)
    review = review_queue.decide(session, tenant, instance_id, state, regions, runtime.clock())
    if review is None or row is None:
        raise NoSuchInstance("No image with this id was asked for.")
    event = runtime.events.event(
        principal,
        "feedback",
        "burned-in-text-decided",
        "U",
        patient=row.patient,
        kind="image",
        object_id=row.id,
        digest=row.digest,
        purpose=Purpose.HRESCH,
        request_id=request_id,
        details={"decision": state.value, "reason": review.reason, "regions": len(regions)},
    )
    runtime.record(session, event)
    return review


def _check_inside(regions: Sequence[Region], row: InstanceRow) -> None:
    for number, region in enumerate(regions):
        if region.x + region.width > row.columns or region.y + region.height > row.rows:
            raise RegionOutside(
                "A region is not within the image.",
                fields=[
                    FieldProblem(
                        f"regions.{number}",
                        f"reaches beyond {row.columns} columns and {row.rows} rows",
                        "use pixels of the stored matrix, not of a smaller rendering",
                    )
                ],
            )
