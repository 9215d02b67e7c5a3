"""Radiographs to send: small, whole and valid unless a test says otherwise."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

DX_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"


def gradient(rows: int = 24, columns: int = 32, top: int = 4095) -> NDArray[np.uint16]:
    """A ramp from 0 at the upper left to `top` at the lower right."""
    return np.linspace(0, top, rows * columns).round().astype(np.uint16).reshape(rows, columns)


def radiograph(pixels: NDArray[Any] | None = None, *, bits_stored: int = 12, **attributes: Any) -> Dataset:
    """A digital radiograph of patient P-1; attributes given as None are left out."""
    pixels = gradient() if pixels is None else pixels
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = DX_PRESENTATION, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientID, ds.PatientName, ds.PatientSex, ds.PatientAge = "P-1", "Doe^Jane", "F", "064Y"
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "DX", "CHEST", "PA"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20240131", "081500", "A-7"
    ds.TimezoneOffsetFromUTC = "+0100"
    ds.PhotometricInterpretation, ds.SamplesPerPixel = "MONOCHROME2", 1
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.BitsAllocated = pixels.itemsize * 8
    ds.BitsStored, ds.HighBit = bits_stored, bits_stored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def encoded(ds: Dataset, transfer_syntax_uid: UID = ExplicitVRLittleEndian) -> bytes:
    """The DICOM file of an uncompressed data set in one of the native transfer syntaxes."""
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
    if transfer_syntax_uid == ExplicitVRBigEndian and ds.BitsAllocated == 16 and "PixelData" in ds:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    if "PixelData" in ds:
        ds["PixelData"].VR = "OW"
    stream = BytesIO()
    implicit, little = transfer_syntax_uid == ImplicitVRLittleEndian, transfer_syntax_uid != ExplicitVRBigEndian
    ds.save_as(stream, enforce_file_format=True, implicit_vr=implicit, little_endian=little)
    return stream.getvalue()


NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def multipart(*files: bytes, boundary: str = "b0undary", quoted: bool = True) -> tuple[bytes, dict[str, str]]:
    """A STOW-RS body and its Content-Type."""
    parts = [b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), file) for file in files]
    named = f'"{boundary}"' if quoted else boundary
    body = b"".join([*parts, b"--%s--\r\n" % boundary.encode()])
    return body, {"Content-Type": f'multipart/related; type="application/dicom"; boundary={named}'}
