"""Every file of the reference collection, with what a correct receiver of radiographs does with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.digests import digest_bytes
from tests.services.imaging.conftest import Imaging, started
from tests.support.common import REFERENCE_DATA, make_test_bed

STORED = ""
SOP_CLASS, SYNTAX, NOT_DICOM = "unsupported-sop-class", "unsupported-transfer-syntax", "not-dicom"
TRUNCATED, NO_PIXELS, IDENTIFIER = "truncated-dicom", "no-pixel-data", "missing-identifier"

EXPECTED = {
    # Radiographs: CR and DX in JPEG 2000, JPEG-LS, lossless JPEG, 12-bit JPEG, uncompressed.
    "966_fixed.dcm": STORED,
    "RG1_J2KI.dcm": STORED,
    "RG2_JLSN.dcm": STORED,
    "RG2_JPLL.dcm": STORED,
    "RG2_JPLY.dcm": STORED,
    "RG3_J2KR.dcm": STORED,
    "dicomdir-CR-6154": STORED,
    "dicomdir-CR-6247": STORED,
    "dx_image.dcm": STORED,
    # A radiograph by its modality, and a secondary capture by its SOP class.
    "Fake_MONOHR1.dcm": SOP_CLASS,
    # A CR object with nothing but a name.
    "chrJapMulti.dcm": NO_PIXELS,
    # No preamble, no `DICM`.
    "ExplVR_BigEndNoMeta.dcm": NOT_DICOM,
    "JLSN_RGB_ILV0.dcm": NOT_DICOM,
    "OT-PAL-8-face.dcm": NOT_DICOM,
    "no_meta.dcm": NOT_DICOM,
    "MR_truncated.dcm": TRUNCATED,
    "rtplan_truncated.dcm": TRUNCATED,
    "emri_small_jpeg_2k_lossless_too_short.dcm": TRUNCATED,
    "HTJ2KLossless_08_RGB.dcm": SYNTAX,
    "liver_deflate.dcm": SYNTAX,
    "meta_missing_tsyntax.dcm": SYNTAX,
    # Fragments of data sets without any SOP class.
    "UN_sequence.dcm": IDENTIFIER,
    "chrSQEncoding.dcm": IDENTIFIER,
    "empty_charset_LEI.dcm": IDENTIFIER,
    "nested_priv_SQ.dcm": IDENTIFIER,
    "no_meta_group_length.dcm": IDENTIFIER,
    "priv_SQ.dcm": IDENTIFIER,
}
"""Files that are not named here are complete objects of other SOP classes."""


def names() -> list[str]:
    directory = REFERENCE_DATA / "dicom" / "files"
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else ["(absent)"]


@pytest.fixture(scope="module")
def module_imaging(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Imaging]:
    """One imaging service for all files."""
    bed = make_test_bed(tmp_path_factory.mktemp("reference"))
    shutil.copy(migrated, bed.directory / "imaging.db")
    with started(bed, bed.sqlite("imaging"), dimse_enabled=False) as service:
        yield service


@pytest.mark.parametrize("name", names())
def test_a_reference_file_is_stored_or_refused_for_the_right_reason(
    module_imaging: Imaging, reference_data: Path, name: str
) -> None:
    content = (reference_data / "dicom" / "files" / name).read_bytes()
    answer = module_imaging.stow(content)
    expected = EXPECTED.get(name, SOP_CLASS)
    stored = {row.digest for row in module_imaging.instances()}
    assert (digest_bytes(content) in stored) == (expected == STORED)
    if expected == STORED:
        assert answer.status_code == 200, answer.text
    else:
        assert answer.status_code in (400, 409)
        assert answer.json()["type"] == f"urn:consilium:problem:{expected}"


def test_all_files_at_once_are_sorted_the_same_way(imaging: Imaging, reference_data: Path) -> None:
    files = [(reference_data / "dicom" / "files" / name).read_bytes() for name in names()]
    answer = imaging.stow(*files)
    assert answer.status_code == 202
    stored = sum(expected == STORED for expected in EXPECTED.values())
    assert len(answer.json()["00081199"]["Value"]) == stored
    assert len(answer.json()["00081198"]["Value"]) == len(files) - stored
