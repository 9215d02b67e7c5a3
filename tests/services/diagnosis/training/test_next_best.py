from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.next_best import entropies
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from services.diagnosis.training.next_best import fit_entropy_drops

N = 4000


def answers() -> dict[str, np.ndarray]:
    """Two classes of equal prior; the first modality is right with 0.9, the others with 0.6, independently."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, N)
    evidence = {}
    for place, name in enumerate(MODALITIES):
        right = 0.9 if place == 0 else 0.6
        seen = np.where(rng.random(N) < right, label, 1 - label)
        evidence[name] = np.where(seen == 1, 1, -1) * np.log(right / (1 - right))
    found = {}
    for pattern in PATTERNS:
        second = 1 / (1 + np.exp(-sum(evidence[name] for name in pattern.split("+"))))
        found[pattern] = np.stack([1 - second, second], 1)
    return found


def test_expected_drops_are_unbiased_on_new_cases_and_rank_the_telling_modality_first() -> None:
    known = answers()
    fitted = fit_entropy_drops({pattern: value[: N // 2] for pattern, value in known.items()})
    first, weak = MODALITIES[0], MODALITIES[1]
    expected = np.array([fitted.expect(row, weak) for row in known[weak][N // 2 :]])
    assert {drops[0].modality for drops in expected} == {first}
    realised = entropies(known[weak]) - entropies(known[f"{first}+{weak}"])
    assert np.mean([drops[0].expected for drops in expected]) == pytest.approx(realised[N // 2 :].mean(), abs=0.02)


def test_the_information_of_a_modality_is_found() -> None:
    # Mutual information of a fair bit seen with error 0.1, given one seen with error 0.4, by the chain rule:
    # I(y; a | b) = H(y|b) - H(y|a,b); worked out over the four outcomes in nats.
    def entropy(p: float) -> float:
        return float(-p * np.log(p) - (1 - p) * np.log(1 - p))

    agree = 0.9 * 0.6 + 0.1 * 0.4
    after = agree * entropy(0.54 / agree) + (1 - agree) * entropy(0.36 / (1 - agree))
    known = answers()
    drop = fit_entropy_drops(known).expect(known[MODALITIES[1]][0], MODALITIES[1])[0]
    assert drop.expected == pytest.approx(entropy(0.6) - after, abs=0.02)


def test_four_of_five_realised_drops_lie_in_the_interval() -> None:
    known = answers()
    fitted = fit_entropy_drops({pattern: value[: N // 2] for pattern, value in known.items()})
    first, weak = MODALITIES[0], MODALITIES[1]
    realised = entropies(known[weak]) - entropies(known[f"{first}+{weak}"])
    drops = [fitted.expect(row, weak)[0] for row in known[weak][N // 2 :]]
    held = [d.interval[0] - 1e-9 <= r <= d.interval[1] + 1e-9 for d, r in zip(drops, realised[N // 2 :], strict=True)]
    assert np.mean(held) >= 0.78
