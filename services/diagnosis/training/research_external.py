"""Radiographs of another collection, asked about and never learned from: the children's.

They could teach the image encoder more than the cohort has. They do not, because every child is from one hospital with
its own apparatus and every child is under six: an encoder that learned `normal` from them would learn children.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from services.diagnosis.datasets.cxr_paediatric import CxrPaediatric
from services.diagnosis.inference.inputs import image_inputs
from services.diagnosis.inference.ood import REJECT_BELOW
from services.diagnosis.model.modalities import PATTERNS, mask_of
from services.diagnosis.model.preprocessing.image import image_statistics, letterbox
from services.diagnosis.training.assemble import Trained
from services.diagnosis.training.metrics import binomial_interval, macro_auroc, with_interval
from shared.codes import NO_ACUTE_DISEASE

NOTE = "Children under six of one hospital, image alone; adults taught the bundle. No clinical claim."
EVENT = "any pneumonia against none"


def ask_children(trained: Trained, dataset: CxrPaediatric, *, seed: int) -> dict[str, Any]:
    """How many of them are set aside as strange, and how well those without a finding are told from the others.

    The AUROC is over all of them, what would be set aside included. Raises: DatasetError.
    """
    none = trained.recipe.model.labels.index(NO_ACUTE_DISEASE)
    encoder, pattern = trained.network.encoder("image"), PATTERNS.index("image")
    strange, pneumonia, truth = [], [], []
    for case in dataset.cases():
        if "pneumonia" not in case.targets:
            continue
        square, _ = letterbox(case.inputs.images[0].pixels, trained.recipe.model.image.side)
        with torch.no_grad():
            encoded = encoder(image_inputs([square], [None]))
            logits = trained.network.fuse({"image": encoded}, torch.tensor([mask_of("image")]))
        own = trained.decisions.calibrator.probabilities(logits, torch.tensor([pattern]))[0]
        features = np.concatenate([encoded.pooled[0].numpy().astype(np.float64), image_statistics(square)])
        strange.append(trained.ood["image"].p_value(features) < REJECT_BELOW)
        pneumonia.append(1 - float(own[none]))
        truth.append(case.targets["pneumonia"])
    probabilities = np.stack([1 - np.array(pneumonia), np.array(pneumonia)], axis=1)
    auroc = with_interval(macro_auroc, probabilities, np.array(truth, np.int64), seed=seed)
    return {
        "n": len(truth),
        "rejected": binomial_interval(int(np.sum(strange)), len(truth)),
        "auroc": {EVENT: auroc},
        "note": NOTE,
    }
