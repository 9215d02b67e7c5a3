"""The joint space, trained on what frozen encoders say: minutes, and no prediction changes by it.

Three losses. Modalities of the same patient attract each other (InfoNCE over every pair, and each against the rest of
its patient; other patients with the same diagnosis are no true negatives and are left out). Phrases and films agree or
not (sigmoid loss after SigLIP, arXiv 2303.15343, because one phrase is true of many films), as a whole and where the
phrase looks. Whole captions find their film (InfoNCE; films of which the caption is true as well are left out).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.bundle.joint import CASE, Films, JointContents, References
from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.joint import JointConfig, JointSpace, combine
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.preprocessing.phrases import tokenize
from services.diagnosis.training.pretrain import count_batches, shuffled_batches
from services.diagnosis.ward.captions import WORDS, Claim, Film, all_claims, describe, film_of, holds, word
from services.diagnosis.ward.chance import WIDTH, Chance

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from services.diagnosis.model.network import ConsiliumNetwork
    from services.diagnosis.training.cohort import Cohort
    from services.diagnosis.training.stages import Feeds


@dataclass(frozen=True)
class Alignment:
    """How long, how fast, and what counts how much."""

    epochs: int = 24
    batch_size: int = 96
    learning_rate: float = 2e-3
    modality_weight: float = 1.0
    caption_weight: float = 1.0
    phrase_weight: float = 4.0
    mask_weight: float = 1.0
    """Of the masks of the ward; 0: phrases find their cells without being shown any."""


@dataclass(frozen=True)
class Pairs:
    """What frozen encoders say of cases, and what is true of their films."""

    encoded: Mapping[str, Encoded]
    cells: Tensor
    """[n, cells, dim] of the image encoder's positions."""
    labels: Tensor
    films: tuple[Film, ...]
    masks: Tensor
    """[n, findings, cells] of `captions.WORDS`: whether the finding shows in the cell."""
    truth: NDArray[np.bool_]
    """[n, claims] of `captions.all_claims()`."""

    @classmethod
    def of(cls, cohort: Cohort, encoded: Mapping[str, Encoded], cells: Tensor) -> Pairs:
        """Args: cells: positions of the image encoder, in the cohort's order."""
        films = tuple(film_of(record.findings, record.masks) for record in cohort.records)
        masks = torch.zeros(len(cohort), len(WORDS), cells.shape[1], dtype=torch.bool)
        for row, record in enumerate(cohort.records):
            for column, name in enumerate(WORDS):
                if name in record.masks:
                    masks[row, column] = torch.from_numpy(record.masks[name].ravel() > _A_FIFTH)
        truth = np.array([[holds(claim, film) for claim in all_claims()] for film in films])
        return cls(encoded, cells, torch.from_numpy(cohort.labels), films, masks, truth)

    def __len__(self) -> int:
        return len(self.films)


MOST_FILMS = 100
"""Calibration films that a bundle brings; a percentile is then good to one in a hundred."""
_A_FIFTH = 51
"""Of 255: a cell counts that a finding covers by a fifth."""


