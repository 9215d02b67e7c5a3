"""Values out of data sets whose writers may have got anything wrong."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset


def value_of(ds: Dataset, keyword: str, absent: Any = None) -> Any:
    """The value of an element; `absent` where it is missing, empty or unreadable."""
    try:
        value = ds.get(keyword)
    except Exception:
        # pydicom converts on access and raises whatever its converters meet in foreign bytes: no list is complete.
        return absent
    return absent if value is None or value == "" else value


def text(ds: Dataset, keyword: str) -> str:
    """One text value without its padding; empty where it is absent, repeated or unreadable."""
    value = value_of(ds, keyword)
    if value is None or isinstance(value, (bytes, list)):
        return ""
    return str(value).replace("\x00", "").strip()
