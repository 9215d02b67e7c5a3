"""LUTs against values worked out by hand from PS3.3, and against dcmtk's renderer on real files."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.pixels import decode
from services.imaging.dicom.render import Window, encode_8, fit, from_png_16, png_16, to_display
from services.imaging.errors import UnsupportedPixelData
from tests.services.imaging.radiographs import encoded, radiograph

WHITE = 65535


def header(**attributes: Any) -> Dataset:
    """A header parsed from bytes, as a sender's is."""
    values = attributes.pop("values", np.zeros((2, 2), np.uint16))
    return pydicom.dcmread(BytesIO(encoded(radiograph(values, **attributes))))


def shown(stored: list[int], dtype: Any = np.uint16, window: Window | None = None, **attributes: Any) -> list[int]:
    """What stored values become; two more pixels hold 0 and 4095, so that the full range is known."""
    values = np.array([stored], dtype)
    return [int(value) for value in to_display(values, header(values=values, **attributes), window)[0]]


def lut(entries: list[int], first: int, bits: int) -> list[Dataset]:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = entries
    item["LUTDescriptor"].VR, item["LUTData"].VR = ("SS" if first < 0 else "US"), "US"
    return [item]


def test_a_linear_window_follows_ps3_3_c_11_2_1_2_1() -> None:
    # c=2048, w=4096: x <= c-0.5-(w-1)/2 = 0 is black, x > 4095 is white, and ((x - 2047.5) / 4095 + 0.5) between.
    got = shown([0, 1, 2047, 4094, 4095], WindowCenter=2048, WindowWidth=4096)
    assert got == [0, 16, 32759, 65519, 65535]


def test_a_linear_exact_window_follows_ps3_3_c_11_2_1_3_2() -> None:
    # c=2048, w=4096: (x - 2048) / 4096 + 0.5, so 1024 is a quarter.
    got = shown([0, 1024, 2048, 4095], WindowCenter=2048, WindowWidth=4096, VOILUTFunction="LINEAR_EXACT")
    assert got == [0, 16384, 32768, 65519]


def test_a_sigmoid_window_follows_ps3_3_c_11_2_1_3_1() -> None:
    # 1 / (1 + exp(-4 (x - c) / w)): at c a half, at c + w/4 1 / (1 + 1/e) = 0.731059.
    got = shown([2048, 3072, 4095], WindowCenter=2048, WindowWidth=4096, VOILUTFunction="SIGMOID")
    assert got[:2] == [32768, 47910]
    assert got[2] == round(WHITE / (1 + np.exp(-4 * 2047 / 4096)))


def test_a_sigmoid_far_from_its_centre_does_not_overflow() -> None:
    assert shown([0, 4095], WindowCenter=4000, WindowWidth=1, VOILUTFunction="SIGMOID") == [0, WHITE]


def test_the_narrowest_linear_window_is_a_threshold() -> None:
    assert shown([99, 100, 101], WindowCenter=100.5, WindowWidth=1) == [0, 0, WHITE]


def test_a_window_counts_in_rescaled_units() -> None:
    # stored 0..4095 becomes -1000..7190; the window -1000..3095 then ends at stored 2047.5.
    attributes: dict[str, Any] = {
        "RescaleSlope": 2,
        "RescaleIntercept": -1000,
        "WindowCenter": 1048,
        "WindowWidth": 4096,
    }
    assert shown([0, 1024, 2047, 2048, 4095], **attributes) == [0, 32776, 65519, 65535, 65535]


def test_a_negative_slope_turns_the_image_around() -> None:
    attributes: dict[str, Any] = {
        "RescaleSlope": -1,
        "RescaleIntercept": 4095,
        "WindowCenter": 2048,
        "WindowWidth": 4096,
    }
    assert shown([0, 4095], **attributes) == [WHITE, 0]


def test_signed_values_are_windowed() -> None:
    got = shown([-2048, -1, 2047], np.int16, WindowCenter=0, WindowWidth=4096)
    # ((-1 + 0.5) / 4095 + 0.5) * 65535 = 32759.5 - 0.002
    assert got == [0, 32759, WHITE]


def test_monochrome1_is_inverted_after_the_window() -> None:
    plain = shown([0, 1000, 4095], WindowCenter=2048, WindowWidth=4096)
    inverted = shown([0, 1000, 4095], WindowCenter=2048, WindowWidth=4096, PhotometricInterpretation="MONOCHROME1")
    assert inverted == [WHITE - value for value in plain]


def test_a_modality_lut_is_looked_up_and_clipped_at_its_ends() -> None:
    # entries for 10..13; values before and after take the first and last entry.
    attributes: dict[str, Any] = {
        "ModalityLUTSequence": lut([0, 100, 200, 4000], 10, 12),
        "WindowCenter": 2000.5,
        "WindowWidth": 4001,
    }
    assert shown([0, 10, 11, 13, 99], **attributes) == [0, 0, round(100 / 4000 * WHITE), WHITE, WHITE]


def test_a_modality_lut_may_begin_below_zero() -> None:
    attributes: dict[str, Any] = {
        "ModalityLUTSequence": lut([0, 50, 100], -1, 8),
        "WindowCenter": 50.5,
        "WindowWidth": 101,
    }
    assert shown([-1, 0, 1], np.int16, **attributes) == [0, round(WHITE / 2), WHITE]


def test_a_voi_lut_is_scaled_to_its_own_depth() -> None:
    assert shown([0, 1, 2, 3], VOILUTSequence=lut([0, 1023, 512, 256], 0, 10)) == [0, 65535, 32800, 16400]


