"""Why: exact Shapley values over the modalities, and inside each modality parts that add up to its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.bundle.contents import ReferenceCases
from services.diagnosis.case import CaseInput
from services.diagnosis.inference.attribution.facts import explain_facts
from services.diagnosis.inference.attribution.gradients import rescale_to
from services.diagnosis.inference.attribution.image import explain_images
from services.diagnosis.inference.attribution.notes import explain_notes
from services.diagnosis.inference.attribution.vitals import explain_vitals
from services.diagnosis.inference.inputs import (
    Prepared,
    PreparedFacts,
    PreparedImages,
    PreparedNotes,
    PreparedVitals,
)
from services.diagnosis.inference.prediction import Explanation, ModalityExplanation, Prediction, SimilarCase
from services.diagnosis.inference.shapley import interaction_indices, shapley_values
from services.diagnosis.inference.summary import summarise
from services.diagnosis.inference.uncertainty import logit
from services.diagnosis.model.modalities import MODALITIES
from shared.codes import Coding

if TYPE_CHECKING:
    from services.diagnosis.inference.engine import EncodedModality
    from services.diagnosis.inference.predictor import Predictor

Array = NDArray[np.float64]
SIMILAR = 5


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
        across = explain_modalities(members, tuple(used), label, contents.prevalence[label], contents.labels)
        similar = find_similar(contents.reference, used, contents.labels)
        explanation = Explanation(modalities=across, similar=similar)
        for name in used:
            parts = predictor.engine.attribute(name, prepared[name], used, label)
            inside = _explain_one(prepared[name], parts, across.contributions[name], case)
            explanation = replace(explanation, **inside)
    notes = {note.id: note for note in case.notes}
    vitals_id = case.vitals.id if case.vitals is not None else None
    summary = summarise(prediction.diagnoses, prediction.modalities, explanation, notes, vitals_id)
    return replace(explanation, summary=summary)


def explain_modalities(
    members: Mapping[str, Array], present: tuple[str, ...], label: int, prevalence: float, labels: Sequence[Coding]
) -> ModalityExplanation:
    """Exact Shapley values and interactions of the calibrated log-odds; the empty set is worth the prevalence."""
    base = float(logit(np.array([prevalence]))[0])
    value = {frozenset[str](): base}
    for pattern, probabilities in members.items():
        value[frozenset(pattern.split("+"))] = float(logit(probabilities[:, label].mean()[None])[0])
    return ModalityExplanation(
        labels[label].code, base, shapley_values(value, present), interaction_indices(value, present)
    )


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


def _explain_one(prepared: Prepared, parts: Array, contribution: float, case: CaseInput) -> dict[str, Any]:
    if isinstance(prepared, PreparedImages):
        return {"images": explain_images(prepared, rescale_to(parts, contribution))}
    if isinstance(prepared, PreparedNotes):
        return {"notes": explain_notes(prepared, parts, contribution)}
    if isinstance(prepared, PreparedVitals):
        return {"vitals": explain_vitals(prepared.readings, parts, contribution, case.as_of)}
    if isinstance(prepared, PreparedFacts):
        return {"tabular": explain_facts(prepared, parts, contribution)}
    raise TypeError(f"no explanation for {type(prepared).__name__}")
