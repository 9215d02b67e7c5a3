"""Statements about films: what they claim is true of the film they describe."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward.captions import WORDS, Claim, Film, all_claims, describe, film_of, holds, side_of, word
from services.diagnosis.ward.chance import WIDTH, Chance
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.tables import WARD

NOTHING = dict.fromkeys(WORDS, "absent")


def chance(seed: int) -> Chance:
    return Chance(np.random.default_rng(seed).random(WIDTH).tolist())


def test_every_image_finding_of_the_ward_has_words() -> None:
    assert set(WORDS) == {finding.name for finding in WARD.findings if finding.modality == "image"}


def test_values_with_words_are_values_of_the_ward() -> None:
    for name, values in WORDS.items():
        assert set(values) - {None} <= set(WARD.finding(name).values) - {"absent"}


def test_the_right_lung_is_on_the_left_of_the_picture() -> None:
    mask = np.zeros((4, 4))
    mask[1, 0] = 1
    assert side_of(mask) == "right"
    assert side_of(mask[:, ::-1]) == "left"


def test_an_even_mask_has_no_side() -> None:
    assert side_of(np.ones((4, 5))) is None


def test_a_hidden_finding_is_not_on_the_film() -> None:
    film = film_of({**NOTHING, "consolidation": "lower"}, {"consolidation": np.zeros((4, 4))})
    assert film.findings["consolidation"] == "absent"


@pytest.mark.parametrize(
    ("claim", "true"),
    [
        (Claim("pneumothorax", present=True), True),
        (Claim("pneumothorax", present=True, side="left"), True),
        (Claim("pneumothorax", present=True, side="right"), False),
        (Claim("pneumothorax", present=False), False),
        (Claim("device", present=True), True),
        (Claim("device", present=True, value="pacemaker"), False),
        (Claim("device", present=False, value="pacemaker"), True),
        (Claim("cardiomegaly", present=True), False),
        (Claim("cardiomegaly", present=False), True),
        (Claim("pleural_effusion", present=True, side="left"), True),
        (Claim("pleural_effusion", present=True, side="right"), True),
    ],
)
def test_what_is_true_of_a_film(claim: Claim, true: bool) -> None:
    findings = {**NOTHING, "pneumothorax": "present", "device": "central_line", "pleural_effusion": "both_sides"}
    assert holds(claim, Film(findings, {"pneumothorax": "left"})) is true


@pytest.mark.parametrize("index", range(4))
def test_a_description_is_true_of_its_film(index: int) -> None:
    patient = generate_patient(77, index, side=256)
    film = film_of(patient.latents.findings, patient.truth.masks)
    for seed in range(20):
        report = describe(film, chance(seed))
        assert report
        assert all(holds(statement.claim, film) for statement in report)


def test_the_side_in_words_is_that_of_the_ward() -> None:
    """A basal band's value is its side, which the masks must agree with."""
    patients = [generate_patient(78, index, side=256) for index in range(12)]
    banded = [p for p in patients if p.latents.findings["basal_band"] != "absent"]
    sides = [film_of(p.latents.findings, p.truth.masks).sides.get("basal_band") for p in banded]
    assert len(banded) > 3
    assert sides == [p.latents.findings["basal_band"] for p in banded]


def test_denials_say_so() -> None:
    texts = {word(Claim("pneumothorax", present=False), chance(seed)).text for seed in range(30)}
    assert all(any(cue in text for cue in ("no ", "absent", "without", "not ")) for text in texts)


def test_claims_are_listed_once() -> None:
    assert len(set(all_claims())) == len(all_claims())
    assert Claim("consolidation", present=True, value="upper", side="left") in all_claims()
