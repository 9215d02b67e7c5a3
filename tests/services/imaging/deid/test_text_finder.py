"""Text that is burned in is found; markers of side and position are none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from services.imaging.deid.text_finder import RapidTextFinder, is_marker
from services.imaging.dicom.render import Display


def film(words: str, at: tuple[int, int], side: int = 700) -> Display:
    """A soft shadow with white words on it."""
    v, u = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    image = Image.fromarray((120 * np.exp(-(u**2 + v**2))).astype(np.uint8))
    ImageDraw.Draw(image).text(at, words, fill=230, font=ImageFont.load_default(28))
    drawn: Display = np.asarray(image).astype(np.uint16) * 257
    return drawn


@pytest.fixture(scope="module")
def find() -> RapidTextFinder:
    pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
    return RapidTextFinder()


def test_a_name_is_found_where_it_is(find: RapidTextFinder) -> None:
    (region,) = find(film("QUARTERMAIN 83920174", (60, 600)))
    assert 50 <= region.x <= 70
    assert 590 <= region.y <= 615
    assert 300 <= region.width <= 420


def test_regions_are_those_of_the_full_matrix(find: RapidTextFinder) -> None:
    large = np.repeat(np.repeat(film("QUARTERMAIN", (60, 600)), 3, 0), 3, 1)
    (region,) = find(large)
    assert 150 <= region.x <= 210
    assert 1770 <= region.y <= 1845


def test_a_film_without_text_has_none(find: RapidTextFinder) -> None:
    assert find(film("", (0, 0))) == []


@pytest.mark.parametrize("words", ["L", "R", "lt", "AP ERECT", "APERECT", "PA", "R - PORTABLE", "liegend"])
def test_a_marker_is_no_text(words: str) -> None:
    assert is_marker(words)


@pytest.mark.parametrize("words", ["", "LOPEZ", "R. Smith", "L 1937", "APRIL", "PAL", "83920174", "- -"])
def test_a_name_or_number_is_no_marker(words: str) -> None:
    assert not is_marker(words)
