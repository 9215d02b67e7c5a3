"""Each finding lies in the part of the chest that its name says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.diagnosis.ward.anatomy import Chest, Field, Frame, Nuisance, build_chest
from services.diagnosis.ward.lesions import Lesion, curve, draw_device, lesions
from services.diagnosis.ward.physique import physique
from services.diagnosis.ward.population import ANYONE
from services.diagnosis.ward.render_image import draw_nuisance
from services.diagnosis.ward.scanners import UPRIGHT

FRAME = Frame(256, 240, 0.0, 1.0, (0.0, 0.0))
STILL = np.zeros((256, 240), dtype=np.float32)
SEEDS = range(6)


def drawn(finding: str, value: str, number: int, **changed: float) -> tuple[Lesion, Chest, Nuisance]:
    n = {**physique(draw_nuisance(np.random.default_rng(number)), ANYONE, UPRIGHT), **changed}
    chest = build_chest(FRAME, n, hyperinflated=False, enlarged_heart=False)
    [lesion] = lesions({finding: value}, chest, n, STILL)
    return lesion, chest, n


def share(part: Field | NDArray[np.bool_], where: Field) -> float:
    mask = where > 0.5
    return float(part[mask].sum() / mask.sum())


def test_normal_findings_draw_nothing(normal: dict[str, str]) -> None:
    _, chest, n = drawn("pneumothorax", "present", 0)
    assert lesions(normal, chest, n, STILL) == []


@pytest.mark.parametrize(("value", "above"), [("upper", True), ("lower", False)])
def test_consolidation_lies_in_its_zone_of_one_lung(value: str, above: bool) -> None:
    for number in SEEDS:
        lesion, chest, _ = drawn("consolidation", value, number)
        rows, _ = np.nonzero(lesion.where > 0.5)
        assert (rows.mean() / 256 < 0.41) == above
        assert share(chest.side > 0, lesion.where) in (0.0, 1.0)


def test_nothing_is_drawn_outside_the_lungs_but_fluid_in_the_angle() -> None:
    for finding, value in (("consolidation", "lower"), ("pneumothorax", "present"), ("interstitial_oedema", "present")):
        for number in SEEDS:
            lesion, chest, _ = drawn(finding, value, number)
            assert share(chest.lungs, lesion.where) > 0.95


def test_pneumothorax_is_dark_air_between_lung_and_wall() -> None:
    for number in SEEDS:
        lesion, chest, _ = drawn("pneumothorax", "present", number)
        assert lesion.target < 0.1
        assert lesion.clears_vessels
        inside = chest.wall - chest.off
        assert share(inside < 0.16, lesion.where) > 0.7
        upper = (lesion.where > 0.5) & (chest.y < 0.4)
        assert upper.sum() > 0.4 * (lesion.where > 0.5).sum()


def test_fluid_has_a_meniscus_that_climbs_the_wall() -> None:
    """Of the columns of one lung, the fluid's upper end is highest beside the chest wall."""
    for number in SEEDS:
        lesion, chest, _ = drawn("pleural_effusion", "one_sided", number, effusion_side=-1.0)
        fluid = (lesion.where > 0.5) & (chest.side < 0)
        tops = fluid.argmax(axis=0)
        near_the_wall, in_the_middle = (int(tops[int(120 - off * 256)]) for off in (0.29, 0.2))
        assert 0 < near_the_wall < in_the_middle - 4


def test_fluid_on_both_sides_lies_on_both_sides() -> None:
    for number in SEEDS:
        lesion, chest, _ = drawn("pleural_effusion", "both_sides", number)
        assert 0.15 < share(chest.side > 0, lesion.where) < 0.85


@pytest.mark.parametrize(("value", "side"), [("left", 1), ("right", -1)])
def test_the_band_lies_above_the_dome_of_its_side(value: str, side: int) -> None:
    for number in SEEDS:
        lesion, chest, _ = drawn("basal_band", value, number)
        assert share(chest.side == side, lesion.where) == 1
        assert share((chest.dome - chest.y < 0.15) & (chest.dome > chest.y), lesion.where) > 0.95


def test_oedema_spreads_from_both_hila() -> None:
    for number in SEEDS:
        lesion, chest, _ = drawn("interstitial_oedema", "present", number)
        assert 0.3 < share(chest.side > 0, lesion.where) < 0.7
        near, far = chest.off < 0.2, chest.off > 0.26
        assert (lesion.alpha * near).sum() > 3 * (lesion.alpha * far).sum()


def test_the_mask_leaves_out_what_the_heart_hides() -> None:
    for finding, value in (
        ("consolidation", "lower"),
        ("interstitial_oedema", "present"),
        ("pleural_effusion", "both_sides"),
    ):
        for number in SEEDS:
            lesion, chest, _ = drawn(finding, value, number)
            assert share(chest.heart > 0.9, lesion.where) < 0.02


def test_a_central_line_ends_beside_the_right_atrium_and_a_pacemaker_in_the_ventricle() -> None:
    """The line's tip is the lowest point of either; the patient's right is the image's left."""
    for device, low, high in (("central_line", -0.07, -0.01), ("pacemaker", 0.05, 0.13)):
        for number in SEEDS:
            n = physique(draw_nuisance(np.random.default_rng(number)), ANYONE, UPRIGHT)
            _, mask = draw_device(device, FRAME, n)
            columns = np.flatnonzero(mask[np.flatnonzero(mask.any(axis=1))[-1]])
            assert low < (columns.mean() + 0.5 - 120) / 256 < high


def test_a_curve_passes_through_its_points() -> None:
    points = [(0.0, 0.0), (0.1, 0.3), (0.4, 0.2)]
    np.testing.assert_allclose(curve(points, 10)[::10], points, atol=1e-12)
