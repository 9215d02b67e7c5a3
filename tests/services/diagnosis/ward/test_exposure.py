"""Processing, tone and noise do what their numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.diagnosis.ward.anatomy import Nuisance
from services.diagnosis.ward.exposure import expose, open_field
from services.diagnosis.ward.scanners import Look

PLAIN = Look(gamma=(1.0, 1.0), noise=(0.0, 0.0), collimated=0.0)
STILL: Nuisance = {
    "gamma": 0.5, "noise": 0.5, "exposure": 1 / 1.12, "brightness": 0.0, "vignette": 0.0, "grid_phase": 0.0,
    "scatter": 0.0, "collimated": 0.5, "border_top": 0.0, "border_bottom": 1.0, "border_left": 0.5, "border_right": 0.5,
}  # fmt: skip


def exposed(shadow: NDArray[np.float32], look: Look, **changed: float) -> NDArray[np.float32]:
    return expose(shadow, {**STILL, **changed}, look, np.random.default_rng(4))


def flat(brightness: float, rows: int = 512, columns: int = 480) -> NDArray[np.float32]:
    return np.full((rows, columns), brightness, dtype=np.float32)


def test_a_plain_look_changes_nothing() -> None:
    shadow = np.random.default_rng(1).random((64, 60), dtype=np.float32)
    np.testing.assert_allclose(exposed(shadow, PLAIN), shadow, atol=1e-6)


def test_gamma_is_a_power() -> None:
    look = Look(gamma=(1.0, 2.0), noise=(0.0, 0.0))
    np.testing.assert_allclose(exposed(flat(0.49), look), 0.49**1.5, rtol=1e-5)


def test_contrast_spreads_the_middle_and_keeps_black_grey_and_white() -> None:
    shadow = np.array([[0.0, 0.25, 0.5, 0.75, 1.0]] * 3, dtype=np.float32)
    shown = exposed(shadow, Look(gamma=(1.0, 1.0), noise=(0.0, 0.0), contrast=0.4))[0]
    # t + 2 c t (1 - t)(t - 1/2) at t = 1/4: 0.25 - 2 * 0.4 * 0.1875 * 0.25.
    np.testing.assert_allclose(shown, [0, 0.2125, 0.5, 0.7875, 1], atol=1e-6)


@pytest.mark.parametrize("grain", [0.0, 0.4, 0.9])
@pytest.mark.parametrize(("brightness", "factor"), [(0.0, 0.6), (0.5, 1.0), (1.0, 1.4)])
def test_noise_has_its_deviation_and_grows_with_brightness(grain: float, brightness: float, factor: float) -> None:
    picture = exposed(flat(brightness), Look(gamma=(1.0, 1.0), noise=(0.02, 0.02), grain=grain))
    assert picture.std() == pytest.approx(0.02 * factor, rel=0.05)
    assert picture.mean() == pytest.approx(brightness, abs=5e-4)


def test_grain_correlates_neighbours() -> None:
    def neighbours(grain: float) -> float:
        picture = exposed(flat(0.5), Look(gamma=(1.0, 1.0), noise=(0.02, 0.02), grain=grain))
        return float(np.corrcoef(picture[:, :-1].ravel(), picture[:, 1:].ravel())[0, 1])

    assert abs(neighbours(0.0)) < 0.01
    assert neighbours(0.9) > 0.4


def test_scatter_makes_noise_worse() -> None:
    look = Look(gamma=(1.0, 1.0), noise=(0.02, 0.02))
    assert exposed(flat(0.5), look, scatter=0.2).std() == pytest.approx(0.024, rel=0.05)


def test_equalisation_draws_large_areas_together_and_keeps_small_things() -> None:
    shadow = flat(0.3)
    shadow[:, 240:] = 0.7
    shadow[100:103, 100:103] += 0.1
    shown = exposed(shadow, Look(gamma=(1.0, 1.0), noise=(0.0, 0.0), equalisation=0.4))
    assert shown[400, 400] - shown[400, 60] == pytest.approx(0.6 * 0.4, abs=0.02)
    assert shown[101, 101] - shown[101, 95] == pytest.approx(0.1, abs=0.01)


def test_equalisation_leaves_air_dark() -> None:
    shadow = flat(0.6)
    shadow[:, :200] = 0
    assert exposed(shadow, Look(gamma=(1.0, 1.0), noise=(0.0, 0.0), equalisation=0.4))[:, :200].max() == 0


def test_edges_overshoot_and_blur_softens() -> None:
    step = flat(0.3)
    step[:, 240:] = 0.7
    sharp = exposed(step, Look(gamma=(1.0, 1.0), noise=(0.0, 0.0), edges=0.8))
    soft = exposed(step, Look(gamma=(1.0, 1.0), noise=(0.0, 0.0), blur_px=1.0))
    assert sharp.max() > 0.72
    assert sharp.min() < 0.28
    # Of a step blurred by a deviation of one pixel, half a pixel beside the edge lies Phi(0.5) = 0.691 of the way.
    assert (soft[200, 240] - 0.3) / 0.4 == pytest.approx(0.691, abs=0.02)


def test_the_collimator_leaves_what_its_borders_say() -> None:
    look = Look(collimated=1.0, border=(0.01, 0.05))
    assert open_field(STILL, look, 500, 400) == (slice(5, 475), slice(15, 385))
    assert open_field(STILL, Look(collimated=0.2), 500, 400) == (slice(0, 500), slice(0, 400))
