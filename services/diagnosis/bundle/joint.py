"""The joint space of a bundle: its weights, the reference cases in it, and films that similarities are oriented by.

It lies in files of its own. A bundle without them diagnoses all the same, and answers no question of similarity; a
trained bundle gets a space in minutes, and not one weight of its diagnosis changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

ARRAYS, DOCUMENT = "models/joint.safetensors", "configs/joint.json"
CASE = "case"
"""The kind of a vector that stands for all modalities of a case together."""


@dataclass(frozen=True)
class References:
    """Reference cases in the space, one vector per kind."""

    kinds: tuple[str, ...]
    """`case`, then the modalities."""
    vectors: NDArray[np.float32]
    """[cases, kinds, width], unit vectors."""
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    """Index into `shared.codes.DIAGNOSES`."""

    def of(self, kind: str) -> NDArray[np.float32]:
        """[cases, width]. Raises: ValueError: there is no such kind."""
        return self.vectors[:, self.kinds.index(kind)]


@dataclass(frozen=True)
class JointContents:
    """Everything that an answer of similarity depends on beside the encoders."""

    config: Mapping[str, Any]
    """`JointConfig` as JSON: this module is read where torch is not."""
    weights: Mapping[str, Tensor]
    references: References
    films: NDArray[np.float32]
    """[films, width]: calibration films, which say what similarities to a phrase are usual."""
    record: Mapping[str, Any]
    """How it was trained, and what it was measured to do."""

    def save(self, directory: Path) -> None:
        """Write its two files."""
        from safetensors.torch import save_file
        from torch import from_numpy

        arrays = {f"space.{key}": tensor.contiguous() for key, tensor in self.weights.items()}
        arrays["references"] = from_numpy(self.references.vectors.astype(np.float16))
        arrays["films"] = from_numpy(self.films.astype(np.float16))
        save_file(arrays, directory / ARRAYS)
        document = {
            "config": dict(self.config),
            "kinds": list(self.references.kinds),
            "names": list(self.references.names),
            "labels": self.references.labels.tolist(),
            "record": dict(self.record),
        }
        (directory / DOCUMENT).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_joint(directory: Path) -> JointContents | None:
    """What `save` wrote; None: the bundle has no joint space. Raises: KeyError, ValueError: it is broken."""
    if not (directory / DOCUMENT).exists():
        return None
    from safetensors.torch import load_file

    document = json.loads((directory / DOCUMENT).read_text(encoding="utf-8"))
    arrays = load_file(directory / ARRAYS)
    return JointContents(
        config=document["config"],
        weights={key.removeprefix("space."): value for key, value in arrays.items() if key.startswith("space.")},
        references=References(
            tuple(document["kinds"]),
            _unit(arrays["references"].numpy()),
            tuple(document["names"]),
            np.array(document["labels"], np.int64),
        ),
        films=_unit(arrays["films"].numpy()),
        record=document["record"],
    )


def _unit(stored: NDArray[Any]) -> NDArray[np.float32]:
    """Half precision leaves the length a little off 1."""
    wide = stored.astype(np.float32)
    return np.asarray(wide / np.linalg.norm(wide, axis=-1, keepdims=True), np.float32)
