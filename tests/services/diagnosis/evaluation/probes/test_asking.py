from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.bundle_subject import BundleSubject
from services.diagnosis.evaluation.probes.asking import AsksTogether, ask_all, restrict
from services.diagnosis.ward.generate import iter_cases
from tests.support.known_subject import KnownSubject, known_case


@pytest.fixture(scope="module")
def subject() -> BundleSubject:
    import torch

    torch.set_num_threads(1)
    return BundleSubject.load(DEMO_BUNDLE)


@pytest.fixture(scope="module")
def cases() -> list[CaseInput]:
    """Whole cases, single modalities, parts that are shared, long notes, and parts that input rules refuse."""
    first, second = (case for case, _ in iter_cases(77, 0, 2, side=128))
    blank = replace(first.images[0], pixels=np.zeros_like(first.images[0].pixels))
    long = replace(first.notes[0], text=first.notes[0].text * 4)
    return [
        first,
        second,
        *(restrict(first, (name,)) for name in ("image", "note", "vitals")),
        replace(second, images=first.images),
        replace(first, notes=(long, *second.notes)),
        replace(first, images=(*first.images, *second.images)),
        replace(first, images=(blank,)),
        replace(second, notes=(replace(second.notes[0], text="  "),)),
    ]


def test_asking_together_says_the_same_as_one_by_one(subject: BundleSubject, cases: list[CaseInput]) -> None:
    together = ask_all(subject, cases)
    for row, case in zip(together, cases, strict=True):
        members = subject.answer(case).members
        whole = max(members, key=lambda pattern: pattern.count("+"))
        np.testing.assert_allclose(row, members[whole].mean(0)[:8], atol=1e-5)


def test_a_case_of_which_nothing_can_be_used_gets_the_prevalence(
    subject: BundleSubject, cases: list[CaseInput]
) -> None:
    refused = restrict(cases[8], ("image",))
    np.testing.assert_allclose(ask_all(subject, [refused, cases[0]])[0], subject.prevalence)
    np.testing.assert_allclose(ask_all(KnownSubject(), [CaseInput(cases[0].as_of)])[0], KnownSubject().prevalence)


def test_a_subject_that_cannot_be_asked_together_is_asked_one_by_one() -> None:
    case = known_case().inputs
    assert not isinstance(KnownSubject(), AsksTogether)
    answers = ask_all(KnownSubject(), [case, restrict(case, ("note",))])
    assert answers[0, 0] == pytest.approx(1 / (1 + 19 * np.exp(-9)))
    assert answers[1, 0] == pytest.approx(1 / (1 + 19 * np.exp(-3)))
