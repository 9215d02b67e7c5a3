"""How the audit service has every other service erase what it keeps of one patient.

Each of imaging, notes, vitals, diagnosis and ehr answers, to the role `service` only:

- `POST /internal/<service>/erasures` `ErasureOrder` -> `ErasureReceipt`: erase, or, where this order was carried out
before, say again what it found. 503: not everything is gone yet; the order is sent again.
- `POST /internal/<service>/erasures/unknown` `ErasureIds` -> `ErasureIds`: which of these orders its database does not
  know, as after a restored backup.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.contracts.base import Wire

ErasureId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]


class ErasureOrder(Wire):
    """Erase one patient's data."""

    id: ErasureId
    subject_ref: str = Field(pattern=r"^pat-[0-9a-f]{32}$")
    """The patient's pseudonym."""
    patient: str | None = None
    """The identifier itself. Nobody knows it any more when an erasure is carried out again: the service then looks
    which of its patients has this pseudonym."""


class ErasureReceipt(Wire):
    """What one service has erased: how many of which store, and nothing of what they held."""

    service: str
    stores: dict[str, int]


class ErasureIds(Wire):
    """Orders by their ids."""

    ids: list[ErasureId] = Field(max_length=100_000)
