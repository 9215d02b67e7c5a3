"""From a read instance to everything that its row says, and to what can be seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from services.imaging.dicom.attributes import effective_time, patient_age_years, patient_sex
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.frames import with_own_display
from services.imaging.dicom.json_model import header_json
from services.imaging.dicom.pixels import check_pixel_module, decode
from services.imaging.dicom.reading import ReadInstance
from services.imaging.dicom.render import WHITE, Display, Shown, Window, fit, show
from services.imaging.dicom.values import text, value_of
from services.imaging.domain import CANNOT_BE_SHOWN, Description
from services.imaging.errors import CannotBeShown

BLANK_DEVIATION = 0.005
SAMPLED_SIDE = 128
"""Of so many rows and columns, evenly spread, an image is judged when it comes in."""


@dataclass(frozen=True)
class Look:
    """What can be seen of an instance at a first look."""

    sample: Shown | None = None
    """Evenly spread pixels of its first frame, as they would be shown; None where it cannot be shown."""
    problem: CannotBeShown | None = None
    """Why not."""

    @property
    def radiance(self) -> Display | None:
        """The sample where the image is grayscale: 0 is black, 65535 is white."""
        return np.asarray(self.sample, np.uint16) if self.sample is not None and self.sample.ndim == 2 else None


def look_at(read: ReadInstance, decoders: Decoders) -> Look:
    """Samples of the first frame of an instance, or why it cannot be shown.

    Whether a frame can be decoded is only known when it is; what its header makes of the pixels can be told from a few
    of them. The whole is rendered when somebody asks for it: most images of a series are never asked for.

    Raises: Refused: the pixels are absent, cut off, too many, or make decoders stop.
    """
    try:
        check_pixel_module(read.ds, max_pixels=decoders.limits.max_pixels)
        values = decode(read.ds, decoders)
        step = max(1, min(values.shape[:2]) // SAMPLED_SIDE)
        return Look(show(np.ascontiguousarray(values[::step, ::step]), with_own_display(read.ds, 0)))
    except CannotBeShown as problem:
        return Look(problem=problem)


def render_frame(read: ReadInstance, decoders: Decoders, index: int = 0, window: Window | None = None) -> Shown:
    """One whole frame at full resolution, counted from 0, for display.

    Raises: Refused: the pixels are absent, unsupported, too many or unreadable.
    """
    check_pixel_module(read.ds, max_pixels=decoders.limits.max_pixels)
    return show(decode(read.ds, decoders, index), with_own_display(read.ds, index), window)


def render_for_networks(read: ReadInstance, decoders: Decoders) -> Display:
    """The first frame as the networks see it: grayscale, at most `LONGEST_SIDE` wide and high.

    Raises: Refused: it cannot be rendered any more (it could when it came).
    """
    return fit(np.asarray(render_frame(read, decoders), np.uint16))


def describe(read: ReadInstance, look: Look, received_at: datetime) -> Description:
    """What the header and a first look at the image say."""
    ds = read.ds
    effective_at, doubts = effective_time(ds, received_at)
    return Description(
        key=read.key,
        patient=read.patient,
        patient_name=text(ds, "PatientName"),
        patient_sex=patient_sex(ds),
        patient_age_years=patient_age_years(ds, effective_at),
        sop_class_uid=read.sop_class_uid,
        transfer_syntax_uid=read.transfer_syntax_uid,
        modality=text(ds, "Modality"),
        study_date=text(ds, "StudyDate").replace(".", ""),
        accession_number=text(ds, "AccessionNumber"),
        study_description=text(ds, "StudyDescription")[:64] or None,
        body_part_examined=text(ds, "BodyPartExamined")[:64] or None,
        view_position=text(ds, "ViewPosition")[:64] or None,
        rows=_size(ds, "Rows"),
        columns=_size(ds, "Columns"),
        effective_at=effective_at,
        quality={**_quality(read, look), **doubts},
        header=header_json(ds),
    )


def _quality(read: ReadInstance, look: Look) -> dict[str, Any]:
    ds, radiance = read.ds, look.radiance
    said = {
        "photometricInterpretation": text(ds, "PhotometricInterpretation"),
        "bodyPartExamined": text(ds, "BodyPartExamined"),
        "viewPosition": text(ds, "ViewPosition"),
        "presentationIntent": text(ds, "PresentationIntentType"),
        "burnedInAnnotation": text(ds, "BurnedInAnnotation"),
        CANNOT_BE_SHOWN: look.problem.detail if look.problem else "",
    }
    return {
        **{name: value for name, value in said.items() if value},
        "rows": _size(ds, "Rows"),
        "columns": _size(ds, "Columns"),
        "transferSyntax": UID(read.transfer_syntax_uid).name,
        "windowInHeader": has_window(ds),
        **({} if radiance is None else _exposure(radiance)),
    }


def _size(ds: Dataset, keyword: str) -> int:
    value = value_of(ds, keyword, 0)
    return value if isinstance(value, int) else 0


def has_window(ds: Dataset) -> bool:
    """Whether the header says how to display the image; without, its full range is shown."""
    return bool(value_of(ds, "VOILUTSequence")) or None not in (
        value_of(ds, "WindowCenter"),
        value_of(ds, "WindowWidth"),
    )


def _exposure(sample: Display) -> dict[str, Any]:
    clipped = np.count_nonzero((sample == 0) | (sample == WHITE)) / sample.size
    return {"blank": bool(sample.std() < BLANK_DEVIATION * WHITE), "clippedFraction": round(clipped, 4)}
