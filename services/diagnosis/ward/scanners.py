"""How radiographs are taken: the scanners of each site, their encodings and their marks on the picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Imaging:
    """How the ward's radiographs are taken."""

    profile: str = "standard"


STANDARD_IMAGING = Imaging()
