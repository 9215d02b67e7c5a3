"""Intervals of probabilities where no posterior is known: from how often cases that were answered alike had the label.

The ward knows what is best to believe of each case; real data has labels alone. All that labels can tell of a
probability p is the share of cases with answers about p that have the diagnosis, and that within the error of so many
cases. So the answers of a pattern are put into bins of neighbours, and the distance from a bin's mean answer to the
*farther* end of the interval of its frequency (Bayesian, uniform prior: Beta(1 + k, 1 + n - k)) stands for the unknown
error: with few cases the intervals are wide, and they narrow as cases come. They speak of the frequency among cases
answered alike, not of the one case: what separates two patients of the same answer is not in them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.uncertainty import IntervalScale, logit, spread
from services.diagnosis.model.modalities import PATTERNS

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
BINS, SMALLEST = 10, 30
"""So many bins of neighbouring answers per class, or as many as have thirty."""
FEWEST = 2 * SMALLEST
"""Cases of a pattern; one with fewer takes the widest scale of the others."""
NOTHING_KNOWN = (10.0, 1.0)
"""Multiplier and floor where no pattern has enough cases: ten units of log-odds to both sides say "anything"."""


def fit_intervals_to_labels(
    members: Mapping[str, Array], labels: Mapping[str, Labels], *, coverage: float = 0.9
) -> IntervalScale:
    """Fit per pattern from member probabilities [members, n, classes] and labels [n]."""
    fitted = {p: _fit(members[p], labels[p], coverage) for p in PATTERNS if len(labels[p]) >= FEWEST}
    parts = np.array(list(fitted.values()) or [NOTHING_KNOWN])
    widest = (float(parts[:, 0].max()), float(parts[:, 1].max()))
    scales = {pattern: fitted.get(pattern, widest) for pattern in PATTERNS}
    return IntervalScale({p: scale[0] for p, scale in scales.items()}, {p: scale[1] for p, scale in scales.items()})


def _fit(members: Array, labels: Labels, coverage: float) -> tuple[float, float]:
    wide = spread(members)  # [n, classes]
    floor = float(np.median(wide))
    mean = members.mean(0)
    errors = np.stack([farthest_frequency(mean[:, k], labels == k, coverage) for k in range(mean.shape[1])], axis=1)
    return float(np.quantile(errors / (wide + floor), coverage)), floor


def farthest_frequency(probabilities: Array, hits: NDArray[np.bool_], coverage: float) -> Array:
    """[n]: distance in log-odds from the mean answer of a bin to the farther end of the interval of its frequency."""
    from scipy.stats import beta

    error = np.zeros(len(probabilities))
    tail = (1 - coverage) / 2
    bins = max(1, min(BINS, len(probabilities) // SMALLEST))
    for own in np.array_split(np.argsort(probabilities, kind="stable"), bins):
        had = int(hits[own].sum())
        ends = np.asarray(beta.ppf((tail, 1 - tail), 1 + had, 1 + len(own) - had))
        error[own] = np.abs(logit(probabilities[own].mean()) - logit(ends)).max()
    return error
