"""The Brier score in parts: how honest, how telling, how hard the question is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import PLUG_IN, Array
from services.diagnosis.evaluation.metrics.calibration import Bins, squared_calibration_error


def decompose_brier(brier: Array, by_class: Sequence[Bins]) -> dict[str, Array]:
    """Brier = reliability - resolution + uncertainty + within bins, exactly, summed over the classes.

    Per class with bins b of n_b cases, predictions f_b, shares o_b, and the base rate o (Murphy 1973):
      reliability = sum n_b/n (f_b - o_b)^2;  resolution = sum n_b/n (o_b - o)^2;  uncertainty = o (1 - o).
    The three are debiased (Ferro & Fricker 2012, Q. J. R. Meteorol. Soc. 138): N = sum n_b/n o_b (1 - o_b)/(n_b - 1)
    is taken from reliability and resolution, o (1 - o)/(n - 1) added to resolution and uncertainty; the identity stays.
    Within bins (Stephenson, Coelho & Jolliffe 2008): variance of the predictions inside the bins, minus twice their
    covariance with the outcome: what the bins are too coarse to see. It is computed as the rest of the identity.

    Args:
        brier: [resamples]; by_class: for each class its bins.
    Returns: four figures [resamples], and the plug-in values that resamples of the first three estimate.
    """
    parts = [_one_class(bins) for bins in by_class]
    summed = {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
    explained = summed["brier_reliability"] - summed["brier_resolution"] + summed["brier_uncertainty"]
    return {**summed, "brier_within_bins": brier - explained}


def _one_class(bins: Bins) -> dict[str, Array]:
    n = bins.mass.sum(1)
    base_rate = (bins.shares * bins.observed).sum(1)
    spread = base_rate * (1 - base_rate)
    reliability, plain_reliability = squared_calibration_error(bins)
    plain_resolution = (bins.shares * (bins.observed - base_rate[:, None]) ** 2).sum(1)
    noise, drift = plain_reliability - reliability, spread / np.maximum(n - 1, 1)
    return {
        "brier_reliability": reliability,
        "brier_resolution": plain_resolution - noise + drift,
        "brier_uncertainty": spread + drift,
        "brier_reliability" + PLUG_IN: plain_reliability,
        "brier_resolution" + PLUG_IN: plain_resolution,
        "brier_uncertainty" + PLUG_IN: spread,
    }
