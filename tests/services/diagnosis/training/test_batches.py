from __future__ import annotations

import numpy as np

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.training.batches import NoteBatches, tags_of
from services.diagnosis.training.cohort import draw_partial
from services.diagnosis.training.vocabulary import train_tokenizer
from services.diagnosis.ward.tables import WARD

NOTE_FINDINGS = {finding.name: finding.values for finding in WARD.findings if finding.modality == "note"}


def test_every_value_that_a_note_can_state_has_a_tag_of_its_own() -> None:
    tags = tags_of({"fever": ("unmentioned", "asserted", "negated"), "side": ("absent", "left")})
    assert tags == {("fever", "asserted"): 1, ("fever", "negated"): 2, ("side", "left"): 3}


def test_tagged_pieces_spell_the_words_of_their_span() -> None:
    cohort = draw_partial("note", 9, 0, 3)
    tokenizer = train_tokenizer([record.text for record in cohort.records], size=600)
    batches = NoteBatches.of(cohort, tokenizer, ModelConfig(), NOTE_FINDINGS)
    names = {tag: key for key, tag in tags_of(NOTE_FINDINGS).items()}
    for record, windows, tags in zip(cohort.records, batches.windows, batches.tags, strict=True):
        assert {names[int(tag)] for tag in np.unique(tags[tags > 0])} == {
            (finding, record.findings[finding]) for _, _, finding, _ in record.spans
        }
        for (start, end), tag in zip(windows.offsets[tags > 0], tags[tags > 0], strict=True):
            finding, _ = names[int(tag)]
            assert any(left < end and start < right for left, right, name, _ in record.spans if name == finding)
