"""Real radiographs are outside what the demo bundle was trained on, and it says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.diagnosis.case import CaseInput, ImageInput
from services.diagnosis.inference.predictor import Predictor


def test_real_radiographs_are_flagged_as_strangers(predictor: Predictor, reference_data: Path) -> None:
    files = sorted((reference_data / "cxr-cohort" / "images").glob("*.jpg"))[::15]
    if not files:
        pytest.skip("no radiographs beside this checkout")
    flagged = [predictor.predict(_case(path)).modalities["image"].ood_flagged for path in files]
    # Of 216 of them 93 % are (95 % interval 88 to 96); these 29 leave room for chance.
    assert np.mean(flagged) >= 0.8


def _case(path: Path) -> CaseInput:
    image = Image.open(path).convert("L")
    columns, rows = image.size
    image.thumbnail((512, 512))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    pixels = np.asarray(np.asarray(image) / 255, np.float32)
    return CaseInput(moment, images=(ImageInput("i", "1.2.3", pixels, rows, columns, moment),))
