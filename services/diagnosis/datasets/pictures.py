"""Radiographs and masks as ordinary picture files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.diagnosis.datasets.base import DatasetError, Place

LONGEST_SIDE = 512
"""Of an image in a case; larger ones are reduced to it."""


def read_radiograph(file: Path) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """A picture in which air is dark.

    Returns: pixels [height, width] in [0, 1], longest side at most 512; (rows, columns) of the file.
    Raises: DatasetError: the file is missing or no whole picture.
    """
    image = _open(file)
    if image.mode not in {"L", "RGB"}:
        problem = "The picture has neither 8-bit grey values nor colours."
        raise DatasetError(Place(file), problem, "Convert it to 8-bit grey, air dark.")
    image = image.convert("L")
    columns, rows = image.size
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return np.asarray(image, np.float32) / np.float32(255), (rows, columns)


def derived_uid(image_id: str) -> str:
    """A SOP instance UID for a picture that came without one: below 2.25, from the digest of its name."""
    return f"2.25.{int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:16], 'big')}"


def read_bits(file: Path, *, size: tuple[int, int], grid: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture whose pixel values are sets of bits, by nearest neighbour on another grid.

    Args:
        size: (rows, columns) that the picture must have.
        grid: (rows, columns) of the result.
    Raises: DatasetError: the file is no whole picture, or of another size.
    """
    image = _open(file)
    if (image.height, image.width) != size or image.mode != "L":
        problem = f"The mask is no 8-bit picture of {size[0]} rows and {size[1]} columns like its image."
        raise DatasetError(Place(file), problem, "Use the mask that was published with the image.")
    return np.asarray(image.resize((grid[1], grid[0]), Image.Resampling.NEAREST), np.uint8)


def _open(file: Path) -> Image.Image:
    try:
        image = Image.open(file)
        image.load()
    except FileNotFoundError:
        raise DatasetError(Place(file), "The picture is missing.", "Download it, or remove its row.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # whatever Pillow says of broken files
        raise DatasetError(
            Place(file), "The picture cannot be read.", "Download it again, or remove its row."
        ) from None
    return image
