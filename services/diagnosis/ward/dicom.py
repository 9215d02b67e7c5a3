"""The radiograph as a CR or DX instance: integers, window, photometric interpretation, identifiers.

Whatever the encoding, PS3.3 C.11.2 (VOI LUT) and C.7.6.3.1.2 (MONOCHROME1) lead back to the same picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.scanners import STANDARD_IMAGING, Imaging

IMPLEMENTATION_UID = UID("2.25.194118329061338104461528420519270137419")
MAKERS = (
    ("Ward Imaging", "Chestroom 1"),
    ("Ward Imaging", "Portable 3"),
    ("Synthetica", "DR-9"),
    ("Polder Medical", "CR 35"),
)
OFFSETS_MIN = (0, 60, 120, -300, -480, 330)


@dataclass(frozen=True)
class Encoding:
    """How one scanner writes brightness as integers."""

    modality: str
    bits_stored: int
    low: int
    """Stored value that the window shows as black (before inversion)."""
    high: int
    monochrome1: bool
    exact: bool
    """VOI LUT function LINEAR_EXACT instead of LINEAR."""
    second_window: bool
    field_of_view_mm: float
    maker: tuple[str, str]
    offset_min: int
    """Local time of the scanner, minutes east of UTC."""
    view_position: str


@dataclass(frozen=True)
class Identity:
    """Whose image this is, and when it was taken."""

    patient_id: str
    patient_name: str
    sex: str
    age_years: int
    acquired_at: datetime


def draw_encoding(
    rng: np.random.Generator, *, person: Person = ANYONE, imaging: Imaging = STANDARD_IMAGING
) -> Encoding:
    """A scanner of the person's site at random."""
    bits = int(rng.choice([12, 12, 14, 16]))
    top = (1 << bits) - 1
    low, high = int(rng.uniform(0.04, 0.2) * top), int(rng.uniform(0.6, 0.9) * top)
    return Encoding(
        modality="DX" if rng.random() < 0.6 else "CR",
        bits_stored=bits,
        low=low,
        high=high,
        monochrome1=bool(rng.random() < 0.25),
        exact=bool(rng.random() < 0.2),
        second_window=bool(rng.random() < 0.2),
        field_of_view_mm=float(rng.choice([350.0, 400.0, 430.0])),
        maker=MAKERS[int(rng.integers(len(MAKERS)))],
        offset_min=int(rng.choice(OFFSETS_MIN)),
        view_position="PA" if rng.random() < 0.6 else "AP",
    )


def to_stored(brightness: NDArray[np.float32], encoding: Encoding) -> NDArray[np.uint16]:
    """Integers whose window [low, high] is brightness [0, 1]; a little beyond it is kept, as scanners do."""
    top = (1 << encoding.bits_stored) - 1
    scaled = np.rint(brightness * np.float32(encoding.high - encoding.low) + np.float32(encoding.low))
    if encoding.monochrome1:
        scaled = top - scaled
    return np.asarray(np.clip(scaled, 0, top), dtype=np.uint16)


def to_displayed(stored: NDArray[np.uint16], encoding: Encoding) -> NDArray[np.float32]:
    """What a viewer shows of the stored values: window, then MONOCHROME1 inversion; [0, 1], air dark."""
    values = stored.astype(np.float32)
    if encoding.monochrome1:
        values = np.float32((1 << encoding.bits_stored) - 1) - values
    brightness = (values - encoding.low) / np.float32(encoding.high - encoding.low)
    return np.asarray(np.clip(brightness, 0, 1), dtype=np.float32)


def window(encoding: Encoding) -> tuple[float, float]:
    """Centre and width in stored values (PS3.3 C.11.2.1.2 and C.11.2.1.3.2)."""
    low, high = encoding.low, encoding.high
    if encoding.monochrome1:
        top = (1 << encoding.bits_stored) - 1
        low, high = top - high, top - low
    if encoding.exact:
        return (low + high) / 2, float(high - low)
    return (low + high + 1) / 2, float(high - low + 1)


def uid(*parts: str) -> UID:
    """A UID under 2.25 (PS3.5 B.2) that is a function of its parts."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()[:16]
    value = int.from_bytes(digest, "big")
    value = value & ~(0xF << 76) | 0x8 << 76  # UUID version 8 (RFC 9562): the digest's bits are ours
    value = value & ~(0b11 << 62) | 0b10 << 62
    return UID(f"2.25.{value}")


def build_dataset(stored: NDArray[np.uint16], encoding: Encoding, identity: Identity) -> FileDataset:
    """A complete instance, ready for `save_as` or C-STORE."""
    sop_class = DigitalXRayImageStorageForPresentation if encoding.modality == "DX" else ComputedRadiographyImageStorage
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid(identity.patient_id, "instance")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    _describe(ds, encoding, identity)
    _set_pixels(ds, stored, encoding)
    return ds


def _describe(ds: Dataset, encoding: Encoding, identity: Identity) -> None:
    offset = timedelta(minutes=encoding.offset_min)
    local = identity.acquired_at.astimezone(timezone(offset))
    date, clock = local.strftime("%Y%m%d"), local.strftime("%H%M%S")
    ds.TimezoneOffsetFromUTC = local.strftime("%z")
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = date
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = clock
    ds.AcquisitionDateTime = date + clock + local.strftime("%z")
    ds.PatientID, ds.PatientName = identity.patient_id, identity.patient_name
    ds.PatientSex, ds.PatientAge, ds.PatientBirthDate = identity.sex, f"{identity.age_years:03d}Y", ""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(identity.patient_id, "study"), uid(identity.patient_id, "series")
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 1, 1
    ds.AccessionNumber = uid(identity.patient_id, "accession")[-16:]
    ds.ReferringPhysicianName, ds.StudyDescription = "", "Chest radiograph (synthetic)"
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = encoding.modality, "CHEST", encoding.view_position
    ds.Manufacturer, ds.ManufacturerModelName = encoding.maker
    ds.PatientOrientation = ["L", "F"]
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.BurnedInAnnotation = "NO"
    if encoding.modality == "DX":
        ds.PresentationIntentType, ds.ImageLaterality = "FOR PRESENTATION", "U"
        ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1 if encoding.monochrome1 else 1
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
        ds.LossyImageCompression = "00"
        ds.DetectorType = "DIRECT"


def _set_pixels(ds: Dataset, stored: NDArray[np.uint16], encoding: Encoding) -> None:
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, encoding.bits_stored, encoding.bits_stored - 1
    ds.PhotometricInterpretation = "MONOCHROME1" if encoding.monochrome1 else "MONOCHROME2"
    ds.PresentationLUTShape = "INVERSE" if encoding.monochrome1 else "IDENTITY"
    spacing = f"{encoding.field_of_view_mm / stored.shape[0]:.6g}"
    ds.ImagerPixelSpacing = [spacing, spacing]
    ds.PixelSpacing = [spacing, spacing]
    centre, width = window(encoding)
    if encoding.second_window:
        ds.WindowCenter, ds.WindowWidth = [f"{centre:g}", f"{centre * 1.1:g}"], [f"{width:g}", f"{width * 0.6:g}"]
        ds.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]
    else:
        ds.WindowCenter, ds.WindowWidth = f"{centre:g}", f"{width:g}"
    if encoding.exact:
        ds.VOILUTFunction = "LINEAR_EXACT"
    ds.PixelData = stored.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
