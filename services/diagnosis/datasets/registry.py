"""Datasets by name. A reader is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path

from services.diagnosis.datasets.base import Dataset, DatasetError, Place


@dataclass(frozen=True)
class Reader:
    """Where the class of a dataset is, and what it takes."""

    module: str
    attribute: str
    needs_path: bool = True
    bundled: str | None = None
    """Name of the dataclass that holds some of its options."""

    def load(self) -> tuple[Callable[..., Dataset], type | None]:
        """The class of the dataset and that of its bundled options."""
        module = import_module(f"services.diagnosis.datasets.{self.module}")
        return getattr(module, self.attribute), getattr(module, self.bundled) if self.bundled else None


READERS = {
    "ward": Reader("ward", "Ward", needs_path=False),
    "cxr-cohort": Reader("cxr_cohort", "CxrCohort"),
    "cxr-paediatric": Reader("cxr_paediatric", "CxrPaediatric"),
    "physionet-2012": Reader("physionet2012", "PhysioNet2012"),
    "open-i": Reader("open_i", "OpenI"),
    "mimic": Reader("mimic", "Mimic", bundled="MimicOptions"),
    "hospital": Reader("hospital", "Hospital", bundled="HospitalOptions"),
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
    try:
        return _build(asked, reader, path, options)
    except ValueError as error:
        raise DatasetError(asked, f"An option cannot be taken: {error}.", "Correct it.") from error


def _build(asked: Place, reader: Reader, path: Path | None, options: dict[str, object]) -> Dataset:
    build, bundle = reader.load()
    bundled = _names(bundle) if bundle else []
    known = [name for name in _names(build) if name not in {"path", "options"}] + bundled
    if unknown := [name for name in options if name not in known]:
        fix = f"It takes {', '.join(known)}." if known else "It takes none."
        raise DatasetError(asked, f"The dataset has no option {', '.join(unknown)}.", fix)
    own = {name: value for name, value in options.items() if name not in bundled}
    if bundle:
        own["options"] = bundle(**{name: value for name, value in options.items() if name in bundled})
    return build(**own) if path is None else build(path, **own)


def _names(taker: Callable[..., object]) -> list[str]:
    return list(signature(taker).parameters)
