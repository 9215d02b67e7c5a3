"""What a bundle holds, as values, and how they are written to and read from its files. Never pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.bundle.errors import BundleUnreadable, NotABundle
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.joint import JointContents, read_joint
from services.diagnosis.bundle.keys import PublicKey, local_key, read_private_key
from services.diagnosis.bundle.layout import (
    CARD,
    CARD_TEXT,
    DECISIONS,
    LICENCE,
    MANIFEST,
    METADATA,
    MODEL_CONFIG,
    PREPROCESSING,
    REFERENCE,
    STATISTICS,
    TOKENIZER,
    TRAINING,
    WEIGHTS,
)
from services.diagnosis.bundle.manifest import write_manifest
from services.diagnosis.bundle.parts import (
    Arrays,
    Part,
    array_groups,
    as_arrays,
    as_json,
    one_array,
    put_together,
    take_apart,
)
from services.diagnosis.bundle.verification import sign_bundle, verify_bundle
from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.inference.conformal import ConformalTable
from services.diagnosis.inference.next_best import EntropyDrops
from services.diagnosis.inference.ood import OodReference
from services.diagnosis.inference.thresholds import Thresholds
from services.diagnosis.inference.uncertainty import IntervalScale
from services.diagnosis.inference.venn_abers import VennAbers
from services.diagnosis.inference.verdicts import VerdictTable
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.preprocessing import tabular
from services.diagnosis.model.preprocessing.tabular import TabularScale
from services.diagnosis.model.preprocessing.vitals import CODES, VitalsScale
from services.diagnosis.model.preprocessing.word_order import WordOrder
from shared.codes import Coding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from torch import Tensor

LICENCE_TEXT = Path(__file__).parent / "apache-2.0.txt"


@dataclass(frozen=True)
class ReferenceCases:
    """Training cases to compare with: unit vectors [cases, modalities, dim], their labels and names."""

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]

    def split(self) -> tuple[dict[str, Any], Arrays]:
        """(JSON, arrays); half precision is enough for a cosine."""
        return {"names": self.names, "labels": self.labels.tolist()}, {"vectors": self.vectors.astype(np.float16)}

    @classmethod
    def join(cls, value: Mapping[str, Any], arrays: Arrays) -> ReferenceCases:
        """The inverse of `split`."""
        vectors = arrays["vectors"].astype(np.float32)
        return cls(vectors, np.array(value["labels"], np.int64), tuple(value["names"]))


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
    verdicts: VerdictTable
    intervals: IntervalScale
    thresholds: Thresholds
    drops: EntropyDrops
    """What each absent modality is expected to add."""
    prevalence: tuple[float, ...]
    """Of each logit's event in the training split; the value of the empty set of modalities."""
    ood: Mapping[str, OodReference]
    word_order: WordOrder
    """What follows what in the training notes."""
    image_baseline: NDArray[np.float32]
    """[cells, dim]: the mean feature grid, from which image attributions start."""
    reference: ReferenceCases
    training: Mapping[str, Any]
    """Seed, splits, data digests, and the origin and licence of every part."""
    card: Mapping[str, Any]
    licence: str | None = None
    """The text of its licence; None: that of the code, Apache-2.0."""
    joint: JointContents | None = None
    """None: the bundle answers no question of similarity."""
    venn_abers: VennAbers | None = None
    """None: made before there were such intervals."""

    @property
    def labels(self) -> tuple[Coding, ...]:
        """The diagnoses that it tells apart, in the order of its classes."""
        return self.config.labels


PARTS = (
    as_json("config", MODEL_CONFIG, ModelConfig.to_json, ModelConfig.from_json),
    as_json("scale", PREPROCESSING, asdict, VitalsScale.from_json),
    as_json("facts_scale", PREPROCESSING, asdict, TabularScale.from_json),
    as_json("calibrator", DECISIONS, Calibrator.to_json, Calibrator.from_json),
    as_json("conformal", DECISIONS, ConformalTable.to_json, ConformalTable.from_json),
    as_json("verdicts", DECISIONS, VerdictTable.to_json, VerdictTable.from_json),
    as_json("intervals", DECISIONS, IntervalScale.to_json, IntervalScale.from_json),
    as_json("thresholds", DECISIONS, Thresholds.to_json, Thresholds.from_json),
    as_json("drops", DECISIONS, EntropyDrops.to_json, EntropyDrops.from_json),
    as_json("prevalence", DECISIONS, list, tuple),
    array_groups("ood", OodReference.to_arrays, OodReference.from_arrays),
    as_arrays("word_order", WordOrder.to_arrays, WordOrder.from_arrays),
    one_array("image_baseline", np.float32),
    Part("reference", REFERENCE, ReferenceCases.split, ReferenceCases.join),
    as_arrays("venn_abers", VennAbers.to_arrays, VennAbers.from_arrays, optional=True),
)
"""A new part is a field above and a line here. Weights, tokenizer, training record and card have files of their own."""


