"""Every dimension of the network in one frozen value, which a bundle stores as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from services.diagnosis.model.modalities import TaskSpec
from shared.codes import DIAGNOSES, FACTS, VITAL_SIGNS

TASKS = (TaskSpec("diagnosis", "multiclass", len(DIAGNOSES)), TaskSpec("deterioration24h", "binary", 1))


@dataclass(frozen=True)
class ImageConfig:
    """DenseNet of two blocks; the feature grid is side / 8."""

    side: int = 128
    init_features: int = 16
    growth_rate: int = 8
    block_config: tuple[int, ...] = (3, 6)
    groups: int = 4


@dataclass(frozen=True)
class NoteConfig:
    """A small BERT over overlapping windows."""

    vocab_size: int = 2000
    window: int = 192
    overlap: int = 48
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    intermediate: int = 128


@dataclass(frozen=True)
class VitalsConfig:
    """Latent-query attention over (time, variable, value) triplets."""

    variables: int = len(VITAL_SIGNS)
    queries: int = 16
    heads: int = 4
    half_lives_h: tuple[float, ...] = (1.0, 6.0, 24.0, 96.0)
    """Recency scales that the queries start from, in turn."""
    frequencies: int = 6


@dataclass(frozen=True)
class TabularConfig:
    """One embedding for each known fact: age, sex, laboratory values."""

    variables: int = len(FACTS)
    hidden: int = 64


@dataclass(frozen=True)
class FusionConfig:
    """Heads, gate and trunk; `members` independent copies make the ensemble.

    `mode`: `hybrid` is the whole of it; `late` the sum of the heads, `early` the trunk over all tokens alone.
    """

    mode: str = "hybrid"

    members: int = 5
    latents: int = 6
    blocks: int = 2
    heads: int = 4
    hidden: int = 96
    rank: int = 24
    """Of the products of two modalities: what is true of neither alone."""
    dropout: float = 0.1


@dataclass(frozen=True)
class ModelConfig:
    """The whole network. `dim` is the width of every token that leaves an encoder."""

    dim: int = 64
    tokens: int = 8
    image: ImageConfig = field(default_factory=ImageConfig)
    note: NoteConfig = field(default_factory=NoteConfig)
    vitals: VitalsConfig = field(default_factory=VitalsConfig)
    tabular: TabularConfig = field(default_factory=TabularConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ModelConfig:
        """The inverse of `to_json`.

        Raises: ValueError: a key that this code does not know, or one that is missing.
        """
        parts: dict[str, Any] = {
            "image": ImageConfig,
            "note": NoteConfig,
            "vitals": VitalsConfig,
            "tabular": TabularConfig,
            "fusion": FusionConfig,
        }
        built = {name: _build(parts[name], item) if name in parts else item for name, item in value.items()}
        config: ModelConfig = _build(cls, built)
        return config


def _build(kind: Any, value: dict[str, Any]) -> Any:
    expected = {item.name for item in fields(kind)}
    if set(value) != expected:
        raise ValueError(f"{kind.__name__}: keys {sorted(set(value) ^ expected)} are unknown or missing")
    return kind(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})


def count_logits() -> int:
    """Logits of all tasks together: the width of every head."""
    return sum(task.logits for task in TASKS)
