"""The forms that an export of the log can have. Each proves by itself that its entries are in the signed log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from services.audit.usecases.exports import Proven

Form = Literal["ndjson", "csv", "parquet"]


@dataclass(frozen=True)
class Head:
    """What an export begins with: what was asked for, and the signed checkpoint that its proofs lead to."""

    manifest: dict[str, Any]
    checkpoint: str


Write = Callable[[Head, Iterator[Proven]], Iterator[bytes]]
"""Makes the export, a piece at a time."""
