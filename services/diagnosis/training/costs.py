"""What each stage of a recipe is expected to cost, so that progress can speak of the whole run."""

from __future__ import annotations

from services.diagnosis.training.recipe import Recipe

SECONDS = {
    "case": 0.05,
    "image": 0.45,
    "note": 0.34,
    "vitals": 0.40,
    "tabular": 0.02,
    "encoding": 0.006,
    "fusion": 0.09,
    "joint": 2.0,
    "baselines": 0.17,
    "rest": 0.01,
}
"""Rough: per case, per step of 64 cases, per case encoded, per step of the fusion and of the joint stage, per case
decided; the baselines as a share of all before them. Only ratios matter: the run's own pace turns them into minutes."""


def expected_costs(recipe: Recipe) -> dict[str, float]:
    """Stage title -> expected seconds."""
    steps = max(1, recipe.train // recipe.batch_size)
    cases = {"train": recipe.train, "calibration": recipe.calibration, "test": recipe.test}
    epochs = {
        "image": recipe.image_epochs,
        "note": recipe.note_epochs,
        "vitals": recipe.vitals_epochs,
        "tabular": recipe.tabular_epochs,
    }
    encoded = sum(cases.values()) + (recipe.variants - 1) * recipe.train
    members, fusion_steps = recipe.model.fusion.members, max(1, recipe.train // recipe.fusion_batch_size)
    costs = {f"{name} cases": SECONDS["case"] * count for name, count in cases.items()}
    costs["encoders"] = steps * sum(SECONDS[name] * count for name, count in epochs.items())
    costs["tokens"] = SECONDS["encoding"] * encoded
    costs["fusion ensemble"] = SECONDS["fusion"] * members * recipe.fusion_epochs * fusion_steps
    if recipe.joint_epochs:
        costs["joint finetuning"] = SECONDS["joint"] * recipe.joint_epochs * steps
    if recipe.baseline_epochs:
        costs["baselines"] = SECONDS["baselines"] * sum(costs.values())
    costs["calibration and evaluation"] = SECONDS["rest"] * sum(cases.values())
    return costs
