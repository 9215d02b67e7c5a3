"""The answers to the 31 source attributes for a model trained on the ward: from the recipe's record, or "not done"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.diagnosis.bundle.source_attributes import NOT_DONE
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.training.recipe import Recipe

Answers = dict[str, str]


@dataclass(frozen=True)
class PartOrigin:
    """Where something that lies in the bundle comes from, and under which licence."""

    part: str
    origin: str
    licence: str


PARTS_OF_THE_DEMO = (
    PartOrigin("weights", "trained from random initial values on the synthetic ward", "Apache-2.0"),
    PartOrigin("tokenizer", "word pieces learned from the training notes of the synthetic ward", "Apache-2.0"),
    PartOrigin("calibration, sets, thresholds, statistics", "computed from the synthetic ward", "Apache-2.0"),
    PartOrigin("reference cases", "encodings of training cases of the synthetic ward; no patient's data", "Apache-2.0"),
    PartOrigin("baselines", "trained on the same encodings of the synthetic ward", "Apache-2.0"),
)


def answers(recipe: Recipe, training: Mapping[str, Any], metrics: Mapping[str, Any]) -> Answers:
    """An answer to every attribute, by its number in the rule."""
    return {
        **_details(recipe.model),
        **_purpose(),
        **_cautions(),
        **_development(recipe, training),
        **_fairness_in_development(metrics),
        **_external_validation(),
        **_performance(metrics),
        **_maintenance(),
        **_updates(),
    }


def outcomes_asked(config: ModelConfig) -> tuple[str, ...]:
    """What a bundle is asked beside the diagnosis, in words."""
    worse = ("of deterioration within 24 hours",) if config.deterioration else ()
    return (*worse, "of a mild, a moderate and a severe illness") if config.severity else worse


def _details(config: ModelConfig) -> Answers:
    return {
        "1.i": "The Consilium developers; contact: the issue tracker of the repository that the bundle came with.",
        "1.ii": "No external funding is recorded for this bundle.",
        "1.iii": "For each of eight acute chest conditions a calibrated probability with an interval and a prediction "
        f"set with its guarantee; {''.join(f'the probability {asked}; ' for asked in outcomes_asked(config))}how far "
        "each modality and each part of the evidence speaks for it; or an abstention with its reason.",
        "1.iv": "Prediction and classification.",
    }


def _purpose() -> Answers:
    return {
        "2.i": "To try, demonstrate and test Consilium. No clinical use.",
        "2.ii": "Synthetic adult patients of the ward that comes with the suite; no real patients.",
        "2.iii": "Engineers, evaluators and clinicians who get to know the suite.",
        "2.iv": "Informs. It was built to advise a clinician who decides; it neither acts nor replaces a judgement.",
    }


def _cautions() -> Answers:
    return {
        "3.i": "Any use for the care of a patient; real radiographs, notes and monitors; children; conditions other "
        "than the eight; patients with several of them at once.",
        "3.ii": "It knows nothing but synthetic patients, whose evidence is simpler than that of real ones. Real "
        "radiographs are outside what it was trained on and are mostly rejected as out of distribution. Probabilities "
        "are calibrated for the ward's prevalence alone. The probability of deterioration is weak: see the figures.",
    }


def _development(recipe: Recipe, training: Mapping[str, Any]) -> Answers:
    data = training["data"]
    counts = ", ".join(f"{split} {data[split]['cases']}" for split in ("train", "calibration", "test"))
    return {
        "4.i": f"Every patient whom the ward draws, none excluded, each with all modalities ({', '.join(MODALITIES)}) "
        f"and exactly one condition: {counts}; no patient is in two splits. Cases with modalities missing are made "
        "from these by leaving modalities out.",
        "4.ii": _used_variables(),
        "4.iii": representativeness(data["train"].get("groups") or {}),
        "4.iv": f"None for a clinical setting: patients of recipe {recipe.name!r} are drawn by a program. For trying "
        "the suite they are the same kind of patients as `consilium synth` makes.",
    }


def _used_variables() -> str:
    used = (
        "Sex and age (in place of the date of birth) are input features, beside laboratory values."
        if "tabular" in MODALITIES
        else "None is an input feature of its own; notes may state age and sex."
    )
    return (
        f"{used} Race, ethnicity, language, sexual orientation, gender identity, social determinants of health and "
        "health status assessments: not used, and the ward does not draw them."
    )


def representativeness(
    groups: Mapping[str, Mapping[str, int]], how: str = "as the ward draws them, not as any hospital has them"
) -> str:
    """Shares of the training split. `how`: where they come from."""
    if not groups:
        return NOT_DONE + "groups of patients were not recorded when this bundle was trained."
    shares = [f"{name} {_shares(counts)}" for name, counts in groups.items()]
    return f"Shares of the training split, {how}: {'; '.join(shares)}."


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items())


def _fairness_in_development(metrics: Mapping[str, Any]) -> Answers:
    measured = (
        "Figures per sex, age band, skin type and site are computed on the test split at every training."
        if metrics.get("subgroups")
        else "Figures per group were not computed for this card."
    )
    return {
        "5.i": f"{measured} `consilium evaluate` computes them for any cases, with intersections, and fails a check "
        "where a gap is too large. No threshold or loss depends on a group.",
        "5.ii": "The ward draws age, sex, skin type and site independently of one another; pulse oximeters read dark "
        "skin too high, as real ones do, and the model is trained on such readings. No bias was corrected after "
        "training.",
    }


def _external_validation() -> Answers:
    return {
        "6.i": "No clinical setting. Two public collections, one of radiographs and one of vital signs in intensive "
        "care, only to show that a model of the ward is of no use there.",
        "6.ii": "The developers; no independent party.",
        "6.iii": NOT_DONE + "the collections' patients were not set beside the ward's.",
        "6.iv": "`consilium evaluate --dataset cxr-cohort` and `--dataset physionet-2012` ask a bundle as it ships "
        "about every case of the collection; intervals by bootstrap over patients.",
    }


def _performance(metrics: Mapping[str, Any]) -> Answers:
    return {
        "7.i": _validity(metrics),
        "7.ii": fairness(metrics.get("subgroups") or {}),
        "7.iii": NOT_DONE + "the card is written before the bundle is asked about other collections. The figures of "
        "the shipped bundle there, no better than chance or hardly so, stand in docs/benchmarks.md.",
        "7.iv": NOT_DONE + "where nothing is valid there is no fairness to measure.",
        "7.v": NOT_DONE + "its use has no outcomes, since no patient is treated with it.",
    }


def _validity(metrics: Mapping[str, Any]) -> str:
    widest = max(metrics["patterns"], key=lambda pattern: pattern.count("+"))
    m = metrics["patterns"][widest]
    return (
        f"{metrics['n']} test patients of the same ward with {widest}: macro AUROC {bracketed(m['macroAuroc'])}, best "
        f"possible {m['oracleMacroAuroc']:.3f}; accuracy {bracketed(m['accuracy'])}; ECE {bracketed(m['ece'])}; "
        f"coverage {bracketed(m['coverage'])} of {m['coverage']['target']:.0%} sets{_outcomes(m)}. "
        "Every other pattern: the table above."
    )


def _outcomes(m: Mapping[str, Any]) -> str:
    """Figures of what a bundle is asked beside the diagnosis."""
    parts = []
    if "deteriorationAuroc" in m:
        parts.append(f"; deterioration AUROC {m['deteriorationAuroc']:.3f}")
    if "severeAuroc" in m:
        parts.append(
            f"; AUROC of a severity at least moderate {m['moderateAuroc']:.3f} (best possible "
            f"{m['oracleModerateAuroc']:.3f}), of a severe one {m['severeAuroc']:.3f} ({m['oracleSevereAuroc']:.3f})"
        )
    return "".join(parts)


def fairness(subgroups: Mapping[str, Any]) -> str:
    if not subgroups:
        return NOT_DONE + "figures per group were not computed when this bundle was trained."
    gaps = [_gap(name, value) for name, value in subgroups["attributes"].items()]
    return f"With {subgroups['pattern']}: {'; '.join(gaps)}. Figures of every group: the table above."


def _gap(name: str, value: Mapping[str, Any]) -> str:
    if value["maxAurocGap"] is None:
        return f"{name}: groups too small to compare"
    return (
        f"{name}: largest shortfall in AUROC {value['maxAurocGap']:.3f}, in TPR {value['maxTprGap']:.3f}, from the "
        f"promised coverage {value['maxCoverageGap']:.3f}"
    )


def _maintenance() -> Answers:
    never = NOT_DONE + "it is not in use anywhere whose data could be looked at."
    return {
        "8.i": "Each time the demo bundle is trained, by `consilium evaluate` on patients unseen by it; there is no "
        "calendar. A running suite has no use of it to monitor.",
        "8.ii": never,
        "8.iii": "Together with its validity, by the same command's figures per group.",
        "8.iv": never,
    }


def _updates() -> Answers:
    return {
        "9.i": "Trained again when the ward, the network or the recipe changes; the version rises, the changelog "
        "says why. It never learns in use.",
        "9.ii": "A failed check of `consilium evaluate` is mended before the next version is shipped or stands among "
        "what falls short; there is no calendar.",
    }


def bracketed(value: Mapping[str, float]) -> str:
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
