"""DICOM files in a folder: which are radiographs, whose, when, and their pixels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.hospital.rendering import render

SUFFIXES = frozenset({".dcm", ".dicom", ""})
MODALITIES = frozenset({"CR", "DX"})
DEFERRED = 4096
"""Longer elements are left on disk while only the header is wanted."""
UNDEFINED_LENGTH = 0xFFFFFFFF
_FIX = "Export the file again, or remove it."


@dataclass(frozen=True)
class Header:
    """What the index keeps of one radiograph."""

    patient_id: str
    sop_instance_uid: str
    at: float
    """Seconds since 1970."""
    modality: str
    rows: int
    columns: int
    body_part: str | None
    view: str | None


def find_files(root: Path) -> Iterator[Path]:
    """Files that may be DICOM, at any depth, in order: `.dcm`, `.dicom`, or without a suffix."""
    for folder, inner, names in os.walk(root):
        inner.sort()
        for name in sorted(names):
            if _suffix(name) in SUFFIXES and not name.startswith(".") and name != "DICOMDIR":
                yield Path(folder) / name


def _suffix(name: str) -> str:
    """Of a name such as 1.2.840.113, a UID, none."""
    return "" if name.replace(".", "").isdigit() else Path(name).suffix.lower()


def read_header(file: Path, zone: tzinfo) -> Header | str:
    """The header of a radiograph, or why the file is none.

    Args:
        zone: of times that do not say their own.
    Raises: DatasetError: a damaged file.
    """
    if not _suffix(file.name) and not _is_dicom(file):
        return "file without a suffix that is no DICOM"
    with _patiently(file):
        ds = pydicom.dcmread(file, defer_size=DEFERRED)
        _check_length(file, ds)
        if str(ds.get("Modality", "")) not in MODALITIES:
            return "DICOM object that is no radiograph (CR, DX)"
        if int(ds.get("SamplesPerPixel", 1)) != 1 or int(ds.get("NumberOfFrames") or 1) != 1:
            return "radiograph that is no single grey frame"
        if "PixelData" not in ds:
            raise DatasetError(Place(file), "The file has no pixels.", _FIX)
        at = _acquired(ds, zone)
        if at is None:
            return "radiograph without a time"
        body, view = str(ds.get("BodyPartExamined", "")).strip(), str(ds.get("ViewPosition", "")).strip()
        who, what = str(ds.get("PatientID", "")).strip(), str(ds.SOPInstanceUID)
        return Header(who, what, at, str(ds.Modality), int(ds.Rows), int(ds.Columns), body or None, view or None)


def read_pixels(file: Path) -> NDArray[np.float32]:
    """[rows, columns] in [0, 1], air dark, longest side at most 512. Raises: DatasetError."""
    with _patiently(file):
        pixels = render(pydicom.dcmread(file))
    if not np.isfinite(pixels).all():
        raise DatasetError(Place(file), "The radiograph cannot be shown.", _FIX)
    return pixels


@contextmanager
def _patiently(file: Path) -> Iterator[None]:
    """Reads what is not quite to the standard; whatever else is raised at these bytes, they are what is wrong.

    pydicom's own messages quote values, and quoted values are patient data: they are not passed on.
    """
    try:
        with disable_value_validation(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DatasetError, MemoryError):
        raise
    except Exception as error:
        problem = f"The radiograph cannot be read ({type(error).__name__})."
        fix = "Export it again, or uncompressed (gdcmconv --raw) where no decoder for it is installed, or remove it."
        raise DatasetError(Place(file), problem, fix) from None


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _check_length(file: Path, ds: Dataset) -> None:
    """Raises: DatasetError: the file ends before its pixels do."""
    element: Any = ds.get_item("PixelData") if "PixelData" in ds else None
    length = getattr(element, "length", UNDEFINED_LENGTH)
    if length == UNDEFINED_LENGTH:
        return
    begins = int(getattr(element, "value_tell", 0))
    deflated = ds.file_meta.get("TransferSyntaxUID") == pydicom.uid.DeflatedExplicitVRLittleEndian
    short = not deflated and begins + length > file.stat().st_size
    bits = int(ds.get("BitsAllocated", 16)) * int(ds.Rows) * int(ds.Columns)
    if short or length < bits // 8:
        raise DatasetError(Place(file), "The file ends before its pixels do.", _FIX)


def _acquired(ds: Dataset, zone: tzinfo) -> float | None:
    """The first of acquisition, content and study time that is given; a day alone is none."""
    offset = str(ds.get("TimezoneOffsetFromUTC", "")).strip()
    given = DT(str(ds.get("AcquisitionDateTime", "")))
    if isinstance(given, datetime) and len(str(given)) >= len("YYYYMMDDHHMM"):
        return _stamp(given, offset, zone)
    for what in ("Acquisition", "Content", "Study"):
        day, clock = DA(str(ds.get(f"{what}Date", ""))), TM(str(ds.get(f"{what}Time", "")))
        if day and clock:
            return _stamp(datetime.combine(day, clock), offset, zone)
    return None


def _stamp(moment: datetime, offset: str, zone: tzinfo) -> float:
    if moment.tzinfo is None:
        own = datetime.strptime(offset, "%z").tzinfo if offset else zone
        moment = moment.replace(tzinfo=own)
    return moment.timestamp()
