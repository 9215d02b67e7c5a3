"""The radiograph as a CR or DX instance: identifiers, acquisition, grayscale, pixels, in one of several syntaxes.

Whatever the encoding, the file leads a conformant viewer back to the same picture; see `voi`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from services.diagnosis.ward import voi
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.scanners import STANDARD_IMAGING, Imaging, Scanner, View
from services.diagnosis.ward.voi import Grayscale

IMPLEMENTATION_UID = UID("2.25.194118329061338104461528420519270137419")
OFFSETS_MIN = (0, 60, 120, -300, -480, 330)
ENCODERS = {RLELossless: "pylibjpeg", JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"}
"""pydicom's plugin for each compressed transfer syntax; all are lossless."""

CHEST = ("816094009", "Chest")
"""PS3.16 CID 4009, DX Anatomy Imaged."""
VIEWS = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}
"""PS3.16 CID 4010, DX View."""
NAMES = {
    "ISO_IR 6": ("WARD^PATIENT {0}",),
    "ISO_IR 100": ("WARD^PATIENT {0}", "WÄRD^PATIENTIN {0}", "GUÁRDIA^PACIENTE {0}", "WÅRDSTRÖM^PATIENT {0}"),
    "ISO_IR 192": ("WARD^PATIENT {0}", "ΦΎΛΑΚΑΣ^ΑΣΘΕΝΉΣ {0}", "STRAŻNIK^PACJENT {0}", "MORITA^KANJA {0}=守田^患者 {0}"),
}
"""Specific Character Set -> invented names that it can write; all say that they name nobody."""

Option = TypeVar("Option")


@dataclass(frozen=True)
class Encoding:
    """How one image was taken and is written."""

    scanner: Scanner
    view: View
    grayscale: Grayscale
    second_window: bool
    field_of_view_mm: float
    transfer_syntax_uid: str
    kvp: int
    exposure_mas: float
    offset_min: int
    """Local time of the scanner, minutes east of UTC."""

    @property
    def modality(self) -> str:
        """CR or DX."""
        return self.scanner.modality


@dataclass(frozen=True)
class Identity:
    """Whose image this is, and when it was taken."""

    patient_id: str
    patient_name: str
    sex: str
    age_years: int
    acquired_at: datetime
    site: str = "ward"


def draw_encoding(
    rng: np.random.Generator, *, person: Person = ANYONE, imaging: Imaging = STANDARD_IMAGING
) -> Encoding:
    """A scanner of the person's site at random, and how it writes this image."""
    scanner, view = imaging.draw(person.site, rng)
    form = scanner.format
    grayscale = _draw_grayscale(scanner, rng)
    syntaxes = list(form.transfer_syntaxes)
    shares = np.array(list(form.transfer_syntaxes.values()))
    bedside = view.bedside
    return Encoding(
        scanner=scanner,
        view=view,
        grayscale=grayscale,
        second_window=bool(rng.random() < form.second_window),
        field_of_view_mm=_choice(form.field_of_view_mm, rng),
        transfer_syntax_uid=syntaxes[int(np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(), "right"))],
        kvp=int(rng.integers(80, 96) if bedside else rng.integers(109, 130)),
        exposure_mas=round(float(rng.uniform(1.5, 5.0)), 1),
        offset_min=_choice(OFFSETS_MIN, rng),
    )


def _draw_grayscale(scanner: Scanner, rng: np.random.Generator) -> Grayscale:
    form = scanner.format
    bits = _choice(form.bits, rng)
    slope, intercept = _choice(form.rescale, rng)
    style, monochrome1 = _choice(form.voi, rng), bool(rng.random() < form.monochrome1)
    ends = np.array([rng.uniform(0.04, 0.2), rng.uniform(0.6, 0.9)]) * ((1 << bits) - 1)
    low, high = sorted((np.rint(ends) * slope + intercept).tolist())
    return Grayscale(bits, monochrome1, slope, intercept, style, round(low), round(high))


def _choice(options: tuple[Option, ...], rng: np.random.Generator) -> Option:
    return options[int(rng.random() * len(options))]


def invented_name(patient_id: str, encoding: Encoding) -> str:
    """A name in the scanner's character set, a function of the patient."""
    names = NAMES[encoding.scanner.format.character_set]
    return names[crc32(patient_id.encode()) % len(names)].format(patient_id[-6:])


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
    meta.TransferSyntaxUID = UID(encoding.transfer_syntax_uid)
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    _set_identity(ds, encoding, identity)
    _set_acquisition(ds, encoding, identity.site)
    _set_grayscale(ds, encoding)
    _set_pixels(ds, stored, encoding)
    return ds


