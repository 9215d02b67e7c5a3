from __future__ import annotations

import pytest

from services.diagnosis.model.preprocessing.contexts import FAMILY, NEGATED, PLAIN, context_at, find_scopes


@pytest.mark.parametrize(
    ("text", "word", "context"),
    [
        ("Denies fever, chills or cough.", "cough", NEGATED),
        ("No fever but productive cough.", "fever", NEGATED),
        ("No fever but productive cough.", "cough", PLAIN),
        ("Pneumothorax ruled out.", "Pneumothorax", NEGATED),
        ("Negative for weight loss. Wheeze present.", "Wheeze", PLAIN),
        ("without pain in one calf.", "calf", NEGATED),
        ("Mother had pulmonary embolism at 58.", "embolism", FAMILY),
        ("FHx: no asthma.", "asthma", FAMILY),
        ("Notable wheeze.", "wheeze", PLAIN),
        ("no oedema\nwheeze", "wheeze", PLAIN),
    ],
)
def test_words_stand_in_the_context_a_reader_gives_them(text: str, word: str, context: int) -> None:
    start = text.index(word)
    assert context_at(find_scopes(text), start, start + len(word)) == context
