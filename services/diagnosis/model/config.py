"""Every dimension of the network in one frozen value, which a bundle stores as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from services.diagnosis.model.modalities import DETERIORATION, DIAGNOSIS, SEVERITY, TaskSpec
from shared.codes import DIAGNOSES, FACTS, SEVERITIES, VITAL_SIGNS, Coding


def tasks_of(classes: int, *, deterioration: bool, severity: bool) -> tuple[TaskSpec, ...]:
    """The questions about so many diagnoses, with or without the two others, in the order of the logits."""
    worse = (TaskSpec(DETERIORATION, "binary", 1),) if deterioration else ()
    grave = (TaskSpec(SEVERITY, "ordinal", len(SEVERITIES) - 1),) if severity else ()
    return (TaskSpec(DIAGNOSIS, "multiclass", classes), *worse, *grave)


TASKS = tasks_of(len(DIAGNOSES), deterioration=True, severity=True)
"""Of the demo; `ModelConfig.tasks` are those of a bundle."""


@dataclass(frozen=True)
class ImageConfig:
    """A DenseNet or a ViT over squares of `side` pixels; the other backbone's numbers lie idle."""

    side: int = 128
    backbone: Literal["densenet", "vit"] = "densenet"
    init_features: int = 16
    growth_rate: int = 8
    block_config: tuple[int, ...] = (3, 6)
    groups: int = 4
    patch: int = 16
    hidden: int = 192
    layers: int = 4
    heads: int = 4
    intermediate: int = 768

    def __post_init__(self) -> None:
        """Raises: ValueError: no such backbone, or a side that its grid does not divide."""
        if self.backbone not in ("densenet", "vit"):
            raise ValueError(f"no image backbone {self.backbone!r}: densenet or vit")
        if self.side % self.stride:
            raise ValueError(f"a side of {self.side} pixels is no multiple of the {self.stride} pixels of a grid cell")

    @property
    def stride(self) -> int:
        """Pixels of a grid cell's side: a patch, or what stem (4) and transitions (2 each) leave of the DenseNet."""
        return self.patch if self.backbone == "vit" else int(2 ** (1 + len(self.block_config)))

    @property
    def grid(self) -> int:
        """Cells of the grid's side."""
        return self.side // self.stride


@dataclass(frozen=True)
class NoteConfig:
    """A transformer over overlapping windows: a small BERT from scratch, or the architecture of a pretrained one."""

    vocab_size: int = 2000
    window: int = 256
    overlap: int = 48
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    intermediate: int = 128
    pretrained: str | None = None
    """Directory or installed package that training takes weights and tokenizer from; see `text_files`."""
    transformer: dict[str, Any] | None = None
    """The pretrained encoder's own configuration, which then counts instead of `layers`, `heads`, `intermediate`."""
    mask_id: int = 4
    """Word piece `[MASK]`; the special pieces come first in a vocabulary of ours (training.vocabulary)."""
    special_ids: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Pieces that are no words."""


@dataclass(frozen=True)
class VitalsConfig:
    """Recency attention over (time, variable, value) triplets."""

    kind: str = "latent"
    """"latent": streaming sums; "dense": a transformer over all readings, for offline use."""
    variables: int = len(VITAL_SIGNS)
    width: int = 64
    """Of a reading's embedding."""
    values: int = 32
    """Numbers that a slot gathers, over its heads together."""
    queries: int = 8
    heads: int = 4
    sign_heads: int = 2
    half_lives_h: tuple[float, ...] = (0.5, 1.5, 4.0, 10.0, 24.0, 72.0)
    """Recency scales: each sign is summarised at every one, the queries start from them in turn."""
    harmonics: int = 2
    """Of the day: 24 h, 12 h, …"""
    layers: int = 2
    """Of the dense kind."""
    dropout: float = 0.0
    running_bins: int = 0
    """Quantile bins of each running summary of each sign (`vitals_running`); 0: no summaries are kept. Latent kind."""
    running_width: int = 64
    """Of the branch that reads them."""
    running_dropout: float = 0.5
    """Inside that branch."""


NO_SUMMARIES = {"running_bins": 0, "running_width": 64, "running_dropout": 0.5}
"""What a bundle says that was made before they were there."""


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
    prior_scale: float = 0.5
    """Of the untrained opinion that stands beside each head, another in every member; 0: there is none."""


NO_PRIORS = {"prior_scale": 0.0}
"""What a bundle says that was made before they were there."""


@dataclass(frozen=True)
class ModelConfig:
    """The whole network. `dim` is the width of every token that leaves an encoder."""

    dim: int = 64
    tokens: int = 8
    labels: tuple[Coding, ...] = DIAGNOSES
    """The diagnoses that the bundle tells apart, in the order of its classes."""
    deterioration: bool = True
    """Whether it is asked for the risk of deterioration too."""
    severity: bool = True
    """Whether it is asked for the severity of the acute illness too."""
    image: ImageConfig = field(default_factory=ImageConfig)
    note: NoteConfig = field(default_factory=NoteConfig)
    vitals: VitalsConfig = field(default_factory=VitalsConfig)
    tabular: TabularConfig = field(default_factory=TabularConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    @property
    def tasks(self) -> tuple[TaskSpec, ...]:
        """The questions that every head answers, in the order of its logits."""
        return tasks_of(len(self.labels), deterioration=self.deterioration, severity=self.severity)

    @property
    def logits(self) -> int:
        """Logits of all tasks together: the width of every head."""
        return sum(task.logits for task in self.tasks)

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
        if "vitals" in value:  # bundles made before there were running summaries have none
            value = {**value, "vitals": {**NO_SUMMARIES, **value["vitals"]}}
        if "fusion" in value:
            value = {**value, "fusion": {**NO_PRIORS, **value["fusion"]}}
        built = {name: _build(parts[name], item) if name in parts else item for name, item in value.items()}
        # Bundles made before labels were their own have the demo's.
        built["labels"] = tuple(Coding(**coding) for coding in built["labels"]) if "labels" in built else DIAGNOSES
        built.setdefault("deterioration", True)
        built.setdefault("severity", False)
        config: ModelConfig = _build(cls, built)
        return config


def _build(kind: Any, value: dict[str, Any]) -> Any:
    expected = {item.name for item in fields(kind)}
    if set(value) != expected:
        raise ValueError(f"{kind.__name__}: keys {sorted(set(value) ^ expected)} are unknown or missing")
    return kind(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})