def _set_identity(ds: Dataset, encoding: Encoding, identity: Identity) -> None:
    offset = timedelta(minutes=encoding.offset_min)
    local = identity.acquired_at.astimezone(timezone(offset))
    date, clock = local.strftime("%Y%m%d"), local.strftime("%H%M%S")
    if encoding.scanner.format.character_set != "ISO_IR 6":  # the default repertoire is not named (PS3.3 C.12.1.1.2)
        ds.SpecificCharacterSet = encoding.scanner.format.character_set
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
    ds.ImageType, ds.BurnedInAnnotation = ["ORIGINAL", "PRIMARY", ""], "NO"


def _set_acquisition(ds: Dataset, encoding: Encoding, site: str) -> None:
    scanner, view = encoding.scanner, encoding.view
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = encoding.modality, "CHEST", view.position
    ds.Manufacturer, ds.ManufacturerModelName = scanner.maker, scanner.model
    ds.InstitutionName = f"{site.capitalize()} (synthetic)"
    ds.SeriesDescription = f"Chest {view.position}" + (" portable" if view.bedside else "")
    ds.PatientOrientation = ["L", "F"]
    if view.supine:
        ds.PatientPosition = "HFS"
    ds.KVP, ds.Exposure = encoding.kvp, round(encoding.exposure_mas)
    ds.ExposureInuAs, ds.ExposureTime = round(encoding.exposure_mas * 1000), round(encoding.exposure_mas * 4)
    ds.DistanceSourceToDetector = 1100 if view.bedside else 1800
    if encoding.modality == "CR":
        ds.PlateType = "STORAGE PHOSPHOR"
        return
    ds.DetectorType, ds.LossyImageCompression = "DIRECT", "00"
    ds.PresentationIntentType, ds.ImageLaterality, ds.PositionerType = "FOR PRESENTATION", "U", ""
    ds.AcquisitionContextSequence = []
    ds.AnatomicRegionSequence = [_code(*CHEST)]
    ds.ViewCodeSequence = [_code(*VIEWS[view.position])]


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code


def _set_grayscale(ds: Dataset, encoding: Encoding) -> None:
    scale = encoding.grayscale
    ds.PhotometricInterpretation = "MONOCHROME1" if scale.monochrome1 else "MONOCHROME2"
    ds.PresentationLUTShape = "INVERSE" if scale.monochrome1 else "IDENTITY"
    if encoding.modality == "DX":
        ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1 if scale.monochrome1 else 1
    if encoding.modality == "DX" or (scale.slope, scale.intercept) != (1.0, 0.0):
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = f"{scale.intercept:g}", f"{scale.slope:g}", "US"
    if scale.style == "LUT":
        ds.VOILUTSequence = [_lut_item(scale)]
    else:
        _set_window(ds, encoding)


def _lut_item(scale: Grayscale) -> Dataset:
    item = Dataset()
    descriptor, data = voi.lookup_table(scale)
    item.add(DataElement("LUTDescriptor", "US", descriptor))
    item.LUTExplanation = "CHEST"
    item.add(DataElement("LUTData", "OW", data))
    return item


def _set_window(ds: Dataset, encoding: Encoding) -> None:
    centre, width = voi.window(encoding.grayscale)
    if encoding.second_window:
        ds.WindowCenter, ds.WindowWidth = (
            [f"{centre:.10g}", f"{centre * 1.1:.6g}"],
            [f"{width:.10g}", f"{width * 0.6:.6g}"],
        )
        ds.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]
    else:
        ds.WindowCenter, ds.WindowWidth = f"{centre:.10g}", f"{width:.10g}"
    if encoding.grayscale.style != "LINEAR":
        ds.VOILUTFunction = encoding.grayscale.style


def _set_pixels(ds: FileDataset, stored: NDArray[np.uint16], encoding: Encoding) -> None:
    bits, syntax = encoding.grayscale.bits_stored, UID(encoding.transfer_syntax_uid)
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    spacing = f"{encoding.field_of_view_mm / stored.shape[0]:.6g}"
    if encoding.scanner.format.spacing != "absent":
        ds.ImagerPixelSpacing = [spacing, spacing]
    if encoding.scanner.format.spacing == "calibrated":
        ds.PixelSpacing = [spacing, spacing]
    if syntax in ENCODERS:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(syntax, stored, encoding_plugin=ENCODERS[syntax], generate_instance_uid=False)
        return
    ds.PixelData = stored.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
