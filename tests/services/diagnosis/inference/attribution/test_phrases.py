from __future__ import annotations

import pytest

from services.diagnosis.inference.attribution.phrases import find_phrases


def stated(text: str) -> list[str]:
    return [text[phrase.first : phrase.last] for phrase in find_phrases(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He denies sharp pain on breathing.", ["sharp pain on breathing"]),
        ("Reports fever, shaking chills and wheeze.", ["fever", "shaking chills", "wheeze"]),
        ("No evidence of effusion; ankle oedema present.", ["effusion", "ankle oedema"]),
        ("Temp to 38.9 at home", ["Temp to 38.9 at home"]),
        ("Exam: swollen ankles.\nCalf tenderness absent.", ["swollen ankles", "Calf tenderness"]),
        ("He is. There was no.", []),
    ],
)
def test_a_phrase_is_what_is_stated_without_who_states_it(text: str, expected: list[str]) -> None:
    assert stated(text) == expected


def test_the_whole_statement_holds_the_words_that_frame_it() -> None:
    text = "He denies fever."
    phrase = find_phrases(text)[0]
    assert text[phrase.start : phrase.end] == "He denies fever"
