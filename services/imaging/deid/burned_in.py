"""Text that is burned into an image: where it may be, and the image with it blanked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset

from services.imaging.deid.deidentify import Cleaning
from services.imaging.dicom.codecs import Pixels
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.description import render_frame
from services.imaging.dicom.frames import number_of_frames
from services.imaging.dicom.pixels import check_pixel_module, decode
from services.imaging.dicom.reading import ReadInstance
from services.imaging.dicom.render import Display
from services.imaging.dicom.syntaxes import RADIOGRAPHS
from services.imaging.dicom.values import text
from services.imaging.domain import Region, Review, ReviewState


class TextFinder(Protocol):
    """Says where an image holds text that is no marker of side or position."""

    def __call__(self, image: Display) -> Sequence[Region]: ...


def examine(instance_id: str, read: ReadInstance, decoders: Decoders, find_text: TextFinder | None) -> Review:
    """Whether an instance may leave as it is, or somebody has to look at it first.

    Text is looked for in single gray radiographs alone: that is what the finder was measured on.

    Raises: Refused: no image can be made of it.
    """
    if text(read.ds, "BurnedInAnnotation").upper() == "YES":
        return Review(instance_id, ReviewState.WAITING, "header-says-so")
    if read.sop_class_uid not in RADIOGRAPHS or number_of_frames(read.ds) > 1:
        return Review(instance_id, ReviewState.WAITING, "not-a-single-radiograph")
    if find_text is None:
        return Review(instance_id, ReviewState.WAITING, "no-text-finder")
    shown = render_frame(read, decoders)
    if shown.ndim != 2:
        return Review(instance_id, ReviewState.WAITING, "not-a-single-radiograph")
    found = find_text(np.asarray(shown, np.uint16))
    if found:
        return Review(instance_id, ReviewState.WAITING, "text-found", tuple(found))
    return Review(instance_id, ReviewState.NOTHING_FOUND, "")


def cleaned(read: ReadInstance, review: Review, decoders: Decoders) -> Cleaning:
    """What a review means for the pixels that leave: untouched, or uncompressed with its regions blanked.

    Raises: Refused: no decoder can read the pixels that are to be blanked.
    """
    if review.state is not ReviewState.BLANKED:
        return Cleaning(looked_at=review.state is ReviewState.CLEARED)
    ds = read.ds
    check_pixel_module(ds, max_pixels=decoders.limits.max_pixels)
    frames = [_blanked(decode(ds, decoders, index), ds, review.regions) for index in range(number_of_frames(ds))]
    pixels = b"".join(frame.astype(frame.dtype.newbyteorder("<")).tobytes() for frame in frames)
    return Cleaning(looked_at=True, pixels=pixels, bits_allocated=frames[0].itemsize * 8, colour=frames[0].ndim == 3)


def _blanked(values: Pixels, ds: Dataset, regions: Sequence[Region]) -> Pixels:
    """The darkest that is shown takes the place of every region."""
    dark = values.max() if text(ds, "PhotometricInterpretation") == "MONOCHROME1" else values.min()
    out = values.copy()
    for region in regions:
        out[region.y : region.y + region.height, region.x : region.x + region.width] = dark
    return out
