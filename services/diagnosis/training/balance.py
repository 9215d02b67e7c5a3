"""Gradient balancing: no modality is left behind because another one answers sooner.

Every encoder is pulled by the loss of its own head and by the joint loss. MMPareto (arXiv 2405.17730) adds the two
where they agree; where they conflict it takes the common descent direction of least norm (Désidéri 2012) and gives it
the norm of the plain sum. OGM (arXiv 2203.15332) is cheaper: it slows the encoders whose modality is ahead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from services.diagnosis.training.loop.objective import Losses, Objective
from services.diagnosis.training.loop.optimise import Balance
from services.diagnosis.training.loop.runtime import Runtime

BalanceName = Literal["mmpareto", "ogm", "none"]


@dataclass(frozen=True)
class Pull:
    """What becomes of the two gradients of one encoder."""

    gradient: Tensor
    """[parameters], what the optimiser gets."""
    cosine: float
    """Between the gradient of the joint loss and that of the modality alone."""
    joint_weight: float
    """1/2 without conflict; the modality's own gradient weighs the rest."""
    norms: tuple[float, float]
    """Of the joint and of the unimodal gradient."""


def pareto_pull(joint: Tensor, alone: Tensor, *, gamma: float = 1.5) -> Pull:
    """MMPareto for two gradients [parameters].

    Conflict (cosine < 0): weights (a, 1 - a) that minimise |a * joint + (1 - a) * alone|. The combination
    2 * (a * joint + (1 - a) * alone) is stretched to the norm of joint + alone where it is shorter, then by `gamma`.
    """
    norms = float(joint.norm()), float(alone.norm())
    cosine = _cosine(joint, alone, norms)
    weight = _least_norm_weight(joint, alone) if cosine < 0 else 0.5
    combined = 2 * (weight * joint + (1 - weight) * alone)
    plain, length = float((joint + alone).norm()), float(combined.norm())
    stretch = max(1.0, plain / length) if length > 0 else 1.0
    return Pull(gamma * stretch * combined, cosine, weight, norms)


def _least_norm_weight(joint: Tensor, alone: Tensor) -> float:
    """The a in [0, 1] that minimises |a * joint + (1 - a) * alone|; closed form for two vectors."""
    difference = alone - joint
    return float((difference @ alone / (difference @ difference)).clamp(0, 1))


def _cosine(one: Tensor, other: Tensor, norms: tuple[float, float]) -> float:
    product = norms[0] * norms[1]
    return float(one @ other) / product if product > 0 else 0.0


def ogm_coefficients(scores: Mapping[str, float], *, alpha: float) -> dict[str, float]:
    """1 - tanh(alpha * r) for a modality whose mean score is r > 1 times that of the others, else 1."""
    coefficients = {}
    for name, score in scores.items():
        others = [value for other, value in scores.items() if other != name]
        ratio = score / (sum(others) / len(others)) if others and sum(others) > 0 else 1.0
        coefficients[name] = 1 - math.tanh(alpha * ratio) if ratio > 1 else 1.0
    return coefficients


@dataclass(frozen=True)
class MMPareto:
    """The default. Costs one more backward pass through the encoders."""

    gamma: float = 1.5

    def __call__(self, objective: Objective, losses: Losses, runtime: Runtime, *, watch: bool) -> Mapping[str, float]:
        encoders = objective.encoder_parameters()
        alone = _unimodal_gradients(encoders, losses, runtime)
        runtime.backward(losses.total)
        told = {}
        for name, own in alone.items():
            pull = pareto_pull(_flat_gradient(encoders[name]) - own, own, gamma=self.gamma)
            _set_gradient(encoders[name], pull.gradient)
            told.update(_tell(name, pull))
        return told


@dataclass(frozen=True)
class Ogm:
    """Scales the gradient of each encoder. Adam forgets a constant factor, so that only its changes act."""

    alpha: float = 0.3

    def __call__(self, objective: Objective, losses: Losses, runtime: Runtime, *, watch: bool) -> Mapping[str, float]:
        told = dict(_watched_backward(objective, losses, runtime, watch=watch))
        scores = {name: runtime.mean(float(score)) for name, score in losses.scores.items()}
        encoders = objective.encoder_parameters()
        for name, coefficient in ogm_coefficients(scores, alpha=self.alpha).items():
            for parameter in encoders[name]:
                if parameter.grad is not None:
                    parameter.grad.mul_(coefficient)
            told[f"balance/coefficient-{name}"] = coefficient
        return told


@dataclass(frozen=True)
class Unbalanced:
    """Plain back-propagation; norms and cosines are still watched."""

    def __call__(self, objective: Objective, losses: Losses, runtime: Runtime, *, watch: bool) -> Mapping[str, float]:
        return _watched_backward(objective, losses, runtime, watch=watch)


BALANCES: Mapping[BalanceName, Callable[[], Balance]] = {"mmpareto": MMPareto, "ogm": Ogm, "none": Unbalanced}


def _watched_backward(objective: Objective, losses: Losses, runtime: Runtime, *, watch: bool) -> Mapping[str, float]:
    encoders = objective.encoder_parameters()
    alone = _unimodal_gradients(encoders, losses, runtime) if watch else {}
    runtime.backward(losses.total)
    told: dict[str, float] = {}
    for name, own in alone.items():
        joint = _flat_gradient(encoders[name]) - own
        norms = float(joint.norm()), float(own.norm())
        told.update(_tell(name, Pull(own, _cosine(joint, own, norms), 0.5, norms)))
    return told


def _unimodal_gradients(
    encoders: Mapping[str, list[nn.Parameter]], losses: Losses, runtime: Runtime
) -> dict[str, Tensor]:
    """Every process asks for every encoder, in one order, even where its own share of the batch lacks the modality."""
    found = {}
    for name, parameters in encoders.items():
        gradients = runtime.gradients(losses.unimodal.get(name), parameters)
        found[name] = torch.cat([gradient.flatten() for gradient in gradients])
    return {name: gradient for name, gradient in found.items() if bool(gradient.any())}


def _flat_gradient(parameters: Sequence[nn.Parameter]) -> Tensor:
    return torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters])


def _set_gradient(parameters: Sequence[nn.Parameter], flat: Tensor) -> None:
    parts = torch.split(flat, [parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter).clone()


def _tell(name: str, pull: Pull) -> dict[str, float]:
    return {
        f"gradient/joint-{name}": pull.norms[0],
        f"gradient/alone-{name}": pull.norms[1],
        f"gradient/cosine-{name}": pull.cosine,
        f"balance/joint-weight-{name}": pull.joint_weight,
    }
