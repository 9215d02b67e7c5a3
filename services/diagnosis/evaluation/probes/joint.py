"""The joint space at work: does a case find its own other half, its like, and what a phrase names on its film?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.diagnosis.bundle.joint import CASE
from services.diagnosis.case import Truth
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.bootstrap import Resamples, bootstrap, estimate_of
from services.diagnosis.evaluation.metrics.discrimination import auroc_and_precision
from services.diagnosis.evaluation.metrics.intervals import summarise
from services.diagnosis.evaluation.probes.retrieval import ranks_of, recall_of
from services.diagnosis.evaluation.subject import Array
from services.diagnosis.inference.joint import CaseReader, JointReader
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.search.exact import ExactIndex
from services.diagnosis.ward.captions import WORDS, Claim, Film, film_of, holds

NEAREST = 5
FEWEST = 5
"""Films with and without; a question about fewer is not judged."""


@dataclass(frozen=True)
class Seen:
    """One case as the joint space sees it."""

    patient: str
    label: int
    vectors: Mapping[str, NDArray[np.float32]]
    alike: float
    """Share of the nearest reference cases with the case's own diagnosis; NaN: none."""
    similarities: Mapping[str, float]
    """Question -> similarity of the case's film; empty without a film that may be used."""
    true: Mapping[str, bool]
    """Question -> is it so; empty where nobody knows."""


def questions() -> dict[str, Claim]:
    """One question a finding and one a value of it, as a clinician would ask; and one denial."""
    asked = {
        f"is there {nouns[0]}?": Claim(finding, True, value)
        for finding, values in WORDS.items()
        for value, nouns in values.items()
    }
    line, denied = Claim("device", True, "central_line"), Claim("pneumothorax", False)
    return {**asked, "is there a line or tube?": line, "no pneumothorax": denied}


def measure_joint(
    predictor: Predictor, cases: Sequence[LabelledCase], *, seed: int, advance: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Figures of the joint space of a bundle; one `advance` per case. Nothing is fitted.

    Returns: `n`; `retrieval`: as `retrieval.measure_retrieval`, in the joint space; `similar_same_diagnosis`
        `{value, low, high}`: share of the five nearest reference cases with the diagnosis, and `_chance`; `questions`:
        phrase -> `films`, `with` and `auroc` `{value, low, high}` of its similarity against the film's findings.
        `{"n": 0}` for a bundle without a joint space.
    """
    reader = predictor.reader(ExactIndex())
    if reader is None or predictor.contents.joint is None:
        return {"n": 0}
    seen = []
    for case in cases:
        seen.append(_see(reader, case))
        advance()
    patients = np.array([one.patient for one in seen])
    alike = summarise({"alike": np.array([one.alike for one in seen])}, patients, seed=seed)
    labels = predictor.contents.joint.references.labels
    return {
        "n": len(seen),
        "retrieval": _retrieval(seen, seed),
        "similar_same_diagnosis": {"value": alike["alike"], **alike["intervals"]["alike"]},
        "similar_same_diagnosis_chance": float(np.mean([(labels == one.label).mean() for one in seen])),
        "questions": _answers(seen, seed),
    }


def _see(reader: CaseReader, case: LabelledCase) -> Seen:
    _, used, _ = reader.predictor.encode_used(case.inputs)
    label = next(iter(case.targets.values()))
    vectors = reader.joint.vectors(used)
    near = reader.joint.nearest(vectors[CASE], CASE, NEAREST) if vectors else ()
    own = reader.predictor.contents.labels[label]
    alike = float(np.mean([item.coding == own for item in near])) if near else np.nan
    similarities, film = {}, _film(case.truth)
    if "image" in used:
        similarities = compare(reader.joint, used["image"].encoded, used["image"].positions, tuple(questions()))
    true = {text: holds(claim, film) for text, claim in questions().items()} if film is not None else {}
    return Seen(case.patient, label, vectors, alike, similarities, true)


def compare(joint: JointReader, encoded: Any, positions: Any, phrases: Sequence[str]) -> dict[str, float]:
    """Phrase -> similarity of one case's films, as `JointReader.ask_films` says it."""
    words = torch.from_numpy(np.stack([joint.phrase(text) for text in phrases]))
    with torch.no_grad():
        film, cells = joint.space.embed("image", encoded), joint.space.embed_cells(positions.features)
        found = joint.space.compare(words, film, cells, positions.mask)[:, 0]
    return dict(zip(phrases, found.tolist(), strict=True))


def _film(truth: Truth | None) -> Film | None:
    return film_of(truth.findings, truth.masks) if truth is not None and truth.findings else None


def _retrieval(seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    found = {}
    for first, second in permutations(MODALITIES, 2):
        both = [one for one in seen if first in one.vectors and second in one.vectors]
        if len(both) > 1:
            patients = np.array([one.patient for one in both])
            queries, gallery = (np.stack([one.vectors[name] for one in both]) for name in (first, second))
            found[f"{first}_to_{second}"] = recall_of(ranks_of(queries, gallery, patients), patients, seed)
    return found


def _answers(seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    asked = [one for one in seen if one.similarities and one.true]
    found = {}
    for text in questions():
        positive = np.array([one.true[text] for one in asked], np.bool_)
        if min(positive.sum(), (~positive).sum()) >= FEWEST:
            scores = np.array([one.similarities[text] for one in asked])
            patients = np.array([one.patient for one in asked])
            auroc = _auroc(scores, positive, patients, seed)
            found[text] = {"films": len(asked), "with": int(positive.sum()), "auroc": auroc}
    return found


def _auroc(scores: Array, positive: NDArray[np.bool_], patients: NDArray[np.str_], seed: int) -> dict[str, Any]:
    figures = bootstrap(
        lambda weights: {"auroc": auroc_and_precision(scores, positive, weights)[0]},
        Resamples.draw(patients, seed=seed),
        np.arange(len(scores)),
    )
    return estimate_of(figures, "auroc")
