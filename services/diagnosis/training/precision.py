"""Which precision a device can train in, looked at before anything is drawn or built."""

from __future__ import annotations

import torch

from services.diagnosis.training.errors import PrecisionUnavailable


def require_precision(precision: str, device: str) -> None:
    """Raises: PrecisionUnavailable: half precision needs loss scaling, which only GPUs have."""
    if precision == "16-mixed" and is_cpu(device):
        raise PrecisionUnavailable(precision, "the processor")


def is_cpu(device: str) -> bool:
    """Whether a session with this choice of device runs on the processor."""
    return device == "cpu" or not torch.cuda.is_available()
