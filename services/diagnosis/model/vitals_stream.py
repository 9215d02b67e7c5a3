"""A patient's readings as they come: what the vitals encoder keeps of them, and its answer at any later time.

The sums of `vitals_encoder` are kept per variable and segment of six hours. A reading that comes in order joins those
of its segment: O(1), however long the history. One that comes late changes the differences of its successor too, so the
segments of both are replayed from their readings; what grows older than the window takes the replay of the segment in
which the window now begins. A read-out merges at most 17 segments of each variable, whatever they hold.
The result equals encoding all readings of the window anew, up to rounding.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.preprocessing.vitals import WINDOW_H, Readings, VitalsScale, reading_features
from services.diagnosis.model.vitals_encoder import Kept, PartialSums, RecencySlots, VitalsEncoder, gather_all
from services.diagnosis.model.vitals_running import RunningSums, gather_running

SEGMENT_H = 6.0
Some = TypeVar("Some", PartialSums, RunningSums)


@dataclass
class _Track:
    """One variable: its readings in order of (time, value), and the sums of its segments."""

    readings: list[tuple[float, float]] = field(default_factory=list)
    segments: dict[int, Kept] = field(default_factory=dict)
    """As of its start; the slots' sums without a batch axis, the running summaries [1, 1] of this variable alone."""


@dataclass
class _Span:
    """Readings `start` to `stop` of one variable, all of one segment, to be added to the sums kept of it."""

    variable: int
    segment: int
    start: int
    stop: int


