"""Verdicts: what a model must not do, told from the numbers. A check that cannot fail is none.

Targets are those of the model's design (docs/explanation/the-model.md); what chance
explains is no failure where a figure has an interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Metrics = Mapping[str, Any]
Verdict = tuple[bool, str]

SHARE = 0.10
"""An informative modality has at least this share of mean |Shapley value|."""
ECE_FUSED, ECE_PATTERN = 0.02, 0.03
SLOPE = 0.8
"""A calibration slope below: probabilities are further from the base rate than the truth bears out."""
SHIFT = 0.02
"""Mean probability may differ by so much from the base rate beyond chance when only the pattern changes."""
LEAK = 0.55
"""Macro AUROC of the availability alone."""
COVERAGE = 0.02
REGRET = -0.005
FAR_OOD, FAR_FPR = 0.98, 0.10
DELETION = 0.9
DOUBT = 0.90
GROUP = 0.03
COMPLETENESS = 0.01
UNUSED = 0.005
"""A modality whose removal costs less than this part of the right answers is not used."""
EFFICIENCY = 1e-6
RANDOMISED = 0.2


def judge(metrics: Metrics) -> list[dict[str, Any]]:
    """`{name, passed, detail}` of every check that the figures allow."""
    return [
        {"name": name, "passed": bool(passed), "detail": detail}
        for name, check in CHECKS.items()
        for passed, detail in check(metrics)
    ]


def _fullest(metrics: Metrics) -> str | None:
    """The pattern of most modalities."""
    return max(metrics["patterns"], key=lambda name: (name.count("+"), name), default=None)


def no_modality_ignored(metrics: Metrics) -> Iterator[Verdict]:
    """Each modality that the oracle hears is heard; without an oracle, one whose head alone tells something."""
    own, oracle = metrics.get("shapley_share"), metrics.get("oracle_shapley_share")
    if not own:
        return
    informative = [name for name in own if (oracle[name] if oracle else _alone(metrics, name)) >= SHARE]
    ignored = [name for name in informative if own[name] < SHARE]
    shares = ", ".join(f"{name} {share:.2f}" for name, share in own.items())
    yield (
        not ignored,
        f"shares of the explanation: {shares}; at least {SHARE:.2f} of each that is informative"
        + (f"; ignored: {', '.join(ignored)}" if ignored else ""),
    )


def _alone(metrics: Metrics, name: str) -> float:
    auroc = metrics["patterns"].get(name, {}).get("macro_auroc", {})
    return 1.0 if (auroc.get("low") or 0.0) > 0.55 else 0.0


def every_modality_counts(metrics: Metrics) -> Iterator[Verdict]:
    """Taking a modality away costs right answers: a share can be loud and say nothing."""
    for name, entry in ((metrics.get("shapley") or {}).get("utilisation") or {}).items():
        interval = entry["intervals"]["conditional"]
        if interval["high"] is not None:
            lost = _interval({"value": entry["conditional"], **interval})
            yield interval["high"] > UNUSED, f"{name}: {lost} of the right answers are lost without it"


def not_overconfident(metrics: Metrics) -> Iterator[Verdict]:
    """The calibration slope's interval reaches SLOPE in every pattern."""
    low = {}
    for pattern, entry in metrics["patterns"].items():
        interval = entry["intervals"].get("calibration_slope")
        if interval and interval["high"] is not None:
            low[pattern] = (entry["calibration_slope"], interval["high"])
    bad = {p: slope for p, (slope, high) in low.items() if high < SLOPE}
    if low:
        worst = min(low, key=lambda p: low[p][0])
        detail = f"smallest calibration slope {low[worst][0]:.2f} ({worst}); 1 is right, below {SLOPE} is overconfident"
        yield not bad, detail


def calibrated(metrics: Metrics) -> Iterator[Verdict]:
    """The debiased ECE, or at least the lower end of its interval, is within the target of the pattern."""
    fullest = _fullest(metrics)
    worst, missed = [], []
    for pattern, entry in metrics["patterns"].items():
        target = ECE_FUSED if pattern == fullest and "+" in pattern else ECE_PATTERN
        if entry["ece"] is None:
            continue
        worst.append((entry["ece"], pattern))
        if entry["ece"] > target:
            missed.append(f"{pattern} {entry['ece']:.3f} > {target}")
    if worst:
        yield (
            not missed,
            f"ECE at most {max(worst)[0]:.3f} ({max(worst)[1]})" + (f"; {', '.join(missed)}" if missed else ""),
        )


