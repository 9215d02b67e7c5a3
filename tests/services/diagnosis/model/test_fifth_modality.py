"""A fifth modality is one file and one line: the steps of docs/how-to/add-a-modality.md, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # trains a whole ensemble, if a tiny one

SCRIPT = """
import json
from datetime import datetime, UTC
import numpy as np
from services.diagnosis.model import registry

registry.ENCODERS["ecg"] = "tests.support.ecg_encoder"  # the one line

import torch
from tests.support.ecg_encoder import prepare
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.model.network import ConsiliumNetwork, stack

torch.manual_seed(0)
network = ConsiliumNetwork(ModelConfig())
rng = np.random.default_rng(0)
traces = [np.sin(np.arange(1000) / 100 * 2 * np.pi * rate).astype(np.float32) for rate in (1.0, 1.6)]
inputs = {"trace": torch.cat([prepare(traces[i % 2])[0]["trace"] for i in range(16)])}
facts = {"values": torch.zeros(16, 10), "mask": torch.ones(16, 10, dtype=torch.bool)}
labels = torch.arange(16) % 2
available = torch.zeros(16, len(MODALITIES), dtype=torch.bool)
available[:, MODALITIES.index("ecg")] = available[:, MODALITIES.index("tabular")] = True
optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
losses = []
for _ in range(30):
    logits = network.fuse(network.encode({"ecg": inputs, "tabular": facts}), available).mean(0)[:, :8]
    loss = torch.nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
network.eval()
with torch.no_grad():
    encoded = network.encode({"ecg": {"trace": inputs["trace"][:1]}})
    alone = torch.tensor([mask_of("ecg")])
    member = network.members()[0]
    ecg, (_, pooled) = MODALITIES.index("ecg"), stack(encoded, 1, network.config)
    head = member.bias + member.heads[ecg](pooled[:, ecg]) + member.priors(pooled)[:, ecg]
    fused = network.fuse(encoded, alone)[0]
print(json.dumps({
    "modalities": MODALITIES,
    "patterns": len(PATTERNS),
    "encoded": sorted(encoded),
    "first": losses[0],
    "last": losses[-1],
    "alone": float((head - fused).abs().max()),
    "refused": prepare(np.zeros(10, np.float32))[3],
}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_it_is_the_last_of_five_with_all_patterns(found: dict[str, object]) -> None:
    assert found["modalities"] == ["image", "note", "vitals", "tabular", "ecg"]
    assert found["patterns"] == 2**5 - 1


def test_it_runs_alone_and_is_then_its_own_head(found: dict[str, object]) -> None:
    assert found["encoded"] == ["ecg"]
    assert float(str(found["alone"])) < 1e-6


def test_it_learns_with_the_rest(found: dict[str, object]) -> None:
    assert float(str(found["last"])) < 0.2 < float(str(found["first"]))


def test_its_own_rules_refuse_an_input(found: dict[str, object]) -> None:
    assert found["refused"] == "less than a second of ECG"
