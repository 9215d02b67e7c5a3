from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from services.diagnosis.model.preprocessing.notes import window_notes
from services.diagnosis.model.preprocessing.sections import SECTIONS
from services.diagnosis.training.vocabulary import train_tokenizer

TEXT = "Sudden breathlessness, no fever. " * 30


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([TEXT, "productive cough for three days"] * 3, size=200)


def test_every_piece_points_at_its_characters(tokenizer: Tokenizer) -> None:
    windows = window_notes([TEXT], tokenizer, window=32, overlap=8)
    for ids, offsets in zip(windows.input_ids, windows.offsets, strict=True):
        for piece, (start, end) in zip(ids, offsets, strict=True):
            if end:
                assert TEXT[start:end].lower() == str(tokenizer.id_to_token(int(piece))).removeprefix("##")


def test_windows_overlap_and_cover_the_whole_note(tokenizer: Tokenizer) -> None:
    windows = window_notes([TEXT], tokenizer, window=32, overlap=8)
    covered = {int(start) for offsets in windows.offsets for start, end in offsets if end}
    assert covered == {start for start, _ in tokenizer.encode(TEXT).offsets}
    assert windows.pieces > 30 * 4


def test_two_notes_keep_their_own_windows(tokenizer: Tokenizer) -> None:
    windows = window_notes(["no fever", TEXT], tokenizer, window=32, overlap=8)
    assert windows.notes[0] == 0
    assert set(windows.notes[1:]) == {1}


def test_a_note_too_long_is_said_to_be_truncated(tokenizer: Tokenizer) -> None:
    windows = window_notes([TEXT * 40], tokenizer, window=32, overlap=8)
    assert windows.truncated


def test_no_note_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="no note"):
        window_notes([], tokenizer, window=32, overlap=8)


def test_every_window_knows_its_section_and_the_age_of_its_note(tokenizer: Tokenizer) -> None:
    old = "History: productive cough. O/E: no fever"
    windows = window_notes([TEXT, old], tokenizer, window=32, overlap=8, ages_h=[0.5, 100.0])
    assert windows.ages.tolist() == [1] * (len(windows.ages) - 1) + [5]
    cough = (windows.offsets[-1, :, 0] == old.index("cough")) & (windows.offsets[-1, :, 1] > 0)
    fever = (windows.offsets[-1, :, 0] == old.index("fever")) & (windows.offsets[-1, :, 1] > 0)
    found = [SECTIONS[int(windows.sections[-1][at][0])] for at in (cough, fever)]
    assert found == ["history", "examination"]


def test_one_age_for_two_notes_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="zip"):
        window_notes([TEXT, TEXT], tokenizer, window=32, overlap=8, ages_h=[1.0])
