"""Running summaries of every sign, which its readings join in O(1), and the branch of the encoder that reads them.

What trees are given of irregular series: count, first, last, least, largest, mean, deviation, slope, time since the
last reading, and means that lean to the newest ones. Parts of a series merge exactly, moments by Chan, Golub and
LeVeque (1979), so `vitals_stream` keeps them per segment as it keeps the slots' sums; none of them subtracts large
numbers of one another.

A network of few cases reads such numbers badly and their quantile bins well: piecewise linear encoding, Gorishniy et
al. (2022), arXiv 2203.05556. The edges are those of the training cases (`RunningReader.settle`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from services.diagnosis.model.config import VitalsConfig
from services.diagnosis.model.encoder import Standard

SUMMARIES = ("count", "first", "last", "min", "max", "mean", "deviation", "slope", "silence", "recent8h", "recent24h")
"""log(1 + count); values in deviations of their sign; slope per day; log(1 + hours since the last reading)."""
HALF_LIVES_H = (8.0, 24.0)
"""Of the recent means."""
FAR = 1e9
"""Hours or value of what was never seen; finite, so that differences of it are numbers."""
LEAST_SPREAD = 0.01
"""Deviation of a sign that did not vary: a root has no slope at zero."""
STEADY_H2 = 1.0
"""Hours², added to the spread of the times: a slope between readings minutes apart is noise."""
LEAST_WIDTH = 0.05
"""Of a quantile bin: narrower ones would make much of rounding."""
LEAST_SHARE = 0.1
"""Deviation that a bin few cases reach is taken to have: it must not count a hundredfold where it is reached."""


@dataclass(frozen=True)
class RunningSums:
    """Of any number of readings of each sign, [..., variables]; hours are relative to a reference time."""

    count: Tensor
    mean: Tensor
    squares: Tensor
    """Sum of (v - mean)²."""
    mean_h: Tensor
    squares_h: Tensor
    products: Tensor
    """Sum of (t - mean_h)(v - mean)."""
    low: Tensor
    high: Tensor
    first_h: Tensor
    first: Tensor
    """Mean of the `firsts` readings of the first moment: which of them came first says nothing."""
    firsts: Tensor
    last_h: Tensor
    last: Tensor
    lasts: Tensor
    weight: Tensor
    """Sum of 2^((t - last_h) / half-life) [..., variables, half-lives]: relative to the last, it does not age."""
    recent: Tensor
    """Mean of v in these weights."""

    def of(self, rows: Tensor) -> RunningSums:
        """Of some of the cases alone."""
        return RunningSums(*(getattr(self, item.name)[rows] for item in fields(self)))

    def aged(self, hours: Tensor | float) -> RunningSums:
        """The same, `hours` [..., 1] later."""
        moved = {name: getattr(self, name) - hours for name in ("mean_h", "first_h", "last_h")}
        return RunningSums(**{item.name: moved.get(item.name, getattr(self, item.name)) for item in fields(self)})

    def merged(self, dim: int) -> RunningSums:
        """Over axis `dim` of parts that refer to one time."""
        count = self.count.sum(dim, keepdim=True)
        share = self.count / count.clamp_min(1)
        mean, mean_h = ((share * x).sum(dim, keepdim=True) for x in (self.mean, self.mean_h))
        off, off_h = self.mean - mean, self.mean_h - mean_h
        first_h, last_h = self.first_h.amin(dim, keepdim=True), self.last_h.amax(dim, keepdim=True)
        firsts, lasts = self.firsts * (self.first_h == first_h), self.lasts * (self.last_h == last_h)
        weight = self.weight * _fading(self.last_h - last_h)
        out = RunningSums(
            count, mean, (self.squares + self.count * off**2).sum(dim, keepdim=True),
            mean_h, (self.squares_h + self.count * off_h**2).sum(dim, keepdim=True),
            (self.products + self.count * off * off_h).sum(dim, keepdim=True),
            self.low.amin(dim, keepdim=True), self.high.amax(dim, keepdim=True),
            first_h, _weighted(self.first, firsts, dim), firsts.sum(dim, keepdim=True),
            last_h, _weighted(self.last, lasts, dim), lasts.sum(dim, keepdim=True),
            weight.sum(dim, keepdim=True), _weighted(self.recent, weight, dim),
        )  # fmt: skip
        return RunningSums(*(getattr(out, item.name).squeeze(dim) for item in fields(out)))

    def table(self) -> Tensor:
        """At the reference time, [..., variables, summaries] as `SUMMARIES`; zeros where there is no reading."""
        spread = (self.squares / self.count.clamp_min(1) + LEAST_SPREAD**2).sqrt()
        slope = 24 * self.products / (self.squares_h + STEADY_H2)
        silence = torch.log1p((-self.last_h).clamp_min(0))
        columns = [
            torch.log1p(self.count), self.first, self.last, self.low, self.high, self.mean, spread, slope, silence,
            *self.recent.unbind(-1),
        ]  # fmt: skip
        table = torch.stack(columns, dim=-1)
        return torch.where(self.count[..., None] > 0, table, torch.zeros_like(table))


def gather_running(values: Tensor, times_h: Tensor, variables: Tensor, mask: Tensor, count: int) -> RunningSums:
    """Over the readings of each sign: all [batch, n] -> [batch, count]."""
    own = variables.masked_fill(~mask, count)  # what is no reading falls into a column of its own, dropped at the end
    empty = values.new_zeros(len(values), count + 1)

    def total(x: Tensor) -> Tensor:
        return empty.scatter_add(1, own, x)

    def extreme(x: Tensor, sign: float) -> Tensor:
        """The largest of `sign` * x, times `sign`."""
        return sign * (empty - FAR).scatter_reduce(1, own, sign * x, "amax")

    def mean(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        weight = total(weights)
        return weight, total(weights * x) / weight.clamp_min(LEAST_SHARE)

    number, centre = mean(values, torch.ones_like(values))
    _, centre_h = mean(times_h, torch.ones_like(values))
    off, off_h = values - centre.gather(1, own), times_h - centre_h.gather(1, own)
    first_h, last_h = extreme(times_h, -1.0), extreme(times_h, 1.0)
    firsts, first = mean(values, (times_h == first_h.gather(1, own)).to(values))
    lasts, last = mean(values, (times_h == last_h.gather(1, own)).to(values))
    fading = _fading(times_h - last_h.gather(1, own))  # [batch, n, half-lives]
    recents = [mean(values, weights) for weights in fading.unbind(-1)]
    sums = RunningSums(
        number, centre, total(off**2), centre_h, total(off_h**2), total(off * off_h),
        extreme(values, -1.0), extreme(values, 1.0), first_h, first, firsts, last_h, last, lasts,
        torch.stack([weight for weight, _ in recents], -1), torch.stack([recent for _, recent in recents], -1),
    )  # fmt: skip
    return RunningSums(*(getattr(sums, item.name)[:, :count] for item in fields(sums)))


def _fading(hours: Tensor) -> Tensor:
    """[..., half-lives]: 2^(hours / half-life), `hours` <= 0."""
    return torch.exp(math.log(2) * hours[..., None] / torch.tensor(HALF_LIVES_H).to(hours))


def _weighted(x: Tensor, weights: Tensor, dim: int) -> Tensor:
    # Where there is any weight it is one at least: that of a reading at its own time.
    total = weights.sum(dim, keepdim=True).clamp_min(LEAST_SHARE)
    return (weights * x).sum(dim, keepdim=True) / total


class QuantileBins(nn.Module):
    """Each number as how far it reaches into each of its quantile bins, 0 to 1; all 0 where there is none."""

    start: Tensor
    width: Tensor

    def __init__(self, variables: int, bins: int) -> None:
        super().__init__()
        shape = variables, len(SUMMARIES), bins
        self.register_buffer("start", torch.full(shape, FAR))
        self.register_buffer("width", torch.ones(shape))

    def fit(self, table: Tensor, seen: Tensor) -> None:
        """`table` [cases, variables, summaries], `seen` [cases, variables]."""
        self.start.fill_(FAR)
        self.width.fill_(1.0)
        quantiles = torch.linspace(0, 1, self.start.shape[-1] + 1).to(table)
        for variable, summary in ((v, s) for v in range(table.shape[1]) for s in range(table.shape[2])):
            own = table[seen[:, variable] | (SUMMARIES[summary] == "count"), variable, summary]
            if len(own):
                edges = own.quantile(quantiles).unique()  # type: ignore[no-untyped-call]  # sorted; ties give fewer bins
                bins = max(len(edges) - 1, 1)
                self.start[variable, summary, :bins] = edges[:bins]
                self.width[variable, summary, : len(edges) - 1] = edges.diff().clamp_min(LEAST_WIDTH)

    def forward(self, table: Tensor, seen: Tensor) -> Tensor:
        """[batch, variables, summaries], [batch, variables] -> [batch, variables, summaries, bins]."""
        reached = ((table[..., None] - self.start) / self.width).clamp(0, 1)
        return reached * seen[..., None, None]


class RunningReader(nn.Module):
    """The branch: bins of all summaries of all signs, side by side, through a narrow network with much dropout."""

    def __init__(self, dim: int, config: VitalsConfig) -> None:
        super().__init__()
        numbers = config.variables * (len(SUMMARIES) * config.running_bins + 1)
        self.bins = QuantileBins(config.variables, config.running_bins)
        self.standard = Standard(numbers)
        width, dropout = config.running_width, config.running_dropout
        self.layers = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(numbers, width), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(width, dim),
        )  # fmt: skip

    def settle(self, sums: RunningSums) -> None:
        """Edges and scales, from the summaries of training cases [cases, variables]."""
        self.bins.fit(sums.table(), sums.count > 0)
        self.standard.fit(self._numbers(sums), LEAST_SHARE)

    def forward(self, sums: RunningSums) -> Tensor:
        """[batch, dim], at the reference time of the sums."""
        vector: Tensor = self.layers(self.standard(self._numbers(sums)))
        return vector

    def _numbers(self, sums: RunningSums) -> Tensor:
        """[batch, variables * (summaries * bins + 1)]: the bins, and whether there is a reading."""
        seen = sums.count > 0
        return torch.cat([self.bins(sums.table(), seen).flatten(1), seen.to(sums.count)], dim=1)
