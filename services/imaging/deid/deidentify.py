"""One instance without its patient: the data set is written anew from what `profile` lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from services.imaging.deid import profile
from services.imaging.deid.codes import known_code
from services.imaging.deid.identity import ResearchIdentity
from services.imaging.dicom.reading import ReadInstance
from services.imaging.dicom.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from services.imaging.dicom.values import text, value_of

OLDEST_TOLD = 89
LARGEST_NUMBER = 10**6
"""Numbers that are written as text are dropped from here on: record numbers are longer than counts and lengths."""


@dataclass(frozen=True)
class Cleaning:
    """What a person has found of the pixels of one instance."""

    looked_at: bool = False
    pixels: bytes | None = None
    """Uncompressed pixels with regions blanked, to take the place of the stored ones."""
    bits_allocated: int = 0
    colour: bool = False
    """Whether these pixels are RGB, by pixel."""


def deidentified(read: ReadInstance, identity: ResearchIdentity, cleaning: Cleaning) -> bytes:
    """The DICOM file for research; pixel data as stored unless regions were blanked.

    Consistent: the same UIDs and the same patient always get the same ones, whichever instance is asked for.
    """
    keeper = _Keeper(identity, read.patient)
    ds = keeper.kept(read.ds)
    ds.PatientIdentityRemoved, ds.LongitudinalTemporalInformationModified = "YES", "MODIFIED"
    methods = [*profile.METHODS, *([profile.CLEANED_PIXELS] if cleaning.looked_at else [])]
    ds.DeidentificationMethod = "Consilium research export: PS3.15 E, allow-list"
    ds.DeidentificationMethodCodeSequence = [_dcm_code(*method) for method in methods]
    if cleaning.looked_at:
        ds.BurnedInAnnotation = "NO"
    transfer_syntax_uid = str(read.ds.file_meta.TransferSyntaxUID)
    if cleaning.pixels is not None:
        transfer_syntax_uid = _replace_pixels(ds, cleaning.pixels, cleaning)
    return _written(ds, transfer_syntax_uid)


def _replace_pixels(ds: Dataset, pixels: bytes, cleaning: Cleaning) -> str:
    ds.BitsAllocated = cleaning.bits_allocated
    if cleaning.colour:
        ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in ds:
            del ds[keyword]
    ds.PixelData = pixels + b"\x00" * (len(pixels) % 2)
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    return EXPLICIT_VR_LITTLE_ENDIAN


def _dcm_code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _written(ds: Dataset, transfer_syntax_uid: str) -> bytes:
    syntax = UID(transfer_syntax_uid)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dcmwrite(
        stream,
        ds,
        enforce_file_format=True,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
    )
    return stream.getvalue()


class _Keeper:
    """Copies what may stay of one patient's data sets."""

    def __init__(self, identity: ResearchIdentity, patient: str) -> None:
        self._identity, self._patient = identity, patient

    def kept(self, ds: Dataset) -> Dataset:
        """The listed elements of a data set, at every depth."""
        out = Dataset()
        for tag in list(ds.keys()):
            element = _element(ds, tag)
            if element is None or not element.keyword or element.tag.is_private:
                continue
            value = self._value(element, ds)
            if value is not None:
                out.add(DataElement(element.tag, element.VR, value))
                if element.keyword == "PixelData":
                    out["PixelData"].is_undefined_length = element.is_undefined_length
        return out

    def _value(self, element: DataElement, ds: Dataset) -> Any:
        """What stays of a value: an empty one where the attribute may, and None where not even that."""
        keyword = element.keyword
        if keyword in profile.DATA:
            return element.value
        if keyword in profile.NUMBERS:
            return element.value if element.value is not None and _is_number(element.value) else ""
        if keyword in profile.REMAPPED_UIDS:
            return self._identity.uid(text(ds, keyword)) if text(ds, keyword) else ""
        if keyword in profile.STANDARD_UIDS:
            return element.value if UID(element.value).name != element.value else ""
        if keyword in profile.SEQUENCES:
            return [self.kept(item) for item in element.value or ()]
        if keyword in profile.CODES:
            return [code for item in element.value or () if (code := known_code(item))]
        return self._text(keyword, ds)

    def _text(self, keyword: str, ds: Dataset) -> Any:
        if keyword in profile.PSEUDONYMS:
            return self._identity.patient(self._patient)
        if keyword in profile.DATES:
            return self._date(text(ds, keyword))
        if keyword in profile.TERMS:
            return _only(value_of(ds, keyword, ""), profile.TERMS[keyword])
        if keyword == "PatientAge":
            return _age(text(ds, keyword))
        if keyword in profile.PATTERNS:
            values = _listed(value_of(ds, keyword, ""))
            return values if all(profile.PATTERNS[keyword].fullmatch(value) for value in values) else ""
        if keyword not in profile.EMPTIED:
            return None
        return [] if keyword.endswith("Sequence") else ""

    def _date(self, value: str) -> str:
        """A date or date and time (`YYYYMMDDHHMMSS…`) moved by this patient's days; the time of day stays."""
        day, rest = (value[:10], value[10:]) if "." in value[:8] else (value[:8], value[8:])
        moved = self._identity.shifted(day, self._patient)
        zone_free = rest.replace("+", "").replace("-", "").replace(".", "")
        return moved + rest if moved and (not rest or zone_free.isdecimal()) and len(rest) <= 18 else moved


def _element(ds: Dataset, tag: Any) -> DataElement | None:
    try:
        element: DataElement = ds[tag]
        return element
    except Exception:
        # pydicom converts on access and raises whatever foreign bytes make it raise; what cannot be read cannot stay.
        return None


def _listed(value: Any) -> list[str]:
    values = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    return [str(item).strip(" \x00") for item in values]


def _only(value: Any, terms: frozenset[str]) -> Any:
    values = _listed(value)
    if len(values) == 1:
        return values[0] if values[0] in terms else ""
    # The place of a value has a meaning of its own (ImageType): an unknown one leaves its place empty.
    return [item if item in terms else "" for item in values]


def _age(value: str) -> str:
    if not profile.PATTERNS["PatientAge"].fullmatch(value):
        return ""
    # The oldest are few enough to be found by their age.
    return "090Y" if value.endswith("Y") and int(value[:3]) > OLDEST_TOLD else value


def _is_number(value: Any) -> bool:
    values = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    if any(isinstance(item, bytes | bytearray) for item in values):
        return False
    return all(
        isinstance(item, int | float) and (abs(item) < LARGEST_NUMBER or not hasattr(item, "original_string"))
        for item in values
    )
