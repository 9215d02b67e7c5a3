"""The card for reading: what stands in it beside the demo's tables."""

from __future__ import annotations

from services.diagnosis.bundle.card import card_markdown, headline, widest_of

FIGURE = {"value": 0.8, "low": 0.7, "high": 0.9}
PATTERN = {"macroAuroc": FIGURE, "accuracy": FIGURE, "ece": FIGURE, "coverage": FIGURE, "meanSetSize": 1.5, "n": 40}
CARD = {
    **dict.fromkeys(("name", "version", "warning", "intendedUse", "outOfScope", "inputs", "outputs"), "x"),
    **dict.fromkeys(("trainingData", "licence", "intervals"), "x"),
    "seed": 1,
    "parameters": 10,
    "data": {},
    "metrics": {
        "n": 87,
        "patients": 57,
        "patterns": {"image+tabular": PATTERN, "as-available": PATTERN},
        "gains": {"image": {**FIGURE, "n": 87}},
        "oodFalseRejection": {},
        "external": {"children": {"n": 5, "rejected": FIGURE, "auroc": {"any": FIGURE}, "note": "one hospital"}},
    },
}


def test_what_speaks_for_all_cases_is_what_each_holds() -> None:
    assert widest_of(["image", "image+note+vitals", "as-available"]) == "as-available"
    assert headline(CARD) == "macro AUROC 0.800 [0.700, 0.900] with as-available, n = 87"


def test_cases_are_not_called_patients_where_one_has_several() -> None:
    assert "## Measured on 87 cases of 57 unseen patients of the same source" in card_markdown(CARD)


def test_gains_and_other_collections_stand_with_their_n() -> None:
    text = card_markdown(CARD)
    assert "- image: 0.800 [0.700, 0.900], n = 87" in text
    assert "## Measured on 5 cases of children, which no training has seen" in text
    assert "- one hospital" in text
