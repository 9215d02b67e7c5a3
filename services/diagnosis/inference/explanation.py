"""Why: exact Shapley values over the modalities, and inside each modality parts that add up to its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.bundle.contents import BundleContents, ReferenceCases
from services.diagnosis.case import CaseInput
from services.diagnosis.inference.attribution.facts import explain_facts
from services.diagnosis.inference.attribution.gradients import Attribution, rescale_to
from services.diagnosis.inference.attribution.image import explain_images
from services.diagnosis.inference.attribution.notes import explain_notes
from services.diagnosis.inference.attribution.vitals import explain_vitals, profile_vitals
from services.diagnosis.inference.inputs import (
    Prepared,
    PreparedFacts,
    PreparedImages,
    PreparedNotes,
    PreparedVitals,
)
from services.diagnosis.inference.prediction import (
    Explanation,
    ModalityExplanation,
    NextBest,
    Prediction,
    SimilarCase,
    WithoutModality,
)
from services.diagnosis.inference.shapley import interaction_indices, relation, shapley_values
from services.diagnosis.inference.summary import summarise
from services.diagnosis.inference.uncertainty import logit
from services.diagnosis.model.modalities import CONTEXT, MODALITIES, pattern_name
from shared.codes import Coding

if TYPE_CHECKING:
    from services.diagnosis.inference.engine import EncodedModality
    from services.diagnosis.inference.predictor import Predictor

Array = NDArray[np.float64]
SIMILAR = 5
SIDE_BY_SIDE = 2
"""Threads. Torch keeps to one thread in each (ADR 0006)."""


def explain(
    predictor: Predictor,
    case: CaseInput,
    prepared: Mapping[str, Prepared],
    used: Mapping[str, EncodedModality],
    prediction: Prediction,
    members: Mapping[str, Array],
) -> Explanation:
    """The explanation of the first diagnosis; of nothing but the rejections where there is none."""
    explanation = Explanation()
    if prediction.diagnoses:
        label = predictor.contents.labels.index(prediction.diagnoses[0].coding)
        contents = predictor.contents
        across = explain_modalities(members, tuple(used), label, contents.prevalence[label], contents.labels[label])
        explanation = Explanation(
            similar=find_similar(contents.reference, used, contents.labels),
            what_if=explain_absence(contents, members, tuple(used)),
            next_best=find_next_best(contents, members, tuple(used)),
        )
        for name, found in _attribute_all(predictor, prepared, used, label).items():
            inside, residual = _explain_one(prepared[name], found.parts, across.contributions[name], case)
            explanation = replace(explanation, **inside)
            across.residuals[name], across.integration_errors[name] = residual, found.completeness_error
        explanation = replace(explanation, modalities=across)
    notes = {note.id: note for note in case.notes}
    vitals_id = case.vitals.id if case.vitals is not None else None
    summary = summarise(prediction.diagnoses, prediction.modalities, explanation, notes, vitals_id)
    return replace(explanation, summary=summary)


def _attribute_all(
    predictor: Predictor, prepared: Mapping[str, Prepared], used: Mapping[str, EncodedModality], label: int
) -> dict[str, Attribution]:
    """The attributions inside every modality, two at a time: each is operations by the thousand, too small to share."""

    def attribute(name: str) -> Attribution:
        return predictor.engine.attribute(name, prepared[name], used, label)

    # The longest first, so that the short ones fill the other core meanwhile.
    ordered = sorted(used, key=lambda name: name != "vitals")
    if parent_process() is not None:
        # One of the parts that `training.jobs` forks: the other cores have parts of their own, and a forked process
        # that starts threads of torch has once ended in a segmentation fault (ADR 0006).
        found = {name: attribute(name) for name in ordered}
    else:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            found = dict(zip(ordered, pool.map(attribute, ordered), strict=True))
    return {name: found[name] for name in used}


def explain_modalities(
    members: Mapping[str, Array], present: tuple[str, ...], label: int, prevalence: float, coding: Coding
) -> ModalityExplanation:
    """Exact Shapley values and interactions of the calibrated log-odds; the empty set is worth the prevalence."""
    base = float(logit(np.array([prevalence]))[0])
    value = {frozenset[str](): base}
    for pattern, probabilities in members.items():
        value[frozenset(pattern.split("+"))] = float(logit(probabilities[:, label].mean()[None])[0])
    contributions, interactions = shapley_values(value, present), interaction_indices(value, present)
    relations = {
        pair: relation(index, *(contributions[name] for name in pair.split("+")))
        for pair, index in interactions.items()
    }
    return ModalityExplanation(coding.code, base, contributions, interactions, relations)


def explain_absence(
    contents: BundleContents, members: Mapping[str, Array], used: tuple[str, ...]
) -> tuple[WithoutModality, ...]:
    """The answer without each modality used, from subsets that were asked anyway."""
    return tuple(_without(contents, members, name, [other for other in used if other != name]) for name in used)


def _without(contents: BundleContents, members: Mapping[str, Array], name: str, rest: list[str]) -> WithoutModality:
    if not set(rest) - CONTEXT:
        return WithoutModality(name)
    pattern = pattern_name(rest)
    probabilities = members[pattern][:, : len(contents.labels)].mean(0)
    first = int(probabilities.argmax())
    labels, _ = contents.conformal.predict(probabilities, pattern)
    return WithoutModality(name, contents.labels[first], float(probabilities[first]), len(labels))


def find_next_best(
    contents: BundleContents, members: Mapping[str, Array], used: tuple[str, ...]
) -> tuple[NextBest, ...]:
    """The modalities that were not used, by how much each is expected to lower the entropy."""
    pattern = pattern_name(used)
    drops = contents.drops.expect(members[pattern][:, : len(contents.labels)].mean(0), pattern)
    return tuple(NextBest(drop.modality, drop.expected, drop.interval) for drop in drops)


def find_similar(
    reference: ReferenceCases, used: Mapping[str, EncodedModality], labels: Sequence[Coding]
) -> tuple[SimilarCase, ...]:
    """The nearest reference cases: cosine per modality at hand, averaged, so that absent ones do not count."""
    similarities = np.zeros(len(reference.names))
    for name, item in used.items():
        own = item.encoded.pooled[0].numpy()
        similarities += reference.vectors[:, MODALITIES.index(name)] @ (own / np.linalg.norm(own)) / len(used)
    nearest = np.argsort(-similarities, kind="stable")[:SIMILAR]
    return tuple(SimilarCase(reference.names[i], float(similarities[i]), labels[reference.labels[i]]) for i in nearest)


def _explain_one(
    prepared: Prepared, parts: Array, contribution: float, case: CaseInput
) -> tuple[dict[str, Any], float]:
    """Fields of `Explanation`, and the residual that was spread to make them add up."""
    spread = contribution - float(parts.sum())
    if isinstance(prepared, PreparedImages):
        return {"images": explain_images(prepared, rescale_to(parts, contribution))}, spread
    if isinstance(prepared, PreparedNotes):
        notes, residual = explain_notes(prepared, parts, contribution)
        return {"notes": notes}, residual
    if isinstance(prepared, PreparedVitals):
        windows, residual = explain_vitals(prepared.readings, prepared.changes, parts, contribution, case.as_of)
        profiles = profile_vitals(prepared.readings, rescale_to(parts, contribution))
        return {"vitals": windows, "profiles": profiles}, residual
    if isinstance(prepared, PreparedFacts):
        return {"tabular": explain_facts(prepared, parts, contribution)}, spread
    return {}, spread
