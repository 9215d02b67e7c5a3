"""Nothing that names the patient survives, what research needs does, and the same names come out every time."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_dict
from pydicom.dataset import Dataset

from services.imaging.deid import profile
from services.imaging.deid.deidentify import Cleaning, deidentified
from services.imaging.deid.identity import ResearchIdentity
from services.imaging.dicom.reading import read_instance
from services.imaging.errors import Refused
from tests.services.imaging.radiographs import NATIVE, encoded, radiograph
from tests.support.common import REFERENCE_DATA

IDENTITY = ResearchIdentity(bytes(range(32)), "default")
NAME, RECORD = "Quartermain", "83920174"
SEEDS: dict[str, Any] = {
    "AE": "QUARTERMAIN", "AS": "077Y", "CS": "QUARTERMAIN", "DA": "19370214", "DS": RECORD, "DT": "19370214101112",
    "IS": RECORD, "LO": f"{NAME} {RECORD}", "LT": f"Mr {NAME} of Elm Rd", "PN": f"{NAME}^Zebulon", "SH": f"MRN{RECORD}",
    "ST": f"seen by {NAME}", "TM": "Quartermain", "UC": NAME, "UI": f"1.2.{RECORD}.1", "UR": f"http://x/{RECORD}",
    "UT": f"{NAME} {RECORD}", "OB": NAME.encode() + b" ", "OW": NAME.encode() + b" ", "UN": NAME.encode() + b" ",
}  # fmt: skip
NEEDLES = (b"uartermain", b"UARTERMAIN", b"Zebulon", RECORD.encode(), b"19370214")
# What says which kind of object it is: another value makes another object.
KIND = {"SOPClassUID", "Modality", "PhotometricInterpretation", "SpecificCharacterSet", *profile.DATA}


def output_of(ds: Dataset) -> bytes:
    return deidentified(read_instance(encoded(ds)), IDENTITY, Cleaning())


def every_attribute_seeded() -> Dataset:
    """One radiograph with a seed in each of the standard's attributes that its VR can hold."""
    ds = radiograph(StudyDate="19370214")
    for keyword, tag in keyword_dict.items():
        if tag >> 16 in (0, 2, 4, 0xFFFE) or keyword in KIND or not dictionary_has_tag(tag):
            continue
        seed = SEEDS.get(dictionary_VR(tag))
        if seed is not None and keyword not in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(ds, keyword, seed)
    ds.PatientID = f"MRN{RECORD}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (f"1.2.{RECORD}.{n}" for n in (1, 2, 3))
    return ds


def hidden_everywhere(ds: Dataset) -> Dataset:
    """The same with seeds in nested sequences, codes, private elements and beside the data set."""
    item = every_attribute_seeded()
    del item.PixelData
    for keyword in profile.SEQUENCES | profile.CODES | {"RequestAttributesSequence", "ReferencedPatientSequence"}:
        nested = Dataset()
        nested.update(item)
        nested.CodeValue, nested.CodingSchemeDesignator, nested.CodeMeaning = "R-10206", "99LOCAL", SEEDS["LO"]
        outer = Dataset()
        outer.update(nested)
        outer.VOILUTSequence = [nested]
        setattr(ds, keyword, [outer])
    block = ds.private_block(0x0011, f"{NAME} Inc", create=True)
    block.add_new(0x01, "LO", RECORD)
    block.add_new(0x02, "SQ", [item])
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60003000, "OB", NAME.encode() + b" ")
    return ds


@pytest.mark.parametrize("syntax", NATIVE)
def test_no_seed_survives_in_any_attribute_at_any_depth(syntax: Any) -> None:
    file = encoded(hidden_everywhere(every_attribute_seeded()), syntax)
    seeded = b"DICM" + NAME.encode() + file  # a preamble is a place too
    assert all(needle in seeded or syntax == NATIVE[3] for needle in NEEDLES)
    file = NAME.encode() + file[len(NAME) :]
    out = deidentified(read_instance(file), IDENTITY, Cleaning())
    assert [needle for needle in NEEDLES if needle in out] == []


@given(st.text(st.characters(codec="ascii", categories=["Lu", "Ll"]), min_size=6, max_size=14))
def test_a_name_survives_in_no_text(name: str) -> None:
    ds = radiograph(
        PatientName=name, PatientComments=name, SeriesDescription=name, BodyPartExamined=name.upper(), ViewPosition=name
    )
    out = output_of(ds)
    kept = pydicom.dcmread(BytesIO(out))
    values = [str(element.value) for element in kept.iterall() if element.VR != "OW"]
    known = {term for terms in profile.TERMS.values() for term in terms}
    assert not any(name in value or name.upper() in value for value in values if value not in known and len(value) < 40)


