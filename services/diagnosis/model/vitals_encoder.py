"""Vitals encoder: continuous time, no resampling, and every sum in it can be kept up to date reading by reading.

A reading is a triplet (time, variable, value), as in STraTS (arXiv 2107.14293), with past-only differences and the
hour of the day. Its embedding never depends on the time at which the case is read. A slot q then scores reading i as
s_qi + lambda_q * t_i with lambda_q > 0. What the time t of the read-out adds, -lambda_q * t, is common to all readings:
it cancels in the softmax, and only moves the weight against what does not age. So (largest score, Z, sum of weighted
values) per slot is all that has to be kept: `vitals_stream` keeps it, `PartialSums` here are it.

Two kinds of slots, each against a null key of score b_q that takes the weight where everything is old: latent queries
look at all signs at once; sign summaries look at one sign each, with a ladder of half-lives, so that level, spread,
trend and timing of every sign are there to be read. How much evidence a slot has seen,
log(1 + Z e^{-lambda_q t - b_q}), is read beside what it says.

With `VitalsConfig.running_bins`, a branch reads running summaries of each sign (`vitals_running`) as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.model.attention import AttentionBlock
from services.diagnosis.model.config import ModelConfig, VitalsConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, Standard, TokenPooler
from services.diagnosis.model.vitals_running import RunningReader, RunningSums, gather_running

READING_FEATURES = 4
"""value, change since the last reading of the variable, log of that gap, "first of its kind"."""
BySign = Callable[[Tensor, Tensor, Tensor, Tensor, int], "PartialSums"]
"""As `gather_by_sign`."""
NEVER = -1e9
"""Score of what was never seen; finite, so that differences of it are numbers."""


@dataclass(frozen=True)
class PartialSums:
    """What is kept of any number of readings, at a reference time; the weights of reading i are e^{score_i - peak}."""

    peak: Tensor
    """Largest score [..., slots, heads]; `NEVER` where there is no reading."""
    total: Tensor
    """Sum of weights [..., slots, heads]."""
    weighted: Tensor
    """Sum of weighted values [..., slots, heads, values / heads]."""

    def aged(self, hours: Tensor | float, decay: Tensor) -> PartialSums:
        """The same, `hours` later; `decay` per hour [slots, 1]."""
        return PartialSums((self.peak - decay * hours).clamp_min(NEVER), self.total, self.weighted)

    def merged(self, dim: int) -> PartialSums:
        """Over axis `dim` of parts that refer to one time."""
        peak = self.peak.amax(dim, keepdim=True)
        scale = (self.peak - peak).exp()
        total, weighted = (scale * self.total).sum(dim), (scale[..., None] * self.weighted).sum(dim)
        return PartialSums(peak.squeeze(dim), total, weighted)

    def mean(self, null: Tensor) -> Tensor:
        """Softmax average of the values beside a null key of value zero [..., slots, heads, values / heads]."""
        top = torch.maximum(self.peak, null)  # the larger of both scores keeps the exponentials in range
        scale = (self.peak - top).exp()
        share = scale / (scale * self.total + (null - top).exp())
        return share[..., None] * self.weighted

    def evidence(self, null: Tensor) -> Tensor:
        """log(1 + Z e^{peak - null}) [..., slots, heads]."""
        return functional.softplus(self.peak + self.total.clamp_min(1e-30).log() - null)


class ReadingEmbedding(nn.Module):
    """One reading alone: what it says of its sign."""

    def __init__(self, config: VitalsConfig) -> None:
        super().__init__()
        self.variables, self.harmonics = config.variables, config.harmonics
        self.hidden = nn.Linear(READING_FEATURES + 2 * config.harmonics + config.variables, config.width)
        nn.init.normal_(self.hidden.weight, 0.0, 0.7)
        nn.init.normal_(self.hidden.bias, 0.0, 0.7)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, readings: Tensor, clock_h: Tensor, variables: Tensor) -> Tensor:
        """`readings` [..., n, 4], `clock_h` [..., n] hours of the day, `variables` [..., n] -> [..., n, width]."""
        phase = clock_h[..., None] * (2 * math.pi / 24 * torch.arange(1, self.harmonics + 1).to(clock_h))
        signs = functional.one_hot(variables, self.variables).to(readings)
        hidden = functional.gelu(self.hidden(torch.cat([readings, phase.sin(), phase.cos(), signs], dim=-1)))
        embedded: Tensor = self.dropout(hidden)
        return embedded


class RecencySlots(nn.Module):
    """Slots that gather readings by content and age."""

    def __init__(self, config: VitalsConfig, slots: int, heads: int) -> None:
        super().__init__()
        self.slots, self.heads = slots, heads
        self.score = nn.Linear(config.width, slots * heads)
        self.value = nn.Linear(config.width, config.values)
        half_lives = torch.tensor([config.half_lives_h[i % len(config.half_lives_h)] for i in range(slots)])
        self.rate = nn.Parameter(torch.log(torch.expm1(math.log(2) / half_lives)))  # softplus: ln 2 / half-life
        self.null = nn.Parameter(torch.full((slots, heads), -2.0))

    @property
    def decay(self) -> Tensor:
        """Per hour [slots, 1]."""
        return functional.softplus(self.rate)[:, None]

    def forward(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """[..., n, width] -> scores [..., n, slots, heads], values [..., n, heads, values / heads]."""
        scores = self.score(embedded).unflatten(-1, (self.slots, self.heads))
        return scores, self.value(embedded).unflatten(-1, (self.heads, -1))


def gather_all(scores: Tensor, values: Tensor) -> PartialSums:
    """Over all readings: `scores` [batch, n, slots, heads], age included, `NEVER` where there is none."""
    if not scores.shape[1]:
        empty = scores.new_zeros(scores.shape[0], *scores.shape[2:])
        return PartialSums(empty + NEVER, empty, empty[..., None].expand(*empty.shape, values.shape[-1]))
    peak = scores.detach().amax(1)
    weights = (scores - peak[:, None]).exp()  # 0 of what was never seen, unless nothing was
    seen = peak > NEVER / 2
    weighted = torch.einsum("bnsh,bnhd->bshd", weights, values)
    return PartialSums(peak, weights.sum(1) * seen, weighted * seen[..., None])


def gather_by_sign(scores: Tensor, values: Tensor, variables: Tensor, mask: Tensor, count: int) -> PartialSums:
    """Over the readings of each sign alone: [batch, variables, slots, heads, ...]."""
    # Grouped by sign first: signs are measured a hundred times or twice, and padding all to the most wastes the most.
    order = variables.masked_fill(~mask, count).argsort(dim=1, stable=True)
    counts = functional.one_hot(variables, count).mul(mask[..., None]).sum(1)  # [batch, variables]
    starts, most = counts.cumsum(1) - counts, counts.amax(0)  # [batch, variables], [variables]
    # One block of columns for each sign, as wide as its longest series; all of them in one gather.
    sign = torch.arange(count, device=mask.device).repeat_interleave(most)  # [columns]
    place = torch.arange(len(sign), device=mask.device) - (most.cumsum(0) - most)[sign]
    there = (place < counts[:, sign])[..., None, None]  # [batch, columns, 1, 1]
    rows = order.gather(1, (starts[:, sign] + place).clamp_max(order.shape[1] - 1))[..., None, None]
    own = scores.gather(1, rows.expand(-1, -1, *scores.shape[2:])).masked_fill(~there, NEVER)
    said = values.gather(1, rows.expand(-1, -1, *values.shape[2:]))
    widths = most.tolist()
    parts = [
        gather_all(*block) for block in zip(torch.split(own, widths, 1), torch.split(said, widths, 1), strict=True)
    ]
    peaks, totals, weighted = zip(*((part.peak, part.total, part.weighted) for part in parts), strict=True)
    return PartialSums(torch.stack(peaks, 1), torch.stack(totals, 1), torch.stack(weighted, 1))


class ReadOut(nn.Module):
    """From what was kept to tokens; the only part that knows the time of the read-out."""

    def __init__(self, dim: int, tokens: int, config: VitalsConfig) -> None:
        super().__init__()
        self.names = nn.Parameter(torch.randn(config.queries, dim) * 0.5)
        said, seen = config.values + config.heads, len(config.half_lives_h) * (config.values + config.sign_heads)
        self.said, self.seen = Standard(config.queries, said), Standard(config.variables, seen)
        self.latent, self.sign = nn.Linear(said, dim), nn.Linear(seen, dim)
        self.scale = nn.Embedding(config.variables, dim)
        self.shift = nn.Embedding(config.variables, dim)
        self.sign_out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(config.dropout)
        self.mix = AttentionBlock(dim, config.heads, 2 * dim, config.dropout)
        self.pooler = TokenPooler(dim, tokens)
        nn.init.ones_(self.scale.weight)
        nn.init.normal_(self.shift.weight, 0.0, 0.5)

    def forward(self, latents: PartialSums, latent_null: Tensor, signs: PartialSums, sign_null: Tensor) -> Encoded:
        """At the read-out: `latents` [batch, queries, heads, …], `signs` [batch, variables, half-lives, heads, …]."""
        said, seen = _read(latents, latent_null), _read(signs, sign_null).flatten(2)
        queries = self.latent(self.said(said)) + self.names  # [batch, queries, dim]
        hidden = self.sign(self.seen(seen)) * self.scale.weight + self.shift.weight
        own = self.sign_out(self.dropout(functional.gelu(hidden)))  # [batch, variables, dim]
        mixed = self.mix(torch.cat([queries, own], dim=1))
        every = torch.ones(mixed.shape[:2], dtype=torch.bool, device=mixed.device)
        encoded: Encoded = self.pooler(mixed, every)
        return encoded

    def hush(self) -> None:
        """Begin with zeros for every token: the summaries speak first, and the slots add what those leave out."""
        last = self.pooler.pooled[-1]
        for parameter in (*self.pooler.out.parameters(), *last.parameters()):
            nn.init.zeros_(parameter)

    def settle(self, latents: PartialSums, latent_null: Tensor, signs: PartialSums, sign_null: Tensor) -> None:
        """Without it, what is rare in a day (a dip, a step) hardly moves the sums, and is learned last or never."""
        self.said.fit(_read(latents, latent_null))
        self.seen.fit(_read(signs, sign_null).flatten(2))


def _read(sums: PartialSums, null: Tensor) -> Tensor:
    """[..., slots, values + heads]: what the slots say, and how much they have seen."""
    return torch.cat([sums.mean(null).flatten(-2), sums.evidence(null)], dim=-1)


class ReadingPositions(Encoder):
    """What both kinds of encoder begin with: the embedding of every reading."""

    def __init__(self, config: VitalsConfig) -> None:
        super().__init__()
        self.config = config
        self.reading = ReadingEmbedding(config)

    def positions(self, inputs: Inputs) -> Positions:
        """`readings` [batch, n, 4], `times_h` and `clock_h` [batch, n], `variables` [batch, n], `mask` [batch, n].

        `times_h` are relative to the read-out, <= 0; `clock_h` is the hour of the day at which the reading was taken.
        """
        embedded = self.reading(inputs["readings"], inputs["clock_h"], inputs["variables"])  # [batch, n, width]
        # Time and variable ride along as last columns: the read-out needs them, attributions must not touch them.
        extra = torch.stack([inputs["times_h"], inputs["variables"].to(embedded)], dim=-1)
        values = [inputs["readings"][..., :1]] if self.config.running_bins else []
        return Positions(torch.cat([embedded, *values, extra], dim=-1), inputs["mask"])


Kept = tuple[PartialSums, PartialSums, RunningSums | None]
"""Of the latent queries, of the signs' own slots, and the running summaries where the encoder has any."""


