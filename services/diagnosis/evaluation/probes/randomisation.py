"""Do explanations depend on what was learned? The model parameter randomisation test (Adebayo 2018, arXiv 1810.03292).

The same cases and labels are explained by the trained network and by one of the same shape with fresh random weights.
Explanations that stay alike only restate the input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from services.diagnosis.case import CaseInput
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.intervals import summarise
from services.diagnosis.evaluation.metrics.uncertainty import spearman
from services.diagnosis.evaluation.probes.asking import held, restrict
from services.diagnosis.evaluation.probes.perturb import units_of
from services.diagnosis.evaluation.subject import Array
from services.diagnosis.inference.prediction import Explanation

if TYPE_CHECKING:
    from services.diagnosis.inference.predictor import Predictor

Explain = Callable[[CaseInput, int], Explanation]
"""A case and a label -> why that label."""
_FILL = {"image": "mean", "note": "remove", "vitals": "drop"}


def measure_randomisation(
    trained: Explain,
    randomised: Explain,
    cases: Sequence[LabelledCase],
    *,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Likeness of the two explanations of each case's true label; one `advance` per case.

    Returns: `n`, and per modality `spearman` (signed contributions per patch, word or block), `spearman_absolute`, and
        for images `ssim` of the maps scaled to [0, 1]; means with intervals. Near 0 is good; a constant explanation has
        no correlation and is left out.
    """
    rows: list[dict[str, float]] = []
    patients = []
    for case in cases:
        label = next(iter(case.targets.values()))
        rows.append(likeness(case.inputs, trained(case.inputs, label), randomised(case.inputs, label), seed=seed))
        patients.append(case.patient)
        advance()
    names = sorted({name for row in rows for name in row})
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    own = {m: {n.split("/")[1]: v for n, v in columns.items() if n.startswith(f"{m}/")} for m in _FILL}
    ids = np.array(patients, np.str_)
    return {"n": len(rows), **{m: summarise(part, ids, seed=seed) for m, part in own.items() if part}}


def likeness(case: CaseInput, one: Explanation, other: Explanation, *, seed: int = 0) -> dict[str, float]:
    """`image/spearman` and so on, for modalities that the case holds."""
    found = {}
    for name in (name for name in held(case) if name in _FILL):
        units = units_of(case, name, _FILL[name], seed=seed)
        a, b = units.importance(one), units.importance(other)
        if (signed := spearman(a, b)) is not None:
            found[f"{name}/spearman"] = signed
            if (absolute := spearman(np.abs(a), np.abs(b))) is not None:
                found[f"{name}/spearman_absolute"] = absolute
            if name == "image":
                side = round((len(a) / len(case.images)) ** 0.5)
                found["image/ssim"] = structural_similarity(_scaled(a[: side**2], side), _scaled(b[: side**2], side))
    return found


def structural_similarity(a: Array, b: Array, *, width: int = 7) -> float:
    """Mean structural similarity of two maps in [0, 1] (Wang 2004), over windows of `width` x `width`."""
    from scipy.ndimage import uniform_filter

    def mean(x: Array) -> Array:
        half = width // 2
        return np.asarray(uniform_filter(x, width)[half:-half, half:-half])

    c1, c2 = 0.01**2, 0.03**2
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    similarity = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return float(similarity.mean())


def explainer(predictor: Predictor) -> Explain:
    """Explanations of any label by a loaded bundle, over all modalities that input rules let through."""

    def explain_label(case: CaseInput, label: int) -> Explanation:
        from services.diagnosis.inference.decision import decide
        from services.diagnosis.inference.explanation import explain
        from services.diagnosis.inference.prediction import ModalityOutcome

        prepared = {name: part for name, part in predictor.prepare(case).items() if part.refused is None}
        encoded = {name: predictor.engine.encode(name, part) for name, part in prepared.items()}
        members = predictor.engine.ask_every_subset({name: item.encoded for name, item in encoded.items()})
        outcomes = {name: ModalityOutcome(True, (name,), {}, 0.0, False) for name in prepared}
        prediction = decide(predictor.bundle, predictor.contents, outcomes, members)
        ranked = sorted(prediction.diagnoses, key=lambda item: item.coding.code != _code(label))
        prediction = replace(prediction, diagnoses=tuple(ranked))
        return explain(predictor, restrict(case, tuple(prepared)), prepared, encoded, prediction, members)

    return explain_label


def randomise(predictor: Predictor, cases: Sequence[CaseInput], *, seed: int) -> Predictor:
    """The same bundle with freshly initialised weights, and image attributions that start from its own mean features.

    Args:
        cases: whose images the mean is taken over; without any image it does not matter where attributions start.
    """
    import torch

    from services.diagnosis.inference.engine import Engine
    from services.diagnosis.model.network import ConsiliumNetwork

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ConsiliumNetwork(predictor.contents.config)
    network.eval().requires_grad_(False)
    encoder = network.encoder("image")
    inputs = [predictor.preprocessor.images(case.images).inputs for case in cases if case.images]
    with torch.no_grad():
        grids = [
            encoder.positions(item).features[0].view(-1, *predictor.engine.image_baseline.shape) for item in inputs
        ]
    baseline = torch.cat(grids).mean(0) if grids else predictor.engine.image_baseline
    return replace(predictor, engine=Engine(network, predictor.engine.calibrator, baseline))


def _code(label: int) -> str:
    from shared.codes import DIAGNOSES

    return DIAGNOSES[label].code


def _scaled(values: Array, side: int) -> Array:
    return np.asarray((values - values.min()) / (np.ptp(values) or 1.0)).reshape(side, side)
