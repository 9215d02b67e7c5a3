"""The command: five splits, three parts, a table and JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.diagnosis.training.physionet.members import Plan, fit_encoder
from services.diagnosis.training.physionet.stays import Stay, read_stays
from services.diagnosis.training.physionet.summaries import fit_boosted, fit_linear, summarise

PARTS = ("encoder", "boosted", "linear")
MEANS = {"encoder+boosted": ("encoder", "boosted"), "encoder+boosted+linear": PARTS}


def run_split(stays: Sequence[Stay], seed: int, plan: Plan) -> dict[str, dict[str, float]]:
    """Part or mean -> AUROC, AUPRC, Brier score and seconds of one split."""
    from scipy.special import expit
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
    from sklearn.model_selection import train_test_split

    died = np.array([stay.died for stay in stays])
    train, test = train_test_split(np.arange(len(stays)), test_size=0.2, stratify=died, random_state=seed)
    tables = np.stack([summarise(stay) for stay in stays])
    chosen = [stays[i] for i in train], [stays[i] for i in test]
    answers, seconds = {}, {}
    for name in PARTS:
        started = time.process_time()
        if name == "encoder":
            answers[name] = fit_encoder(*chosen, plan, seed)
        elif name == "boosted":
            answers[name] = fit_boosted(tables[train], died[train], tables[test], seed)
        else:
            answers[name] = fit_linear(tables[train], died[train], tables[test])
        seconds[name] = time.process_time() - started
    answers |= {name: np.mean([answers[part] for part in parts], axis=0) for name, parts in MEANS.items()}
    return {
        name: {
            "auroc": float(roc_auc_score(died[test], answer)),
            "auprc": float(average_precision_score(died[test], answer)),
            "brier": float(brier_score_loss(died[test], expit(answer))),
            **({"cpu_s": round(seconds[name], 1)} if name in seconds else {}),
        }
        for name, answer in answers.items()
    }


def compare(splits: Sequence[Mapping[str, Mapping[str, float]]], baseline: str = "boosted") -> dict[str, Any]:
    """Mean and deviation over the splits, and of the paired difference to the baseline with its 95 % half-width (t)."""
    from scipy.stats import t

    out: dict[str, Any] = {}
    width = float(t.ppf(0.975, len(splits) - 1)) / len(splits) ** 0.5 if len(splits) > 1 else 0.0
    for name in splits[0]:
        own = np.array([split[name]["auroc"] for split in splits])
        gain = own - np.array([split[baseline]["auroc"] for split in splits])
        spread = [float(x.std(ddof=1)) if len(x) > 1 else 0.0 for x in (own, gain)]
        out[name] = {
            "auroc": float(own.mean()), "auroc_sd": spread[0], "gain": float(gain.mean()), "gain_sd": spread[1],
            "gain_ci": width * spread[1], "wins": int((gain > 0).sum()),
            **{key: float(np.mean([split[name][key] for split in splits])) for key in ("auprc", "brier")},
        }  # fmt: skip
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare, print a table and, with --out, write JSON."""
    parser = argparse.ArgumentParser(prog="python -m services.diagnosis.training.physionet")
    parser.add_argument("--path", type=Path, required=True, help="records.csv.gz and outcomes.csv, or set-a/ …")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--members", type=int, default=Plan.members)
    parser.add_argument("--epochs", type=int, default=Plan.epochs)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    stays, plan = read_stays(asked.path), Plan(members=asked.members, epochs=asked.epochs)
    splits = []
    for seed in range(asked.seeds):
        splits.append(run_split(stays, seed, plan))
        _say(f"seed {seed}: " + ", ".join(f"{name} {figures['auroc']:.4f}" for name, figures in splits[-1].items()))
        result = {"n": len(stays), "splits": splits, "mean": compare(splits), "members": plan.members}
        if asked.out:
            asked.out.write_text(json.dumps(result, indent=1))
    for name, row in compare(splits).items():
        _say(
            f"{name:24} {row['auroc']:.4f} ± {row['auroc_sd']:.4f}  gain {row['gain']:+.4f} ± {row['gain_ci']:.4f} "
            f"({row['wins']} wins)  AUPRC {row['auprc']:.4f}  Brier {row['brier']:.4f}"
        )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