class VitalsState:
    """What is kept of one patient. Not safe for use by two threads at once."""

    def __init__(self, encoder: VitalsEncoder, scale: VitalsScale, *, window_h: float = WINDOW_H) -> None:
        """The encoder's weights must not change while the state is in use."""
        self.encoder, self.scale, self.window_h = encoder, scale, window_h
        self.replayed = 0
        """Readings encoded again because of late arrivals and evictions."""
        self._tracks = [_Track() for _ in range(encoder.config.variables)]

    def __len__(self) -> int:
        return sum(len(track.readings) for track in self._tracks)

    @torch.no_grad()
    def add(self, times_h: Sequence[float], variables: Sequence[int], values: Sequence[float]) -> None:
        """Take in readings that passed the input rules, in any order.

        Args:
            times_h: hours since a midnight (UTC) that is the same for all calls.
            variables: indices into `preprocessing.vitals.CODES`.
            values: in canonical units, as `preprocessing.vitals.select` gives them.
        """
        fresh: dict[tuple[int, int], int] = {}
        stale: set[tuple[int, int]] = set()
        for at, variable, value in sorted(zip(times_h, variables, values, strict=True)):
            readings = self._tracks[variable].readings
            if not readings or at >= readings[-1][0]:
                # Two samples of one moment stand side by side: which of them comes first says nothing.
                readings.append((float(at), float(value)))
                key = variable, _segment(at)
                fresh[key] = fresh.get(key, 0) + 1
            else:
                insort(readings, (float(at), float(value)))
                after = bisect_left(readings, (at, math.inf))
                stale |= {(variable, _segment(at)), (variable, _segment(readings[after][0]))}
        spans = [self._newest(*key, count) for key, count in fresh.items() if key not in stale]
        self._absorb(spans)
        self._replay(stale)

    @torch.no_grad()
    def evict(self, before_h: float) -> None:
        """Forget what was measured before `before_h`. The first reading left has no predecessor any more."""
        stale = set()
        for variable, track in enumerate(self._tracks):
            gone = bisect_left(track.readings, (before_h, -math.inf))
            if gone:
                for segment in {_segment(at) for at, _ in track.readings[:gone]}:
                    del track.segments[segment]
                del track.readings[:gone]
                if track.readings:
                    stale.add((variable, _segment(track.readings[0][0])))
        self._replay(stale)

    @torch.no_grad()
    def read_out(self, at_h: float) -> Encoded:
        """The encoding [1, …] at `at_h`, of the window before it. What lies before the window is forgotten for good.

        Raises: ValueError: there is a reading later than `at_h`, or none at all.
        """
        self.evict(at_h - self.window_h)
        if not len(self):
            raise ValueError("there is no reading in the window")
        if any(track.readings and track.readings[-1][0] > at_h for track in self._tracks):
            raise ValueError("there are readings later than the time of the read-out")
        kept = [self._aged(track, at_h) for track in self._tracks]
        latents, signs, running = zip(*kept, strict=True)
        known = [own for own in running if own is not None]
        summaries = _joined(lambda parts: torch.cat(parts, 1), known) if known else None
        return self.encoder.read(_batched(_stack(latents).merged(0)), _batched(_stack(signs)), summaries)

    def _newest(self, variable: int, segment: int, count: int) -> _Span:
        """The last `count` readings of a segment; those of newer segments follow them."""
        readings = self._tracks[variable].readings
        stop = bisect_left(readings, ((segment + 1) * SEGMENT_H, -math.inf))
        return _Span(variable, segment, stop - count, stop)

    def _replay(self, keys: Iterable[tuple[int, int]]) -> None:
        spans = []
        for variable, segment in sorted(keys):
            track = self._tracks[variable]
            track.segments.pop(segment, None)
            start = bisect_left(track.readings, (segment * SEGMENT_H, -math.inf))
            stop = bisect_left(track.readings, ((segment + 1) * SEGMENT_H, -math.inf))
            spans.append(_Span(variable, segment, start, stop))
            self.replayed += stop - start
        self._absorb(spans)

    def _absorb(self, spans: Sequence[_Span]) -> None:
        """Encode the readings of all spans in one pass and add them to the sums of their segments."""
        if not spans:
            return
        own = [self._readings(span) for span in spans]
        dtype = next(self.encoder.parameters()).dtype
        rows = torch.from_numpy(np.concatenate([features for _, features in own])).to(dtype)
        times = [at for at, _ in own]
        clock_h = torch.from_numpy(np.concatenate(times) % 24).to(dtype)
        variables = torch.cat([torch.full((len(at),), s.variable) for at, s in zip(times, spans, strict=True)])
        embedded = self.encoder.reading(rows, clock_h, variables)  # [readings, width]
        start = 0
        for span, at in zip(spans, times, strict=True):
            elapsed = torch.from_numpy(at - span.segment * SEGMENT_H).to(dtype)
            piece = slice(start, start + len(at))
            self._join(span, self._gathered(embedded[piece], rows[piece, 0], elapsed))
            start += len(at)

    def _readings(self, span: _Span) -> tuple[NDArray[np.float64], NDArray[np.floating[Any]]]:
        """Times and features of a span; the moment before it is looked at for its changes and gaps."""
        readings = self._tracks[span.variable].readings
        before = bisect_left(readings, (readings[span.start][0], -math.inf))
        if before:
            before = bisect_left(readings, (readings[before - 1][0], -math.inf))
        at, values = np.array(readings[before : span.stop]).T
        variables = np.full(len(at), span.variable)
        features = reading_features(Readings(at, variables, values, 0), self.scale, np.float64)
        return at[span.start - before :], features[span.start - before :]

    def _join(self, span: _Span, sums: Kept) -> None:
        segments = self._tracks[span.variable].segments
        known = segments.get(span.segment)
        segments[span.segment] = sums if known is None else self._merged([known, sums], [0.0, 0.0])

    def _aged(self, track: _Track, at_h: float) -> Kept:
        """The sums of one variable at `at_h`, all segments together."""
        if not track.segments:
            nothing = self.encoder.reading.hidden.weight.new_zeros(0)
            return self._gathered(nothing[:, None].expand(0, self.encoder.config.width), nothing, nothing)
        parts, hours = list(track.segments.values()), [at_h - number * SEGMENT_H for number in track.segments]
        return self._merged(parts, hours)

    def _gathered(self, embedded: Tensor, values: Tensor, elapsed_h: Tensor) -> Kept:
        """Of readings of one variable and segment: [readings, width], [readings], [readings] since its start."""
        encoder, running = self.encoder, None
        if encoder.running is not None:
            own, every = torch.zeros((1, len(values)), dtype=torch.long), torch.ones((1, len(values)), dtype=torch.bool)
            running = gather_running(values[None], elapsed_h[None], own, every, 1)
        return _gather(encoder.latents, embedded, elapsed_h), _gather(encoder.signs, embedded, elapsed_h), running

    def _merged(self, parts: Sequence[Kept], hours: Sequence[float]) -> Kept:
        """Parts of one variable, each aged by its hours first."""
        latents, signs, running = zip(*parts, strict=True)
        later = torch.tensor(hours, dtype=torch.float64).to(latents[0].total.dtype)[:, None, None]
        known = [own for own in running if own is not None]
        return (
            _stack(latents).aged(later, self.encoder.latents.decay).merged(0),
            _stack(signs).aged(later, self.encoder.signs.decay).merged(0),
            _stack(known).aged(later).merged(0) if known else None,
        )


def _segment(at_h: float) -> int:
    return math.floor(at_h / SEGMENT_H)


def _gather(slots: RecencySlots, embedded: Tensor, elapsed_h: Tensor) -> PartialSums:
    """Sums of readings of one segment as of its start, without a batch axis."""
    scores, values = slots(embedded[None])
    sums = gather_all(scores + slots.decay * elapsed_h[None, :, None, None], values)
    return PartialSums(sums.peak[0], sums.total[0], sums.weighted[0])


def _stack(parts: Sequence[Some]) -> Some:
    """Along a new first axis."""
    return _joined(torch.stack, parts)


def _joined(join: Callable[[list[Tensor]], Tensor], parts: Sequence[Some]) -> Some:
    """Field by field."""
    return type(parts[0])(*(join([getattr(part, item.name) for part in parts]) for item in fields(parts[0])))


def _batched(sums: Some) -> Some:
    return _stack([sums])
