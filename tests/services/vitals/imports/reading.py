"""Reads a file's bytes as an import does, without a service: what would be stored, what would be told."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.vitals.checks import LineRefused
from services.vitals.domain import Sample
from services.vitals.imports import formats
from services.vitals.imports.detection import HEAD_BYTES, Format, detect
from services.vitals.imports.formats import Beside
from services.vitals.imports.items import Checked, Ignored, Refused
from services.vitals.lines import check_sample

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)


@dataclass
class Found:
    """What is in a file."""

    form: Format
    samples: list[Sample] = field(default_factory=list)
    rejects: list[tuple[str, str]] = field(default_factory=list)
    """Place and field."""
    ignored: int = 0

    @property
    def values(self) -> list[tuple[str, float]]:
        """Codes and values."""
        return [(sample.code, sample.value) for sample in self.samples]

    @property
    def fields(self) -> list[str]:
        """Fields at fault."""
        return [name for _, name in self.rejects]


def form_of(content: bytes) -> Format | None:
    """What the door takes a file for."""
    return detect(content[:HEAD_BYTES], whole=len(content) <= HEAD_BYTES)


def read_file(content: bytes, *, zone: str = "UTC", patient: str = "P-1", most: int = 2**40) -> Found:
    """All that is in a file of a known format."""
    form = form_of(content)
    assert form is not None
    found = Found(form)
    for item in formats.read(io.BytesIO(content), form, Beside(patient, zone, NOW), most):
        if isinstance(item, Ignored):
            found.ignored += 1
        elif isinstance(item, Checked):
            found.samples.append(item.sample)
        elif isinstance(item, Refused):
            assert item.problem.fix
            found.rejects.append((item.place, item.problem.field))
        else:
            _check(found, item.place, {"patient": patient, **item.document})
    return found


def _check(found: Found, place: str, document: dict[str, Any]) -> None:
    try:
        found.samples.append(check_sample(document, NOW))
    except LineRefused as refused:
        found.rejects.append((place, refused.problem.field))
