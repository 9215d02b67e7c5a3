"""How far from the best that anyone could do who saw the same findings: Bayes' rule on the ward."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import Array, Bootstrapped, Labels, estimate_of
from services.diagnosis.evaluation.metrics.calibration import brier_score, log_losses
from services.diagnosis.evaluation.metrics.discrimination import accuracy, macro_auroc, weighted_mean

DISTANCES = ("macro_auroc", "accuracy", "brier", "nll", "kl")
ORACLE = ("oracle_macro_auroc", "oracle_accuracy", "oracle_brier", "oracle_nll")
_TINY = np.finfo(np.float64).eps


def oracle_figures(
    posterior: Array, probabilities: Array, labels: Labels, own: dict[str, Array], weights: Array
) -> dict[str, Array]:
    """The oracle's figures and the subject's distance to them, [resamples] each, on the same cases and draws.

    The oracle answers with the exact posterior p(y | latent findings of the pattern's modalities). Distances are
    positive where the subject is worse: oracle - subject for AUROC and accuracy, subject - oracle for Brier and NLL;
    `kl` is the mean Kullback-Leibler divergence of the subject from the posterior in nats, the expected value of the
    NLL distance.

    Args:
        own: the subject's `macro_auroc`, `accuracy`, `brier` and `nll` under the same weights.
    """
    best = {
        "oracle_macro_auroc": macro_auroc(posterior, labels, weights),
        "oracle_accuracy": accuracy(posterior, labels, weights),
        "oracle_brier": brier_score(posterior, labels, weights),
        "oracle_nll": weighted_mean(log_losses(posterior, labels), weights),
    }
    return {
        **best,
        "distance/macro_auroc": best["oracle_macro_auroc"] - own["macro_auroc"],
        "distance/accuracy": best["oracle_accuracy"] - own["accuracy"],
        "distance/brier": own["brier"] - best["oracle_brier"],
        "distance/nll": own["nll"] - best["oracle_nll"],
        "distance/kl": weighted_mean(divergences(posterior, probabilities), weights),
    }


def divergences(posterior: Array, probabilities: Array) -> Array:
    """KL(posterior || probabilities) of each case in nats, [n]."""
    from scipy.special import rel_entr

    return np.asarray(rel_entr(posterior, np.maximum(probabilities, _TINY)).sum(1))


def distance_to_oracle(figures: Bootstrapped) -> dict[str, Any] | None:
    """`{macro_auroc, accuracy, brier, nll, kl}`, each `{value, low, high}`; None without an oracle."""
    if "distance/kl" not in figures.values:
        return None
    return {name: estimate_of(figures, f"distance/{name}") for name in DISTANCES}
