"""What is looked at before a stage starts, so that it fails at once and by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.training.errors import EmptyClass


def require_every_class(labels: NDArray[np.int64], names: Sequence[str], split: str) -> None:
    """Labels [cases] as indices into `names`.

    Raises: EmptyClass: the first of `names` without a case.
    """
    counts = np.bincount(labels, minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        if not count:
            raise EmptyClass(name, split, len(labels))
