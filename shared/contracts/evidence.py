"""How the diagnosis service asks the three ingest services for evidence.

Each of imaging, notes and vitals answers, to the role `service` only:

- `POST /internal/<service>/evidence` `EvidenceQuestion` -> `EvidenceList`: what is known, newest first, without
content;
- `GET /internal/<service>/evidence/{id}` -> the content of one piece: imaging a `RenderedImage`, notes a
`NoteContent`, vitals a
  `VitalsWindow`. Unknown ids answer 404. Each content read is an audit event of that service.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.contracts.base import Modality, Moment, Wire


class EvidenceQuestion(Wire):
    """What is known of this patient with an effective time at or before `as_of` (null = any time)?"""

    patient: str
    as_of: Moment | None = None


class EvidenceRef(Wire):
    """One piece of evidence: enough to freeze it in a manifest, nothing to read in it."""

    id: str
    kind: Modality
    digest: str
    """Content address of the stored content."""
    effective_at: datetime
    """When it was true of the patient (acquired, authored, the newest sample of a window)."""
    received_at: datetime
    quality: dict[str, Any] = {}
    """What the service found at ingest, such as `{"photometricInterpretation": "MONOCHROME1"}` or `{"samples":
    812}`."""


class EvidenceList(Wire):
    """All evidence of one kind for one patient, newest first. Vitals list one window (72 h up to `as_of`) or
    nothing."""

    known: bool
    """Whether this service has ever stored anything of this patient, at any time."""
    items: list[EvidenceRef]


class ImageFinding(Wire):
    """One doubt about a radiograph: wrong part of the body, turned, inverted, badly exposed, … (`imaging.md` lists
    the names)."""

    name: str
    value: float | str
    """What was measured, or the DICOM attribute that says so."""
    limit: float | None = None
    text: str
    """A sentence for people."""


class RenderedImage(Wire):
    """A radiograph as the model and the viewer see it: modality LUT, VOI LUT and MONOCHROME1 applied, air dark."""

    id: str
    digest: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    modality: str
    rows: int
    """Of the original pixel matrix; region coordinates refer to it."""
    columns: int
    body_part_examined: str | None = None
    view_position: str | None = None
    patient_sex: str | None = None
    """`M`, `F` or `O` as in the header."""
    patient_age_years: float | None = None
    findings: list[ImageFinding] = []
    """What the imaging service doubts about it; empty where all is well."""
    png: str
    """Base64 of a 16-bit grayscale PNG of the whole image, longest side at most 512."""


class NoteContent(Wire):
    """A clinical note."""

    id: str
    digest: str
    authored: datetime
    type: str
    """LOINC document type."""
    text: str
    """As it was sent, but with spaces in the place of what identifies somebody: offsets hold in the note itself."""
    language: str | None = None
    """ISO 639-1; `und`: English or too little to tell; None: nobody looked."""


class VitalSample(Wire):
    """One measurement in its canonical code and unit."""

    code: str
    value: float
    unit: str
    effective: datetime
    device: str | None = None


class VitalsWindow(Wire):
    """All samples of the window that the digest froze, oldest first."""

    id: str
    digest: str
    start: datetime
    end: datetime
    samples: list[VitalSample]
