from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.model.preprocessing.image import letterbox, stretch, to_original


def test_the_whole_of_a_tall_image_fits_into_the_square() -> None:
    pixels = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (200, 1))
    square, box = letterbox(pixels, 64)
    assert square.shape == (64, 64)
    assert (box.left, box.top, box.width, box.height) == (16, 0, 32, 64)


def test_what_lies_beside_the_image_is_black() -> None:
    square, _ = letterbox(np.linspace(0.5, 1, 20000, dtype=np.float32).reshape(200, 100), 64)
    assert not square[:, :16].any()


def test_a_point_comes_back_to_its_place_in_the_original() -> None:
    _, box = letterbox(np.random.default_rng(0).random((400, 200), dtype=np.float32), 128)
    # The image fills columns 32 to 96; the square's centre is the image's centre.
    assert to_original(box, (64, 64, 96, 128), rows=4000, columns=2000) == pytest.approx((1000, 2000, 1000, 2000))


def test_the_display_window_of_a_site_does_not_matter() -> None:
    pixels = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    np.testing.assert_allclose(stretch(pixels * 0.3 + 0.2), stretch(pixels), atol=1e-5)


def test_a_blank_image_stays_blank() -> None:
    assert not stretch(np.full((8, 8), 0.7, np.float32)).any()
