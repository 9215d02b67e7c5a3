"""The Storage Commitment Push Model on the wire: N-ACTION in, N-EVENT-REPORT out (PS3.4 sections J.3.2 and J.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at import
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from services.imaging.dicom.reading import UID
from services.imaging.dicom.values import text, value_of
from services.imaging.domain import Commitment, Reference, Verdict
from shared.ids import uuid7

SOP_CLASS, SOP_INSTANCE = StorageCommitmentPushModel, StorageCommitmentPushModelInstance
REQUEST_COMMITMENT = 1
ALL_COMMITTED, FAILURES_EXIST = 1, 2
MAX_REFERENCES = 10_000

SUCCESS, PROCESSING_FAILURE = 0x0000, 0x0110
NO_SUCH_INSTANCE, INVALID_ARGUMENT, NO_SUCH_ACTION, RESOURCE_LIMITATION = 0x0112, 0x0115, 0x0123, 0x0213


class UnacceptableAction(Exception):
    """An N-ACTION that is not carried out, with the status that says why (PS3.7 section 10.1.4.1.10)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"0x{status:04X}")
        self.status = status


def requested(event: Any, now: datetime) -> Commitment:
    """The request that an N-ACTION makes.

    Raises: UnacceptableAction.
    """
    if event.request.RequestedSOPInstanceUID != SOP_INSTANCE:
        raise UnacceptableAction(NO_SUCH_INSTANCE)
    if event.action_type != REQUEST_COMMITMENT:
        raise UnacceptableAction(NO_SUCH_ACTION)
    ds = event.action_information
    transaction_uid = _uid(ds, "TransactionUID")
    title = str(event.assoc.requestor.ae_title).strip()
    return Commitment(uuid7(), title, transaction_uid, _references(ds), now)


def _references(ds: Dataset) -> tuple[Reference, ...]:
    items: Sequence[Dataset] = value_of(ds, "ReferencedSOPSequence", ())
    if not items:
        raise UnacceptableAction(INVALID_ARGUMENT)
    if len(items) > MAX_REFERENCES:
        raise UnacceptableAction(RESOURCE_LIMITATION)
    return tuple(
        Reference(_uid(item, "ReferencedSOPClassUID"), _uid(item, "ReferencedSOPInstanceUID")) for item in items
    )


def _uid(ds: Dataset, keyword: str) -> str:
    uid = text(ds, keyword)
    if len(uid) > 64 or not UID.fullmatch(uid):
        raise UnacceptableAction(INVALID_ARGUMENT)
    return uid


def report_of(commitment: Commitment, verdict: Verdict) -> tuple[int, Dataset]:
    """Event type and event information of the report (PS3.4 table J.3-2)."""
    ds = Dataset()
    ds.TransactionUID = commitment.transaction_uid
    if verdict.committed:
        ds.ReferencedSOPSequence = [_item(reference) for reference in verdict.committed]
    if verdict.failed:
        ds.FailedSOPSequence = [_item(reference, reason) for reference, reason in verdict.failed]
    return FAILURES_EXIST if verdict.failed else ALL_COMMITTED, ds


def _item(reference: Reference, failure_reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.sop_class_uid, reference.sop_instance_uid
    if failure_reason is not None:
        item.FailureReason = failure_reason
    return item
