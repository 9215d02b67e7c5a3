"""Findings show where their masks say, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.diagnosis.ward.render_image import Radiograph, render_image

ADDED = [
    ("consolidation", "lower"),
    ("consolidation", "upper"),
    ("pneumothorax", "present"),
    ("pleural_effusion", "one_sided"),
    ("pleural_effusion", "both_sides"),
    ("basal_band", "left"),
    ("basal_band", "right"),
    ("device", "central_line"),
    ("device", "pacemaker"),
    ("interstitial_oedema", "present"),
]
RESHAPED = [("hyperinflation", "present"), ("cardiomegaly", "present")]


def draw(findings: dict[str, str], number: int, side: int = 256) -> Radiograph:
    return render_image(findings, np.random.default_rng(number), side=side)


def change(
    normal: dict[str, str], finding: str, value: str, number: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How much one finding changes the brightness, and its mask."""
    with_it = draw(normal | {finding: value}, number)
    return np.abs(with_it.brightness - draw(normal, number).brightness), with_it.masks[finding]


@pytest.mark.parametrize(("finding", "value"), ADDED + RESHAPED)
def test_the_picture_changes_more_inside_the_mask_than_outside(
    normal: dict[str, str], finding: str, value: str
) -> None:
    for number in range(5):
        changed, mask = change(normal, finding, value, number)
        assert changed[mask].mean() > 3 * changed[~mask].mean()


@pytest.mark.parametrize(("finding", "value"), ADDED)
def test_most_of_an_added_lesions_change_lies_near_its_mask(normal: dict[str, str], finding: str, value: str) -> None:
    share = 0.5 if finding == "interstitial_oedema" else 0.7
    for number in range(5):
        changed, mask = change(normal, finding, value, number)
        assert changed[mask].sum() > share * changed.sum()


def test_a_normal_chest_has_no_masks(normal: dict[str, str]) -> None:
    assert draw(normal, 1).masks == {}


@pytest.mark.parametrize(("value", "half"), [("left", 1), ("right", 0)])
def test_the_patients_left_is_the_images_right(normal: dict[str, str], value: str, half: int) -> None:
    mask = draw(normal | {"basal_band": value}, 2).masks["basal_band"]
    halves = mask[:, : mask.shape[1] // 2].sum(), mask[:, mask.shape[1] // 2 :].sum()
    assert halves[half] > 0
    assert halves[1 - half] == 0


def test_air_is_dark_and_the_spine_bright(normal: dict[str, str]) -> None:
    for number in range(5):
        chest = draw(normal, number)
        rows, columns = chest.brightness.shape
        lungs = draw(normal | {"hyperinflation": "present"}, number).masks["hyperinflation"]
        middle = chest.brightness[rows // 3 : rows // 2, columns // 2 - 5 : columns // 2 + 5]
        assert chest.brightness[lungs].mean() < 0.6 * middle.mean()


def test_the_same_stream_draws_the_same_picture(normal: dict[str, str]) -> None:
    np.testing.assert_array_equal(draw(normal, 7).brightness, draw(normal, 7).brightness)


@pytest.mark.parametrize("side", [64, 128, 256, 512, 1024])
def test_masks_lie_on_the_images_own_grid(normal: dict[str, str], side: int) -> None:
    picture = draw(normal | {"consolidation": "lower", "device": "pacemaker"}, 3, side)
    assert picture.brightness.shape[0] == side
    assert picture.brightness.shape[1] <= side
    assert {mask.shape for mask in picture.masks.values()} == {picture.brightness.shape}


def test_a_small_rendering_shows_the_same_chest_as_a_large_one(normal: dict[str, str]) -> None:
    findings = normal | {"pleural_effusion": "one_sided"}
    large, small = draw(findings, 5, 512).brightness, draw(findings, 5, 128).brightness
    blocks = large[:, : small.shape[1] * 4].reshape(128, 4, -1, 4).mean(axis=(1, 3))
    assert np.corrcoef(blocks.ravel(), small[:, : blocks.shape[1]].ravel())[0, 1] > 0.97
