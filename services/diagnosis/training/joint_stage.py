"""The joint stage: encoders and fusion learn together, under every pattern that a case's modalities allow.

L = L(S) + mean over two sampled subsets S' of L(S') + 0.3 * sum over modalities of L(modality alone)
    + 0.1 * KL(p_S ‖ p_S') + 0.1 * max(0, L(S) - L(S')) + 0.1 * contrast,
each the mean over the ensemble's members. The encoders run once per batch; only the fusion is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.diagnosis.model.config import TASKS
from services.diagnosis.model.fusion import Fused, FusionMember
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.model.tasks import split_tasks, task_probabilities
from services.diagnosis.training.balance import BALANCES, BalanceName
from services.diagnosis.training.joint_data import JointData
from services.diagnosis.training.loop import Losses, Objective, Plan, Session, optimise
from services.diagnosis.training.subsets import sample_subsets
from services.diagnosis.training.task_losses import divergence, task_losses


@dataclass(frozen=True)
class JointWeights:
    """Of the terms beside the loss on all that is there and on sampled subsets of it."""

    subsets: int = 2
    unimodal: float = 0.3
    consistency: float = 0.1
    hinge: float = 0.1
    contrast: float = 0.1


@dataclass(frozen=True)
class JointPlan:
    """The numbers of the joint stage. Its rate is low: it refines what the stages before it have learned."""

    epochs: int = 2
    batch_size: int = 64
    learning_rate: float = 3e-4
    weight_decay: float = 0.02
    ema_share: float = 0.05
    balance: BalanceName = "mmpareto"
    weights: JointWeights = field(default_factory=JointWeights)

    def plan(self) -> Plan:
        return Plan(
            "joint", self.epochs, self.batch_size, self.learning_rate, self.weight_decay, ema_share=self.ema_share
        )


@dataclass
class JointBatch:
    """What a contrastive term may look at."""

    tokens: Tensor
    """[batch, modalities, tokens, dim]; zeros where absent."""
    pooled: Tensor
    """[batch, modalities, dim]"""
    available: Tensor
    """[batch, modalities] bool"""
    targets: Mapping[str, Tensor]
    rows: NDArray[np.int64]
    """Which cases they are: two rows of one patient-episode are positives of one another."""


Contrast = Callable[[JointBatch], Tensor]
"""InfoNCE over pairs of modalities, or any other term on the encodings; a module's parameters are trained along."""


class JointObjective(Objective):
    """The network under its whole loss."""

    def __init__(
        self,
        network: ConsiliumNetwork,
        data: JointData,
        weights: JointWeights,
        *,
        seed: int,
        contrast: Contrast | None = None,
    ) -> None:
        super().__init__()
        self.network, self.data, self.weights, self.contrast = network, data, weights, contrast
        members = len(network.members())
        draw = torch.Generator().manual_seed(seed)
        # Every member sees its own resample of the cases, as in the fusion stage; Poisson(1) counts are the bootstrap
        # of a stream (Oza & Russell 2001).
        self.counts = torch.poisson(torch.ones(members, len(data)), generator=draw)

    @property
    def cases(self) -> int:
        return len(self.data)

    def encoder_parameters(self) -> Mapping[str, list[nn.Parameter]]:
        return {
            name: [parameter for parameter in self.network.encoder(name).parameters() if parameter.requires_grad]
            for name in MODALITIES
        }

    def forward(self, rows: NDArray[np.int64], epoch: int, rng: torch.Generator) -> Losses:
        batch = self._encode(rows, rng)
        masks = [batch.available.cpu()]
        masks += [sample_subsets(masks[0], rng) for _ in range(self.weights.subsets)]
        asked = torch.cat(masks).to(batch.tokens.device)
        counts = self.counts[:, torch.from_numpy(rows)].to(batch.tokens.device)
        answers = [
            _member_terms(m, batch, asked, w, self.weights) for m, w in zip(self._members(), counts, strict=True)
        ]
        terms = {key: torch.stack([answer[key] for answer in answers]).mean() for key in answers[0]}
        if self.contrast is not None:
            terms["contrast"] = self.weights.contrast * self.contrast(batch)
        unimodal = {name: terms[f"alone-{name}"] for name in MODALITIES if f"alone-{name}" in terms}
        scores = {name: terms.pop(f"score-{name}").detach() for name in unimodal}
        total = torch.stack(list(terms.values())).sum()
        return Losses(total, {key: value.detach() for key, value in terms.items()}, unimodal, scores)

    def _encode(self, rows: NDArray[np.int64], rng: torch.Generator) -> JointBatch:
        """Each encoder sees the cases that have its modality; absent ones are zeros that the mask hides."""
        chosen, config = torch.from_numpy(rows), self.network.config
        device = next(self.network.parameters()).device
        available = self.data.available[chosen]
        tokens = torch.zeros(len(rows), len(MODALITIES), config.tokens, config.dim, device=device)
        pooled = torch.zeros(len(rows), len(MODALITIES), config.dim, device=device)
        for index, name in enumerate(MODALITIES):
            present = available[:, index]
            if bool(present.any()):
                inputs = self.data.batch(name, rows[present.numpy()], rng)
                encoded = self.network.encoder(name)({key: value.to(device) for key, value in inputs.items()})
                place = present.nonzero()[:, 0].to(device), torch.tensor(index, device=device)
                tokens = tokens.index_put(place, encoded.tokens.to(tokens.dtype))
                pooled = pooled.index_put(place, encoded.pooled.to(pooled.dtype))
        targets = {name: value[chosen].to(device) for name, value in self.data.targets.items()}
        return JointBatch(tokens, pooled, available.to(device), targets, rows)


