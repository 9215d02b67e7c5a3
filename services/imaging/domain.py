"""What an instance is to this service, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

CANNOT_BE_SHOWN = "cannotBeShown"
"""In `quality`: why no image can be made of an instance that is stored all the same."""


@dataclass(frozen=True)
class InstanceKey:
    """The identity of an instance. The SOP instance UID alone is not enough: some senders reuse it across series."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Description:
    """What the header says of an instance, for searching and for the diagnosis service."""

    key: InstanceKey
    patient: str
    patient_name: str
    patient_sex: str | None
    patient_age_years: float | None
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    study_date: str
    accession_number: str
    study_description: str | None
    body_part_examined: str | None
    view_position: str | None
    rows: int
    columns: int
    effective_at: datetime
    quality: Mapping[str, Any]
    header: Mapping[str, Any]
    """The data set in the DICOM JSON model (PS3.18 annex F) without pixel and other bulk data."""


@dataclass(frozen=True)
class Prepared:
    """An instance that passed all checks, with everything that its row needs. Its bytes are durable already."""

    description: Description
    digest: str
    """Content address of the file as received."""
    dataset_digest: str
    """Digest of transfer syntax and data set without the file meta information, which each sender writes anew."""
    renderable: bool
    """Whether the networks can see it: not colour, and not where no image can be made."""
    size_bytes: int
    received_at: datetime


@dataclass(frozen=True)
class Stored:
    """An instance that is stored."""

    id: str
    prepared: Prepared


@dataclass(frozen=True)
class Known:
    """What the store says of an instance that it already has."""

    id: str
    digest: str
    dataset_digest: str
    patient: str
    cannot_be_shown: str | None


@dataclass(frozen=True)
class Reference:
    """An instance as a request for storage commitment names it: without study and series."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Region:
    """A rectangle of the pixel matrix, from its upper left corner, in pixels."""

    x: int
    y: int
    width: int
    height: int


class ReviewState(StrEnum):
    """What is known of the text that may be burned into an image."""

    NOTHING_FOUND = "nothing-found"
    """The text finder found none; the image may leave."""
    WAITING = "waiting"
    """A person has to look at it; until then it does not leave."""
    CLEARED = "cleared"
    """A person has said that nothing in it names the patient."""
    BLANKED = "blanked"
    """It leaves with the regions that a person named blanked."""
    WITHHELD = "withheld"
    """A person has said that it must not leave."""


@dataclass(frozen=True)
class Review:
    """Whether one instance may leave for research, and why."""

    instance_id: str
    state: ReviewState
    reason: str
    """Why somebody has to look: `text-found`, `header-says-so`, `not-a-single-radiograph`, `no-text-finder`."""
    regions: tuple[Region, ...] = ()
    """Where text was found; of a blanked image, what is blanked."""


@dataclass(frozen=True)
class Commitment:
    """A request for storage commitment that waits for its report."""

    id: str
    ae_title: str
    """Who asked, and is told."""
    transaction_uid: str
    references: tuple[Reference, ...]
    requested_at: datetime
    attempts: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a report says: these are stored, and those are not, each with its Failure Reason (PS3.3 C.14.1.1)."""

    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]
