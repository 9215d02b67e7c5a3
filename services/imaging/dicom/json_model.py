"""The DICOM JSON model (PS3.18 annex F) as far as this service speaks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

BULK_BYTES = 1024
DICOM_JSON = "application/dicom+json"
# Curves, overlays and pixel data, of any repeating group, are retrieved and not listed.
BULK_GROUPS = ("50", "60", "7FE0")


def header_json(ds: Dataset) -> dict[str, Any]:
    """All elements but bulk data. A value that JSON or its VR cannot hold is left out; the file keeps it."""
    listed = Dataset()
    listed.file_meta = ds.file_meta
    for tag in list(ds.keys()):  # iterating a Dataset itself would convert every element
        if not f"{tag:08X}".startswith(BULK_GROUPS):
            listed[tag] = ds.get_item(tag)
    model: dict[str, Any] = listed.to_json_dict(
        bulk_data_threshold=BULK_BYTES, bulk_data_element_handler=lambda _: "", suppress_invalid_tags=True
    )
    return _without_bulk(model)


def _without_bulk(model: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for tag, body in model.items():
        if body.get("vr") == "SQ" and "Value" in body:
            kept[tag] = {**body, "Value": [_without_bulk(item or {}) for item in body["Value"]]}
        elif "BulkDataURI" not in body and all(map(_is_json, body.get("Value", ()))):
            kept[tag] = body
    return kept


def _is_json(value: Any) -> bool:
    """JSON has no infinite numbers and none that are not one (RFC 8259 section 6); FL and FD have."""
    return not isinstance(value, float) or isfinite(value)


def tag_of(name: str) -> str | None:
    """`0020000D` for a keyword or for eight hexadecimal digits; None for anything else."""
    if len(name) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in name):
        return name.upper()
    tag = tag_for_keyword(name)
    return None if tag is None else f"{tag:08X}"


def element(keyword: str, *values: Any) -> dict[str, Any]:
    """`{tag: {"vr": …, "Value": […]}}` of one keyword; without values, the element is empty."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no DICOM keyword")
    body: dict[str, Any] = {"vr": dictionary_VR(tag)}
    return {f"{tag:08X}": {**body, "Value": list(values)} if values else body}


def pick(header: Mapping[str, Any], keywords: Iterable[str]) -> dict[str, Any]:
    """The elements of these keywords; what the header lacks is listed empty."""
    picked: dict[str, Any] = {}
    for keyword in keywords:
        empty = element(keyword)
        tag = next(iter(empty))
        picked[tag] = header.get(tag, empty[tag])
    return picked


def first_value(header: Mapping[str, Any], keyword: str) -> str:
    """The first value of an element as text, empty where there is none."""
    values: Sequence[Any] = header.get(tag_of(keyword) or "", {}).get("Value", [])
    value = values[0] if values else ""
    return str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value)
