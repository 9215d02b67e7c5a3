"""Finds text in radiographs with RapidOCR (PaddleOCR's models in ONNX), where the extra `ocr` is installed."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from services.imaging.domain import Region

if TYPE_CHECKING:
    from services.imaging.deid.burned_in import TextFinder
    from services.imaging.dicom.render import Display

LONGEST_SIDE = 1024
PARAMETERS = {
    # Words that it reads may be a patient's: it logs nothing.
    "Global.log_level": "critical",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
# What stands on radiographs and names nobody: side, position, projection.
POSITION = "ERECT|SUPINE|PORTABLE|MOBILE|UPRIGHT|SITTING|LIEGEND|STEHEND"
MARKER = re.compile(rf"[LR]|LT|RT|LEFT|RIGHT|(AP|PA|LAT)({POSITION})?|{POSITION}")


def text_finder() -> TextFinder | None:
    """The finder, or None where none is installed: then a person looks at every image. Nothing is loaded yet."""
    return RapidTextFinder() if find_spec("rapidocr") else None


class RapidTextFinder:
    """Detects lines of text and reads them, so that markers of side are told from names. One image at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: Any = None

    def __call__(self, image: Display) -> Sequence[Region]:
        import numpy as np

        from services.imaging.dicom.render import fit

        gray = (fit(image, LONGEST_SIDE, LONGEST_SIDE) >> 8).astype(np.uint8)
        scale = image.shape[1] / gray.shape[1]
        with self._lock:
            found = self._loaded()(np.dstack([gray] * 3))
        if found.boxes is None:
            return []
        lines = zip(found.boxes, found.txts, strict=True)
        return [_region(corners, scale) for corners, words in lines if not is_marker(words)]

    def _loaded(self) -> Any:
        if self._engine is None:
            from rapidocr import RapidOCR

            self._engine = RapidOCR(params=PARAMETERS)
        return self._engine


def is_marker(words: str) -> bool:
    """Whether all words are markers."""
    parts = re.split(r"[^A-Za-z0-9]+", words.strip())
    return all(MARKER.fullmatch(part.upper()) for part in parts if part) and any(parts)


def _region(corners: Sequence[Sequence[float]], scale: float) -> Region:
    xs, ys = [corner[0] * scale for corner in corners], [corner[1] * scale for corner in corners]
    left, top = max(int(min(xs)), 0), max(int(min(ys)), 0)
    return Region(left, top, max(int(max(xs)) - left, 1), max(int(max(ys)) - top, 1))