def _member_terms(
    member: FusionMember, batch: JointBatch, asked: Tensor, counts: Tensor, weights: JointWeights
) -> dict[str, Tensor]:
    """The weighted terms of one member's loss, and the scores of its heads.

    Args:
        asked: [(1 + subsets) * batch, modalities], what is there first.
        counts: [batch], how often each case is in the member's sample.
    """
    n, repeats = len(counts), 1 + weights.subsets
    fused: Fused = member(batch.tokens.repeat(repeats, 1, 1, 1), batch.pooled.repeat(repeats, 1, 1), asked)
    targets = {name: torch.cat([value] * repeats) for name, value in batch.targets.items()}
    losses = task_losses(TASKS, fused.logits, targets).view(repeats, n)
    terms = {"observed": _mean(losses[0], counts)}
    if weights.subsets:
        whole, parts = fused.logits[:n].repeat(weights.subsets, 1), fused.logits[n:]
        agreed = divergence(TASKS, whole, parts).view(weights.subsets, n).mean(0)
        # The subset's loss is taken as given: it must not rise to make room for the whole.
        excess = (losses[:1] - losses[1:].detach()).relu().mean(0)
        terms["subsets"] = _mean(losses[1:].mean(0), counts)
        terms["consistency"] = weights.consistency * _mean(agreed, counts)
        terms["hinge"] = weights.hinge * _mean(excess, counts)
    return {**terms, **_unimodal_terms(member, fused, batch, counts, weights.unimodal)}


def _unimodal_terms(
    member: FusionMember, fused: Fused, batch: JointBatch, counts: Tensor, weight: float
) -> dict[str, Tensor]:
    terms = {}
    for index, name in enumerate(MODALITIES):
        present = counts * batch.available[:, index]
        if bool(batch.available[:, index].any()):
            logits = member.bias + fused.unimodal[: len(counts), index]
            terms[f"alone-{name}"] = weight * _mean(task_losses(TASKS, logits, batch.targets), present)
            terms[f"score-{name}"] = _mean(_truth_probability(logits, batch.targets), present)
    return terms


def _truth_probability(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """What the first task's head gives to the truth [batch]; only the ratio between modalities matters."""
    task = TASKS[0]
    probabilities = split_tasks(TASKS, task_probabilities(TASKS, logits.float()))[task.name]
    target = targets[task.name].long().clamp(min=0).view(len(logits), -1)
    return probabilities.gather(1, target)[:, 0]


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    return (values * counts).sum() / counts.sum().clamp(min=1)


def finetune_jointly(
    network: ConsiliumNetwork,
    data: JointData,
    plan: JointPlan,
    session: Session = Session(),
    *,
    seed: int,
    contrast: Contrast | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train the whole network in place. Returns: per epoch, the loss on all that is there.

    Raises: as `training.loop.optimise`.
    """
    objective = JointObjective(network, data, plan.weights, seed=seed, contrast=contrast)
    return optimise(objective, plan.plan(), session, seed=seed, balance=BALANCES[plan.balance](), on_step=on_step)
