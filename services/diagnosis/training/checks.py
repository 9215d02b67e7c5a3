"""What is looked at before a stage starts, so that it fails at once and by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.training.errors import EmptyClass, EncoderFilesMissing

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""Either: one file, or the index of several."""


def require_every_class(labels: NDArray[np.int64], names: Sequence[str], split: str) -> None:
    """Labels [cases] as indices into `names`.

    Raises: EmptyClass: the first of `names` without a case.
    """
    counts = np.bincount(labels, minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        if not count:
            raise EmptyClass(name, split, len(labels))


def require_encoder_files(path: Path, expected: Sequence[str] = ("config.json",)) -> None:
    """The directory of a pretrained encoder: the files of `expected`, and weights as safetensors.

    Raises: EncoderFilesMissing: names everything that is not there.
    """
    missing = [name for name in expected if not (path / name).is_file()]
    if not any((path / name).is_file() for name in WEIGHTS):
        missing.append(WEIGHTS[0])
    if missing:
        raise EncoderFilesMissing(path, tuple(missing))
