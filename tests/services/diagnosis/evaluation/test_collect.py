"""Answers side by side: nothing is lost, nothing changes places, and a task's classes are what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from services.diagnosis.case import CaseInput, NoteInput, VitalsInput
from services.diagnosis.datasets.base import LabelledCase, LeakageReport, Provenance, Split, Task
from services.diagnosis.datasets.ward import Ward
from services.diagnosis.evaluation.collect import Sample, collect, gathered
from services.diagnosis.evaluation.subject import Answer, Array
from services.diagnosis.inference.prediction import Prediction
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, pattern_name, subsets

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
TASK = Task("diagnosis", ("a", "b"), "diagnosis")


@dataclass(frozen=True)
class Numbers:
    """Cases that are their own number; every third has vitals too, every seventh no label."""

    count: int
    name: str = "numbers"
    licence: str = "none"
    tasks: tuple[Task, ...] = (TASK,)

    def __len__(self) -> int:
        return self.count

    def check(self, *, strict: bool = False) -> LeakageReport:
        raise NotImplementedError

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        for i in range(shard[0], self.count, shard[1]):
            note = NoteInput(str(i), f"case {i}", AS_OF, "34117-2")
            vitals = VitalsInput(str(i), np.array([-1.0]), ("8867-4",), np.array([70.0])) if i % 3 == 0 else None
            yield LabelledCase(
                id=str(i), patient=f"P{i}", inputs=CaseInput(AS_OF, notes=(note,), vitals=vitals),
                targets={} if i % 7 == 6 else {"diagnosis": i % 2, "deterioration24h": int(i % 5 == 0)},
                provenance=Provenance("numbers", f"line {i}", "none", True),
                subgroups={"parity": "odd" if i % 2 else "even"},
            )  # fmt: skip


@dataclass(frozen=True)
class Echo:
    """Says the number of the case as its probability."""

    name: str = "echo"
    version: str = "1"
    digest: str = "sha256:0"
    classes: int = 2
    coverage: float = 0.9

    def answer(self, case: CaseInput) -> Answer:
        p = int(case.notes[0].text.split()[1]) / 100
        note = np.array([[p, 1 - p, 0.25], [p, 1 - p, 0.75]])
        members = {"note": note}
        if case.vitals is not None:
            members |= {"vitals": note / 2, "note+vitals": note}
        return Answer(members=members, ood={"note": p})

    def explain(self, case: CaseInput) -> Prediction:
        raise NotImplementedError

    def prediction_set(self, probabilities: Array, pattern: str) -> tuple[int, ...]:
        return (int(probabilities.argmax()),)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_table_is_the_same_whatever_the_number_of_processes(processes: int) -> None:
    table = collect(Echo(), Numbers(20), Sample(TASK), processes=processes)
    kept = [i for i in range(20) if i % 7 != 6]
    assert table.patients.tolist() == [f"P{i}" for i in kept]
    assert table.labels.tolist() == [i % 2 for i in kept]
    np.testing.assert_allclose(table.members["note"][0, :, 0], np.array(kept) / 100)


def test_a_pattern_is_nan_where_the_case_lacks_a_modality() -> None:
    table = collect(Echo(), Numbers(9), Sample(TASK))
    missing = np.isnan(table.members["note+vitals"]).any((0, 2))
    assert missing.tolist() == [i % 3 != 0 for i in range(9) if i % 7 != 6]
    assert table.available.tolist() == [[False, True, i % 3 == 0, False] for i in range(9) if i % 7 != 6]
    assert set(table.members) == {"note", "vitals", "note+vitals", "as-available"}


def test_at_most_so_many_cases_are_taken_evenly_from_the_whole() -> None:
    for processes in (1, 2):
        table = collect(Echo(), Numbers(50), Sample(TASK, patients=5), processes=processes)
        assert table.patients.tolist() == ["P0", "P10", "P30", "P40"], "case 20 has no label"


def test_an_unknown_task_is_said_before_any_metric() -> None:
    with pytest.raises(ValueError, match="no case of numbers has a known survival"):
        collect(Echo(), Numbers(5), Sample(Task("survival", ("no", "yes"), "deterioration24h")))


def test_groups_of_labels_are_summed_and_the_rest_is_left_out() -> None:
    task = Task("pneumonia", ("none", "pneumonia"), "diagnosis", groups=((3,), (0, 1)))
    members = np.array([[0.1, 0.2, 0.5, 0.2, 0.07]])
    np.testing.assert_allclose(gathered(members, task), [[0.2 / 0.5, 0.3 / 0.5, 0.07]])


def test_deterioration_answers_a_binary_task() -> None:
    task = Task("in_hospital_death", ("survived", "died"), "deterioration24h")
    np.testing.assert_allclose(gathered(np.array([[0.6, 0.4, 0.3]]), task), [[0.7, 0.3, 0.3]])


def test_the_oracle_of_whatever_a_case_holds_is_given_what_is_missing() -> None:
    ward = Ward(seed=3, patients=12, shift="missing-not-at-random", side=64)
    known = {case.id: case.truth for case in ward.cases()}
    table = collect(Parts(), ward, Sample(ward.tasks[0]))
    assert table.posterior is not None
    assert table.cases is not None
    for case, posterior in zip(table.cases.tolist(), table.posterior["as-available"], strict=True):
        truth = known[case]
        assert truth is not None
        np.testing.assert_allclose(posterior, truth.posterior_given_availability)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_severity_stands_beside_its_oracle_in_every_pattern_that_a_case_can_show(processes: int) -> None:
    ward = Ward(seed=3, patients=12, shift="missing-at-random", side=64)
    truths = [case.truth for case in ward.cases()]
    table = collect(Grave(), ward, Sample(ward.tasks[0]), processes=processes)
    assert table.severity is not None
    assert table.severity.levels.tolist() == [truth.severity for truth in truths if truth is not None]
    told = table.severity.exceedance["image"]
    assert np.isnan(told).any(1).tolist() == [not row[0] for row in table.available]
    np.testing.assert_allclose(told[table.available[:, 0]], [[0.6, 0.2]] * int(table.available[:, 0].sum()))
    for place, truth in enumerate(truths):
        assert truth is not None
        np.testing.assert_allclose(table.severity.posterior["image"][place], truth.severity_posterior["image"])
    assert set(table.severity.exceedance) == {"as-available", *(p for p in PATTERNS if "tabular" not in p)}


def test_a_subject_that_does_not_answer_the_severity_is_not_asked_for_it() -> None:
    ward = Ward(seed=3, patients=3, side=64)
    assert collect(Parts(), ward, Sample(ward.tasks[0])).severity is None


@dataclass(frozen=True)
class Parts(Echo):
    """Answers every subset of what a case holds by equal shares."""

    classes: int = 8

    def answer(self, case: CaseInput) -> Answer:
        held = [m for m, there in zip(MODALITIES, (case.images, case.notes, case.vitals), strict=False) if there]
        return Answer(members={pattern_name(s): np.full((1, 9), 1 / 8) for s in subsets(tuple(held))}, ood={})


@dataclass(frozen=True)
class Grave(Parts):
    """Says besides that two in five are mildly ill and one in five severely."""

    def answer(self, case: CaseInput) -> Answer:
        answer = super().answer(case)
        return replace(answer, severity={pattern: np.array([[0.5, 0.1], [0.7, 0.3]]) for pattern in answer.members})
