"""Which modalities there are. A new one is a line here and the file that it names (docs/how-to/add-a-modality.md)."""

from __future__ import annotations

ENCODERS = {
    "image": "services.diagnosis.model.image_encoder",
    "note": "services.diagnosis.model.note_encoder",
    "vitals": "services.diagnosis.model.vitals_encoder",
    "tabular": "services.diagnosis.model.tabular_encoder",
}
"""Modality -> module with `build(ModelConfig) -> Encoder`; named, not imported, because some are slow to import.

The order is that of every per-modality axis: append, never insert.
"""
