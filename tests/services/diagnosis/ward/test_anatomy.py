"""Shapes lie where a chest has them."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward import anatomy
from services.diagnosis.ward.anatomy import Chest, Frame, Nuisance, bump, ellipse, ramp
from services.diagnosis.ward.physique import physique
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.render_image import draw_nuisance
from services.diagnosis.ward.scanners import UPRIGHT
from services.diagnosis.ward.skeleton import skeleton
from services.diagnosis.ward.vessels import vessels

FRAME = Frame(256, 240, 0.0, 1.0, (0.0, 0.0))


def nuisance(number: int = 0, person: Person = ANYONE) -> Nuisance:
    return physique(draw_nuisance(np.random.default_rng(number)), person, UPRIGHT)


def chest(n: Nuisance, *, hyperinflated: bool = False, enlarged_heart: bool = False) -> Chest:
    return anatomy.build_chest(FRAME, n, hyperinflated=hyperinflated, enlarged_heart=enlarged_heart)


def test_a_ramp_is_smooth_from_0_to_1() -> None:
    """Smoothstep 3t^2 - 2t^3: 0.15625 and 0.84375 at a quarter and three quarters of the way."""
    distance = np.array([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(ramp(distance, 1.0), [0, 0, 0.15625, 0.5, 0.84375, 1, 1], atol=1e-6)


def test_a_bump_is_a_bell() -> None:
    np.testing.assert_allclose(bump(np.array([2.0, 3.0, 4.0]), 2.0, 1.0), [1, np.exp(-1), np.exp(-4)], rtol=1e-5)


def test_an_ellipses_border_has_distance_0() -> None:
    x, y = np.array([[0.3, 0.1, 0.1]], np.float32), np.array([[0.2, 0.3, 0.2]], np.float32)
    np.testing.assert_allclose(ellipse(x, y, (0.1, 0.2), (0.2, 0.1)), [[0, 0, 0.1]], atol=1e-6)


def test_a_turned_ellipse_turns_with_the_clock() -> None:
    """At 90 degrees the long axis is upright."""
    x, y = np.array([[0.0, 0.2]], np.float32), np.array([[0.2, 0.0]], np.float32)
    upright = ellipse(x, y, (0.0, 0.0), (0.2, 0.1), 90)
    np.testing.assert_allclose(upright, [[0, -0.1]], atol=1e-6)


@pytest.mark.parametrize("frame", [FRAME, Frame(300, 250, 3.0, 1.05, (0.02, -0.01)), Frame(64, 64, -5, 0.9, (0, 0))])
def test_points_and_grid_agree(frame: Frame) -> None:
    x, y = frame.grid()
    for row, column in ((10, 20), (40, 50), (63, 5)):
        [(placed_column, placed_row)] = frame.pixels([(float(x[row, column]), float(y[row, column]))])
        assert (placed_row, placed_column) == pytest.approx((row, column), abs=1e-3)


def test_hyperinflation_lowers_and_flattens_the_domes_and_narrows_the_heart() -> None:
    for number in range(5):
        n = nuisance(number)
        normal, wide = chest(n), chest(n, hyperinflated=True)
        assert (wide.dome.min() - normal.dome.min()) == pytest.approx(0.075, abs=0.005)
        assert np.ptp(wide.dome) < np.ptp(normal.dome)
        assert (wide.heart > 0.5).any(axis=0).sum() < (normal.heart > 0.5).any(axis=0).sum()
        assert (wide.lungs > 0.5).sum() > (normal.lungs > 0.5).sum()


def test_two_thirds_of_the_heart_lie_on_the_left() -> None:
    for number in range(5):
        heart = chest(nuisance(number)).heart > 0.5
        left = heart[:, 120:].sum() / heart.sum()
        assert 0.55 < left < 0.8


def cardiothoracic_ratio(drawn: Chest) -> float:
    heart = (drawn.heart > 0.5).any(axis=0).sum()
    thorax = np.flatnonzero((drawn.lungs > 0.5).any(axis=0))
    return float(heart / (thorax[-1] - thorax[0]))


def test_the_cardiothoracic_ratio_tells_enlarged_hearts() -> None:
    """Half of the chest's inner width is the border that radiologists use in PA images."""
    normal = [cardiothoracic_ratio(chest(nuisance(number))) for number in range(20)]
    enlarged = [cardiothoracic_ratio(chest(nuisance(number), enlarged_heart=True)) for number in range(20)]
    assert max(normal) < 0.5 < min(enlarged)


def test_the_trachea_is_air_above_the_carina() -> None:
    n = nuisance()
    air = anatomy.trachea(chest(n), n) > 0.5
    rows, columns = np.nonzero(air)
    assert rows.max() / 256 < 0.36
    assert 105 < columns.min() <= columns.max() < 135


def test_an_old_aorta_bulges_to_both_sides() -> None:
    young, old = (nuisance(4, Person(age, "M", 3, "harbour")) for age in (25, 90))
    grown = (anatomy.mediastinum(chest(old), old) > 0.5) & ~(anatomy.mediastinum(chest(young), young) > 0.5)
    knob, ascending = grown[60:90, 120:], grown[80:110, :120]
    assert knob.sum() > 20
    assert ascending.sum() > 20


def test_bones_shadow_less_when_thin() -> None:
    young, old = (nuisance(4, Person(age, "F", 3, "harbour")) for age in (25, 90))
    assert skeleton(chest(old), old).sum() < 0.7 * skeleton(chest(young), young).sum()


def test_vessels_thin_out_towards_the_wall() -> None:
    n = nuisance(2)
    drawn = chest(n)
    markings = vessels(drawn, n)
    central, outer = (drawn.off > 0.08) & (drawn.off < 0.16), (drawn.off > 0.24) & (drawn.off < 0.3)
    middle = (drawn.y > 0.3) & (drawn.y < 0.6)
    assert markings[central & middle].mean() > 2 * markings[outer & middle].mean()