def sets_cover(metrics: Metrics) -> Iterator[Verdict]:
    """Every pattern x class cell is within COVERAGE of the target, beyond its family-wise interval."""
    gaps = {
        p: e["coverage"]["max_gap_beyond_interval"]
        for p, e in metrics["patterns"].items()
        if e.get("coverage") and e["coverage"].get("max_gap_beyond_interval") is not None
    }
    if gaps:
        worst = max(gaps, key=lambda p: gaps[p])
        yield (
            gaps[worst] <= COVERAGE,
            f"largest gap beyond its interval {gaps[worst]:.3f} ({worst}); at most {COVERAGE}",
        )


def risk_falls(metrics: Metrics) -> Iterator[Verdict]:
    """Among the more certain cases every class errs less, with all modalities at hand."""
    pattern = _fullest(metrics)
    falls = metrics["patterns"][pattern].get("risk_coverage_falls_for_every_class") if pattern else None
    if falls is not None:
        yield (
            falls,
            f"{pattern}: risk at 80 % coverage is {'' if falls else 'not '}at most the full risk in every class",
        )


def explanations_beat_chance(metrics: Metrics) -> Iterator[Verdict]:
    """Taking away what the explanation names changes the answer more than taking away at random, in every modality."""
    faithfulness = (metrics.get("explanations") or {}).get("faithfulness") or {}
    for scope in ("image", "note", "vitals"):
        entry = faithfulness.get(scope)
        if entry:
            interval = entry["intervals"]["deletion_gap"]
            beats = entry["deletion_beats_random"]
            yield (
                (interval["low"] or 0.0) > 0,
                f"{scope}: deletion gap {_interval({'value': entry['deletion_gap'], **interval})} (must be above 0), "
                f"beats random in {beats:.0%} of cases (aim {DELETION:.0%})",
            )


def explanations_point(metrics: Metrics) -> Iterator[Verdict]:
    """Explanations hit the ward's own findings more often than chance, by the lower end of the interval."""
    localisation = (metrics.get("explanations") or {}).get("localisation") or {}
    for name in ("heatmap_pointing_game", "span_f1", "window_iou"):
        value, chance = localisation.get(name), localisation.get(f"{name}_chance")
        if value is not None and chance is not None:
            interval = localisation["intervals"][name]
            shown = _interval({"value": value, **interval})
            yield (interval["low"] or 0.0) > chance, f"{name.replace('_', ' ')} {shown}, chance {chance:.3f}"


def depends_on_weights(metrics: Metrics) -> Iterator[Verdict]:
    """Explanations of randomised weights look unlike those of the trained ones (Adebayo et al. 2018)."""
    found = (metrics.get("explanations") or {}).get("randomisation") or {}
    values = {m: found[m]["spearman"] for m in ("image", "note", "vitals") if m in found and "spearman" in found[m]}
    if values:
        worst = max(values, key=lambda m: abs(values[m]))
        yield (
            abs(values[worst]) <= RANDOMISED,
            f"largest rank correlation {values[worst]:.2f} ({worst}); at most {RANDOMISED}",
        )


def adds_up(metrics: Metrics) -> Iterator[Verdict]:
    """Base and contributions sum to the log-odds they explain."""
    found = metrics.get("explanations") or {}
    error = (found.get("additivity") or {}).get("efficiency_error_max")
    if error is not None:
        yield error <= EFFICIENCY, f"largest efficiency error {error:.1e} log-odds"
    for modality, entry in (found.get("integration") or {}).items():
        missed = entry["relative_error"]
        if missed is not None:
            yield missed <= COMPLETENESS, f"{modality}: integrated gradients miss {missed:.1%} of what they explain"


def absence_says_nothing(metrics: Metrics) -> Iterator[Verdict]:
    """The same patients under fewer modalities get the same base rates."""
    shift = (metrics.get("availability") or {}).get("shift") or {}
    if shift.get("beyond_interval") is not None:
        largest = shift["largest"]
        where = f"{largest['pattern']}, {largest['class']}"
        yield (
            shift["beyond_interval"] <= SHIFT,
            f"mean probability departs from the base rate by {largest['value']:+.3f} ({where}), "
            f"{shift['beyond_interval']:.3f} beyond chance; at most {SHIFT}",
        )


