"""What a bundle trained on the chest X-ray cohort says of itself: card, source attributes and licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.diagnosis.bundle.card import widest_of
from services.diagnosis.bundle.source_attributes import NOT_DONE
from services.diagnosis.training.attributes import Answers, PartOrigin, bracketed, fairness, representativeness

WARNING = "Small research data, no clinical claim, not for clinical use"
NON_COMMERCIAL = "CC BY-NC-SA 4.0 as a whole: not for commercial use"
COLLECTIONS = (
    "COVID-19 image data collection: Cohen et al., arXiv:2006.11988; table and notes CC BY-NC-SA 4.0, each image its "
    "own",
    "COVID-19 image repository, Hannover: Winther et al., doi:10.6084/m9.figshare.12275009; CC BY 3.0",
    "NIH ChestX-ray14: Wang et al., CVPR 2017; no restriction, attribution asked for; NIH Clinical Center, "
    "https://nihcc.app.box.com/v/ChestXray-NIHCC",
)
"""Of the cohort, with what their publishers ask to be told."""
CONFOUNDED = (
    "The collection predicts the finding: nearly every image without a finding comes from one hospital and every image "
    "with blood values from another, so a model scores high by recognising the source. Three of the 155 cases with a "
    "note are without a finding: what a note says against pneumonia cannot be learned from them."
)
OUTPUTS = (
    "Probabilities that a frontal chest radiograph shows no abnormality, COVID-19 pneumonia, or pneumonia of another "
    "or no named cause. Intervals hold the frequency among cases answered alike, as far as so few labels can tell."
)


def texts(licences: Mapping[str, int]) -> dict[str, str]:
    """What the card says in words. `licences`: licence -> cases of the cohort."""
    return {
        "warning": WARNING,
        "intendedUse": "Research on models of several modalities, by whoever holds the data. No medical device.",
        "outOfScope": "Any use for the care of a patient; commercial use; children; conditions other than the three.",
        "inputs": "Frontal chest radiograph, clinical note in English, few vital signs, and age, sex and laboratory "
        "values; any non-empty subset. Vital signs were known of a handful of training cases.",
        "outputs": OUTPUTS,
        "trainingData": f"Published radiographs with notes and values: {counted(licences)}. {CONFOUNDED}",
        "licence": NON_COMMERCIAL,
        "intervals": "Brackets: 95 %, bootstrap over patients; for coverage and rejection exact binomial over cases, "
        "too narrow where a patient has several.",
    }


def counted(licences: Mapping[str, int]) -> str:
    """`CC BY 3.0: 145, …`, the most frequent first."""
    return ", ".join(f"{name}: {count}" for name, count in sorted(licences.items(), key=lambda item: -item[1]))


def parts_of(encoder: str, encoder_licence: str, digest: str) -> tuple[PartOrigin, ...]:
    """Where everything in the bundle comes from. `encoder`, `digest`: the text encoder's source and its weights'."""
    cohort = "the training cases of the chest X-ray cohort"
    return (
        PartOrigin("weights of the text transformer, tokenizer", f"{encoder}, {digest}, unchanged", encoder_licence),
        PartOrigin("other weights", f"trained from random initial values on {cohort}", NON_COMMERCIAL),
        PartOrigin("calibration, sets, thresholds, statistics", "computed from the cohort's cases", NON_COMMERCIAL),
        PartOrigin("reference cases", f"encodings of {cohort}, named by their image", NON_COMMERCIAL),
    )


def licence_text(licences: Mapping[str, int], parts: tuple[PartOrigin, ...]) -> str:
    """The bundle's LICENSE."""
    lines = [
        "Research data, not for commercial use.",
        "",
        "This bundle was trained on published radiographs and notes. It is for whoever trained it, for research alone;",
        "it is no part of Consilium and is not shipped with it. Whoever passes it on does so under CC BY-NC-SA 4.0",
        "(https://creativecommons.org/licenses/by-nc-sa/4.0/): with attribution, not for commercial use, same licence.",
        "None of it may be used for diagnosis.",
        "",
        "Images by licence:",
        *(f"  {count} {name}" for name, count in sorted(licences.items(), key=lambda item: -item[1])),
        "",
        "Collections:",
        *(f"  {name}" for name in COLLECTIONS),
        "",
        "Parts:",
        *(f"  {part.part}: {part.origin}; {part.licence}" for part in parts),
        "",
        "A text encoder's licence is what its publisher says of it; what it was trained on has terms of its own.",
        "",
    ]
    return "\n".join(lines)


def research_answers(training: Mapping[str, Any], metrics: Mapping[str, Any]) -> Answers:
    """An answer to every source attribute, by its number in the rule."""
    return {
        **_what_it_is(),
        **_development(training),
        **_external(metrics.get("external") or {}),
        **_performance(metrics),
        **_afterwards(),
    }


