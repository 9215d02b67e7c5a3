"""The joint space: lengths, where a phrase looks, and what padding must not change."""

from __future__ import annotations

import math

import pytest
import torch

from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.joint import JointConfig, JointSpace, combine

CONFIG = JointConfig(("image", "note"), dim=8, tokens=2, vocab_size=30, width=4, hidden=8, heads=2, longest=6)


@pytest.fixture
def space() -> JointSpace:
    torch.manual_seed(0)
    return JointSpace(CONFIG).eval()


def lengths(vectors: torch.Tensor) -> list[float]:
    return [float(length) for length in vectors.detach().norm(dim=-1).flatten()]


def test_every_vector_has_length_one(space: JointSpace) -> None:
    encoded = Encoded(torch.randn(3, 2, 8), torch.randn(3, 8))
    pieces, mask = torch.randint(5, 30, (3, 6)), torch.ones(3, 6, dtype=torch.bool)
    for vectors in (
        space.embed("note", encoded),
        space.embed_cells(torch.randn(3, 5, 8)),
        space.embed_phrases(pieces, mask),
        combine(torch.randn(3, 2, 4)),
    ):
        assert lengths(vectors) == pytest.approx([1.0] * vectors[..., 0].numel(), abs=1e-5)


def test_padding_changes_no_phrase(space: JointSpace) -> None:
    pieces = torch.tensor([[7, 8, 9]])
    padded = torch.tensor([[7, 8, 9, 0, 0]])
    with torch.no_grad():
        alone = space.embed_phrases(pieces, torch.ones(1, 3, dtype=torch.bool))
        among = space.embed_phrases(padded, torch.tensor([[True, True, True, False, False]]))
    torch.testing.assert_close(alone, among, atol=1e-5, rtol=0)


def test_the_order_of_words_matters(space: JointSpace) -> None:
    mask = torch.ones(1, 3, dtype=torch.bool)
    first = space.embed_phrases(torch.tensor([[7, 8, 9]]), mask)
    assert not torch.allclose(first, space.embed_phrases(torch.tensor([[9, 8, 7]]), mask))


def test_a_phrase_looks_at_the_cell_that_is_like_it(space: JointSpace) -> None:
    phrase = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    cells = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]])
    looked, by_cell = space.look(phrase, cells)
    assert by_cell.tolist() == [[[1.0, 0.0]]]
    # A softmax with sharpness 10 over cosines 1 and 0.
    assert looked.item() == pytest.approx(math.exp(10) / (math.exp(10) + 1), abs=1e-6)


def test_cells_without_a_film_are_not_looked_at(space: JointSpace) -> None:
    phrase = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    cells = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]])
    looked, _ = space.look(phrase, cells, torch.tensor([[False, True]]))
    assert looked.item() == pytest.approx(0.0, abs=1e-6)


def test_similarity_is_half_the_whole_and_half_where_it_looks(space: JointSpace) -> None:
    phrase = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    film = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    assert space.compare(phrase, film, phrase[None]).item() == pytest.approx(0.5, abs=1e-6)


def test_a_configuration_survives_json() -> None:
    assert JointConfig.from_json(CONFIG.to_json()) == CONFIG


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(TypeError):
        JointConfig.from_json({**CONFIG.to_json(), "depth": 3})
