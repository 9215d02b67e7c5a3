"""What a bundle holds, as values, and how they are written to and read from its files. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.bundle.errors import BundleUnreadable
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.manifest import verify_manifest, write_manifest
from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.inference.conformal import ConformalTable
from services.diagnosis.inference.ood import OodReference
from services.diagnosis.inference.thresholds import Thresholds
from services.diagnosis.inference.uncertainty import IntervalScale
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.preprocessing import tabular
from services.diagnosis.model.preprocessing.tabular import TabularScale
from services.diagnosis.model.preprocessing.vitals import CODES, VitalsScale
from shared.codes import Coding

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ReferenceCases:
    """Training cases to compare with: unit vectors [cases, modalities, dim], their labels and names."""

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class BundleContents:
    """Everything that a prediction depends on, and the card that tells what it is worth."""

    config: ModelConfig
    weights: Mapping[str, Tensor]
    tokenizer: str
    """The tokenizer's own JSON."""
    scale: VitalsScale
    facts_scale: TabularScale
    calibrator: Calibrator
    conformal: ConformalTable
    intervals: IntervalScale
    thresholds: Thresholds
    prevalence: tuple[float, ...]
    """Of each logit's event in the training split; the value of the empty set of modalities."""
    ood: Mapping[str, OodReference]
    image_baseline: NDArray[np.float32]
    """[cells, dim]: the mean feature grid, from which image attributions start."""
    reference: ReferenceCases
    training: Mapping[str, Any]
    """Seed, splits and data digest."""
    card: Mapping[str, Any]

    @property
    def labels(self) -> tuple[Coding, ...]:
        """The diagnoses that it tells apart, in the order of its classes."""
        return self.config.labels


class Companion(Protocol):
    """What lies in a bundle, under its digest, and is not read with it: the baselines that it is compared with."""

    def save(self, directory: Path) -> None:
        """Write files of the types that a bundle may hold."""


def write_bundle(
    directory: Path, contents: BundleContents, *, name: str, version: str, companions: Sequence[Companion] = ()
) -> BundleIdentity:
    """Write all files and the manifest; what lay in the directory before is gone."""
    from safetensors.numpy import save_file as save_arrays
    from safetensors.torch import save_file as save_tensors

    from services.diagnosis.bundle.card import card_markdown

    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        old.unlink()
    weights = {key: tensor.contiguous() for key, tensor in contents.weights.items()}
    save_tensors(weights, directory / "weights.safetensors")
    save_arrays(_arrays(contents), directory / "statistics.safetensors")
    for file, value in _documents(contents).items():
        (directory / file).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (directory / "tokenizer.json").write_text(contents.tokenizer, encoding="utf-8")
    (directory / "model-card.md").write_text(card_markdown(contents.card), encoding="utf-8")
    for companion in companions:
        companion.save(directory)
    for path in directory.iterdir():
        path.chmod(0o644)
    return write_manifest(directory, name=name, version=version)


def read_bundle(directory: Path) -> tuple[BundleIdentity, BundleContents]:
    """Verify every digest, then read.

    Raises: BundleMissing, BundleTampered, BundleUnreadable.
    """
    identity = verify_manifest(directory)
    try:
        return identity, _read(directory)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise BundleUnreadable(f"{identity.name} {identity.version} does not fit this code: {error}.") from error


def _documents(contents: BundleContents) -> dict[str, Any]:
    config = {
        "model": contents.config.to_json(),
        "modalities": list(MODALITIES),
        "tasks": [asdict(task) for task in contents.config.tasks],
        "labels": [asdict(coding) for coding in contents.labels],
        "vitals": list(CODES),
        "facts": list(tabular.CODES),
    }
    decisions = {
        "calibration": contents.calibrator.to_json(),
        "conformal": contents.conformal.to_json(),
        "intervals": contents.intervals.to_json(),
        "thresholds": contents.thresholds.to_json(),
        "prevalence": list(contents.prevalence),
    }
    return {
        "config.json": config,
        "preprocessing.json": {"vitalsScale": asdict(contents.scale), "factsScale": asdict(contents.facts_scale)},
        "decisions.json": decisions,
        "reference.json": {"names": contents.reference.names, "labels": contents.reference.labels.tolist()},
        "training.json": dict(contents.training),
        "model-card.json": dict(contents.card),
    }


def _arrays(contents: BundleContents) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        f"ood.{name}.{key}": value
        for name, reference in contents.ood.items()
        for key, value in reference.to_arrays().items()
    }
    arrays["reference.vectors"] = contents.reference.vectors.astype(np.float16)
    arrays["image_baseline"] = contents.image_baseline.astype(np.float32)
    return arrays


def _read(directory: Path) -> BundleContents:
    from safetensors.numpy import load_file as load_arrays
    from safetensors.torch import load_file as load_tensors

    config, decisions = _json(directory / "config.json"), _json(directory / "decisions.json")
    _check_vocabulary(config)
    arrays, reference = load_arrays(directory / "statistics.safetensors"), _json(directory / "reference.json")
    vectors = arrays["reference.vectors"].astype(np.float32)
    preprocessing = _json(directory / "preprocessing.json")
    return BundleContents(
        config=ModelConfig.from_json(config["model"]),
        weights=load_tensors(directory / "weights.safetensors"),
        tokenizer=(directory / "tokenizer.json").read_text(encoding="utf-8"),
        scale=VitalsScale.from_json(preprocessing["vitalsScale"]),
        facts_scale=TabularScale.from_json(preprocessing["factsScale"]),
        calibrator=Calibrator.from_json(decisions["calibration"]),
        conformal=ConformalTable.from_json(decisions["conformal"]),
        intervals=IntervalScale.from_json(decisions["intervals"]),
        thresholds=Thresholds.from_json(decisions["thresholds"]),
        prevalence=tuple(decisions["prevalence"]),
        ood={name: OodReference.from_arrays(_under(arrays, f"ood.{name}.")) for name in MODALITIES},
        image_baseline=arrays["image_baseline"],
        reference=ReferenceCases(vectors, np.array(reference["labels"], np.int64), tuple(reference["names"])),
        training=_json(directory / "training.json"),
        card=_json(directory / "model-card.json"),
    )


def _check_vocabulary(config: Mapping[str, Any]) -> None:
    """A bundle of other labels or modalities would be read wrong without a word."""
    ours = {
        "modalities": list(MODALITIES),
        "vitals": list(CODES),
        "facts": list(tabular.CODES),
    }
    for key, value in ours.items():
        if config[key] != value:
            raise ValueError(f"{key} of the bundle differ from this code's")


def _under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