def _what_it_is() -> Answers:
    return {
        "1.i": "Whoever ran the recipe `research-cxr` of Consilium; contact: the issue tracker of that repository.",
        "1.ii": "No external funding is recorded for this bundle.",
        "1.iii": f"{OUTPUTS} With each a prediction set and its guarantee, how far each modality speaks for it, or an "
        "abstention with its reason.",
        "1.iv": "Prediction and classification.",
        "2.i": "Research on fusing modalities of which most cases lack some. No clinical use.",
        "2.ii": "People whose radiographs were published with their case; no population was sampled.",
        "2.iii": "Researchers and engineers.",
        "2.iv": "Informs research. Nobody is to decide about a patient by it.",
        "3.i": "Any care of a patient; commercial use; children; other diagnoses; other scanners and hospitals.",
        "3.ii": f"{CONFOUNDED} Notes were written for publication, mostly with the diagnosis known; names are masked, "
        "style is not. Labels of the NIH images were mined from reports by a program, about one in ten wrongly. No "
        "pattern has the two hundred calibration cases that this suite asks for, so every answer is called "
        "uncalibrated. Vital signs and laboratory values are refused by the rules for single values alone: too few "
        "cases have them to tell a strange record.",
    }


def _development(training: Mapping[str, Any]) -> Answers:
    data = training["data"]
    counts = ", ".join(f"{split} {data[split]['cases']}" for split in ("train", "calibration", "test"))
    return {
        "4.i": f"Every frontal radiograph of the cohort with a known finding, none excluded: {counts}; no patient is "
        "in two splits, which follow from the patients' pseudonyms. Each case has what was published with it, many the "
        "image alone.",
        "4.ii": "Sex and age (in place of the date of birth) are input features, beside laboratory values; notes may "
        "state more. Race, ethnicity, language, sexual orientation, gender identity, social determinants of health and "
        "health status assessments: not used as features of their own.",
        "4.iii": representativeness(
            data["train"].get("groups") or {}, "as they were published, not as any hospital has them"
        ),
        "4.iv": "None for a clinical setting: published cases are chosen for being worth publishing.",
        "5.i": "Figures per sex, age band, collection and view are computed on the test split where a group has thirty "
        "cases. No threshold or loss depends on a group.",
        "5.ii": "None was corrected. That the collection predicts the finding is told, not removed: with so few cases "
        "nothing that removes it could be checked.",
    }


def _external(external: Mapping[str, Any]) -> Answers:
    if not external:
        missing = NOT_DONE + "no other collection was given to the command."
        return {"6.i": missing, "6.ii": missing, "6.iii": missing, "6.iv": missing}
    named = "; ".join(f"{found['n']} cases of {name}: {found['note']}" for name, found in external.items())
    return {
        "6.i": f"No clinical setting. {named}",
        "6.ii": "Whoever ran the recipe; no independent party.",
        "6.iii": NOT_DONE + "nothing is published of these patients but image and label.",
        "6.iv": "Every image was asked about alone, as the bundle serves; figures above, intervals by bootstrap.",
    }


def _performance(metrics: Mapping[str, Any]) -> Answers:
    external = metrics.get("external") or {}
    found = [
        f"{name}: AUROC of {event} {bracketed(value)}"
        for name, one in external.items()
        for event, value in one["auroc"].items()
    ]
    return {
        "7.i": _validity(metrics),
        "7.ii": fairness(metrics.get("subgroups") or {}),
        "7.iii": "; ".join(found) if found else NOT_DONE + "no other collection was given to the command.",
        "7.iv": NOT_DONE + "too little is known of the patients of other collections.",
        "7.v": NOT_DONE + "its use has no outcomes, since no patient is treated with it.",
    }


def _validity(metrics: Mapping[str, Any]) -> str:
    if not metrics["patterns"]:
        return NOT_DONE + "the test split is too small for any figure."
    widest = widest_of(metrics["patterns"])
    m = metrics["patterns"][widest]
    return (
        f"{metrics['n']} test cases of {metrics['patients']} patients of the same collections, {widest}: macro AUROC "
        f"{bracketed(m['macroAuroc'])}; accuracy {bracketed(m['accuracy'])}; ECE {bracketed(m['ece'])}; coverage "
        f"{bracketed(m['coverage'])} of {m['coverage']['target']:.0%} sets. {CONFOUNDED}"
    )


def _afterwards() -> Answers:
    never = NOT_DONE + "it is not in use anywhere."
    return {
        "8.i": never,
        "8.ii": never,
        "8.iii": never,
        "8.iv": never,
        "9.i": "Trained again by whoever wants it, with one command. It never learns in use.",
        "9.ii": NOT_DONE + "nobody maintains a bundle that is not shipped.",
    }
