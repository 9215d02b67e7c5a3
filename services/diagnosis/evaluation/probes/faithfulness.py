"""Do explanations tell what the model uses? Take away what they call important, and watch the probability.

Deletion and insertion curves (RISE, arXiv 1806.07421), comprehensiveness and sufficiency (ERASER, arXiv 1911.03429),
each against random orders of the same units and the reverse order. The probability followed is that of the explained
label, from the modalities that the explanation speaks of. All predictions go through the subject on perturbed cases.
Removing the last k units of an order leaves what inserting its first ones gives, so one set of variants serves both
curves and both orders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from services.diagnosis.case import CaseInput
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.intervals import ratio_with_interval, summarise
from services.diagnosis.evaluation.probes.asking import ask_all, explained_label, restrict, used
from services.diagnosis.evaluation.probes.perturb import Units, units_of
from services.diagnosis.evaluation.subject import Array, Subject
from services.diagnosis.inference.prediction import Explanation

ALL = "all"
"""The same share of every modality at once."""
ERASER = (0.01, 0.05, 0.1, 0.2, 0.5)
FRACTIONS = (*ERASER, 0.8, 0.9, 0.95, 0.99)
"""Shares removed, beside nothing and everything; symmetric, so that each share is also one that is kept."""
FILLED = {"image": "blur", "note": "remove", "vitals": "drop"}
IMPUTED = {"image": "road", "note": "mask"}
"""The second opinion: does the finding hold when what is missing is filled in likely?"""


@dataclass(frozen=True)
class Curves:
    """One case in one scope: probability of the explained label as units go, [fractions + 2] from nothing to all."""

    deletion: Array
    reverse: Array
    random: Array
    """[orders, fractions + 2]"""


@dataclass(frozen=True)
class Effort:
    """How much is asked of the subject: variants per case = scopes x (orders + 2) x 9."""

    orders: int = 20
    imputed_orders: int = 5


@dataclass
class _Figures:
    """Scope -> name -> one figure per case, in the order of the cases that had the scope."""

    columns: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    patients: dict[str, list[str]] = field(default_factory=dict)

    def add(self, scope: str, patient: str, figures: Mapping[str, float]) -> None:
        self.patients.setdefault(scope, []).append(patient)
        for name, value in figures.items():
            self.columns.setdefault(scope, {}).setdefault(name, []).append(value)


def measure_faithfulness(
    subject: Subject,
    cases: Sequence[LabelledCase],
    *,
    seed: int,
    effort: Effort | None = None,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Faithfulness of a subject's explanations over cases; one `advance` per case.

    Returns: `n`, `seconds_per_case`, `deletion_beats_random` (of all modalities together), and per scope (`all`,
        `image`, `note`, `vitals`, and `imputed` with `image` and `note`): `deletion_gap` and `insertion_gap` (area
        between the mean random curve and the explanation's, positive is good, in probability), `deletion_beats_random`
        and `insertion_beats_random` (share of cases with a positive gap), `deletion_gap_to_reverse`,
        `comprehensiveness`, `sufficiency` (means over 1, 5, 10, 20, 50 %), the same `_random`, `_by_fraction`, and
        `comprehensiveness_ratio`, `sufficiency_ratio` (against random; above 1 is good). All with intervals.
    """
    effort, started = effort or Effort(), time.perf_counter()
    filled, imputed, n = _Figures(), _Figures(), 0
    for index, case in enumerate(cases):
        prediction = subject.explain(case.inputs)
        label, names = explained_label(prediction), used(prediction)
        if label is not None:
            n += 1
            own, why, rng = restrict(case.inputs, names), prediction.explanation, np.random.default_rng([seed, index])
            for figures, fills, orders in ((filled, FILLED, effort.orders), (imputed, IMPUTED, effort.imputed_orders)):
                units = {name: units_of(own, name, fills[name], seed=seed) for name in names if name in fills}
                if units:
                    found = curves_of(subject, own, why, label, units, orders=orders, rng=rng, together=fills is FILLED)
                    for scope, curves in found.items():
                        figures.add(scope, case.patient, figures_of(curves))
        advance()
    scopes: dict[str, Any] = {scope: _scope(filled, scope, seed) for scope in filled.columns}
    return {
        "n": n,
        "seconds_per_case": round((time.perf_counter() - started) / max(1, len(cases)), 4),
        "orders": effort.orders,
        "deletion_beats_random": scopes[ALL]["deletion_beats_random"] if ALL in scopes else None,
        "intervals": {"deletion_beats_random": scopes[ALL]["intervals"]["deletion_beats_random"]}
        if ALL in scopes
        else {},
        **scopes,
        "imputed": {scope: _scope(imputed, scope, seed) for scope in imputed.columns},
    }


def curves_of(
    subject: Subject,
    case: CaseInput,
    explanation: Explanation,
    label: int,
    units: Mapping[str, Units],
    *,
    orders: int,
    rng: np.random.Generator,
    together: bool = True,
) -> dict[str, Curves]:
    """Curves per modality of `units` and, with `together`, for all of them at once. Ties are broken by chance.

    Raises: ValueError: no units.
    """
    if not units:
        raise ValueError("no modality to perturb")
    importance = {name: own.importance(explanation) for name, own in units.items()}
    best = {name: np.lexsort((rng.random(len(value)), -value)) for name, value in importance.items()}
    chance = [{name: rng.permutation(own.count) for name, own in units.items()} for _ in range(orders)]
    ends = _ends(subject, case, label, units, together)
    curve = [
        _curve(subject, case, label, units, order, together)
        for order in (best, {name: order[::-1] for name, order in best.items()}, *chance)
    ]
    found = {}
    for scope, (start, end) in ends.items():
        rows = np.array([np.concatenate([[start], own[scope], [end]]) for own in curve])
        found[scope] = Curves(rows[0], rows[1], rows[2:])
    return found