def align(
    config: JointConfig,
    pairs: Pairs,
    tokenizer: Tokenizer,
    plan: Alignment,
    *,
    seed: int,
    on_step: Callable[[], None] = lambda: None,
) -> tuple[JointSpace, list[float]]:
    """Train a space. Returns: it, and the loss per epoch. The same seed gives the same space."""
    torch.manual_seed(seed)
    rng, dice = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    space = JointSpace(config)
    optimizer = torch.optim.AdamW(space.parameters(), lr=plan.learning_rate, weight_decay=0.05)
    steps = plan.epochs * count_batches(len(pairs), plan.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, total_steps=steps, pct_start=0.15)
    history = []
    for _ in range(plan.epochs):
        losses = []
        for rows in shuffled_batches(len(pairs), plan.batch_size, rng):
            loss = _step_loss(space, pairs, rows, tokenizer, plan, dice)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(space.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            on_step()
        history.append(float(np.mean(losses)))
    return space.eval(), history


def _step_loss(
    space: JointSpace,
    pairs: Pairs,
    rows: NDArray[np.int64],
    tokenizer: Tokenizer,
    plan: Alignment,
    dice: np.random.Generator,
) -> Tensor:
    chosen = torch.from_numpy(rows)
    vectors = {
        name: space.embed(name, Encoded(item.tokens[chosen], item.pooled[chosen]))
        for name, item in pairs.encoded.items()
    }
    cells = space.embed_cells(pairs.cells[chosen].float())
    read = _Reader(space, tokenizer)
    loss = plan.modality_weight * modality_loss(space, vectors, pairs.labels[chosen])
    loss = loss + plan.caption_weight * _caption_loss(space, pairs, rows, vectors["image"], read, dice)
    return loss + _phrase_loss(space, pairs, rows, vectors["image"], cells, read, plan, dice)


@dataclass(frozen=True)
class _Reader:
    space: JointSpace
    tokenizer: Tokenizer

    def __call__(self, texts: Sequence[str]) -> Tensor:
        return self.space.embed_phrases(*tokenize(texts, self.tokenizer, self.space.config.longest))


# --- losses -------------------------------------------------------------------------------------------------------


def contrast(first: Tensor, second: Tensor, scale: Tensor, unknown: Tensor) -> Tensor:
    """InfoNCE in both directions between rows that belong together.

    Args:
        first, second: [n, width], unit vectors.
        unknown: [n, n], True where a pair is neither known to match nor known not to; left out.
    """
    scores = first @ second.T * scale
    own = torch.eye(len(first), dtype=torch.bool)
    scores = scores.masked_fill(unknown & ~own, torch.finfo(scores.dtype).min)
    target = torch.arange(len(first))
    return (functional.cross_entropy(scores, target) + functional.cross_entropy(scores.T, target)) / 2


def modality_loss(space: JointSpace, vectors: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """Every pair of modalities, and each modality against the rest of its patient."""
    same, scale = labels[:, None] == labels[None], space.log_scale.exp()
    names = list(vectors)
    losses = [
        contrast(vectors[first], vectors[second], scale, same)
        for index, first in enumerate(names)
        for second in names[index + 1 :]
    ]
    if len(names) > 2:
        for name in names:
            rest = combine(torch.stack([vectors[other] for other in names if other != name], dim=1))
            losses.append(contrast(vectors[name], rest, scale, same))
    return torch.stack(losses).mean()


def _caption_loss(
    space: JointSpace, pairs: Pairs, rows: NDArray[np.int64], films: Tensor, read: _Reader, dice: np.random.Generator
) -> Tensor:
    reports = [describe(pairs.films[row], Chance(dice.random(WIDTH).tolist())) for row in rows]
    captions = read([". ".join(statement.text for statement in report) for report in reports])
    also = torch.from_numpy(
        np.array([pairs.truth[rows][:, [_CLAIM[s.claim] for s in report]].all(1) for report in reports])
    )  # [captions, films]: the caption is true of this film
    return contrast(captions, films, space.log_scale.exp(), also)


def _phrase_loss(
    space: JointSpace,
    pairs: Pairs,
    rows: NDArray[np.int64],
    films: Tensor,
    cells: Tensor,
    read: _Reader,
    plan: Alignment,
    dice: np.random.Generator,
) -> Tensor:
    picked = dice.integers(len(_CLAIMS), size=len(rows))
    claims = [_CLAIMS[index] for index in picked]
    phrases = read([word(claim, Chance(dice.random(WIDTH).tolist())).text for claim in claims])
    agrees = torch.from_numpy(pairs.truth[rows][:, picked].T)  # [phrases, films]
    loss = plan.phrase_weight * agreement_loss(space.logits(phrases @ films.T), agrees)
    affirmed = torch.tensor([claim.present for claim in claims])
    looked, by_cell = space.look(phrases[affirmed], cells)
    loss = loss + plan.phrase_weight * agreement_loss(space.logits(looked), agrees[affirmed])
    if plan.mask_weight:
        masks = pairs.masks[torch.from_numpy(rows)][:, _finding_of(claims, affirmed)].transpose(0, 1)
        loss = loss + plan.mask_weight * _mask_loss(space, by_cell, masks & agrees[affirmed][..., None])
    return loss


def agreement_loss(logits: Tensor, agrees: Tensor) -> Tensor:
    """Binary cross-entropy in which a phrase's true films weigh as much as all its false ones."""
    weights = torch.where(agrees, 0.5 / agrees.sum(1, keepdim=True), 0.5 / (~agrees).sum(1, keepdim=True).clamp(min=1))
    each = functional.binary_cross_entropy_with_logits(logits, agrees.float(), reduction="none")
    return (each * weights.nan_to_num(0.0, posinf=0.0)).sum(1).mean()


def _mask_loss(space: JointSpace, by_cell: Tensor, masks: Tensor) -> Tensor:
    """Cells [phrases, films, cells] where the phrase's finding shows, against all others."""
    return agreement_loss(space.logits(by_cell.flatten(1)), masks.flatten(1))


def _finding_of(claims: Sequence[Claim], affirmed: Tensor) -> Tensor:
    names = list(WORDS)
    return torch.tensor([names.index(c.finding) for c, kept in zip(claims, affirmed, strict=True) if kept])


_CLAIMS = all_claims()
_CLAIM = {claim: index for index, claim in enumerate(_CLAIMS)}


# --- a space for a bundle -----------------------------------------------------------------------------------------


def fit_joint(
    network: ConsiliumNetwork,
    tokenizer: Tokenizer,
    train: Split,
    held_out: Split,
    *,
    references: int,
    seed: int,
    plan: Alignment | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> JointContents:
    """Align on the training split; references come from it too, and the films that orient from the held-out one."""
    plan = plan or Alignment()
    config = JointConfig(MODALITIES, network.config.dim, network.config.tokens, tokenizer.get_vocab_size())
    pairs = Pairs.of(train.cohort, train.encoded, film_cells(network, train.feeds, len(train.cohort)))
    space, history = align(config, pairs, tokenizer, plan, seed=seed, on_step=on_step)
    return JointContents(
        config=config.to_json(),
        weights={key: value.detach().clone() for key, value in space.state_dict().items()},
        references=_references(space, train, references),
        films=_films(network, space, held_out),
        record={
            "plan": asdict(plan),
            "seed": seed,
            "cases": len(pairs),
            "loss": history,
            "caseRetrieval": case_retrieval(space, held_out.encoded, held_out.cohort.labels),
        },
    )


@dataclass(frozen=True)
class Split:
    """One split, its batches and its encodings."""

    cohort: Cohort
    feeds: Feeds
    encoded: Mapping[str, Encoded]


def film_cells(network: ConsiliumNetwork, feeds: Feeds, n: int, *, size: int = 50) -> Tensor:
    """[n, cells, dim] in half precision: what the image encoder says of every place of every film."""
    encoder = network.encoder("image")
    with torch.no_grad():
        parts = [
            encoder.positions(feeds.image(np.arange(start, min(n, start + size)))).features.half()
            for start in range(0, n, size)
        ]
    return torch.cat(parts)


def case_retrieval(
    space: JointSpace, encoded: Mapping[str, Encoded], labels: NDArray[np.int64], k: int = 5
) -> dict[str, float]:
    """Of the k nearest cases of a split, the share with the same diagnosis: in the space, by the mean cosine of the
    encoders' own pooled vectors, and by chance.
    """
    with torch.no_grad():
        joint = combine(torch.stack([space.embed(name, item) for name, item in encoded.items()], dim=1))
        pooled = [functional.normalize(item.pooled, dim=-1) for item in encoded.values()]
        scores = {
            "joint": joint @ joint.T,
            "pooled": torch.stack([vectors @ vectors.T for vectors in pooled]).mean(0),
        }
    same = labels[:, None] == labels[None]
    found: dict[str, float] = {"n": len(labels), "k": k}
    for name, score in scores.items():
        nearest = score.fill_diagonal_(float("-inf")).topk(min(k, len(labels) - 1)).indices.numpy()
        found[name] = float(np.take_along_axis(same, nearest, 1).mean())
    others = len(labels) - 1
    found["chance"] = float(((same.sum(1) - 1) / others).mean())
    return found


def _films(network: ConsiliumNetwork, space: JointSpace, split: Split) -> Films:
    """The first films of a split in the space."""
    n = min(MOST_FILMS, len(split.cohort))
    with torch.no_grad():
        vectors = space.embed("image", split.encoded["image"])[:n]
        cells = space.embed_cells(film_cells(network, split.feeds, n).float())
    return Films(vectors.numpy(), cells.numpy())


def _references(space: JointSpace, split: Split, count: int) -> References:
    """About `count` cases, the diagnoses evenly among them: each modality's vector and the case's."""
    labels = split.cohort.labels
    classes = np.unique(labels)
    rows = np.concatenate([np.flatnonzero(labels == k)[: max(1, count // len(classes))] for k in classes])
    with torch.no_grad():
        own = torch.stack([space.embed(name, split.encoded[name])[rows] for name in MODALITIES], dim=1)
        vectors = torch.cat([combine(own)[:, None], own], dim=1)  # [cases, kinds, width]
    names = tuple(split.cohort.records[row].name for row in rows)
    return References((CASE, *MODALITIES), vectors.numpy(), names, labels[rows])
