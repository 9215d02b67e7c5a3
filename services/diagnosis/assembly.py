"""From fetched contents to the case that the networks take. Only the worker imports this: it needs numpy and Pillow."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.diagnosis.case import CaseInput, ImageInput, NoteInput, VitalsInput
from services.diagnosis.clients import Content
from services.diagnosis.snapshot import Evidence
from shared.contracts.evidence import NoteContent, RenderedImage, VitalsWindow

FULL_SCALE = 65535.0


def assemble(as_of: datetime, evidence: Sequence[Evidence], contents: Sequence[Content]) -> CaseInput:
    """The case that a manifest describes; `contents` are those of `evidence`, in its order."""
    pairs = list(zip(evidence, contents, strict=True))
    images = [(item, content) for item, content in pairs if isinstance(content, RenderedImage)]
    return CaseInput(
        as_of=as_of,
        images=tuple(_image(content, item.effective_at) for item, content in images),
        notes=tuple(_note(content) for _, content in pairs if isinstance(content, NoteContent)),
        vitals=next((_vitals(content, as_of) for _, content in pairs if isinstance(content, VitalsWindow)), None),
        age_years=next((c.patient_age_years for _, c in images if c.patient_age_years is not None), None),
        sex=next((c.patient_sex for _, c in images if c.patient_sex is not None), None),
        stated_by=tuple(c.id for _, c in images if c.patient_age_years is not None or c.patient_sex is not None),
    )


def decode_png(encoded: str) -> NDArray[np.float32]:
    """Pixels [height, width] in [0, 1] of a 16-bit grayscale PNG in base64.

    Raises: ValueError: it is something else.
    """
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
        if image.mode not in ("I;16", "I;16B", "I"):
            raise ValueError(f"a rendered image is 16-bit grayscale, this one is {image.mode}")
        return np.asarray(image, dtype=np.float32) / np.float32(FULL_SCALE)


def _image(content: RenderedImage, effective_at: datetime) -> ImageInput:
    return ImageInput(
        id=content.id,
        sop_instance_uid=content.sop_instance_uid,
        pixels=decode_png(content.png),
        rows=content.rows,
        columns=content.columns,
        effective_at=effective_at,
        modality=content.modality,
        body_part_examined=content.body_part_examined,
        view_position=content.view_position,
        findings=tuple(finding.model_dump(mode="json") for finding in content.findings),
    )


def _note(content: NoteContent) -> NoteInput:
    return NoteInput(content.id, content.text, content.authored, content.type, content.language)


def _vitals(content: VitalsWindow, as_of: datetime) -> VitalsInput | None:
    samples = sorted(
        (sample for sample in content.samples if sample.effective <= as_of), key=lambda sample: sample.effective
    )
    if not samples:
        return None
    return VitalsInput(
        id=content.id,
        times_h=np.array([(s.effective - as_of).total_seconds() / 3600 for s in samples], dtype=np.float64),
        codes=tuple(sample.code for sample in samples),
        values=np.array([sample.value for sample in samples], dtype=np.float64),
    )