def figures_of(curves: Curves) -> dict[str, float]:
    """The figures of one case in one scope, as `measure_faithfulness` names them."""
    insertion, random_insertion = curves.reverse[::-1], curves.random[:, ::-1]
    deletion_gap = float(_area(curves.random).mean() - _area(curves.deletion))
    insertion_gap = float(_area(insertion) - _area(random_insertion).mean())
    figures = {
        "deletion_gap": deletion_gap,
        "insertion_gap": insertion_gap,
        "deletion_beats_random": float(deletion_gap > 0),
        "insertion_beats_random": float(insertion_gap > 0),
        "deletion_gap_to_reverse": float(_area(curves.reverse) - _area(curves.deletion)),
    }
    # Random orders are each other's reverse in distribution, so their own curves serve for both measures.
    for kind, deleted, inserted in (("", curves.deletion, insertion), ("_random", *_means(curves.random))):
        comprehensiveness = deleted[0] - deleted[1 : len(ERASER) + 1]
        sufficiency = deleted[0] - inserted[1 : len(ERASER) + 1]
        figures[f"comprehensiveness{kind}"] = float(comprehensiveness.mean())
        figures[f"sufficiency{kind}"] = float(sufficiency.mean())
        for fraction, c, s in zip(ERASER, comprehensiveness, sufficiency, strict=True):
            figures[f"comprehensiveness{kind}_{fraction:.0%}"] = float(c)
            figures[f"sufficiency{kind}_{fraction:.0%}"] = float(s)
    return figures


def _means(random: Array) -> tuple[Array, Array]:
    return random.mean(0), random[:, ::-1].mean(0)


def _area(curve: Array) -> Array:
    """Mean height of curves [..., fractions + 2] by the trapezium rule."""
    return np.asarray(np.trapezoid(curve, (0.0, *FRACTIONS, 1.0), axis=-1))


def _ends(
    subject: Subject, case: CaseInput, label: int, units: Mapping[str, Units], together: bool
) -> dict[str, tuple[float, float]]:
    """Scope -> probability with all units and with none."""
    variants = _variants(case, units, {name: np.ones(own.count, np.bool_) for name, own in units.items()}, together)
    start, *ends = ask_all(subject, [case, *variants.values()])[:, label]
    return {scope: (float(start), float(end)) for scope, end in zip(variants, ends, strict=True)}


def _curve(
    subject: Subject,
    case: CaseInput,
    label: int,
    units: Mapping[str, Units],
    order: Mapping[str, Any],
    together: bool,
) -> dict[str, Array]:
    """Scope -> probability [fractions] as the units of an order go."""
    steps = []
    for fraction in FRACTIONS:
        removed = {}
        for name, own in units.items():
            removed[name] = np.zeros(own.count, np.bool_)
            removed[name][order[name][: _share(fraction, own.count)]] = True
        steps.append(_variants(case, units, removed, together))
    scopes = list(steps[0])
    asked = ask_all(subject, [step[scope] for scope in scopes for step in steps])[:, label]
    return dict(zip(scopes, asked.reshape(len(scopes), len(steps)), strict=True))


def _share(fraction: float, count: int) -> int:
    """How many of `count` units a share is: at least one, and as many kept at 1 - f as removed at f."""
    fewer = min(count, max(1, round(min(fraction, 1 - fraction) * count)))
    return fewer if fraction <= 0.5 else count - fewer


def _variants(
    case: CaseInput, units: Mapping[str, Units], removed: Mapping[str, Any], together: bool
) -> dict[str, CaseInput]:
    """Scope -> the case without those units; the joint variant shares its parts, so that each is encoded once."""
    single = {name: own.without(case, removed[name]) for name, own in units.items()}
    if not together:
        return single
    joint = CaseInput(
        case.as_of,
        single["image"].images if "image" in single else case.images,
        single["note"].notes if "note" in single else case.notes,
        single["vitals"].vitals if "vitals" in single else case.vitals,
        case.age_years,
        case.sex,
    )
    return {ALL: joint, **single}


def _scope(figures: _Figures, scope: str, seed: int) -> dict[str, Any]:
    columns = {name: np.array(values) for name, values in figures.columns[scope].items()}
    patients = np.array(figures.patients[scope])
    plain = {name: values for name, values in columns.items() if "%" not in name}
    summary = {"n": len(patients), **summarise(plain, patients, seed=seed)}
    above = {"comprehensiveness": ("", "_random"), "sufficiency": ("_random", "")}
    for name, (top, bottom) in above.items():
        value, interval = ratio_with_interval(columns[name + top], columns[name + bottom], patients, seed=seed)
        summary[f"{name}_ratio"], summary["intervals"][f"{name}_ratio"] = value, interval
    for kind in ("comprehensiveness", "comprehensiveness_random", "sufficiency", "sufficiency_random"):
        by_fraction = {f"{fraction:.0%}": float(columns[f"{kind}_{fraction:.0%}"].mean()) for fraction in ERASER}
        summary[f"{kind}_by_fraction"] = by_fraction
    return summary
