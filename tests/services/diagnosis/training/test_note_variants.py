from __future__ import annotations

import numpy as np

from services.diagnosis.training.note_variants import vary_text

NOTE = (
    "History: Short of breath. Coughs.\nExamination: Crackles at the right base. No oedema.\nPlan: Antibiotics. Fluids."
)
SENTENCES = ("Short of breath.", "Coughs.", "Crackles at the right base.", "No oedema.", "Antibiotics.", "Fluids.")


def test_variants_say_nothing_new_and_keep_the_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        varied = vary_text(NOTE, rng)
        kept = [s for s in SENTENCES if s.lower() in varied.lower()]
        assert kept
        places = [varied.lower().index(s.lower()) for s in kept]
        assert places == sorted(places)


def test_some_variants_are_short_and_some_have_no_headings() -> None:
    rng = np.random.default_rng(1)
    variants = [vary_text(NOTE, rng) for _ in range(300)]
    assert any(len(v.split()) <= 6 for v in variants)
    assert any("History:" not in v and "Coughs." in v for v in variants)
    assert any(v.count("Plan:") and v.count("History:") for v in variants)
