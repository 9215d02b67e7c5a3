"""A radiograph from a folder looks as the imaging service would have shown it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEGExtended12Bit

from services.diagnosis.datasets.base import DatasetError
from services.diagnosis.datasets.hospital.radiographs import read_pixels
from services.diagnosis.ward.generate import generate_patient
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.description import render_frame
from services.imaging.dicom.reading import read_instance
from services.imaging.dicom.render import WHITE, fit
from services.imaging.dicom.syntaxes import RADIOGRAPHS
from services.imaging.errors import Refused
from tests.support.common import REFERENCE_DATA

Change = Callable[[FileDataset], object]


def _with(**elements: Any) -> Change:
    def change(ds: FileDataset) -> None:
        for keyword in ("VOILUTFunction", "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation"):
            if keyword in ds:
                delattr(ds, keyword)
        for keyword, value in elements.items():
            setattr(ds, keyword, value)

    return change


def _lut(first: int, entries: list[int], bits: int) -> Sequence:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [len(entries), first, bits], np.array(entries, "<u2").tobytes()
    return Sequence([item])


def _signed(ds: FileDataset) -> None:
    values = ds.pixel_array.astype(np.int32) - 2**11
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 1, 16, 15
    ds.PixelData = values.astype("<i2").tobytes()
    ds.WindowCenter, ds.WindowWidth = "0", "3000"


def _padded(ds: FileDataset) -> None:
    ds.add_new("PixelPaddingValue", "US", 0)
    ds.add_new("PixelPaddingRangeLimit", "US", 900)


CHANGES: dict[str, Change] = {
    "as it is": lambda _: None,
    "linear": _with(WindowCenter="1800", WindowWidth="2500"),
    "linear exact": _with(WindowCenter="1800", WindowWidth="2500", VOILUTFunction="LINEAR_EXACT"),
    "sigmoid": _with(WindowCenter="1800", WindowWidth="900", VOILUTFunction="SIGMOID"),
    "several windows": _with(WindowCenter=["1700", "900"], WindowWidth=["2100", "300"]),
    "width of zero": _with(WindowCenter="0", WindowWidth="0"),
    "no window": _with(),
    "inverse": _with(WindowCenter="1800", WindowWidth="2500", PhotometricInterpretation="MONOCHROME1"),
    "rescaled": _with(RescaleSlope="0.5", RescaleIntercept="-200", WindowCenter="700", WindowWidth="1300"),
    "rescaled downwards": _with(RescaleSlope="-1", RescaleIntercept="4095", WindowCenter="2000", WindowWidth="2500"),
    "padding": _padded,
    "VOI LUT": _with(VOILUTSequence=_lut(0, [min(255, i // 12) for i in range(4096)], 8)),
    "modality LUT": _with(ModalityLUTSequence=_lut(0, [i * 3 for i in range(4096)], 14), WindowCenter="6000",
                          WindowWidth="9000"),
    "signed": _signed,
}  # fmt: skip


def written(ds: FileDataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def shown_by_imaging(content: bytes, decoders: Decoders) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The image that the service keeps for the networks."""
    return fit(np.asarray(render_frame(read_instance(content), decoders), np.uint16)) / WHITE


@pytest.fixture(scope="module")
def radiographs() -> dict[int, FileDataset]:
    """Of 12 bits, by side: one that is reduced, and one that is not."""
    made = {}
    for side in (300, 768):
        files = (generate_patient(9, index, side=side).dataset() for index in range(50))
        made[side] = next(ds for ds in files if ds.BitsStored == 12 and ds.PhotometricInterpretation == "MONOCHROME2")
    return made


@pytest.mark.parametrize("side", [300, 768])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_it_is_the_same_picture(
    radiographs: dict[int, FileDataset], change: Change, side: int, tmp_path: Path, decoders: Decoders
) -> None:
    ds = pydicom.dcmread(BytesIO(written(radiographs[side])))
    change(ds)
    content = written(ds)
    (tmp_path / "image.dcm").write_bytes(content)
    expected, found = shown_by_imaging(content, decoders), read_pixels(tmp_path / "image.dcm")
    assert found.shape == expected.shape
    assert max(found.shape) == min(side, 512)
    # The service keeps 16 bits, before and after the reduction.
    assert np.abs(found - expected).max() < 1e-4
    assert np.ptp(found) > 0.5


def test_real_files_look_the_same(decoders: Decoders) -> None:
    folder = REFERENCE_DATA / "dicom" / "files"
    if not folder.is_dir():
        pytest.skip(f"no real DICOM files at {folder}")
    compared = 0
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        content = file.read_bytes()
        try:
            if read_instance(content).sop_class_uid not in RADIOGRAPHS:
                continue
            expected = shown_by_imaging(content, decoders)
        except Refused:
            continue
        if read_instance(content).transfer_syntax_uid == JPEGExtended12Bit:
            # The service has its own way round a decoder that no library offers; a folder says what to do instead.
            with pytest.raises(DatasetError, match="gdcmconv --raw"):
                read_pixels(file)
            continue
        assert np.abs(read_pixels(file) - expected).max() < 1e-3, file.name
        compared += 1
    assert compared > 5
