"""Bytes to a data set, or a reason why not: file format, transfer syntax, completeness, SOP class, identity."""

from __future__ import annotations

import hashlib
import re
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pydicom
from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from services.imaging.dicom.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    SOP_CLASSES,
    TRANSFER_SYNTAXES,
)
from services.imaging.dicom.values import text, value_of
from services.imaging.domain import InstanceKey
from services.imaging.errors import (
    MissingIdentifier,
    NotDicom,
    Refused,
    TooManyPixels,
    TruncatedDicom,
    UnsupportedSopClass,
    UnsupportedTransferSyntax,
)

# We judge values ourselves; pydicom's own complaints quote them, and quoted values are patient data.
config.settings.reading_validation_mode = config.IGNORE
config.convert_wrong_length_to_UN = True
warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom(\..*)?")

PREAMBLE = 128
UNDEFINED_LENGTH = 0xFFFFFFFF
MAX_INFLATED_BYTES = 256 * 2**20
UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True)
class ReadInstance:
    """A complete data set of a supported kind, and who it is."""

    ds: Dataset
    key: InstanceKey
    patient: str
    sop_class_uid: str
    transfer_syntax_uid: str
    """As received: a deflated data set is handed on inflated, and still says deflated here."""
    dataset_digest: str


def read_instance(content: bytes) -> ReadInstance:
    """Parse a DICOM file (PS3.10) and check everything but its pixels.

    Raises: Refused: by name of what is wrong with it.
    """
    meta, start = _read_meta(content)
    transfer_syntax_uid = str(meta.get("TransferSyntaxUID", ""))
    if transfer_syntax_uid not in TRANSFER_SYNTAXES:
        raise _unsupported_syntax(transfer_syntax_uid)
    ds = _read_dataset(content, start, transfer_syntax_uid)
    try:
        check_complete(ds)
        return _identified(ds, transfer_syntax_uid, _dataset_digest(content, start, transfer_syntax_uid))
    except Refused as refusal:
        raise refusal.of(text(ds, "SOPClassUID"), text(ds, "SOPInstanceUID")) from refusal.__cause__


def _identified(ds: Dataset, transfer_syntax_uid: str, dataset_digest: str) -> ReadInstance:
    sop_class_uid = _uid(ds, "SOPClassUID")
    if sop_class_uid not in SOP_CLASSES:
        raise unsupported_sop_class()
    key = InstanceKey(_uid(ds, "StudyInstanceUID"), _uid(ds, "SeriesInstanceUID"), _uid(ds, "SOPInstanceUID"))
    return ReadInstance(ds, key, _patient(ds), sop_class_uid, transfer_syntax_uid, dataset_digest)


def _dataset_digest(content: bytes, start: int, transfer_syntax_uid: str) -> str:
    digest = hashlib.sha256(transfer_syntax_uid.encode() + b"\x00")
    digest.update(memoryview(content)[start:])
    return "sha256:" + digest.hexdigest()


def _read_meta(content: bytes) -> tuple[Dataset, int]:
    """The file meta information and the offset of the data set after it."""
    if content[PREAMBLE : PREAMBLE + 4] != b"DICM":
        raise NotDicom(
            "file",
            "the bytes are not a DICOM file: no `DICM` after a 128-byte preamble",
            "send one DICOM Part 10 file (preamble, file meta information, data set) per part",
        )
    stream = BytesIO(content)
    try:
        stream.seek(PREAMBLE + 4)
        meta = pydicom.filereader._read_file_meta_info(stream)
        meta.get("TransferSyntaxUID")
    except Exception as error:
        # Whatever the parser raises at these bytes, they are what is wrong.
        raise _truncated("file meta information") from error
    return meta, stream.tell()


def _read_dataset(content: bytes, start: int, transfer_syntax_uid: str) -> Dataset:
    if transfer_syntax_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        return _read_dataset(_inflated(content, start), _META_LENGTH, EXPLICIT_VR_LITTLE_ENDIAN)
    try:
        ds = pydicom.dcmread(BytesIO(content))
    except (EOFError, OSError) as error:
        raise _truncated(_cut_off(content)) from error
    except Exception as error:
        # Whatever else the parser raises at these bytes, they are what is wrong.
        raise NotDicom(
            "file", "the data set cannot be parsed", "check the file with `dciodvfy` and send it again"
        ) from error
    if not ds and start < len(content):
        # pydicom drops everything when the file ends inside a value of undefined length.
        raise _truncated(_cut_off(content))
    return ds


