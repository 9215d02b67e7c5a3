"""The 31 source attributes of a predictive decision support intervention: 45 CFR 170.315(b)(11)(iv)(B), ONC HTI-1.

Nine categories in the rule's order and, but for the shortening of the longest, in its words (89 FR 1192, 2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RULE = "45 CFR 170.315(b)(11)(iv)(B)"
NOT_DONE = "not done: "
"""How an answer begins that gives nothing but the reason."""
_NUMERALS = ("i", "ii", "iii", "iv", "v")


@dataclass(frozen=True)
class Category:
    """One category and its attributes."""

    title: str
    attributes: tuple[str, ...]


CATEGORIES = (
    Category(
        "Details and output of the intervention",
        (
            "Name and contact information for the intervention developer",
            "Funding source of the technical implementation for the intervention's development",
            "Description of value that the intervention produces as an output",
            "Whether the output is a prediction, classification, recommendation, evaluation, analysis, or other",
        ),
    ),
    Category(
        "Purpose of the intervention",
        (
            "Intended use of the intervention",
            "Intended patient population(s) for the intervention's use",
            "Intended user(s)",
            "Intended decision-making role (informs, augments, replaces clinical management)",
        ),
    ),
    Category(
        "Cautioned out-of-scope use of the intervention",
        (
            "Tasks, situations, or populations where a user is cautioned against applying the intervention",
            "Known risks, inappropriate settings, inappropriate uses, or known limitations",
        ),
    ),
    Category(
        "Intervention development details and input features",
        (
            "Exclusion and inclusion criteria that influenced the training data set",
            "Use of race, ethnicity, language, sexual orientation, gender identity, sex, date of birth, social "
            "determinants of health and health status assessments as input features",
            "Demographic representativeness according to those variables, at a minimum those used as input features",
            "Relevance of training data to intended deployed setting",
        ),
    ),
    Category(
        "Process used to ensure fairness in development of the intervention",
        (
            "Approach taken to ensure that the intervention's output is fair",
            "Approaches to manage, reduce, or eliminate bias",
        ),
    ),
    Category(
        "External validation process",
        (
            "Data source, clinical setting, or environment where validity and fairness have been assessed, other than "
            "the source of training and testing data",
            "Party that conducted the external testing",
            "Demographic representativeness of external data",
            "Description of external validation process",
        ),
    ),
    Category(
        "Quantitative measures of performance",
        (
            "Validity of intervention in test data derived from the same source as the initial training data",
            "Fairness of intervention in test data derived from the same source as the initial training data",
            "Validity of intervention in data external to or from a different source than the initial training data",
            "Fairness of intervention in data external to or from a different source than the initial training data",
            "References to evaluation of use of the intervention on outcomes",
        ),
    ),
    Category(
        "Ongoing maintenance of intervention implementation and use",
        (
            "Process and frequency by which the intervention's validity is monitored over time",
            "Validity of intervention in local data",
            "Process and frequency by which the intervention's fairness is monitored over time",
            "Fairness of intervention in local data",
        ),
    ),
    Category(
        "Update and continued validation or fairness assessment schedule",
        (
            "Process and frequency by which the intervention is updated",
            "Process and frequency by which performance is corrected when risks related to validity and fairness are "
            "identified",
        ),
    ),
)


def attribute_ids() -> tuple[str, ...]:
    """`1.i` … `9.ii`: category and attribute as the rule numbers them."""
    return tuple(
        f"{number}.{_NUMERALS[place]}"
        for number, category in enumerate(CATEGORIES, 1)
        for place in range(len(category.attributes))
    )


def source_attributes(answers: Mapping[str, str]) -> dict[str, Any]:
    """The section of a card, from an answer to each attribute.

    Raises: ValueError: an attribute without an answer, or an answer to none.
    """
    wanted = set(attribute_ids())
    empty = {name for name, text in answers.items() if not text.removeprefix(NOT_DONE).strip()}
    if wanted != set(answers) or empty:
        raise ValueError(f"source attributes without answer, or unknown: {sorted((wanted ^ set(answers)) | empty)}")
    return {"rule": RULE, "categories": [_category(number, answers) for number in range(1, len(CATEGORIES) + 1)]}


def _category(number: int, answers: Mapping[str, str]) -> dict[str, Any]:
    category = CATEGORIES[number - 1]
    attributes = [
        {
            "id": f"{number}.{_NUMERALS[place]}",
            "title": title,
            "text": answers[f"{number}.{_NUMERALS[place]}"],
            "done": not answers[f"{number}.{_NUMERALS[place]}"].startswith(NOT_DONE),
        }
        for place, title in enumerate(category.attributes)
    ]
    return {"number": number, "title": category.title, "attributes": attributes}
