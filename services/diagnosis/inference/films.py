"""What a phrase has to do with the films of a case: plain frozen data that knows neither torch nor the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the web part knows no numpy
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class GroundedRegion:
    """A rectangle in pixels of the original matrix and the mean cosine of its cells with the phrase."""

    x: float
    y: float
    width: float
    height: float
    similarity: float


@dataclass(frozen=True)
class FilmAnswer:
    """What a phrase has to do with one film."""

    image_id: str
    sop_instance_uid: str
    similarity: float
    """Cosine of the phrase with the film, in [-1, 1]; no probability."""
    percentile: float
    """Percentage of calibration films that are less similar to this phrase."""
    reference: dict[str, float]
    """Quantiles of the similarity of calibration films to this phrase, keyed `p05` to `p95`."""
    regions: tuple[GroundedRegion, ...]
    heatmap_png: bytes
    grid: NDArray[np.float64] = field(compare=False, repr=False)
    """[height, width] over the whole image, coarser than it: cosines of its cells with the phrase."""


@dataclass(frozen=True)
class FilmAnswers:
    """The films of a case, newest first; `reason` says why there are none."""

    films: tuple[FilmAnswer, ...]
    reason: str | None = None
