"""Every file of the reference collection through the store door: what is taken and shown, and why another is not."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import sqlalchemy as sa
from PIL import Image

from services.imaging.dicom.syntaxes import SOP_CLASSES
from services.imaging.store import InstanceRow, OwnerRow
from tests.services.imaging.conftest import Imaging, started
from tests.support.common import REFERENCE_DATA, make_test_bed


@dataclass(frozen=True)
class Refusal:
    """HTTP status, problem type, Failure Reason, the field that the message names."""

    status: int
    slug: str
    failure_reason: int
    field: str


SOP_CLASS = Refusal(409, "unsupported-sop-class", 0x0122, "SOPClassUID")
SYNTAX = Refusal(409, "unsupported-transfer-syntax", 0xC122, "TransferSyntaxUID")
NOT_DICOM = Refusal(400, "not-dicom", 0xC000, "file")
NO_PIXELS = Refusal(409, "no-pixel-data", 0xA900, "PixelData")
NO_CLASS, NO_PATIENT, NO_STUDY = (
    Refusal(409, "missing-identifier", 0xA900, field) for field in ("SOPClassUID", "PatientID", "StudyInstanceUID")
)


def truncated(field: str) -> Refusal:
    return Refusal(400, "truncated-dicom", 0xC000, field)


REFUSED = {
    # No preamble, no `DICM`.
    "ExplVR_BigEndNoMeta.dcm": NOT_DICOM,
    "JLSN_RGB_ILV0.dcm": NOT_DICOM,
    "OT-PAL-8-face.dcm": NOT_DICOM,
    "no_meta.dcm": NOT_DICOM,
    "MR_truncated.dcm": truncated("PixelData"),
    "rtplan_truncated.dcm": truncated("BeamSequence"),
    "emri_small_jpeg_2k_lossless_too_short.dcm": truncated("PixelData"),
    # Deflated Image Frame Compression, of segmentations; no transfer syntax at all.
    "liver_deflate.dcm": SYNTAX,
    "meta_missing_tsyntax.dcm": SYNTAX,
    # A CR object with nothing but a name.
    "chrJapMulti.dcm": NO_PIXELS,
    # Fragments of data sets without any SOP class.
    "UN_sequence.dcm": NO_CLASS,
    "chrSQEncoding.dcm": NO_CLASS,
    "empty_charset_LEI.dcm": NO_CLASS,
    "nested_priv_SQ.dcm": NO_CLASS,
    "no_meta_group_length.dcm": NO_CLASS,
    "priv_SQ.dcm": NO_CLASS,
    # Images of nobody, or of no study: they cannot be filed.
    "GDCMJ2K_TextGBR.dcm": NO_PATIENT,
    "JPEGLossless_1s_1f_i_16_16_bad.dcm": NO_PATIENT,
    "JPGLosslessP14SV1_1s_1f_8b.dcm": NO_PATIENT,
    "SC_jpeg_no_color_transform.dcm": NO_PATIENT,
    "color-pl.dcm": NO_PATIENT,
    "color-px.dcm": NO_PATIENT,
    "emri_small.dcm": NO_PATIENT,
    "emri_small_RLE.dcm": NO_PATIENT,
    "image_dfl.dcm": NO_PATIENT,
    "HTJ2KLossless_08_RGB.dcm": NO_STUDY,
    "JLSL_16_15_1_1F.dcm": NO_STUDY,
    "bad_sequence.dcm": NO_STUDY,
    # Objects that are no images of these kinds: dose, plans, segmentations, maps, reports, slides, waveforms.
    "badVR.dcm": SOP_CLASS,
    "rtdose_1frame.dcm": SOP_CLASS,
    "liver_1frame.dcm": SOP_CLASS,
    "liver_rle.dcm": SOP_CLASS,
    "seg_image_cr_binary.dcm": SOP_CLASS,
    "parametric_map_float.dcm": SOP_CLASS,
    "reportsi.dcm": SOP_CLASS,
    "reportsi_with_empty_number_tags.dcm": SOP_CLASS,
    "sr_document.dcm": SOP_CLASS,
    "test-SR.dcm": SOP_CLASS,
    "sm_image_jpegls.dcm": SOP_CLASS,
    "waveform_ecg.dcm": SOP_CLASS,
}
"""Files that are not named here are stored."""

NOT_SHOWN = {
    # Item and delimiter tags in the midst of the code stream: no size of the image can be read there.
    "JPEG2000-embedded-sequence-delimiter.dcm": "PixelData: its code stream has another size than Rows and Columns",
}
"""Stored with a warning."""

COLOURED = {
    "GDCMJ2K_TextGBR.dcm", "HTJ2KLossless_08_RGB.dcm", "JPEGLosslessP14SV1_3s_2f_u_08_08.dcm",
    "OBXXXX1A_rle_2frame.dcm", "SC_jpeg_no_color_transform.dcm", "SC_rgb_32bit_2frame.dcm",
    "SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm", "SC_ybr_full_422_uncompressed.dcm",
    "SC_ybr_full_uncompressed.dcm", "color-pl.dcm", "color-px.dcm", "examples_palette.dcm",
    "examples_ybr_color.dcm", "gdcm-US-ALOKA-16_big.dcm",
}  # fmt: skip
"""Of these the rendering is RGB; of all others gray."""


def content_of(reference_data: Path, name: str) -> bytes:
    return (reference_data / "dicom" / "files" / name).read_bytes()


def header_of(content: bytes) -> pydicom.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(BytesIO(content), stop_before_pixels=True, force=True)


def names() -> list[str]:
    directory = REFERENCE_DATA / "dicom" / "files"
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else ["(absent)"]


@pytest.fixture(scope="module")
def for_all_files(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Imaging]:
    """One imaging service for all files."""
    bed = make_test_bed(tmp_path_factory.mktemp("reference"))
    shutil.copy(migrated, bed.directory / "imaging.db")
    with started(bed, bed.sqlite("imaging"), dimse_enabled=False) as service:
        yield service


@pytest.fixture
def emptied(for_all_files: Imaging) -> Imaging:
    """That service without any instance: some files are the same object in several encodings."""
    with for_all_files.app.state.runtime.sessions.begin() as session:
        session.execute(sa.delete(InstanceRow))
        session.execute(sa.delete(OwnerRow))
    return for_all_files


def url_of(answer: Any) -> str:
    (item,) = answer.json()["00081199"]["Value"]
    url: str = item["00081190"]["Value"][0]
    return url.split("/dicomweb")[1]


def shown(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def assert_every_frame_is_shown(imaging: Imaging, url: str, header: pydicom.Dataset, *, colour: bool) -> None:
    frames = int(header.get("NumberOfFrames") or 1)
    for number in range(1, frames + 1):
        rendered = shown(imaging.get(f"{url}/frames/{number}/rendered", Accept="image/png"))
        assert rendered.size == (header.Columns, header.Rows)
        assert rendered.mode == ("RGB" if colour else "L")
        raw = imaging.get(f"{url}/frames/{number}", Accept="application/octet-stream")
        assert raw.status_code == 200
        assert len(raw.content) % (header.Rows * header.Columns) == 0
    assert shown(imaging.get(f"{url}/rendered", Accept="image/png")).size == (header.Columns, header.Rows)
    assert imaging.get(f"{url}/frames/{frames + 1}").status_code == 404


@pytest.mark.parametrize("name", names())
def test_a_reference_file_is_stored_and_shown_or_refused_for_the_right_reason(
    emptied: Imaging, reference_data: Path, name: str
) -> None:
    content = content_of(reference_data, name)
    answer = emptied.stow(content)
    refusal = REFUSED.get(name)
    if refusal is not None:
        assert emptied.instances() == []
        (failed,) = answer.json()["00081198"]["Value"]
        found = answer.json()["type"].removeprefix("urn:consilium:problem:"), failed["00081197"]["Value"][0]
        assert Refusal(answer.status_code, *found, answer.json()["errors"][0]["field"]) == refusal
        return
    url = url_of(answer)
    if name in NOT_SHOWN:
        assert answer.status_code == 202
        assert answer.json()["00081199"]["Value"][0]["00081196"]["Value"] == [0xB007]
        assert NOT_SHOWN[name] in answer.headers["Warning"]
        assert emptied.get(f"{url}/rendered").json()["detail"] == NOT_SHOWN[name]
        assert emptied.get(url, Accept="application/dicom").status_code == 200
        return
    assert answer.status_code == 200, answer.text
    assert_every_frame_is_shown(emptied, url, header_of(content), colour=name in COLOURED)


@pytest.mark.parametrize("name", [name for name, why in REFUSED.items() if why in (NO_PATIENT, NO_STUDY)])
def test_an_image_that_lacks_an_identifier_lacks_nothing_else(
    emptied: Imaging, reference_data: Path, name: str
) -> None:
    content = content_of(reference_data, name)
    ds = pydicom.dcmread(BytesIO(content))
    ds.PatientID = ds.get("PatientID") or "P-1"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(ds, keyword, f"1.2.{len(name)}")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    stream = BytesIO()
    pydicom.dcmwrite(stream, ds)
    answer = emptied.stow(stream.getvalue())
    assert answer.status_code == 200, answer.text
    assert_every_frame_is_shown(emptied, url_of(answer), header_of(content), colour=name in COLOURED)


def pixels_by(decoder_or_none: str, reference_data: Path, name: str) -> np.ndarray[Any, Any]:
    ds = pydicom.dcmread(reference_data / "dicom" / "files" / name)
    ds.pixel_array_options(decoding_plugin=decoder_or_none)
    return ds.pixel_array


@pytest.mark.parametrize(
    ("name", "plugin", "tolerance"),
    [
        ("SC_ybr_full_422_uncompressed.dcm", "", 0),
        ("JPEGLosslessP14SV1_3s_2f_u_08_08.dcm", "gdcm", 0),
        # Two JPEG decoders; inverse cosine transforms may round differently (T.83), and again in the conversion to RGB.
        ("examples_ybr_color.dcm", "gdcm", 4),
    ],
)
def test_colour_is_shown_as_another_decoder_shows_it(
    emptied: Imaging, reference_data: Path, name: str, plugin: str, tolerance: int
) -> None:
    url = url_of(emptied.stow(content_of(reference_data, name)))
    expected = pixels_by(plugin, reference_data, name)
    frames = expected if expected.ndim == 4 else expected[np.newaxis]
    for number in {1, len(frames)}:
        got = np.asarray(shown(emptied.get(f"{url}/frames/{number}/rendered", Accept="image/png")))
        assert np.abs(got.astype(int) - frames[number - 1]).max() <= tolerance


def test_all_files_at_once_are_sorted_the_same_way(imaging: Imaging, reference_data: Path) -> None:
    contents = {name: content_of(reference_data, name) for name in names()}
    answer = imaging.stow(*contents.values())
    assert answer.status_code == 202
    stored = [header_of(content).SOPInstanceUID for name, content in contents.items() if name not in REFUSED]
    assert len(answer.json()["00081199"]["Value"]) == len(set(stored))
    reasons = [item["00081197"]["Value"][0] for item in answer.json()["00081198"]["Value"]]
    # The same object in another encoding is other content under the same UIDs.
    assert reasons.count(0x0111) == len(stored) - len(set(stored))
    assert len(reasons) == len(REFUSED) + reasons.count(0x0111)


def test_the_collection_covers_what_is_claimed(reference_data: Path) -> None:
    stored = [header_of(content_of(reference_data, name)) for name in names() if name not in REFUSED]
    assert {ds.SOPClassUID for ds in stored} <= set(SOP_CLASSES)
    assert {ds.PhotometricInterpretation for ds in stored} >= {"MONOCHROME1", "PALETTE COLOR", "RGB", "YBR_FULL"}