def dataset_does_not_leak(metrics: Metrics) -> Iterator[Verdict]:
    """Which modalities are there must not tell the answer."""
    found = ((metrics.get("availability") or {}).get("availability_only") or {}).get("macro_auroc")
    if found and found.get("low") is not None:
        yield found["low"] <= LEAK, f"availability alone reaches macro AUROC {_interval(found)}"


def not_above_the_oracle(metrics: Metrics) -> Iterator[Verdict]:
    """Nobody beats the best possible answer: who does has seen the truth, or the evaluation is wrong."""
    above = []
    for pattern, entry in metrics["patterns"].items():
        oracle, low = entry.get("oracle_macro_auroc"), entry["macro_auroc"].get("low")
        if oracle is not None and low is not None and low > oracle:
            above.append(pattern)
    if any(entry.get("oracle_macro_auroc") is not None for entry in metrics["patterns"].values()):
        yield not above, f"above the oracle: {', '.join(above)}" if above else "no pattern is above the oracle"


def no_regret(metrics: Metrics) -> Iterator[Verdict]:
    """No set of modalities does worse than its best member."""
    found = metrics.get("regrets") or {}
    if found:
        worst = min(found, key=lambda p: found[p]["value"])
        yield (
            found[worst]["value"] >= REGRET,
            f"smallest gain over the best single modality {_interval(found[worst])} ({worst})",
        )


def hybrid_gains(metrics: Metrics) -> Iterator[Verdict]:
    """The hybrid is better than early, late and stacked fusion, beyond chance."""
    gains = metrics.get("gains") or {}
    gain = gains.get("retrained_over_best_fusion") or gains.get("hybrid_over_best_fusion")
    if gain:
        yield (gain["low"] or 0.0) > 0, f"gain over the best simple fusion {_interval(gain)} macro AUROC"


def strangers_are_known(metrics: Metrics) -> Iterator[Verdict]:
    """Far strangers are told from ordinary inputs, per modality."""
    for modality, entry in (metrics.get("ood") or {}).items():
        if isinstance(entry, Mapping) and entry.get("auroc") is not None:
            good = entry["auroc"] >= FAR_OOD and entry["fpr95"] <= FAR_FPR
            yield (
                good,
                f"{modality}: far strangers AUROC {entry['auroc']:.3f} (≥ {FAR_OOD}), FPR95 {entry['fpr95']:.2f}",
            )


def doubt_rises(metrics: Metrics) -> Iterator[Verdict]:
    """Members disagree on far strangers, so that epistemic uncertainty is worth its name."""
    found = {m: e.get("epistemic") for m, e in (metrics.get("ood") or {}).items() if isinstance(e, Mapping)}
    values = {m: e["auroc"] for m, e in found.items() if e and e.get("auroc") is not None}
    if values:
        each = ", ".join(f"{m} {value:.2f}" for m, value in values.items())
        yield (
            min(values.values()) >= DOUBT,
            f"mutual information tells far strangers: AUROC {each}; at least {DOUBT}",
        )


def no_group_left_behind(metrics: Metrics) -> Iterator[Verdict]:
    """No subgroup's AUROC is more than GROUP below all patients', beyond its interval."""
    for attribute, values in (metrics.get("subgroups") or {}).items():
        if "×" not in attribute and values.get("max_auroc_gap") is not None:
            interval = values["intervals"]["max_auroc_gap"]
            gap = _interval({"value": values["max_auroc_gap"], **interval})
            yield (interval["low"] or 0.0) <= GROUP, f"{attribute}: AUROC gap {gap} ({values['max_auroc_gap_group']})"


def _interval(value: Mapping[str, Any]) -> str:
    if value.get("low") is None or value.get("high") is None:
        return f"{value['value']:.3f}"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


CHECKS: dict[str, Callable[[Metrics], Iterator[Verdict]]] = {
    "no modality ignored": no_modality_ignored,
    "every modality counts": every_modality_counts,
    "not overconfident": not_overconfident,
    "calibrated": calibrated,
    "sets cover": sets_cover,
    "certain cases err less": risk_falls,
    "explanations are faithful": explanations_beat_chance,
    "explanations point at findings": explanations_point,
    "explanations depend on the weights": depends_on_weights,
    "explanations add up": adds_up,
    "absence says nothing": absence_says_nothing,
    "availability does not tell": dataset_does_not_leak,
    "not above the oracle": not_above_the_oracle,
    "no regret": no_regret,
    "hybrid gains": hybrid_gains,
    "strangers are known": strangers_are_known,
    "doubt rises on strangers": doubt_rises,
    "no group left behind": no_group_left_behind,
}
