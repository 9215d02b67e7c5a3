"""Datasets by name. A reader is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import cast

from services.diagnosis.datasets.base import Dataset, DatasetError, Place


@dataclass(frozen=True)
class Reader:
    """Where the class of a dataset is, and whether it reads files."""

    module: str
    attribute: str
    needs_path: bool = True

    def load(self) -> Callable[..., Dataset]:
        module = import_module(f"services.diagnosis.datasets.{self.module}")
        return cast(Callable[..., Dataset], getattr(module, self.attribute))


READERS = {
    "ward": Reader("ward", "Ward", needs_path=False),
    "cxr-cohort": Reader("cxr_cohort", "CxrCohort"),
    "physionet-2012": Reader("physionet2012", "PhysioNet2012"),
    "open-i": Reader("open_i", "OpenI"),
    "mimic": Reader("mimic", "open_mimic"),
    "hospital": Reader("hospital", "open_hospital"),
}


def open_dataset(name: str, path: Path | None = None, **options: object) -> Dataset:
    """A dataset, not yet checked.

    Args:
        path: its folder; the ward has none.
        options: the reader's own, such as `seed` of the ward or `note` of the cohort.
    Raises: DatasetError: an unknown name or option, no path where one is needed, or what the reader says of its files.
    """
    asked = Place(Path(name))
    if name not in READERS:
        raise DatasetError(asked, "There is no dataset of this name.", f"Use one of {', '.join(READERS)}.")
    reader = READERS[name]
    if reader.needs_path and path is None:
        raise DatasetError(asked, "The dataset is read from a folder.", "Say where it is with --path.")
    if not reader.needs_path and path is not None:
        raise DatasetError(asked, "The dataset is made, not read.", "Leave out --path.")
    if path is not None and not path.is_dir():
        raise DatasetError(Place(path), "There is no such folder.", "Correct --path.")
    build = reader.load()
    known = [option for option in signature(build).parameters if option != "path"]
    if unknown := [option for option in options if option not in known]:
        fix = f"It takes {', '.join(known)}." if known else "It takes none."
        raise DatasetError(asked, f"The dataset has no option {', '.join(unknown)}.", fix)
    return build(**options) if path is None else build(path, **options)