def test_a_voi_lut_of_eight_bits_may_have_more_than_256_entries() -> None:
    ramp = [index // 16 for index in range(4096)]
    got = shown([0, 2048, 4095], VOILUTSequence=lut(ramp, 0, 8))
    assert got == [0, round(128 / 255 * WHITE), WHITE]


def test_a_voi_lut_goes_before_a_window() -> None:
    attributes: dict[str, Any] = {"VOILUTSequence": lut([0, 255], 0, 8), "WindowCenter": 1, "WindowWidth": 1}
    assert shown([0, 1], **attributes) == [0, WHITE]


def test_the_first_of_several_windows_is_used() -> None:
    several = shown([0, 1000, 4095], WindowCenter=[2048, 100], WindowWidth=[4096, 10])
    assert several == shown([0, 1000, 4095], WindowCenter=2048, WindowWidth=4096)


@pytest.mark.parametrize("attributes", [{}, {"WindowCenter": 0, "WindowWidth": 0}], ids=["absent", "width 0"])
def test_without_a_window_the_full_range_is_shown(attributes: dict[str, Any]) -> None:
    assert shown([100, 600, 1100], **attributes) == [0, round(WHITE / 2), WHITE]


def test_a_constant_image_renders() -> None:
    assert len(set(shown([7, 7, 7]))) == 1


def test_padding_is_black_and_does_not_stretch_the_range() -> None:
    assert shown([0, 100, 600, 1100], PixelPaddingValue=0) == [0, 0, round(WHITE / 2), WHITE]


def test_padding_is_black_in_monochrome1_too() -> None:
    attributes: dict[str, Any] = {"PixelPaddingValue": 4095, "PhotometricInterpretation": "MONOCHROME1"}
    assert shown([100, 1100, 4095], **attributes) == [WHITE, 0, 0]


def test_a_padding_range_is_black() -> None:
    attributes: dict[str, Any] = {"PixelPaddingValue": 4090, "PixelPaddingRangeLimit": 4095}
    assert shown([0, 1000, 4090, 4093, 4095], **attributes) == [0, WHITE, 0, 0, 0]


def test_a_clients_window_replaces_that_of_the_header() -> None:
    got = shown([0, 4095], window=Window(100, 50), WindowCenter=2048, WindowWidth=4096)
    assert got == [0, WHITE]


def test_a_lut_shorter_than_it_says_is_refused() -> None:
    broken = lut([0, 1, 2], 0, 8)
    broken[0].LUTDescriptor = [300, 0, 8]
    with pytest.raises(UnsupportedPixelData):
        shown([0, 1], VOILUTSequence=broken)


def test_shrinking_takes_the_mean_of_the_pixels() -> None:
    image = np.array([[0, 100], [200, 300]], np.uint16).repeat(512, 0).repeat(512, 1)
    small = fit(image, 2, 2)
    assert small.tolist() == [[0, 100], [200, 300]]


def test_shrinking_keeps_the_proportions() -> None:
    assert fit(np.zeros((2048, 1024), np.uint16)).shape == (512, 256)


def test_small_images_are_not_enlarged() -> None:
    assert fit(np.zeros((20, 30), np.uint16)).shape == (20, 30)


def test_a_16_bit_png_comes_back_bit_for_bit() -> None:
    image = np.random.default_rng(5).integers(0, 2**16, (40, 50)).astype(np.uint16)
    assert np.array_equal(from_png_16(png_16(image)), image)


def test_an_8_bit_png_holds_the_upper_byte() -> None:
    image = np.array([[0, 255, 256, 65535]], np.uint16)
    with Image.open(BytesIO(encode_8(image, "image/png"))) as png:
        assert np.asarray(png).tolist() == [[0, 0, 1, 255]]


@pytest.fixture
def dcm2pnm() -> str:
    """dcmtk's renderer."""
    found = shutil.which("dcmj2pnm")
    if found is None:
        pytest.skip("dcmtk's dcmj2pnm is not installed (apt-get install dcmtk)")
    return found


def rendered_by_dcmtk(dcm2pnm: str, path: Path, target: Path, *options: str) -> NDArray[np.float64]:
    """The image as dcmtk renders it, 0 to 65535."""
    subprocess.run([dcm2pnm, *options, "+opw", str(path), str(target)], check=True, capture_output=True, timeout=60)
    words = target.read_text().split("\n")
    numbers = " ".join(line for line in words if not line.startswith("#")).split()
    columns, rows, top = (int(number) for number in numbers[1:4])
    return np.array(numbers[4:], np.float64).reshape(rows, columns) * WHITE / top


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dx_image.dcm", ["+Wi", "1"]),
        ("dicomdir-CR-6154", ["+Wi", "1"]),
        ("RG2_JPLL.dcm", ["+Wi", "1"]),
        ("vlut_04.dcm", ["+Wl", "1"]),
        ("mlut_18.dcm", ["+Wm"]),
    ],
)
def test_real_images_look_as_dcmtk_renders_them(
    dcm2pnm: str, reference_data: Path, tmp_path: Path, name: str, options: list[str], decoders: Decoders
) -> None:
    path = reference_data / "dicom" / "files" / name
    expected = rendered_by_dcmtk(dcm2pnm, path, tmp_path / "out.pgm", *options)
    ds = pydicom.dcmread(path)
    difference = np.abs(to_display(decode(ds, decoders), ds).astype(float) - expected)
    # dcmtk rounds to the bits that it writes, and its windows by up to one stored value.
    assert difference.max() <= WHITE / 255
    assert difference.mean() <= WHITE / 1000