class VitalsEncoder(ReadingPositions):
    """Readings [batch, readings] -> tokens by sums that can be kept; the order of readings does not matter."""

    def __init__(self, dim: int, tokens: int, config: VitalsConfig) -> None:
        super().__init__(config)
        self.latents = RecencySlots(config, config.queries, config.heads)
        self.signs = RecencySlots(config, len(config.half_lives_h), config.sign_heads)
        self.readout = ReadOut(dim, tokens, config)
        self.running = RunningReader(dim, config) if config.running_bins else None
        if self.running is not None:
            self.readout.hush()

    def pool(self, positions: Positions) -> Encoded:
        return self.read(*self.gather(positions))

    def settle(self, inputs: Inputs) -> None:
        """The scales of the read-out and the bins of the summaries, from what is gathered of these cases."""
        with torch.no_grad():
            latents, signs, running = self.gather(self.positions(inputs))
            self.readout.settle(latents, self.latents.null, signs, self.signs.null)
            if self.running is not None and running is not None:
                self.running.settle(running)

    def gather(self, positions: Positions, by_sign: BySign | None = None) -> Kept:
        """What is kept of the readings; `by_sign`: in place of `gather_by_sign`."""
        embedded, times_h, variables = split_positions(positions)
        running = None
        if self.running is not None:
            embedded, values = embedded[..., :-1], embedded[..., -1]
            running = gather_running(values, times_h, variables, positions.mask, self.config.variables)
        scores, values = self.latents(embedded)
        latents = gather_all(age_scores(scores, times_h, self.latents.decay, positions.mask), values)
        scores, values = self.signs(embedded)
        aged = age_scores(scores, times_h, self.signs.decay, positions.mask)
        signs = (by_sign or gather_by_sign)(aged, values, variables, positions.mask, self.config.variables)
        return latents, signs, running

    def read(self, latents: PartialSums, signs: PartialSums, running: RunningSums | None) -> Encoded:
        """What was kept, at the read-out."""
        encoded: Encoded = self.readout(latents, self.latents.null, signs, self.signs.null)
        if self.running is None or running is None:
            return encoded
        said = self.running(running)  # [batch, dim]: every token and the pooled vector hear it
        return Encoded(encoded.tokens + said[:, None], encoded.pooled + said)