def test_what_research_needs_stays() -> None:
    ds = radiograph(KVP="85", ImagerPixelSpacing=[0.2, 0.2], PatientAge="064Y", WindowCenter=2048, WindowWidth=4096)
    out = pydicom.dcmread(BytesIO(output_of(ds)))
    kept = "KVP ImagerPixelSpacing PatientAge PatientSex WindowCenter BodyPartExamined ViewPosition Modality Rows"
    for keyword in (*kept.split(), "PhotometricInterpretation", "StudyTime", "PixelData"):
        assert out[keyword].value == ds[keyword].value, keyword
    assert (out.PatientIdentityRemoved, out.LongitudinalTemporalInformationModified) == ("YES", "MODIFIED")
    # CID 7050.
    methods = [item.CodeValue for item in out.DeidentificationMethodCodeSequence]
    assert methods == ["113100", "113107", "113108"]
    assert "113101" not in methods


def test_a_code_keeps_the_meaning_of_the_standard_and_not_the_senders() -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "399348003", "SCT", NAME
    out = pydicom.dcmread(BytesIO(output_of(radiograph(ViewCodeSequence=[item]))))
    assert out.ViewCodeSequence[0].CodeMeaning == "Antero-posterior projection (qualifier value)"


def test_the_oldest_are_told_as_90() -> None:
    ages = [pydicom.dcmread(BytesIO(output_of(radiograph(PatientAge=age)))).PatientAge for age in ("089Y", "097Y")]
    assert ages == ["089Y", "090Y"]


def test_uids_and_days_are_consistent_within_a_patient_and_differ_between_installations() -> None:
    first = radiograph(StudyDate="20240110", AcquisitionDateTime="20240112101500+0100")
    second = radiograph(StudyInstanceUID=first.StudyInstanceUID, StudyDate="20240210")
    other = radiograph(PatientID="P-2", StudyDate="20240110")
    a, b, c = (pydicom.dcmread(BytesIO(output_of(ds))) for ds in (first, second, other))
    assert a.StudyInstanceUID == b.StudyInstanceUID != first.StudyInstanceUID
    assert a.PatientID == b.PatientID == a.PatientName != c.PatientID
    assert days(b.StudyDate) - days(a.StudyDate) == 31
    assert days(a.AcquisitionDateTime[:8]) - days(a.StudyDate) == 2
    assert a.AcquisitionDateTime[8:] == "101500+0100"
    assert a.StudyDate != c.StudyDate
    stranger = ResearchIdentity(bytes(32), "default")
    assert stranger.uid("1.2.3") != IDENTITY.uid("1.2.3")
    assert stranger.patient("P-1") != IDENTITY.patient("P-1")


def days(date: str) -> int:
    return int(np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}").astype(int))


@given(st.text("0123456789.", min_size=1, max_size=64))
def test_a_remapped_uid_is_valid(uid: str) -> None:
    remapped = pydicom.uid.UID(IDENTITY.uid(uid))
    assert remapped.is_valid
    assert remapped.startswith("2.25.")


def real_files() -> list[str]:
    directory = REFERENCE_DATA / "dicom" / "files"
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else ["(absent)"]


@pytest.fixture
def stored_file(reference_data: Path, request: pytest.FixtureRequest) -> bytes:
    content: bytes = (reference_data / "dicom" / "files" / request.param).read_bytes()
    try:
        read_instance(content)
    except Refused:
        pytest.skip("not stored, so never exported")
    return content


def texts(ds: Dataset) -> Iterator[str]:
    """What identifies somebody in a real header: names, record numbers and places longer than a word, and UIDs."""
    for element in ds.iterall():
        if element.VR in ("PN", "LO", "ST", "LT", "UT", "SH") and len(str(element.value)) > 6:
            yield str(element.value)
        if element.VR == "UI" and element.keyword not in ("SOPClassUID", "ReferencedSOPClassUID"):
            yield str(element.value)


@pytest.mark.parametrize("stored_file", real_files(), indirect=True)
def test_a_real_file_loses_its_words_and_keeps_its_pixels(stored_file: bytes) -> None:
    read = read_instance(stored_file)
    out = deidentified(read, IDENTITY, Cleaning())
    back = pydicom.dcmread(BytesIO(out))
    pixels = read.ds.get("PixelData", b"")
    assert back.get("PixelData", b"").removesuffix(b"\x00" * (len(pixels) % 2)) == pixels
    assert back.file_meta.TransferSyntaxUID == read.ds.file_meta.TransferSyntaxUID
    header = out.replace(pixels, b"") if pixels else out
    meanings = {str(e.value) for e in back.iterall() if e.keyword == "CodeMeaning"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = {text for text in texts(read.ds) if text not in meanings}
    assert [text for text in said if text.encode("ascii", "ignore") in header and text.isascii()] == []
    assert not any(element.tag.is_private for element in back.iterall())


def errors_of(path: Path) -> set[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, timeout=60, check=False)
    return {line for line in done.stderr.decode("latin-1").splitlines() if line.startswith("Error")}


@pytest.mark.parametrize("stored_file", real_files(), indirect=True)
def test_what_dciodvfy_accepts_it_accepts_without_the_patient(stored_file: bytes, tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(stored_file)
    if errors_of(source):
        pytest.skip("dciodvfy does not accept the file as it was published")
    target.write_bytes(deidentified(read_instance(stored_file), IDENTITY, Cleaning()))
    assert errors_of(target) == set()
