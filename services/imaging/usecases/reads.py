"""Giving instances out. Whatever shows patient data is recorded first: its event is committed before the bytes leave.

Rows and bytes never change, so they are read, decoded and rendered outside the transaction that writes the event: on
SQLite that one holds the write lock, and ingest must not wait for a decoder.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from sqlalchemy.orm import Session

from services.imaging import store
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.syntaxes import RADIOGRAPHS
from services.imaging.errors import NoSuchInstance
from services.imaging.store import InstanceRow
from shared import erasure
from shared.auth import Principal
from shared.blobs import BlobStore
from shared.contracts.base import Modality
from shared.contracts.evidence import EvidenceList, EvidenceRef, ImageFinding, RenderedImage
from shared.database import reading
from shared.web import Runtime

IDS_PER_EVENT = 500


def get_instances(
    runtime: Runtime, study: str, series: str | None = None, instance: str | None = None
) -> Sequence[InstanceRow]:
    """The instances of a study, a series or one instance.

    Raises: NoSuchInstance.
    """
    with reading(runtime.sessions) as session:
        found = store.find_instances(session, runtime.common.tenant, study, series, instance)
    if not found:
        raise NoSuchInstance("No such study, series or instance is stored here.")
    return found


def record_read(
    session: Session,
    runtime: Runtime,
    principal: Principal,
    subtype: str,
    instances: Sequence[InstanceRow],
    request_id: str | None,
) -> None:
    """One event per patient (and per 500 instances) that names all instances whose content or header is given out."""
    for patient, rows in groupby(sorted(instances, key=lambda row: row.patient), key=lambda row: row.patient):
        while listed := list(islice(rows, IDS_PER_EVENT)):
            only = listed[0] if len(listed) == 1 else None
            event = runtime.events.event(
                principal,
                "read",
                subtype,
                "R",
                patient=patient,
                kind="image",
                object_id=only.id if only else None,
                digest=only.digest if only else None,
                request_id=request_id,
                details={} if only else {"instances": [row.id for row in listed]},
            )
            runtime.record(session, event)


def record_search(session: Session, runtime: Runtime, principal: Principal, level: str, request_id: str | None) -> None:
    """A search that found nothing is an act too: it may have asked whether somebody is a patient here."""
    event = runtime.events.event(
        principal, "read", "dicom-searched", "R", request_id=request_id, details={"level": level, "matches": 0}
    )
    runtime.record(session, event)


def list_evidence(runtime: Runtime, patient: str, as_of: datetime | None) -> EvidenceList:
    """What is known of a patient's radiographs, without content."""
    tenant = runtime.common.tenant
    with reading(runtime.sessions) as session:
        items = [_reference(row) for row in store.find_evidence(session, tenant, patient, as_of)]
        return EvidenceList(known=bool(items) or store.knows_patient(session, tenant, patient), items=items)


def _reference(row: InstanceRow) -> EvidenceRef:
    return EvidenceRef(
        id=row.id,
        kind=Modality.IMAGE,
        digest=row.digest,
        effective_at=row.effective_at,
        received_at=row.received_at,
        quality=row.quality_json(),
    )


def get_rendered(
    session: Session, runtime: Runtime, decoders: Decoders, principal: Principal, id_: str, request_id: str | None
) -> RenderedImage:
    """The image that the networks see, with what they may know of it.

    Raises: NoSuchInstance.
    """
    with reading(runtime.sessions) as lookup:
        row = store.find_by_id(lookup, runtime.common.tenant, id_)
    if row is None or row.sop_class_uid not in RADIOGRAPHS or not (row.renderable or row.rendered_digest):
        raise NoSuchInstance("No image has this id.")
    png, digest = _rendering(runtime, decoders, row)
    findings = _findings(session, runtime, row, png)
    if row.rendered_digest is None:
        store.keep_rendering(session, row.id, digest)
    record_read(session, runtime, principal, "image-read", [row], request_id)
    return RenderedImage(
        id=row.id,
        digest=row.digest,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        modality=row.modality,
        rows=row.rows,
        columns=row.columns,
        body_part_examined=row.body_part_examined,
        view_position=row.view_position,
        patient_sex=row.patient_sex,
        patient_age_years=row.patient_age_years,
        findings=[ImageFinding(**finding) for finding in findings],
        png=base64.b64encode(png).decode(),
    )


def blobs_of(runtime: Runtime, row: InstanceRow) -> BlobStore:
    """Where the bytes of an instance and of its rendering lie."""
    return erasure.blobs_of(runtime, store.ErasureRow, row.patient).store


def _rendering(runtime: Runtime, decoders: Decoders, row: InstanceRow) -> tuple[bytes, str]:
    """The 16-bit PNG of an image and its content address: kept from before, or made now."""
    from services.imaging.dicom.description import render_for_networks
    from services.imaging.dicom.reading import read_instance
    from services.imaging.dicom.render import png_16

    blobs = blobs_of(runtime, row)
    if row.rendered_digest is not None:
        return blobs.get(row.rendered_digest), row.rendered_digest
    png = png_16(render_for_networks(read_instance(blobs.get(row.digest)), decoders))
    return png, blobs.put(png)


def _findings(session: Session, runtime: Runtime, row: InstanceRow, png: bytes) -> list[dict[str, Any]]:
    """What the quality gate says of an image: kept from before, or found now and kept."""
    from services.imaging.dicom import quality
    from services.imaging.dicom.render import from_png_16

    with reading(runtime.sessions) as lookup:
        kept = store.find_quality(lookup, row.id, quality.VERSION)
    if kept is not None:
        return kept
    found = quality.findings(from_png_16(png), row.header_json())
    store.keep_quality(session, row.id, quality.VERSION, found)
    return found
