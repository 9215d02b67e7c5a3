"""From what the ingest services give to the case that the networks take."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from services.diagnosis.assembly import assemble
from services.diagnosis.snapshot import Evidence
from shared.contracts.base import Modality
from shared.contracts.evidence import ImageFinding, RenderedImage

MOMENT = datetime(2026, 1, 31, tzinfo=UTC)


def test_doubts_of_the_imaging_service_go_with_the_image() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(stream, "PNG")
    doubt = ImageFinding(name="rotated", value=180, text="The image looks like a chest that is turned.")
    content = RenderedImage(
        id="i",
        digest="sha256:i",
        study_instance_uid="1",
        series_instance_uid="2",
        sop_instance_uid="3",
        modality="CR",
        rows=4,
        columns=4,
        findings=[doubt],
        png=base64.b64encode(stream.getvalue()).decode(),
    )
    case = assemble(MOMENT, [Evidence(Modality.IMAGE, "i", "sha256:i", MOMENT)], [content])
    (image,) = case.images
    assert image.findings == ({"name": "rotated", "value": 180.0, "limit": None, "text": doubt.text},)
