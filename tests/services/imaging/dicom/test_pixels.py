"""Decoding of every transfer syntax: the values that went in, close to them where lossy, and as others decode them."""

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
from pydicom.dataset import Dataset

from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.pixels import check_pixel_module, decode
from services.imaging.dicom.reading import read_instance
from services.imaging.errors import Refused, TooManyPixels, TruncatedDicom, UndecodablePixelData
from tests.services.imaging.radiographs import encoded, radiograph

RLE, JPEG_LS, JPEG_LS_LOSSY, J2K_LOSSLESS, J2K = (
    f"1.2.840.10008.1.2.{end}" for end in ("5", "4.80", "4.81", "4.90", "4.91")
)


def smooth(bits: int, rows: int = 96, columns: int = 80) -> NDArray[Any]:
    """An image with structure and a little noise, as a lossy codec expects it."""
    y, x = np.mgrid[0:rows, 0:columns]
    wave = 0.5 + 0.3 * np.sin(x / 9) * np.cos(y / 13) + np.random.default_rng(3).normal(0, 0.01, (rows, columns))
    top = float(2**bits - 1)
    return np.asarray((wave.clip(0, 1) * top).round(), np.uint8 if bits == 8 else np.uint16)


def compressed(values: NDArray[Any], transfer_syntax_uid: str, bits: int, **options: Any) -> bytes:
    """The radiograph compressed by pydicom's encoders."""
    ds = pydicom.dcmread(BytesIO(encoded(radiograph(values, bits_stored=bits))))
    ds.compress(transfer_syntax_uid, **options, generate_instance_uid=False)
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def decoded(file: bytes, decoders: Decoders) -> NDArray[Any]:
    ds = read_instance(file).ds
    check_pixel_module(ds, max_pixels=10**8)
    return decode(ds, decoders)


@pytest.mark.parametrize("transfer_syntax_uid", [RLE, JPEG_LS, J2K_LOSSLESS])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_lossless_syntaxes_give_back_every_value(transfer_syntax_uid: str, bits: int, decoders: Decoders) -> None:
    values = smooth(bits)
    assert np.array_equal(decoded(compressed(values, transfer_syntax_uid, bits), decoders), values)


def test_near_lossless_jpeg_ls_stays_within_its_bound(decoders: Decoders) -> None:
    values = smooth(12)
    got = decoded(compressed(values, JPEG_LS_LOSSY, 12, jls_error=3), decoders)
    assert np.abs(got.astype(int) - values).max() <= 3


def test_lossy_jpeg_2000_stays_close(decoders: Decoders) -> None:
    values = smooth(12)
    got = decoded(compressed(values, J2K, 12, j2k_cr=[4]), decoders)
    assert np.abs(got.astype(int) - values).mean() < 10


@pytest.fixture
def dcmcjpeg() -> str:
    """dcmtk's JPEG encoder."""
    found = shutil.which("dcmcjpeg")
    if found is None:
        pytest.skip("dcmtk's dcmcjpeg is not installed (apt-get install dcmtk)")
    return found


