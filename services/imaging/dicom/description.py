"""From a read instance to everything that its row says, and to the image that the networks see."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from services.imaging.dicom.attributes import effective_time, patient_age_years, patient_sex
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.json_model import header_json
from services.imaging.dicom.pixels import check_pixel_module, decode
from services.imaging.dicom.reading import ReadInstance
from services.imaging.dicom.render import WHITE, Display, to_display
from services.imaging.dicom.values import text, value_of
from services.imaging.domain import Description

BLANK_DEVIATION = 0.005
SAMPLED_EVERY = 4


def render_instance(read: ReadInstance, decoders: Decoders) -> Display:
    """The whole image at full resolution, for display.

    Raises: Refused: the pixels are absent, unsupported, too many or unreadable.
    """
    check_pixel_module(read.ds, max_pixels=decoders.limits.max_pixels)
    return to_display(decode(read.ds, decoders), read.ds)


def describe(read: ReadInstance, display: Display, small: Display, received_at: datetime) -> Description:
    """What the header and the rendering say; `small` is the rendering that the networks see."""
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
        rows=display.shape[0],
        columns=display.shape[1],
        effective_at=effective_at,
        quality={**_quality(read, display, small), **doubts},
        header=header_json(ds),
    )


def _quality(read: ReadInstance, display: Display, small: Display) -> dict[str, Any]:
    ds = read.ds
    said = {
        "photometricInterpretation": text(ds, "PhotometricInterpretation"),
        "bodyPartExamined": text(ds, "BodyPartExamined"),
        "viewPosition": text(ds, "ViewPosition"),
        "presentationIntent": text(ds, "PresentationIntentType"),
        "burnedInAnnotation": text(ds, "BurnedInAnnotation"),
    }
    return {
        **{name: value for name, value in said.items() if value},
        "rows": display.shape[0],
        "columns": display.shape[1],
        "transferSyntax": UID(read.transfer_syntax_uid).name,
        "windowInHeader": has_window(ds),
        **_exposure(display, small),
    }


def has_window(ds: Dataset) -> bool:
    """Whether the header says how to display the image; without, its full range is shown."""
    return bool(value_of(ds, "VOILUTSequence")) or None not in (
        value_of(ds, "WindowCenter"),
        value_of(ds, "WindowWidth"),
    )


def _exposure(display: Display, small: Display) -> dict[str, Any]:
    sample = display[::SAMPLED_EVERY, ::SAMPLED_EVERY]
    clipped = np.count_nonzero((sample == 0) | (sample == WHITE)) / sample.size
    return {"blank": bool(small.std() < BLANK_DEVIATION * WHITE), "clippedFraction": round(clipped, 4)}
