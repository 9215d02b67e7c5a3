"""What the best possible model reaches on the ward, for every subset of the modalities.

`python -m services.diagnosis.ward.achievable --patients 200000` prints the table of docs/explanation/the-ward.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from services.diagnosis.ward.information import Estimate
from services.diagnosis.ward.model import Array, WardModel
from services.diagnosis.ward.oracle import PATTERNS, deterioration_given, evidence, pattern_key, severity_given
from services.diagnosis.ward.population import Population
from services.diagnosis.ward.sampling import Codes, Draws, sample_many
from services.diagnosis.ward.tables import WARD

BATCHES = 20
"""Standard errors come from the spread over so many equal parts of the patients."""
NOBODY = "age and sex alone"


@dataclass(frozen=True)
class Achievable:
    """The oracle's figures for one subset of the modalities."""

    accuracy: Estimate
    macro_auroc: Estimate
    """Each diagnosis against the rest, unweighted mean."""
    brier: Estimate
    """Σ over the diagnoses of (p - 1[y])²."""
    log_loss: Estimate
    """In nats."""
    deterioration_auroc: Estimate
    moderate_auroc: Estimate
    """Of a severity that is at least moderate."""
    severe_auroc: Estimate


def best_achievable(
    model: WardModel = WARD, population: Population | None = None, *, n: int = 200_000, seed: int = 0
) -> dict[str, Achievable]:
    """Accuracy, AUROC, Brier and log loss of the oracle, by pattern, and of age and sex alone (`NOBODY`).

    Monte Carlo over n drawn patients, each number with its standard error; nothing is rendered.
    """
    rng, people = np.random.default_rng(seed), population or Population()
    parts = [_figures(model, sample_many(model, people, n // BATCHES, rng)) for _ in range(BATCHES)]
    by_key = {key: [part[key] for part in parts] for key in parts[0]}
    return {key: Achievable(*(_mean(list(figure)) for figure in zip(*own, strict=True))) for key, own in by_key.items()}


def _figures(model: WardModel, draws: Draws) -> dict[str, tuple[float, ...]]:
    seen = evidence(model, draws.values, draws.persons)
    figures: dict[str, tuple[float, ...]] = {}
    for pattern in ((), *PATTERNS):
        posterior = seen.posterior(pattern)
        worsens = (posterior * deterioration_given(model, draws.values, pattern)).sum(axis=1)
        levels = np.einsum("nd,ndl->nl", posterior, severity_given(model, draws.values, pattern))
        figures[pattern_key(pattern) or NOBODY] = (
            *_of_labels(posterior, draws.labels),
            auroc(worsens, draws.deterioration),
            *(auroc(levels[:, level:].sum(axis=1), draws.severity >= level) for level in (1, 2)),
        )
    return figures


def _of_labels(posterior: Array, labels: Codes) -> tuple[float, float, float, float]:
    came = np.eye(posterior.shape[1])[labels]
    return (
        float((posterior.argmax(axis=1) == labels).mean()),
        float(np.mean([auroc(posterior[:, y], labels == y) for y in range(posterior.shape[1])])),
        float(((posterior - came) ** 2).sum(axis=1).mean()),
        float(-np.log(posterior[np.arange(len(labels)), labels]).mean()),
    )


def auroc(stated: Array, came: NDArray[np.bool_]) -> float:
    """Area under the ROC curve by ranks, ties halved (Hanley & McNeil 1982)."""
    positive, negative = int(came.sum()), int((~came).sum())
    return float((rankdata(stated)[came].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _mean(parts: list[float]) -> Estimate:
    return Estimate(float(np.mean(parts)), float(np.std(parts, ddof=1) / np.sqrt(len(parts))))


def table(achievable: dict[str, Achievable]) -> str:
    """As Markdown, each number with its standard error in parentheses."""
    lines = [
        "| pattern | accuracy | macro AUROC | Brier | log loss | deterioration AUROC | moderate AUROC | severe AUROC |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for key, figures in achievable.items():
        cells = [f"{figure.value:.3f} ({figure.error:.4f})" for figure in vars(figures).values()]
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What the best possible model reaches on the ward.")
    parser.add_argument("--patients", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(table(best_achievable(n=arguments.patients, seed=arguments.seed)))


if __name__ == "__main__":
    main()