def compressed_by_dcmtk(dcmcjpeg: str, tmp_path: Path, values: NDArray[Any], bits: int, *options: str) -> bytes:
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(encoded(radiograph(values, bits_stored=bits)))
    command = [dcmcjpeg, *options, "+un", str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return target.read_bytes()


@pytest.mark.parametrize("option", ["+e1", "+el"], ids=["process 14 SV1", "process 14"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lossless_jpeg_gives_back_every_value(
    dcmcjpeg: str, tmp_path: Path, option: str, bits: int, decoders: Decoders
) -> None:
    values = smooth(bits)
    assert np.array_equal(decoded(compressed_by_dcmtk(dcmcjpeg, tmp_path, values, bits, option), decoders), values)


@pytest.mark.parametrize(
    ("option", "bits"), [("+eb", 8), ("+ee", 8), ("+ee", 12)], ids=["baseline", "extended, 8 bits", "extended, 12 bits"]
)
def test_lossy_jpeg_decodes_as_dcmtk_decodes_it(
    dcmcjpeg: str, tmp_path: Path, option: str, bits: int, decoders: Decoders
) -> None:
    file = compressed_by_dcmtk(dcmcjpeg, tmp_path, smooth(bits), bits, option, "+q", "95")
    command = ["dcmdjpeg", str(tmp_path / "out.dcm"), str(tmp_path / "back.dcm")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    expected = pydicom.dcmread(tmp_path / "back.dcm").pixel_array
    # Inverse cosine transforms may round differently (T.83).
    assert np.abs(decoded(file, decoders).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("name", "decoder"),
    [("RG2_JPLL.dcm", "dcmdjpeg"), ("RG2_JPLY.dcm", "dcmdjpeg"), ("RG2_JLSN.dcm", "dcmdjpls")],
)
def test_real_radiographs_decode_as_dcmtk_decodes_them(
    reference_data: Path, tmp_path: Path, name: str, decoder: str, decoders: Decoders
) -> None:
    if shutil.which(decoder) is None:
        pytest.skip(f"dcmtk's {decoder} is not installed (apt-get install dcmtk)")
    path = reference_data / "dicom" / "files" / name
    subprocess.run([decoder, str(path), str(tmp_path / "x.dcm")], check=True, capture_output=True, timeout=60)
    assert np.array_equal(decoded(path.read_bytes(), decoders), pydicom.dcmread(tmp_path / "x.dcm").pixel_array)


@pytest.mark.parametrize("name", ["RG1_J2KI.dcm", "RG3_J2KR.dcm", "966_fixed.dcm"])
def test_real_jpeg_2000_decodes_as_gdcm_decodes_it(reference_data: Path, name: str, decoders: Decoders) -> None:
    content = (reference_data / "dicom" / "files" / name).read_bytes()
    ds = pydicom.dcmread(BytesIO(content))
    ds.pixel_array_options(decoding_plugin="gdcm")
    assert np.array_equal(decoded(content, decoders), ds.pixel_array)


def test_unused_high_bits_do_not_count(decoders: Decoders) -> None:
    values = smooth(12)
    dirty = values | np.uint16(0xA000)
    assert np.array_equal(decoded(encoded(radiograph(dirty)), decoders), values)


def with_size(file: bytes, rows: int, columns: int) -> Dataset:
    ds = read_instance(file).ds
    ds.Rows, ds.Columns = rows, columns
    return ds


@pytest.mark.parametrize("transfer_syntax_uid", [JPEG_LS, J2K_LOSSLESS])
def test_a_stream_larger_than_its_header_is_refused_before_decoding(transfer_syntax_uid: str) -> None:
    ds = with_size(compressed(smooth(12), transfer_syntax_uid, 12), 8, 8)
    with pytest.raises(UndecodablePixelData):
        check_pixel_module(ds, max_pixels=10**8)


def test_more_pixels_than_the_bound_are_refused() -> None:
    with pytest.raises(TooManyPixels):
        check_pixel_module(read_instance(encoded(radiograph())).ds, max_pixels=24 * 32 - 1)


@pytest.mark.parametrize("transfer_syntax_uid", [RLE, JPEG_LS, J2K_LOSSLESS])
def test_damaged_streams_are_refused_by_name(transfer_syntax_uid: str, decoders: Decoders) -> None:
    file = bytearray(compressed(smooth(12), transfer_syntax_uid, 12))
    outcomes = set()
    random = np.random.default_rng(11)
    for _ in range(40):
        damaged = file.copy()
        for at in random.integers(700, len(file), 30):
            damaged[at] = int(random.integers(0, 256))
        try:
            decoded(bytes(damaged), decoders)
        except Refused as refusal:
            outcomes.add(refusal.slug)
    assert outcomes


@pytest.mark.parametrize("transfer_syntax_uid", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
def test_no_beginning_of_a_file_is_taken_for_the_whole(transfer_syntax_uid: str, decoders: Decoders) -> None:
    file = encoded(radiograph(np.zeros((4, 4), np.uint16)), pydicom.uid.UID(transfer_syntax_uid))
    # A deflated stream of odd length is padded by a byte that means nothing.
    for length in range(len(file) - 1):
        with pytest.raises(Refused):
            decoded(file[:length], decoders)


def test_a_compressed_stream_that_is_cut_off_is_called_truncated(decoders: Decoders) -> None:
    file = compressed(smooth(12), J2K_LOSSLESS, 12)
    with pytest.raises(TruncatedDicom):
        decoded(file[:-500], decoders)
