"""What needs cases and not only answers, side by side: explanations, strangers, gaps, time, latency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from services.diagnosis.datasets.base import Dataset, LabelledCase, Split, Task
from services.diagnosis.evaluation.probes.additivity import measure_additivity, measure_integration
from services.diagnosis.evaluation.probes.asking import held
from services.diagnosis.evaluation.probes.faithfulness import Effort, measure_faithfulness
from services.diagnosis.evaluation.probes.gaps import measure_gaps
from services.diagnosis.evaluation.probes.joint import measure_joint
from services.diagnosis.evaluation.probes.latency import measure_latency
from services.diagnosis.evaluation.probes.localisation import measure_localisation
from services.diagnosis.evaluation.probes.ood import measure_ood
from services.diagnosis.evaluation.probes.randomisation import explainer, measure_randomisation, randomise
from services.diagnosis.evaluation.probes.temporal import measure_temporal
from services.diagnosis.evaluation.subject import Subject
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side
from services.diagnosis.training.progress import Reporter

Cases = Sequence[LabelledCase]
Probe = Callable[[Cases, Advance], dict[str, Any]]
SHARES = {"faithfulness": 2, "temporal": 3, "latency": 2, "randomisation": 4, "integration": 6}
"""Probes that ask often (faithfulness: some 600 times a case) look at every k-th case only."""
MORE = {"joint": 5}
"""Probes that encode and do not explain look at so many times as many cases."""


@dataclass(frozen=True)
class Scope:
    """Which cases are probed, and how much."""

    dataset: Dataset
    task: Task
    split: Split | None
    count: int
    seed: int
    effort: Effort | None = None
    """Of the faithfulness; None: as much as it takes by itself."""

    def size(self, probe: str) -> int:
        """Cases that a probe looks at, as far as the dataset holds so many."""
        count = min(len(self.dataset), self.count * MORE.get(probe, 1))
        return len(range(0, count, SHARES.get(probe, 1)))

    def cases(self, probe: str) -> list[LabelledCase]:
        """The labelled cases of a probe, evenly from the whole."""
        size, every = self.size(probe), SHARES.get(probe, 1)
        stride = max(1, len(self.dataset) // (self.count * MORE.get(probe, 1))) * every
        chosen = self.dataset.cases(split=self.split, shard=(0, stride))
        useful = (case for case in chosen if self.task.name in case.targets and held(case.inputs))
        return list(islice(useful, size))


def run_probes(
    subject: Subject, scope: Scope, reporter: Reporter, *, processes: int, only: Sequence[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Name -> figures of every probe, or only of those named, that makes sense for the subject and the task.

    Raises: JobFailed.
    """
    probes = {name: probe for name, probe in _probes(subject, scope).items() if only is None or name in only}
    with reporter.stage("explanations and inputs", sum(scope.size(name) for name in probes)) as advance:
        jobs = [_job(probe, scope, name) for name, probe in probes.items()]
        answers = run_side_by_side(jobs, processes=processes, on_step=advance)
    return dict(zip(probes, answers, strict=True))


def _job(probe: Probe, scope: Scope, name: str) -> Job:
    return lambda advance: probe(scope.cases(name), advance)


def _probes(subject: Subject, scope: Scope) -> dict[str, Probe]:
    """The longest first, so that the cores are busy to the end."""
    seed, task = scope.seed, scope.task
    probes: dict[str, Probe] = {
        "faithfulness": lambda cases, advance: measure_faithfulness(
            subject, cases, seed=seed, effort=scope.effort, advance=advance
        ),
        "ood": lambda cases, advance: measure_ood(subject, cases, seed=seed, advance=advance),
    }
    if task.answered_by == "diagnosis" and not task.groups:
        probes["temporal"] = lambda cases, advance: measure_temporal(
            subject, cases, task.name, seed=seed, advance=advance
        )
        probes["gaps"] = lambda cases, advance: measure_gaps(subject, cases, task.name, seed=seed, advance=advance)
    predictor = getattr(subject, "predictor", None)
    if isinstance(predictor, Predictor):
        probes["randomisation"] = partial(_randomisation, predictor, seed)
        if predictor.joint is not None and task.answered_by == "diagnosis" and not task.groups:
            probes["joint"] = lambda cases, advance: measure_joint(predictor, cases, seed=seed, advance=advance)
        probes["integration"] = lambda cases, advance: measure_integration(predictor, cases, seed=seed, advance=advance)
    probes["additivity"] = lambda cases, advance: measure_additivity(subject, cases, seed=seed, advance=advance)
    probes["localisation"] = lambda cases, advance: measure_localisation(
        subject, [case for case in cases if case.truth is not None], seed=seed, advance=advance
    )
    probes["latency"] = lambda cases, advance: measure_latency(subject, cases, advance=advance)
    return probes


def _randomisation(predictor: Predictor, seed: int, cases: Cases, advance: Advance) -> dict[str, Any]:
    other = explainer(randomise(predictor, [case.inputs for case in cases], seed=seed))
    return measure_randomisation(explainer(predictor), other, cases, seed=seed, advance=advance)
