"""Leaks are found: labels in notes, evidence from the future, sources that predict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from services.diagnosis.case import CaseInput, ImageInput, NoteInput, VitalsInput
from services.diagnosis.datasets.base import DAY_ZERO, DatasetError, LabelledCase, Provenance, Series, Task
from services.diagnosis.datasets.leakage import examine, names_class
from shared.codes import PULMONARY_EMBOLISM

TASKS = (Task("pneumonia", ("none", "pneumonia"), "diagnosis"),)
LATER = DAY_ZERO + timedelta(minutes=1)


def make(number: int = 0, label: int = 1, text: str = "Cough.", collection: str = "a") -> LabelledCase:
    inputs = CaseInput(DAY_ZERO, notes=(NoteInput("n", text, DAY_ZERO, "11488-4"),))
    provenance = Provenance("tiny", f"cohort.csv:{number + 2}", "CC0", True)
    return LabelledCase(
        f"i{number}", f"P{number}", inputs, {"pneumonia": label}, provenance, {"collection": collection}
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Bilateral pneumonia.", True),
        ("COVID-19 was confirmed.", True),
        ("No evidence of pneumonia.", False),
        ("Pneumonia was ruled out.", False),
        ("Mother died of pneumonia.", False),
        ("No effusion. Pneumonia on the left.", True),
        ("Pneumonectomy in 1998.", False),
    ],
)
def test_a_note_names_a_class_when_it_asserts_it(text: str, named: bool) -> None:
    assert names_class(text, "pneumonia") is named


def test_classes_by_code_and_classes_by_their_own_name_are_known() -> None:
    assert names_class("Large pulmonary emboli.", PULMONARY_EMBOLISM.code)
    assert names_class("Pleural thickening.", "pleural_thickening")
    assert not names_class("None of this is absent.", "none")


def test_notes_that_name_their_label_are_counted_and_shown() -> None:
    texts = ["Pneumonia.", "Cough.", "Pneumonia in the right lung."]
    (leak,) = examine("tiny", [make(k, 1, text) for k, text in enumerate(texts)], TASKS).leaks
    assert (leak.kind, leak.count, leak.of, leak.places) == ("label-in-note", 2, 3, ("cohort.csv:2", "cohort.csv:4"))


def test_a_name_of_another_class_is_no_leak() -> None:
    assert examine("tiny", [make(0, 0, "Treated for pneumonia years ago.")], TASKS).leaks == ()


def test_strict_refuses_the_first_note_that_names_its_label() -> None:
    with pytest.raises(DatasetError, match=r"cohort\.csv:3: The note names the label of the task pneumonia") as refused:
        examine("tiny", [make(0), make(1, 1, "Pneumonia, and a secret.")], TASKS, strict=True)
    assert "secret" not in str(refused.value)


def test_an_image_after_the_outcome_is_refused() -> None:
    image = ImageInput("i", "1.2", np.zeros((1, 1), np.float32), 1, 1, DAY_ZERO)
    inputs = CaseInput(DAY_ZERO, images=(image,))
    case = replace(make(4), inputs=inputs, outcome_at=DAY_ZERO - timedelta(hours=1))
    with pytest.raises(DatasetError, match=r"cohort\.csv:6: The image is later than the outcome was known"):
        examine("tiny", [case], TASKS)


def test_evidence_up_to_the_case_time_and_the_outcome_is_taken() -> None:
    assert examine("tiny", [replace(make(), outcome_at=DAY_ZERO)], TASKS).cases == 1


def in_the_future() -> dict[str, LabelledCase]:
    late = (np.array([0.1]), ("8867-4",), np.array([80.0]))
    case, image = make(), ImageInput("i", "1.2", np.zeros((1, 1), np.float32), 1, 1, LATER)
    return {
        "image": replace(case, inputs=CaseInput(DAY_ZERO, images=(image,))),
        "note": replace(case, inputs=CaseInput(DAY_ZERO, notes=(NoteInput("n", "Cough.", LATER, "11488-4"),))),
        "vital sign": replace(case, inputs=CaseInput(DAY_ZERO, vitals=VitalsInput("v", *late))),
        "reading": replace(case, series=Series(*late)),
    }


@pytest.mark.parametrize("what", ["image", "note", "vital sign", "reading"])
def test_evidence_later_than_the_case_time_is_refused(what: str) -> None:
    with pytest.raises(DatasetError, match=rf"cohort\.csv:2: The {what} is later than the case time"):
        examine("tiny", [in_the_future()[what]], TASKS)


def test_a_source_that_predicts_the_label_is_told_with_its_auroc() -> None:
    rng = np.random.default_rng(1)
    sources = rng.choice(["a", "b", "c"], 300)
    share = {"a": 0.9, "b": 0.5, "c": 0.1}
    labels = np.array([int(rng.random() < share[source]) for source in sources])
    cases = [
        make(k, int(label), collection=source) for k, (source, label) in enumerate(zip(sources, labels, strict=True))
    ]
    (leak,) = examine("tiny", cases, TASKS).leaks
    seen = {source: labels[sources == source].mean() for source in share}
    expected = roc_auc_score(labels, [seen[source] for source in sources])
    assert leak.kind == "source-predicts-label"
    assert f"AUROC of {expected:.2f}." in leak.detail


def test_a_source_with_one_label_alone_is_told() -> None:
    cases = [make(k, 1, collection="a") for k in range(12)] + [make(k, k % 2, collection="b") for k in range(200)]
    (leak,) = examine("tiny", cases, TASKS).leaks
    assert (leak.kind, leak.count) == ("source-predicts-label", 212)
    assert leak.detail.startswith("12 cases come from a collection with one label alone.")


def test_sources_alike_in_their_labels_are_no_leak() -> None:
    assert examine("tiny", [make(k, k % 2, collection="ab"[k // 2 % 2]) for k in range(200)], TASKS).leaks == ()


def test_the_report_says_what_was_left_out() -> None:
    report = examine("tiny", [make()], TASKS, dropped={"HR: unknown (-1)": 3})
    assert report.lines() == ["tiny: 1 cases checked", "left out, HR: unknown (-1): 3"]
