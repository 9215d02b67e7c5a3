"""Aligning: the losses by hand, and a space that learns what a toy film shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.joint import JointConfig, JointSpace
from services.diagnosis.model.preprocessing.phrases import tokenize
from services.diagnosis.training.align import Alignment, Pairs, agreement_loss, align, case_retrieval, contrast
from services.diagnosis.training.vocabulary import train_tokenizer
from services.diagnosis.ward.captions import WORDS, Film, all_claims, holds, word
from services.diagnosis.ward.chance import WIDTH, Chance

KINDS = list(WORDS)


def test_contrast_is_the_cross_entropy_of_both_directions() -> None:
    first, second = torch.eye(2), torch.eye(2)
    loss = contrast(first, second, torch.tensor(3.0), torch.zeros(2, 2, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-3)), abs=1e-6)


def test_pairs_of_unknown_truth_are_left_out() -> None:
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    same = torch.ones(2, 2, dtype=torch.bool)
    assert contrast(first, first, torch.tensor(3.0), same).item() == pytest.approx(0.0, abs=1e-6)


def test_true_films_weigh_as_much_as_all_false_ones() -> None:
    """One true film at logit 0 and three false ones at logit 0: half of ln 2 from each side."""
    agrees = torch.tensor([[True, False, False, False]])
    assert agreement_loss(torch.zeros(1, 4), agrees).item() == pytest.approx(math.log(2), abs=1e-6)


def test_a_phrase_that_is_true_of_no_film_counts_only_its_false_ones() -> None:
    loss = agreement_loss(torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(2) / 2, abs=1e-6)


def toy_pairs(n: int, seed: int) -> Pairs:
    """Films with at most one finding, which marks one of four cells with a direction of its own."""
    rng = np.random.default_rng(seed)
    directions = np.eye(16, dtype=np.float32)
    cells = 0.1 * rng.standard_normal((n, 4, 16)).astype(np.float32)
    masks = torch.zeros(n, len(KINDS), 4, dtype=torch.bool)
    films = []
    shown = rng.integers(0, 3, n)  # nothing, cardiomegaly, pneumothorax
    for row, kind in enumerate(shown):
        findings = dict.fromkeys(KINDS, "absent")
        if kind:
            name, place = ("cardiomegaly", "pneumothorax")[kind - 1], rng.integers(4)
            findings[name] = "present"
            cells[row, place] += 2 * directions[kind]
            masks[row, KINDS.index(name), place] = True
        films.append(Film(findings, {}))
    tokens = torch.from_numpy(cells.mean(1, keepdims=True))
    encoded = {"image": Encoded(tokens, tokens[:, 0]), "note": Encoded(tokens + 0.01, tokens[:, 0])}
    truth = np.array([[holds(claim, film) for claim in all_claims()] for film in films])
    return Pairs(encoded, torch.from_numpy(cells), torch.from_numpy(shown), tuple(films), masks, truth)


def test_a_space_learns_which_films_a_phrase_is_true_of_and_where() -> None:
    texts = [word(c, Chance(np.random.default_rng(s).random(WIDTH))).text for c in all_claims() for s in range(8)]
    tokenizer = train_tokenizer(texts, size=300)
    config = JointConfig(("image", "note"), dim=16, tokens=1, vocab_size=tokenizer.get_vocab_size(), width=16)
    plan = Alignment(epochs=25, batch_size=48, mask_weight=0.0)
    space, history = align(config, toy_pairs(192, 0), tokenizer, plan, seed=1)
    assert history[-1] < history[0]
    unseen = toy_pairs(96, 9)
    with torch.no_grad():
        phrase = space.embed_phrases(*tokenize(["there is pneumothorax"], tokenizer, config.longest))
        film, cells = space.embed("image", unseen.encoded["image"]), space.embed_cells(unseen.cells)
        similarity = space.compare(phrase, film, cells)[0]
        _, by_cell = space.look(phrase, cells)
    has = torch.tensor([film.findings["pneumothorax"] == "present" for film in unseen.films])
    assert roc_auc_score(has, similarity) > 0.95
    pointed = unseen.masks[:, KINDS.index("pneumothorax")].gather(1, by_cell[0].argmax(1, keepdim=True))
    assert pointed[has].float().mean() > 0.9


def test_the_same_seed_gives_the_same_space() -> None:
    tokenizer = train_tokenizer(["no pneumothorax", "enlarged heart"], size=60)
    config = JointConfig(("image", "note"), dim=16, tokens=1, vocab_size=tokenizer.get_vocab_size(), width=16)
    plan = Alignment(epochs=1, batch_size=32)
    spaces = [align(config, toy_pairs(64, 0), tokenizer, plan, seed=5)[0].state_dict() for _ in range(2)]
    for key, value in spaces[0].items():
        torch.testing.assert_close(value, spaces[1][key], rtol=0, atol=0)


def test_cases_whose_encodings_are_their_diagnosis_are_found_by_both() -> None:
    torch.manual_seed(0)
    space = JointSpace(JointConfig(("image", "note"), dim=16, tokens=1, vocab_size=9, width=16))
    labels = np.repeat(np.arange(2), 6)
    tokens = torch.eye(16)[labels][:, None]
    encoded = {name: Encoded(tokens, tokens[:, 0]) for name in ("image", "note")}
    found = case_retrieval(space, encoded, labels)
    assert (found["joint"], found["pooled"]) == (1.0, 1.0)
    assert found["chance"] == pytest.approx(5 / 11)