class Companion(Protocol):
    """What lies in a bundle, under its digest, and is not read with it: the baselines that it is compared with."""

    def save(self, directory: Path) -> None:
        """Write files of the kinds that a bundle may hold, below `configs` or `models`."""


def write_bundle(
    directory: Path,
    contents: BundleContents,
    *,
    name: str,
    version: str,
    companions: Sequence[Companion] = (),
    key: EllipticCurvePrivateKey | None = None,
) -> BundleIdentity:
    """Write all files, the manifest and the signature; the bundle that lay in the directory before is gone.

    Args: key: signs it; default: this user's own key, which is made when there is none.
    Raises: NotABundle: the directory holds something else; SigningKeyUnusable.
    """
    from safetensors.numpy import save_file as save_arrays
    from safetensors.torch import save_file as save_tensors

    key = key or read_private_key(local_key())
    make_room(directory)
    documents, arrays = take_apart(PARTS, contents)
    documents[MODEL_CONFIG] |= _vocabulary()
    weights = {key: tensor.contiguous() for key, tensor in contents.weights.items()}
    save_tensors(weights, directory / WEIGHTS)
    save_arrays(arrays, directory / STATISTICS)
    for file, value in documents.items():
        _write_json(directory / file, value)
    (directory / TOKENIZER).write_text(contents.tokenizer, encoding="utf-8")
    _describe(directory, contents, name, version)
    if contents.joint is not None:
        contents.joint.save(directory)
    for companion in companions:
        companion.save(directory)
    for path in directory.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    write_manifest(directory, name=name, version=version)
    return sign_bundle(directory, key)


def check_room(directory: Path) -> None:
    """Nothing but a bundle is ever replaced by a bundle.

    Raises: NotABundle: something else is there.
    """
    taken = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
    if taken and not (directory / MANIFEST).is_file():
        raise NotABundle(f"{directory} holds something else than a bundle; name an empty or a new directory.")


def make_room(directory: Path) -> None:
    """The bundle's empty folders; the bundle that lay there is gone.

    Raises: NotABundle.
    """
    check_room(directory)
    if directory.exists():
        shutil.rmtree(directory)
    for folder in ("configs", "docs", "models"):
        (directory / folder).mkdir(parents=True, exist_ok=True)


def read_bundle(directory: Path, keys: Sequence[PublicKey] | None = None) -> tuple[BundleIdentity, BundleContents]:
    """Verify every digest and the signature, then read.

    Args: keys: whose signature counts; default: the keys trusted here.
    Raises: BundleMissing, BundleTampered, BundleUnsigned, BundleSignatureInvalid, BundleKeyUntrusted, BundleUnreadable.
    """
    identity = verify_bundle(directory, keys).identity
    try:
        return identity, _read(directory)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise BundleUnreadable(f"{identity.name} {identity.version} does not fit this code: {error}.") from error


def _describe(directory: Path, contents: BundleContents, name: str, version: str) -> None:
    """What is for people and for other programs: card, training record, MONAI's metadata, licence."""
    from services.diagnosis.bundle.card import card_markdown
    from services.diagnosis.bundle.metadata import monai_metadata

    _write_json(directory / TRAINING, dict(contents.training))
    _write_json(directory / CARD, dict(contents.card))
    (directory / CARD_TEXT).write_text(card_markdown(contents.card), encoding="utf-8")
    _write_json(directory / METADATA, monai_metadata(contents.config, contents.card, name=name, version=version))
    text = LICENCE_TEXT.read_text(encoding="utf-8") if contents.licence is None else contents.licence
    (directory / LICENCE).write_text(text, encoding="utf-8")


def _read(directory: Path) -> BundleContents:
    from safetensors.numpy import load_file as load_arrays
    from safetensors.torch import load_file as load_tensors

    documents = {part.file: _read_json(directory / part.file) for part in PARTS if part.file is not None}
    _check_vocabulary(documents[MODEL_CONFIG])
    return BundleContents(
        **put_together(PARTS, documents, load_arrays(directory / STATISTICS)),
        weights=load_tensors(directory / WEIGHTS),
        tokenizer=(directory / TOKENIZER).read_text(encoding="utf-8"),
        training=_read_json(directory / TRAINING),
        card=_read_json(directory / CARD),
        licence=(directory / LICENCE).read_text(encoding="utf-8"),
        joint=read_joint(directory),
    )


def _vocabulary() -> dict[str, Any]:
    return {
        "modalities": list(MODALITIES),
        "vitals": list(CODES),
        "facts": list(tabular.CODES),
    }


def _check_vocabulary(config: Mapping[str, Any]) -> None:
    """A bundle of other modalities or variables would be read wrong without a word; labels are its own."""
    for key, value in _vocabulary().items():
        if config[key] != value:
            raise ValueError(f"{key} of the bundle differ from this code's")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
