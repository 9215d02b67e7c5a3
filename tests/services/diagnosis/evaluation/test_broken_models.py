"""The harness catches what it is for: each broken model fails its check, and the whole model passes the same one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.datasets.base import LabelledCase, LeakageReport, Split, Task
from services.diagnosis.datasets.ward import Ward
from services.diagnosis.evaluation.bundle_subject import BundleSubject
from services.diagnosis.evaluation.checks import judge
from services.diagnosis.evaluation.probes.faithfulness import Effort
from services.diagnosis.evaluation.probes.suite import Scope, run_probes
from services.diagnosis.evaluation.run import Evaluation, Options, run
from services.diagnosis.evaluation.subject import Subject
from services.diagnosis.training.progress import Reporter
from tests.support.broken_subjects import Deaf, Overconfident, RandomExplanations, ReadsAbsence, Wrapped

pytestmark = pytest.mark.slow

SEED, PATIENTS, EXPLAINED = 909090, 300, 12


@dataclass(frozen=True)
class Remembered:
    """The same cases for every model, rendered once."""

    inner: Ward = field(default_factory=lambda: Ward(seed=SEED, patients=PATIENTS))
    kept: list[LabelledCase] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def licence(self) -> str:
        return self.inner.licence

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.inner.tasks

    def __len__(self) -> int:
        return len(self.inner)

    def check(self, *, strict: bool = False) -> LeakageReport:
        return self.inner.check(strict=strict)

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        if not self.kept:
            self.kept.extend(self.inner.cases())
        return iter(self.kept[shard[0] :: shard[1]])


@pytest.fixture(scope="module")
def dataset() -> Remembered:
    return Remembered()


@pytest.fixture(scope="module")
def whole() -> Wrapped:
    import torch

    torch.set_num_threads(1)
    return Wrapped(BundleSubject.load(DEMO_BUNDLE), {})


def evaluated(subject: Wrapped, dataset: Remembered) -> Evaluation:
    # Only the processes that measure are forked; the answers stay here, where the next model finds them.
    options = Options(explain=0, resamples=200, baselines=False, processes=1)
    with Reporter(quiet=True) as reporter:
        return run(subject, None, dataset, dataset.tasks[0], options, reporter)


@pytest.fixture(scope="module")
def healthy(whole: Wrapped, dataset: Remembered) -> Evaluation:
    return evaluated(whole, dataset)


def passed(evaluation: Evaluation, name: str) -> bool:
    verdicts = [check["passed"] for check in evaluation.metrics["checks"] if check["name"] == name]
    assert verdicts, f"no check {name!r} was made"
    return all(verdicts)


@pytest.mark.parametrize("modality", ["image", "note", "vitals"])
def test_a_model_that_ignores_a_modality_is_caught(
    modality: str, whole: Wrapped, healthy: Evaluation, dataset: Remembered
) -> None:
    broken = evaluated(Deaf(whole.inner, whole.kept, modality), dataset)
    for check in ("no modality ignored", "every modality counts"):
        assert passed(healthy, check)
        assert not passed(broken, check)
    assert broken.metrics["shapley_share"][modality] == pytest.approx(0, abs=0.02)


def test_a_model_twice_too_sure_is_caught(whole: Wrapped, healthy: Evaluation, dataset: Remembered) -> None:
    broken = evaluated(Overconfident(whole.inner, whole.kept), dataset)
    assert passed(healthy, "not overconfident")
    assert not passed(broken, "not overconfident")
    assert not passed(broken, "calibrated")
    full = "image+note+vitals"
    # The ranking hardly changes (each member is sharpened before the mean); what breaks is the calibration.
    assert broken.metrics["patterns"][full]["accuracy"] == pytest.approx(
        healthy.metrics["patterns"][full]["accuracy"], abs=0.03
    )
    assert broken.metrics["patterns"][full]["calibration_slope"] == pytest.approx(
        healthy.metrics["patterns"][full]["calibration_slope"] / 2, rel=0.1
    )


def test_a_model_that_reads_the_label_from_what_is_missing_is_caught(
    whole: Wrapped, healthy: Evaluation, dataset: Remembered
) -> None:
    broken = evaluated(ReadsAbsence(whole.inner, whole.kept), dataset)
    assert passed(healthy, "absence says nothing")
    assert not passed(broken, "absence says nothing")
    assert "image" not in broken.metrics["availability"]["shift"]["largest"]["pattern"].split("+")


def test_invented_explanations_are_caught(whole: Wrapped) -> None:
    few = Ward(seed=SEED, patients=EXPLAINED)
    scope = Scope(few, few.tasks[0], None, EXPLAINED, SEED, Effort(orders=5, imputed_orders=1))
    verdicts = {}
    subjects: dict[str, Subject] = {"whole": whole.inner, "broken": RandomExplanations(whole.inner, whole.kept)}
    for name, subject in subjects.items():
        with Reporter(quiet=True) as reporter:
            found = run_probes(subject, scope, reporter, processes=2, only=("faithfulness", "localisation"))
        metrics = {"patterns": {}, "explanations": found}
        verdicts[name] = {
            check: [v["passed"] for v in judge(metrics) if v["name"] == check]
            for check in ("explanations are faithful", "explanations point at findings")
        }
    assert sum(verdicts["whole"]["explanations are faithful"]) >= 2, verdicts
    assert not any(verdicts["broken"]["explanations are faithful"]), verdicts
    assert all(verdicts["whole"]["explanations point at findings"]), verdicts
    assert not any(verdicts["broken"]["explanations point at findings"]), verdicts
