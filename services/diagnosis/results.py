"""From what the model says of a case to the result of the public contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.inference.grid import shrink_grid
from services.diagnosis.inference.prediction import (
    DiagnosisVerdict,
    Explanation,
    ModalityOutcome,
    OrdinalRisk,
    Prediction,
    Risk,
)
from services.diagnosis.snapshot import STALE_AFTER, Manifest
from shared.codes import Coding
from shared.contracts import diagnosis as wire
from shared.contracts.base import CodeOut, Modality
from shared.contracts.diagnosis import DiagnosisResult, ModalityOut, ModalityStatus, Source, SummarySentence

NAMES = {Modality.IMAGE: "radiograph", Modality.NOTE: "note", Modality.VITALS: "vital signs"}
NOTHING_PERMITTED = "Nothing may be used: no modality with evidence has an active consent for treatment."
NOTHING_LEFT = "Nothing was left to predict from."


@dataclass(frozen=True)
class Spent:
    """Milliseconds before and beside the model; `total` is measured again at the release."""

    queued: float
    fetch: float
    total: float


def compose(
    job_id: str, patient: str, manifest: Manifest, bundle: BundleIdentity, prediction: Prediction | None, spent: Spent
) -> DiagnosisResult:
    """The result of a case. `prediction` is None where consent left nothing to predict from."""
    modalities = _modalities(manifest, prediction)
    explanation = _explanation(job_id, prediction.explanation, modalities) if prediction else wire.Explanation()
    sentences = [*explanation.summary, *_stale_sentences(manifest, modalities), *_consent_sentences(manifest)]
    timings = prediction.timings if prediction else {}
    return DiagnosisResult(
        case=wire.CaseOut(digest=manifest.digest, as_of=manifest.as_of, patient=patient, purpose=manifest.purpose),
        model=wire.ModelOut(bundle=bundle.name, version=bundle.version, digest=bundle.digest),
        modalities=modalities,
        diagnoses=[
            wire.RankedDiagnosis(
                code=_code(d.coding), probability=d.probability, interval=d.interval, venn_abers=d.venn_abers
            )
            for d in (prediction.diagnoses if prediction else ())
        ],
        prediction_set=_prediction_set(prediction),
        uncertainty=_uncertainty(prediction),
        abstained=prediction.abstained if prediction else True,
        reasons=list(prediction.reasons) if prediction else [NOTHING_PERMITTED if manifest.withheld else NOTHING_LEFT],
        risks={name: _risk(risk) for name, risk in (prediction.risks if prediction else {}).items()},
        explanation=explanation.model_copy(update={"summary": sentences}),
        calibration=_calibration(prediction),
        verdicts=[_verdict(found) for found in (prediction.verdicts if prediction else ())],
        ruled_out=[
            wire.RuledOut(code=found.code, miss_rate=found.miss_rate, confidence=found.confidence, cases=found.cases)
            for found in (prediction.ruled_out if prediction else ())
        ],
        timings=wire.Timings(
            queued=_ms(spent.queued),
            fetch=_ms(spent.fetch),
            encode=_ms(timings.get("encode", 0.0)),
            fuse=_ms(timings.get("fuse", 0.0)),
            explain=_ms(timings.get("explain", 0.0)),
            total=_ms(spent.total),
        ),
    )


def _modalities(manifest: Manifest, prediction: Prediction | None) -> dict[Source, ModalityOut]:
    every = {Source(kind): _modality(kind, manifest, prediction) for kind in Modality}
    outcome = prediction.modalities.get(Source.TABULAR) if prediction else None
    # What nobody stated is not listed: it is no evidence that anybody could send.
    return every if outcome is None else {**every, Source.TABULAR: _facts(outcome)}


def _status(modalities: Mapping[Source, ModalityOut], source: Source) -> ModalityStatus:
    """Facts that nobody stated are not listed, and missing all the same."""
    return modalities[source].status if source in modalities else ModalityStatus.MISSING


def _facts(outcome: ModalityOutcome) -> ModalityOut:
    """Age, sex and laboratory values: no evidence of their own, so no age and no consent of their own either."""
    quality = {**outcome.quality, **({} if outcome.reason is None else {"reason": outcome.reason})}
    status = ModalityStatus.USED if outcome.used else ModalityStatus.REJECTED
    return ModalityOut(status=status, evidence=list(outcome.evidence), quality=quality, ood=_ood(outcome))


def _modality(kind: Modality, manifest: Manifest, prediction: Prediction | None) -> ModalityOut:
    outcome = prediction.modalities.get(kind.value) if prediction else None
    age = manifest.age(kind, outcome.evidence if outcome else None)
    if outcome is None or age is None:
        no_consent = kind in manifest.withheld
        return ModalityOut(status=ModalityStatus.NO_CONSENT if no_consent else ModalityStatus.MISSING)
    quality: dict[str, Any] = {**outcome.quality, "ageHours": round(age.total_seconds() / 3600, 2)}
    if kind is not Modality.VITALS and age > STALE_AFTER:
        quality["stale"] = True
    if outcome.reason is not None:
        quality["reason"] = outcome.reason
    return ModalityOut(
        status=ModalityStatus.USED if outcome.used else ModalityStatus.REJECTED,
        evidence=list(outcome.evidence),
        quality=quality,
        ood=_ood(outcome),
    )


def _ood(outcome: ModalityOutcome) -> wire.OutOfDistribution | None:
    if outcome.ood_score is None:
        return None
    return wire.OutOfDistribution(score=outcome.ood_score, flagged=outcome.ood_flagged)


def _stale_sentences(manifest: Manifest, modalities: Mapping[Source, ModalityOut]) -> list[SummarySentence]:
    sentences = []
    for kind in (Modality.IMAGE, Modality.NOTE):
        evidence = modalities[Source(kind)].evidence
        age = manifest.age(kind, evidence)
        if age is not None and age > STALE_AFTER:
            text = f"The {NAMES[kind]} is {age.days} days older than the case time."
            sentences.append(SummarySentence(text=text, evidence=evidence))
    return sentences


def _consent_sentences(manifest: Manifest) -> list[SummarySentence]:
    return [
        SummarySentence(
            text=f"Not read, for no active consent permits it: the {NAMES[kind]} of this patient.",
            evidence=manifest.consent[kind].consent_ids,
        )
        for kind in manifest.withheld
    ]


def _prediction_set(prediction: Prediction | None) -> wire.PredictionSet | None:
    found = prediction.prediction_set if prediction else None
    if found is None:
        return None
    return wire.PredictionSet(
        coverage=found.coverage, codes=list(found.codes), guarantee=found.guarantee, cases=found.cases
    )


def _calibration(prediction: Prediction | None) -> wire.Calibration | None:
    found = prediction.calibration if prediction else None
    if found is None:
        return None
    return wire.Calibration(status="calibrated" if found.calibrated else "uncalibrated", cases=found.cases)


def _risk(found: Risk | OrdinalRisk) -> wire.Risk | wire.OrdinalRisk:
    if isinstance(found, Risk):
        return wire.Risk(probability=found.probability, interval=found.interval)
    levels = [
        wire.Level(code=_code(level.coding), probability=level.probability, interval=level.interval)
        for level in found.levels
    ]
    return wire.OrdinalRisk(levels=levels)


def _verdict(found: DiagnosisVerdict) -> wire.Verdict:
    return wire.Verdict.model_validate({"code": found.code, "verdict": found.verdict})


def _uncertainty(prediction: Prediction | None) -> wire.Uncertainty | None:
    found = prediction.uncertainty if prediction else None
    if found is None:
        return None
    return wire.Uncertainty(total=found.total, aleatoric=found.aleatoric, epistemic=found.epistemic)


def _explanation(job_id: str, found: Explanation, modalities: Mapping[Source, ModalityOut]) -> wire.Explanation:
    across = found.modalities
    return wire.Explanation(
        modalities=wire.ModalityExplanation(
            code=across.code,
            base=across.base,
            contributions=across.contributions,
            interactions=across.interactions,
            relations=across.relations,
            residuals=across.residuals,
            integration_errors=across.integration_errors,
        )
        if across
        else None,
        images=[
            wire.ImageExplanation(
                instance=image.sop_instance_uid,
                heatmap=f"/diagnoses/{job_id}/heatmaps/{image.sop_instance_uid}",
                regions=[
                    wire.Region(x=r.x, y=r.y, width=r.width, height=r.height, contribution=r.contribution)
                    for r in image.regions
                ],
                grid=[] if image.grid is None else shrink_grid(image.grid).tolist(),
            )
            for image in found.images
        ],
        notes=[
            wire.NoteExplanation(
                id=note.note_id,
                spans=[
                    wire.NoteSpan(start=s.start, end=s.end, contribution=s.contribution, negated=s.negated)
                    for s in note.spans
                ],
            )
            for note in found.notes
        ],
        vitals=[
            wire.VitalsExplanation.model_validate(
                {"code": v.code, "from_": v.from_, "to": v.to, "contribution": v.contribution}
            )
            for v in found.vitals
        ],
        tabular=[wire.FactExplanation(code=fact.code, contribution=fact.contribution) for fact in found.tabular],
        vitals_profiles=[
            wire.VitalsProfile(code=p.code, slot_hours=p.slot_hours, contributions=list(p.contributions))
            for p in found.profiles
        ],
        what_if=[
            wire.WithoutModality(
                modality=Source(w.modality),
                diagnosis=None if w.coding is None else _code(w.coding),
                probability=w.probability,
                set_size=w.set_size,
            )
            for w in found.what_if
        ],
        next_best=[
            wire.NextBest(
                modality=Source(n.modality),
                status=_status(modalities, Source(n.modality)),
                expected_drop=n.expected_drop,
                interval=n.interval,
            )
            for n in found.next_best
        ],
        similar=[
            wire.SimilarCase(case=s.case, similarity=s.similarity, diagnosis=_code(s.coding)) for s in found.similar
        ],
        summary=[SummarySentence(text=s.text, evidence=list(s.evidence)) for s in found.summary],
    )


def _code(coding: Coding) -> CodeOut:
    return CodeOut(system=coding.system, code=coding.code, display=coding.display)


def _ms(value: float) -> float:
    return round(max(value, 0.0), 3)
