"""Files of a directory that somebody may be working in."""

from __future__ import annotations

import os
from pathlib import Path


def files_below(directory: Path) -> list[Path]:
    """All files of a directory, whatever vanishes while it is read (`Path.rglob` fails on a directory that does)."""
    found = (Path(parent, name) for parent, _, names in os.walk(directory) for name in names)
    return sorted(path for path in found if path.is_file())