def _cut_off(content: bytes) -> str:
    """What a file that ends inside of a value of undefined length ends in: mostly compressed pixel data."""
    try:
        # Where it ends before the pixel data, pydicom drops everything here too.
        has_more = bool(pydicom.dcmread(BytesIO(content), stop_before_pixels=True))
    except Exception:
        has_more = False
    return "PixelData" if has_more else "data set"


def _explicit_meta() -> bytes:
    """Preamble and the least file meta information that names Explicit VR Little Endian."""
    value = EXPLICIT_VR_LITTLE_ENDIAN.encode() + b"\x00"
    element = b"\x02\x00\x10\x00UI" + len(value).to_bytes(2, "little") + value
    return bytes(PREAMBLE) + b"DICM\x02\x00\x00\x00UL\x04\x00" + len(element).to_bytes(4, "little") + element


_EXPLICIT_META = _explicit_meta()
_META_LENGTH = len(_EXPLICIT_META)


def _inflated(content: bytes, start: int) -> bytes:
    """The same instance with its data set inflated (PS3.5 A.5), bounded, because deflate can expand a thousandfold."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        dataset = inflater.decompress(content[start:], MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise _truncated("deflated data set") from error
    if inflater.unconsumed_tail:
        raise TooManyPixels(
            "TransferSyntaxUID",
            f"the deflated data set is longer than {MAX_INFLATED_BYTES} bytes when inflated",
            "send the instance in another transfer syntax",
        )
    if not inflater.eof:
        raise _truncated("deflated data set")
    return _EXPLICIT_META + dataset


def check_complete(ds: Dataset) -> None:
    """Look at every element of the top level.

    Raises: TruncatedDicom: one is shorter than its own length says. NotDicom: one has a value representation that
    DICOM does not know (PS3.5 section 6.2).
    """
    for tag in list(ds.keys()):  # iterating a Dataset itself would convert every element
        try:
            element: Any = ds.get_item(tag)
        except NotImplementedError as error:
            raise NotDicom(
                pydicom.datadict.keyword_for_tag(tag) or str(tag),
                "has a value representation that DICOM does not know",
                "check the file with `dciodvfy` and send it again",
            ) from error
        if not isinstance(element, RawDataElement) or element.length == UNDEFINED_LENGTH or element.value is None:
            continue
        if len(element.value) < element.length:
            raise _truncated(pydicom.datadict.keyword_for_tag(tag) or str(tag))


def _truncated(field: str) -> TruncatedDicom:
    return TruncatedDicom(
        field, "the file ends before this does", "send the whole file again; it was cut off on its way"
    )


def unsupported_sop_class() -> UnsupportedSopClass:
    """The refusal of whatever is not an image of these kinds."""
    return UnsupportedSopClass(
        "SOPClassUID",
        "this service does not take objects of this SOP class",
        "send images: CR, DX, MG, CT, MR, US, NM, PET, XA, RF or secondary captures",
    )


def _unsupported_syntax(transfer_syntax_uid: str) -> UnsupportedTransferSyntax:
    known = transfer_syntax_uid and UID.fullmatch(transfer_syntax_uid)
    return UnsupportedTransferSyntax(
        "TransferSyntaxUID",
        f"{transfer_syntax_uid} is not supported" if known else "the file meta information does not name one",
        "send the instance uncompressed, or as RLE, JPEG, JPEG-LS or JPEG 2000",
    )


def _uid(ds: Dataset, keyword: str) -> str:
    value = value_of(ds, keyword)
    uid = value.strip(" \x00") if isinstance(value, str) else ""
    if not uid:
        raise MissingIdentifier(keyword, "is missing or empty", f"send instances with a {keyword}")
    if len(uid) > 64 or not UID.fullmatch(uid):
        raise MissingIdentifier(keyword, "is not a valid UID", "send digits and dots, at most 64 (PS3.5 section 9.1)")
    return uid


def _patient(ds: Dataset) -> str:
    value = value_of(ds, "PatientID")
    patient = value.strip(" \x00") if isinstance(value, str) else ""
    if not patient:
        raise MissingIdentifier("PatientID", "is missing or empty", "send instances with a PatientID")
    if len(patient) > 64 or not patient.isprintable():
        raise MissingIdentifier(
            "PatientID", "is longer than 64 characters or holds control characters", "send a valid PatientID (VR LO)"
        )
    return patient
