"""Taking instances in: examine them without the database, then file them in one transaction with their audit events.

What costs time (parsing, decoding, syncing bytes to disk) happens before the transaction, which is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.imaging import store
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.description import describe, look_at
from services.imaging.dicom.reading import ReadInstance, read_instance
from services.imaging.domain import CANNOT_BE_SHOWN, InstanceKey, Known, Prepared
from services.imaging.errors import ConsentDenied, OtherContent, Refused, WrongInstance, WrongPatient, WrongStudy
from shared.auth import Principal
from shared.contracts.base import Modality
from shared.database import reading
from shared.digests import digest_bytes
from shared.erasure import PatientBlobs, blobs_in, check_standing, enter
from shared.ids import uuid7
from shared.intake import is_late
from shared.storing import StoringDenied, basis_of
from shared.web import Runtime


@dataclass(frozen=True)
class Visit:
    """Through which door instances come, and who brings them."""

    principal: Principal
    door: str
    """`stow-rs` or `c-store`."""
    request_id: str | None = None


@dataclass(frozen=True)
class Examined:
    """An instance before it is filed: ready to be stored, already stored, or refused."""

    digest: str
    read: ReadInstance | None = None
    prepared: Prepared | None = None
    known: Known | None = None
    refusal: Refused | None = None
    blobs: PatientBlobs | None = None
    """Where the bytes of what is to be stored lie."""

    @property
    def warning(self) -> str | None:
        """Why no image can be made of it."""
        if self.known is not None:
            return self.known.cannot_be_shown
        return None if self.prepared is None else self.prepared.description.quality.get(CANNOT_BE_SHOWN)


@dataclass(frozen=True)
class Outcome:
    """What became of one instance: it is stored (now or before), or refused."""

    sop_class_uid: str
    sop_instance_uid: str
    key: InstanceKey | None = None
    refusal: Refused | None = None
    warning: str | None = None
    """Why no image can be made of it, where it is stored all the same."""


def examine(
    runtime: Runtime,
    content: bytes,
    decoders: Decoders,
    visit: Visit,
    *,
    study_instance_uid: str | None = None,
    sop_instance_uid: str | None = None,
) -> Examined:
    """Read, check and decode one instance, and make its bytes durable; no refusal is raised.

    An image of several frames is judged by its first. One that cannot be shown is stored, and says so.

    Args:
        study_instance_uid: the study that the sender announced, if any.
        sop_instance_uid: the instance that the sender announced, if any.
    Raises: Unavailable: the blob store has no room, all decoders are busy, or the patient's consents are not known.
    """
    digest, read = digest_bytes(content), None
    try:
        read = read_instance(content)
        if study_instance_uid not in (None, read.key.study_instance_uid):
            raise _wrong_study()
        if sop_instance_uid not in (None, read.key.sop_instance_uid):
            raise _wrong_instance()
        _check_consent(runtime, read, visit)
        known, blobs = _known(runtime, read)
        if known is not None:
            return Examined(digest, read, known=known)
        prepared = _prepare(runtime, blobs, content, digest, read, decoders)
        return Examined(digest, read, prepared, blobs=blobs)
    except Refused as refusal:
        if read is not None:
            refusal.of(read.sop_class_uid, read.key.sop_instance_uid)
        return Examined(digest, read, refusal=refusal)


def _check_consent(runtime: Runtime, read: ReadInstance, visit: Visit) -> None:
    """Raises: ConsentDenied. Unavailable: nobody knows."""
    try:
        runtime.storing.check(visit.principal, [read.patient], Modality.IMAGE)
    except StoringDenied as denied:
        raise ConsentDenied(denied.basis) from denied


def _known(runtime: Runtime, read: ReadInstance) -> tuple[Known | None, PatientBlobs]:
    """The stored instance that this one repeats, and where the patient's blobs lie. Looked up before decoding, which a
    repetition is then spared.

    Raises: OtherContent, WrongPatient.
    """
    tenant = runtime.common.tenant
    with reading(runtime.sessions) as session:
        known = store.find_known(session, tenant, read.key)
        owners = store.find_owners(session, tenant, read.key)
        blobs = blobs_in(session, runtime, store.ErasureRow, read.patient)
    if owners - {read.patient}:
        raise _wrong_patient()
    if known is not None and known.dataset_digest != read.dataset_digest:
        raise _other_content()
    return known, blobs


def _prepare(
    runtime: Runtime, blobs: PatientBlobs, content: bytes, digest: str, read: ReadInstance, decoders: Decoders
) -> Prepared:
    received_at, look = runtime.clock(), look_at(read, decoders)
    blobs.store.put(content, digest)
    return Prepared(
        description=describe(read, look, received_at),
        digest=digest,
        dataset_digest=read.dataset_digest,
        renderable=look.radiance is not None,
        size_bytes=len(content),
        received_at=received_at,
    )


def file_instances(session: Session, runtime: Runtime, examined: Sequence[Examined], visit: Visit) -> list[Outcome]:
    """Store what can be stored, each with its audit event, in the caller's transaction; outcomes in the order given.

    Raises: ErasedMeanwhile: one of the patients was erased since the instances were examined.
    """
    enter(session, [one.blobs.subject_ref for one in examined if one.blobs])
    # One order for all transactions: two senders of the same studies then cannot wait for one another.
    order = sorted(range(len(examined)), key=lambda index: _sort_key(examined[index]))
    outcomes = {index: _file(session, runtime, examined[index], visit) for index in order}
    return [outcomes[index] for index in range(len(examined))]


def _sort_key(examined: Examined) -> str:
    return str(examined.read.key) if examined.read else ""


def _file(session: Session, runtime: Runtime, examined: Examined, visit: Visit) -> Outcome:
    read = examined.read
    try:
        if examined.refusal is not None:
            raise examined.refusal
        assert read is not None  # noqa: S101  # an instance that was not read was refused
        if examined.prepared is not None:
            _store(session, runtime, examined, examined.prepared, visit)
    except Refused as refusal:
        _record_refusal(session, runtime, examined, refusal, visit)
        return Outcome(refusal.sop_class_uid, refusal.sop_instance_uid, refusal=refusal)
    return Outcome(read.sop_class_uid, read.key.sop_instance_uid, read.key, warning=examined.warning)


def _store(session: Session, runtime: Runtime, examined: Examined, prepared: Prepared, visit: Visit) -> None:
    tenant, said, id_ = runtime.common.tenant, prepared.description, uuid7()
    names = said.sop_class_uid, said.key.sop_instance_uid
    if examined.blobs is not None:
        check_standing(session, store.ErasureRow, examined.blobs)
    if store.claim(session, tenant, said.key, said.patient) != {said.patient}:
        raise _wrong_patient().of(*names)
    if store.add_instance(session, tenant, id_, prepared):
        _record_stored(session, runtime, prepared, id_, visit)
        return
    known = store.find_known(session, tenant, said.key)
    if known is None or known.dataset_digest != prepared.dataset_digest:
        raise _other_content().of(*names)


def _record_stored(session: Session, runtime: Runtime, prepared: Prepared, id_: str, visit: Visit) -> None:
    said = prepared.description
    event = runtime.events.event(
        visit.principal,
        "ingest",
        "dicom-stored",
        "C",
        patient=said.patient,
        kind="image",
        object_id=id_,
        digest=prepared.digest,
        request_id=visit.request_id,
        details={
            "door": visit.door,
            "sopClassUid": said.sop_class_uid,
            "transferSyntaxUid": said.transfer_syntax_uid,
            "sizeBytes": prepared.size_bytes,
            "late": is_late(said.effective_at, prepared.received_at),
            **({} if CANNOT_BE_SHOWN not in said.quality else {"canBeShown": False}),
        },
    )
    runtime.record(session, event)


def _record_refusal(session: Session, runtime: Runtime, examined: Examined, refusal: Refused, visit: Visit) -> None:
    known = None
    if isinstance(refusal, OtherContent) and examined.read is not None:
        known = store.find_known(session, runtime.common.tenant, examined.read.key)
    stored = {"storedId": known.id, "stored": runtime.events.pseudonyms.content(known.digest)} if known else {}
    event = runtime.events.event(
        visit.principal,
        "ingest",
        "dicom-refused",
        "C",
        outcome="refused",
        reason=refusal.slug,
        patient=examined.read.patient if examined.read else None,
        kind="image",
        digest=examined.digest,
        consent=basis_of(refusal),
        request_id=visit.request_id,
        details={"door": visit.door, "field": refusal.fields[0].field, **stored},
    )
    runtime.record(session, event)


def record_refused_request(session: Session, runtime: Runtime, reason: str, visit: Visit) -> None:
    """A request in which no instance could even be found was refused."""
    event = runtime.events.event(
        visit.principal, "ingest", "dicom-refused", "C", outcome="refused", reason=reason, request_id=visit.request_id,
        details={"door": visit.door},
    )  # fmt: skip
    runtime.record(session, event)


def _wrong_patient() -> WrongPatient:
    return WrongPatient(
        "PatientID",
        "the study or series of this instance belongs to another patient",
        "check the PatientID, or give the instance the study and series UIDs of its own examination",
    )


def _wrong_study() -> WrongStudy:
    return WrongStudy(
        "StudyInstanceUID",
        "is not the study that the URL names",
        "send it to /dicomweb/studies, or to the URL of its own study",
    )


def _wrong_instance() -> WrongInstance:
    return WrongInstance(
        "SOPInstanceUID",
        "is not the Affected SOP Instance UID of the request",
        "send the data set under its own UID (PS3.4 section B.2)",
    )


def _other_content() -> OtherContent:
    return OtherContent(
        "SOPInstanceUID",
        "an instance with this UID is stored with other content, and is never overwritten",
        "give a changed instance a new SOPInstanceUID",
    )
