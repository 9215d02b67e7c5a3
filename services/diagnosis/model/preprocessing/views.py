"""Which way a radiograph was taken, as far as its header says."""

from __future__ import annotations

VIEWS = ("unknown", "PA", "AP", "lateral")
"""Index -> view. The order is part of every trained encoder: append only."""
UNKNOWN = 0


def view_index(position: str | None) -> int:
    """The index of DICOM's View Position (0018,5101), or of what a dataset writes in its place (`AP Supine`)."""
    words = (position or "").upper().replace("-", " ").replace("_", " ").split()
    if not words:
        return UNKNOWN
    if words[0] in {"PA", "AP"}:
        return VIEWS.index(words[0])
    return VIEWS.index("lateral") if words[0] in {"LATERAL", "LL", "RL", "LLD", "RLD", "L"} else UNKNOWN
