"""A finished result as DiagnosticReport and as RiskAssessment.

Both are `preliminary`: no clinician has verified them. Both carry the security label AIAST. An abstained result is
reported too; it says that and why, and names no diagnosis.
"""

from __future__ import annotations

from datetime import timedelta

from services.ehr.domain import available_at, changed_since, concluded, has_answer, updated_at
from services.ehr.fhir.reading import Json
from services.ehr.fhir.vocabulary import DISCLAIMER, concept, fraction, meta, model_device, moment, number, own, subject
from shared.contracts.base import CodeOut
from shared.contracts.diagnosis import CaseOut, DiagnosisOut, ModelOut, OrdinalRisk, RankedDiagnosis, Risk, Source

ASSESSMENT = ("acute-chest-assessment", "Acute chest decision support")
CATEGORY: Json = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "OTH", "display": "Other"}]
}
DETERIORATION = "deterioration24h"


def diagnostic_report(result: DiagnosisOut) -> Json:
    """The report of a finished result: a contained Observation per ranked diagnosis, and the conclusion."""
    case, model = _frozen(result)
    ranked = (result.diagnoses or []) if has_answer(result) else []
    observations = [_probability(f"diagnosis-{i}", one, result, case) for i, one in enumerate(ranked, start=1)]
    report: Json = {
        "resourceType": "DiagnosticReport",
        "id": result.id,
        "meta": meta(updated_at(result)),
        "status": "preliminary",
        "category": [CATEGORY],
        "code": own(*ASSESSMENT),
        "subject": subject(result),
        "effectiveDateTime": moment(case.as_of),
        "issued": moment(available_at(result)),
        "conclusion": conclusion(result),
    }
    if observations:
        report["contained"] = [model_device(model), *observations]
        report["result"] = [{"reference": f"#{one['id']}"} for one in observations]
        report["conclusionCode"] = [concept(one.code) for one in concluded(result)]
    return {name: value for name, value in report.items() if value != []}


def risk_assessment(result: DiagnosisOut) -> Json:
    """The probabilities of a finished result, in [0, 1], with the notes it rests on that this server can show."""
    case, model = _frozen(result)
    assessment: Json = {
        "resourceType": "RiskAssessment",
        "id": result.id,
        "meta": meta(updated_at(result)),
        "contained": [model_device(model)],
        "status": "preliminary",
        "code": own(*ASSESSMENT),
        "subject": subject(result),
        "occurrenceDateTime": moment(case.as_of),
        "performer": {"reference": "#model"},
        "basis": _basis(result),
        "prediction": _predictions(result, case),
        "note": [{"text": conclusion(result)}],
    }
    return {name: value for name, value in assessment.items() if value != []}


def conclusion(result: DiagnosisOut) -> str:
    """What the report says in words: the summary of the result, or that and why there is none."""
    return " ".join(part for part in (changed_since(result), _found(result), DISCLAIMER) if part)


def _found(result: DiagnosisOut) -> str:
    if not has_answer(result):
        reasons = "; ".join(result.reasons or []) or "no reason was given"
        return f"The model abstained: {reasons}."
    sentences = [sentence.text for sentence in result.explanation.summary] if result.explanation else []
    likeliest = ", ".join(_in_words(one) for one in (result.diagnoses or [])[:3])
    return " ".join(sentences) or f"Likeliest: {likeliest}."


def _in_words(one: RankedDiagnosis) -> str:
    return f"{one.code.display} {_spelled(one.probability, one.interval)}"


def _spelled(probability: float, interval: tuple[float, float]) -> str:
    return f"probability {probability:.3f} (interval {interval[0]:.3f} to {interval[1]:.3f}), on a scale from 0 to 1"


def _frozen(result: DiagnosisOut) -> tuple[CaseOut, ModelOut]:
    if result.case is None or result.model is None:
        raise ValueError("only a finished result has a case and a model")
    return result.case, result.model


def _probability(observation_id: str, one: RankedDiagnosis, result: DiagnosisOut, case: CaseOut) -> Json:
    # The diagnosis is a component: an Observation whose code is `Pneumonia` would read as if it had been observed.
    low, high = one.interval
    return {
        "resourceType": "Observation",
        "id": observation_id,
        "status": "preliminary",
        "code": own("diagnosis-probability", "Probability of a diagnosis"),
        "subject": subject(result),
        "effectiveDateTime": moment(case.as_of),
        "device": {"reference": "#model"},
        "valueQuantity": fraction(one.probability),
        "component": [
            {"code": own("diagnosis", "Diagnosis"), "valueCodeableConcept": concept(one.code)},
            {
                "code": own("probability-interval", "Interval of the probability"),
                "valueRange": {"low": fraction(low), "high": fraction(high)},
            },
        ],
    }


def _basis(result: DiagnosisOut) -> list[Json]:
    notes = (result.modalities or {}).get(Source.NOTE)
    return [{"reference": f"DocumentReference/{one}"} for one in notes.evidence] if notes else []


def _predictions(result: DiagnosisOut, case: CaseOut) -> list[Json]:
    if not has_answer(result):
        return []
    diagnoses = [_prediction(concept(one.code), one.probability, one.interval) for one in result.diagnoses or []]
    risks = sorted((result.risks or {}).items())
    return diagnoses + [one for name, risk in risks for one in _risk(name, risk, case)]


def _prediction(outcome: Json, probability: float, interval: tuple[float, float]) -> Json:
    rationale = _spelled(probability, interval)
    return {"outcome": outcome, "probabilityDecimal": number(probability), "rationale": rationale.capitalize()}


def _risk(name: str, risk: Risk | OrdinalRisk, case: CaseOut) -> list[Json]:
    """The predictions of one risk: one of an event, or one for each level."""
    if isinstance(risk, OrdinalRisk):
        return [_prediction(_level(name, level.code), level.probability, level.interval) for level in risk.levels]
    if name != DETERIORATION:
        return [_prediction(own(name, name), risk.probability, risk.interval)]
    outcome = own(name, "Deterioration within 24 hours")
    when = {"start": moment(case.as_of), "end": moment(case.as_of + timedelta(hours=24))}
    return [{**_prediction(outcome, risk.probability, risk.interval), "whenPeriod": when}]


def _level(name: str, code: CodeOut) -> Json:
    # `Severe` alone would not say what is severe.
    return {**concept(code), "text": f"{name.capitalize()} of the acute illness: {code.display.lower()}"}
