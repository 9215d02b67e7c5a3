"""The figures of the joint space, over the shipped bundle and patients it has never seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.datasets.ward import Ward
from services.diagnosis.evaluation.probes.joint import measure_joint, questions
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.ward.captions import Film, holds

N = 60


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    import torch

    torch.set_num_threads(1)
    return Predictor.load(DEMO_BUNDLE)


@pytest.fixture(scope="module")
def cases() -> list[LabelledCase]:
    return list(Ward(seed=31, patients=N, side=256).cases())


@pytest.fixture(scope="module")
def found(predictor: Predictor, cases: list[LabelledCase]) -> dict[str, Any]:
    return measure_joint(predictor, cases, seed=1)


def test_a_question_is_judged_by_what_the_film_shows(found: dict[str, Any]) -> None:
    effusion = found["questions"]["is there pleural effusion?"]
    assert effusion["films"] <= N
    assert 5 <= effusion["with"] <= N - 5
    assert effusion["auroc"]["low"] <= effusion["auroc"]["value"] <= effusion["auroc"]["high"]
    assert effusion["auroc"]["value"] > 0.8


def test_a_case_finds_its_other_half_more_often_than_chance(found: dict[str, Any]) -> None:
    pair = found["retrieval"]["image_to_note"]
    assert pair["recall_at_10"] > pair["recall_at_10_chance"]


def test_similar_cases_share_the_diagnosis_more_often_than_chance(found: dict[str, Any]) -> None:
    assert found["similar_same_diagnosis"]["value"] > found["similar_same_diagnosis_chance"] + 0.1


def test_films_of_other_patients_tell_nothing(predictor: Predictor, cases: list[LabelledCase]) -> None:
    """The truth of the next patient beside each film: what is left is chance."""
    others = [case.truth for case in (*cases[1:], cases[0])]
    mixed = [replace(case, truth=truth) for case, truth in zip(cases, others, strict=True)]
    auroc = measure_joint(predictor, mixed, seed=1)["questions"]["is there pleural effusion?"]["auroc"]
    assert auroc["low"] < 0.5 < auroc["high"]


def test_a_bundle_without_a_joint_space_has_no_figures(predictor: Predictor, cases: list[LabelledCase]) -> None:
    assert measure_joint(replace(predictor, joint=None), cases, seed=1) == {"n": 0}


def test_questions_are_claims_that_a_film_answers() -> None:
    bare = Film({claim.finding: "absent" for claim in questions().values()}, {})
    answers = {text: holds(claim, bare) for text, claim in questions().items()}
    assert [text for text, true in answers.items() if true] == ["no pneumothorax"]
