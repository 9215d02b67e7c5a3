"""The quality gate: a drawn chest passes, and each seeded fault is named with its number and a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.imaging.dicom.json_model import element
from services.imaging.dicom.quality import SIDE, findings, small, template
from services.imaging.dicom.render import WHITE, Display

CHEST_PA = {**element("BodyPartExamined", "CHEST"), **element("ViewPosition", "PA")}


def chest(rows: int = 400, columns: int = 380) -> NDArray[np.float64]:
    """A film in [0, 1]: dark ellipses in a bright body before dark air, a brighter middle and lower end."""
    v, u = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    film = np.where((abs(u) < 0.85) & (v > -0.8), 0.6, 0.15)
    for side in (-1, 1):
        film[((u - side * 0.4) / 0.25) ** 2 + ((v + 0.1) / 0.6) ** 2 < 1] = 0.3
    film[(abs(u) < 0.15) & (v > -0.9)] = 0.85
    film[(v > 0.55) & (abs(u) < 0.85)] = 0.8
    noisy: NDArray[np.float64] = film + np.random.default_rng(4).normal(0, 0.01, film.shape)
    return noisy.clip(0.01, 0.99)


def display(values: NDArray[np.float64]) -> Display:
    image: Display = np.rint(values.clip(0, 1) * WHITE).astype(np.uint16)
    return image


def named(values: NDArray[np.float64], header: dict[str, Any] | None = None) -> set[str]:
    return {finding["name"] for finding in findings(display(values), CHEST_PA if header is None else header)}


def test_a_chest_passes() -> None:
    assert findings(display(chest()), CHEST_PA) == []


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (lambda x: x * 0.3, "too-dark"),
        (lambda x: 0.75 + 0.25 * x, "too-bright"),
        (lambda x: 0.5 + 0.1 * x, "low-contrast"),
        (lambda x: (x - 0.5) * 6 + 0.5, "clipped"),
        (lambda x: 1 - x, "inverted"),
        (lambda x: np.full_like(x, 0.5), "blank"),
        (lambda x: np.random.default_rng(1).random(x.shape), "not-like-a-chest"),
        (lambda x: np.tile(x, (1, 3)), "proportions"),
        (lambda x: x[::4, ::4], "tiny"),
    ],
    ids=["dark", "bright", "flat", "clipped", "inverted", "blank", "noise", "too wide", "tiny"],
)
def test_a_fault_is_named_with_its_number_and_a_sentence(fault: Any, name: str) -> None:
    found = {finding["name"]: finding for finding in findings(display(fault(chest())), CHEST_PA)}
    assert name in found
    assert isinstance(found[name]["value"], int | float)
    assert found[name]["text"].endswith(".")


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_chest_is_named_with_its_angle_clockwise(turns: int) -> None:
    turned = np.rot90(chest(), -turns)
    (found,) = [finding for finding in findings(display(turned), CHEST_PA) if finding["name"] == "rotated"]
    assert found["value"] == 90 * turns


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (element("BodyPartExamined", "HIP"), {"other-body-part"}),
        (element("SeriesDescription", "Knie / KNEE ap"), {"other-body-part"}),
        ({**element("BodyPartExamined", "CHEST"), **element("ProtocolName", "SHOULDER GIRDLE")}, set()),
        ({**CHEST_PA, **element("ViewPosition", "LL")}, {"not-frontal"}),
        ({}, set()),
    ],
    ids=["body part", "description", "the first that speaks decides", "lateral", "a silent header"],
)
def test_the_header_is_heard(header: dict[str, Any], names: set[str]) -> None:
    assert named(chest(), header) == names


def test_a_finding_quotes_no_words_of_the_header() -> None:
    told = findings(display(chest()), element("StudyDescription", "HIP of Mrs Quartermain"))
    assert "Quartermain" not in str(told)
    assert told[0]["value"] == "StudyDescription"


def test_likeness_is_a_correlation() -> None:
    for image in (template(), small(display(chest()))):
        assert image.shape == (SIDE, SIDE)
        assert float(image.mean()) == pytest.approx(0, abs=1e-9)
        assert float(image.std()) == pytest.approx(1)
