"""Age, sex, build and posture change the picture as they do in people, and never by way of a finding."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward.anatomy import NUISANCE_RANGES, Nuisance
from services.diagnosis.ward.physique import physique
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.render_image import RANGES, Radiograph, draw_nuisance, render_image
from services.diagnosis.ward.scanners import ANY_SCANNER, UPRIGHT, View

BEDSIDE = View("AP", bedside=True, supine=True)


def drawn(number: int = 0, **fixed: float) -> Nuisance:
    return {**draw_nuisance(np.random.default_rng(number)), **fixed}


def person(age_years: int, sex: str) -> Person:
    return Person(age_years, sex, 3, "harbour")


def test_bones_thin_with_age_and_sooner_in_women() -> None:
    bone = {(age, sex): physique(drawn(), person(age, sex), UPRIGHT)["bone"] for age in (30, 60, 90) for sex in "FM"}
    assert bone[30, "F"] == bone[30, "M"] == 1
    assert bone[90, "F"] < bone[60, "F"] < 1
    assert bone[90, "F"] < bone[90, "M"] < 1


def test_the_aorta_unfolds_and_calcifies_with_age() -> None:
    young, old = (physique(drawn(calcification=0.9), person(age, "M"), UPRIGHT) for age in (25, 88))
    assert young["unfolding"] == young["rim"] == 0
    assert old["unfolding"] > 0.5
    assert old["rim"] > 0.3


def test_the_heart_has_no_age() -> None:
    young, old = (physique(drawn(), person(age, "M"), UPRIGHT) for age in (25, 88))
    assert young["heart_size"] == old["heart_size"]
    assert young["magnification"] == old["magnification"]


def test_build_costs_contrast() -> None:
    thin, heavy = (physique(drawn(habitus=habitus), person(50, "M"), UPRIGHT) for habitus in (0.0, 1.0))
    assert thin["scatter"] == thin["veil"] == 0
    assert heavy["scatter"] == pytest.approx(0.2)
    assert heavy["inspiration"] < thin["inspiration"]
    assert heavy["girth"] > thin["girth"]


def test_lying_patients_breathe_shallow_and_have_no_gastric_bubble() -> None:
    upright, lying = (physique(drawn(gastric_bubble=0.9), person(50, "M"), view) for view in (UPRIGHT, BEDSIDE))
    assert lying["inspiration"] < upright["inspiration"]
    assert lying["gastric_bubble"] == 0
    assert lying["magnification"] > upright["magnification"] == 1


def heart_width(picture: Radiograph) -> int:
    return int(picture.masks["cardiomegaly"].any(axis=0).sum())


def test_ap_magnifies_the_heart_by_a_twentieth(normal: dict[str, str]) -> None:
    findings = normal | {"cardiomegaly": "present"}
    for number in range(4):
        pa, ap = (
            render_image(findings, np.random.default_rng(number), side=512, view=view)
            for view in (View("PA"), View("AP"))
        )
        assert heart_width(ap) / heart_width(pa) == pytest.approx(1.05, abs=0.035)


def test_the_largest_normal_heart_is_smaller_than_the_smallest_enlarged_one() -> None:
    """Half widths by `anatomy._heart`, at the ends of every range; AP magnifies both."""
    _, most = NUISANCE_RANGES["heart_size"]
    assert (0.136 + 0.011 * most) * 1.05 < 0.203 - 0.013 * most


def test_women_have_breast_shadows(normal: dict[str, str]) -> None:
    """Both pictures come from the same stream, so they differ by sex alone."""
    looks = [
        render_image(normal, np.random.default_rng(8), side=256, person=person(40, sex), scanner=ANY_SCANNER)
        for sex in "FM"
    ]
    rows, columns = looks[0].brightness.shape
    lower = (slice(int(rows * 0.55), int(rows * 0.62)), slice(int(columns * 0.7), int(columns * 0.8)))
    upper = (slice(int(rows * 0.25), int(rows * 0.35)), slice(int(columns * 0.7), int(columns * 0.8)))
    difference = looks[0].brightness - looks[1].brightness
    assert difference[lower].mean() > difference[upper].mean() + 0.01


def test_every_nuisance_is_drawn_within_its_range() -> None:
    for number in range(50):
        for name, value in drawn(number).items():
            low, high = RANGES[name]
            assert low <= value <= high
