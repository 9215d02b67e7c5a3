"""Findings show where their masks say, and nothing else changes, whoever the person and whatever the scanner."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from services.diagnosis.ward.exposure import open_field
from services.diagnosis.ward.physique import physique
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.render_image import Radiograph, draw_nuisance, render_image
from services.diagnosis.ward.scanners import (
    ANY_SCANNER,
    NEW_SCANNER,
    NEW_SITE,
    STANDARD_IMAGING,
    UPRIGHT,
    Scanner,
    View,
)

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
SCANNERS = [
    scanner
    for imaging in (STANDARD_IMAGING, NEW_SCANNER, NEW_SITE)
    for scanners in (*imaging.sites.values(), imaging.elsewhere)
    for scanner in scanners
]
BEDSIDE = View("AP", bedside=True, supine=True)
PERSONS = [Person(22, "M", 2, "harbour"), Person(93, "F", 5, "hill")]


def draw(
    findings: dict[str, str],
    number: int,
    side: int = 256,
    *,
    person: Person = ANYONE,
    scanner: Scanner = ANY_SCANNER,
    view: View = UPRIGHT,
) -> Radiograph:
    return render_image(findings, np.random.default_rng(number), side=side, person=person, scanner=scanner, view=view)


def change(
    normal: dict[str, str],
    finding: str,
    value: str,
    number: int,
    *,
    person: Person = ANYONE,
    scanner: Scanner = ANY_SCANNER,
    view: View = UPRIGHT,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """How much one finding changes the brightness, and its mask."""
    with_it = draw(normal | {finding: value}, number, person=person, scanner=scanner, view=view)
    without = draw(normal, number, person=person, scanner=scanner, view=view)
    return np.abs(with_it.brightness - without.brightness), with_it.masks[finding]


@pytest.mark.parametrize(("finding", "value"), ADDED + RESHAPED)
def test_the_picture_changes_more_inside_the_mask_than_outside(
    normal: dict[str, str], finding: str, value: str
) -> None:
    for number in range(5):
        changed, mask = change(normal, finding, value, number)
        assert changed[mask].mean() > 3 * changed[~mask].mean()


@pytest.mark.parametrize(("finding", "value"), ADDED)
def test_an_added_lesions_change_lies_within_its_dilated_mask(normal: dict[str, str], finding: str, value: str) -> None:
    # Oedema fades slowly, and its mask ends where its haze is three tenths of what it can be.
    share = 0.75 if finding == "interstitial_oedema" else 0.9
    for number, person in enumerate(PERSONS * 3):
        for view in (UPRIGHT, BEDSIDE):
            changed, mask = change(normal, finding, value, number, person=person, view=view)
            assert changed[binary_dilation(mask, iterations=6)].sum() > share * changed.sum()


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.model)
def test_every_scanner_shows_every_finding(normal: dict[str, str], scanner: Scanner) -> None:
    for number, (finding, value) in enumerate(ADDED + RESHAPED):
        view = BEDSIDE if scanner.bedside > 0.5 else UPRIGHT
        changed, mask = change(normal, finding, value, number, scanner=scanner, view=view)
        assert changed[mask].mean() > 2.5 * changed[~mask].mean()
        assert changed[mask].mean() > 0.025


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.model)
def test_nothing_lies_under_the_collimator(normal: dict[str, str], scanner: Scanner) -> None:
    findings = normal | {"hyperinflation": "present", "device": "central_line", "pleural_effusion": "both_sides"}
    for number in range(6):
        picture = draw(findings, number, scanner=scanner)
        n = physique(draw_nuisance(np.random.default_rng(number)), ANYONE, UPRIGHT)
        covered = np.ones(picture.brightness.shape, dtype=bool)
        covered[open_field(n, scanner.look, *picture.brightness.shape)] = False
        assert not picture.brightness[covered].any()
        assert not any(mask[covered].any() for mask in picture.masks.values())


def test_what_free_air_or_fluid_hides_is_in_no_mask(normal: dict[str, str]) -> None:
    for number in range(10):
        for cover, value in (("pneumothorax", "present"), ("pleural_effusion", "both_sides")):
            both = draw(normal | {"consolidation": "lower", cover: value}, number).masks
            assert not (both["consolidation"] & both[cover]).any()


def test_a_normal_chest_has_no_masks(normal: dict[str, str]) -> None:
    assert draw(normal, 1).masks == {}


@pytest.mark.parametrize(("value", "half"), [("left", 1), ("right", 0)])
def test_the_patients_left_is_the_images_right(normal: dict[str, str], value: str, half: int) -> None:
    mask = draw(normal | {"basal_band": value}, 2).masks["basal_band"]
    halves = mask[:, : mask.shape[1] // 2].sum(), mask[:, mask.shape[1] // 2 :].sum()
    assert halves[half] > 0
    assert halves[1 - half] == 0


def test_the_basal_band_shows_however_shallow_the_breath(normal: dict[str, str]) -> None:
    for number in range(30):
        for value in ("left", "right"):
            mask = draw(normal | {"basal_band": value}, number, person=PERSONS[1], view=BEDSIDE).masks["basal_band"]
            assert mask.sum() > 0.0015 * mask.size


def test_air_is_dark_and_the_spine_bright(normal: dict[str, str]) -> None:
    for number in range(5):
        chest = draw(normal, number)
        rows, columns = chest.brightness.shape
        lungs = draw(normal | {"hyperinflation": "present"}, number).masks["hyperinflation"]
        middle = chest.brightness[rows // 2 : int(rows * 0.6), columns // 2 - 5 : columns // 2 + 5]
        assert chest.brightness[lungs].mean() < 0.65 * middle.mean()


def test_the_same_stream_draws_the_same_picture(normal: dict[str, str]) -> None:
    np.testing.assert_array_equal(draw(normal, 7).brightness, draw(normal, 7).brightness)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.model)
def test_findings_change_no_later_random_number(normal: dict[str, str], scanner: Scanner) -> None:
    """Nuisance is drawn before findings are looked at, and as much of it: the streams end at the same place."""
    ill = normal | {
        "consolidation": "lower",
        "interstitial_oedema": "present",
        "pneumothorax": "present",
        "pleural_effusion": "both_sides",
        "hyperinflation": "present",
        "cardiomegaly": "present",
        "device": "pacemaker",
    }
    streams = [np.random.default_rng(9), np.random.default_rng(9)]
    for findings, rng in zip((normal, ill), streams, strict=True):
        render_image(findings, rng, side=64, scanner=scanner)
    assert streams[0].random() == streams[1].random()


@pytest.mark.parametrize("side", [64, 128, 256, 512, 1024])
def test_masks_lie_on_the_images_own_grid(normal: dict[str, str], side: int) -> None:
    picture = draw(normal | {"consolidation": "lower", "device": "pacemaker"}, 3, side)
    assert picture.brightness.shape[0] == side
    assert picture.brightness.shape[1] <= side
    assert {mask.shape for mask in picture.masks.values()} == {picture.brightness.shape}


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.model)
def test_a_small_rendering_shows_the_same_chest_as_a_large_one(normal: dict[str, str], scanner: Scanner) -> None:
    findings = normal | {"pleural_effusion": "one_sided"}
    large, small = (draw(findings, 5, side, scanner=scanner).brightness for side in (512, 128))
    blocks = large[:, : small.shape[1] * 4].reshape(128, 4, -1, 4).mean(axis=(1, 3))
    assert np.corrcoef(blocks.ravel(), small[:, : blocks.shape[1]].ravel())[0, 1] > 0.96
