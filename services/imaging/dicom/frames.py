"""The frames of an image: how many there are, the bytes of each, and what the header says of each by itself."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

from services.imaging.dicom.decoder_process import undecodable
from services.imaging.dicom.values import value_of
from services.imaging.errors import UnsupportedPixelData

# Where an enhanced object says of each frame what others say at the top level (PS3.3 C.7.6.16.2).
FUNCTIONAL_GROUPS = ("FrameVOILUTSequence", "PixelValueTransformationSequence")
DISPLAY = ("WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept", "RescaleType")


def whole(ds: Dataset, keyword: str, absent: int | None = None) -> int:
    """A whole number of the header.

    Raises: UnsupportedPixelData: it is missing, or no number.
    """
    value = value_of(ds, keyword, absent)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise UnsupportedPixelData(keyword, "is missing or no number", f"send a valid {keyword}") from error


def number_of_frames(ds: Dataset) -> int:
    """How many frames the image has; one where the header does not say."""
    return whole(ds, "NumberOfFrames", 1)


def compressed_frame(ds: Dataset, index: int = 0) -> bytes:
    """One frame of encapsulated pixel data, counted from 0.

    Raises: UndecodablePixelData: the fragments are not well formed, or fewer than the frames.
    """
    offsets = value_of(ds, "ExtendedOffsetTable"), value_of(ds, "ExtendedOffsetTableLengths")
    extended = offsets if None not in offsets else None
    try:
        return get_frame(ds.PixelData, index, number_of_frames=number_of_frames(ds), extended_offsets=extended)
    except Exception as error:
        # Whatever the parser raises at these bytes, they are what is wrong.
        raise undecodable() from error


def native_frame(ds: Dataset, index: int, length: int) -> bytes:
    """One frame of uncompressed pixel data as it lies there, counted from 0; `length` in bytes."""
    content: bytes = ds.PixelData
    return content[index * length : (index + 1) * length]


def with_own_display(ds: Dataset, index: int) -> Dataset:
    """The header as it holds for one frame: rescale and window of an enhanced object are moved to the top level."""
    groups = list(_functional_groups(ds, index))
    if not groups:
        return ds
    own = ds.group_dataset(0x0028)
    for group in groups:
        for keyword in DISPLAY:
            if keyword in group:
                own[keyword] = group[keyword]
    return own


def _functional_groups(ds: Dataset, index: int) -> Iterator[Dataset]:
    shared = value_of(ds, "SharedFunctionalGroupsSequence", ())
    per_frame = value_of(ds, "PerFrameFunctionalGroupsSequence", ())
    for holder in (*shared[:1], *per_frame[index : index + 1]):
        for name in FUNCTIONAL_GROUPS:
            yield from value_of(holder, name, ())[:1]