class DenseVitalsEncoder(ReadingPositions):
    """The offline kind: every reading attends to every other one (as STraTS). No streaming; cost readings squared."""

    def __init__(self, dim: int, tokens: int, config: VitalsConfig) -> None:
        super().__init__(config)
        self.embed = nn.Linear(config.width, dim)
        self.age = nn.Sequential(nn.Linear(2, dim), nn.Tanh(), nn.Linear(dim, dim))
        layer = nn.TransformerEncoderLayer(
            dim, config.heads, 2 * dim, config.dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.pooler = TokenPooler(dim, tokens)

    def pool(self, positions: Positions) -> Encoded:
        embedded, times_h, _ = split_positions(positions)
        ages = torch.stack([times_h / 24, torch.log1p(-times_h)], dim=-1)  # [batch, n, 2]
        seen = self.layers(self.embed(embedded) + self.age(ages), src_key_padding_mask=~positions.mask)
        encoded: Encoded = self.pooler(seen, positions.mask)
        return encoded


def split_positions(positions: Positions) -> tuple[Tensor, Tensor, Tensor]:
    """Embedding (and value, with running summaries), hours and variable, as `ReadingPositions.positions` packs them."""
    width = positions.features.shape[-1] - 2
    embedded, times_h, variables = torch.split(positions.features, [width, 1, 1], dim=-1)
    return embedded, times_h[..., 0], variables[..., 0].round().long()


def age_scores(scores: Tensor, times_h: Tensor, decay: Tensor, mask: Tensor) -> Tensor:
    """Scores [batch, n, slots, heads] of readings as old as they are; `NEVER` where there is no reading."""
    aged = scores + decay * times_h[..., None, None]
    return aged.masked_fill(~mask[..., None, None], NEVER)


KINDS: dict[str, Callable[[int, int, VitalsConfig], Encoder]] = {"latent": VitalsEncoder, "dense": DenseVitalsEncoder}


def build(config: ModelConfig) -> Encoder:
    """Raises: ValueError: a kind that is none of `KINDS`, or running summaries for the dense one."""
    if config.vitals.kind not in KINDS:
        raise ValueError(f"vitals encoder kind {config.vitals.kind!r} is none of {sorted(KINDS)}")
    if config.vitals.kind == "dense" and config.vitals.running_bins:
        raise ValueError("the dense vitals encoder keeps no running summaries: running_bins must be 0")
    return KINDS[config.vitals.kind](config.dim, config.tokens, config.vitals)
