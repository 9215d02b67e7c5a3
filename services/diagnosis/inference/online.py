"""After the release: do the promises still hold on the cases whose truth came back?

Pure values, fed one confirmed diagnosis at a time. Adaptive conformal inference (Gibbs & Candès 2021, arXiv 2106.00170)
tells which nominal error rate would have kept the coverage; the simple jumper (Vovk et al. 2021, PMLR 152:191) bets
against exchangeability and raises an alarm that is false with a probability of at most its level, however long one
watches (Ville's inequality).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

BETS = (-1.0, 0.0, 1.0)
JUMP = 0.01
"""Share of the capital that is spread evenly over the bets before each case (the authors' value)."""
ALARM_LEVEL = 0.01
RATE = 0.01


@dataclass(frozen=True)
class AdaptiveLevel:
    """The nominal error rate to use next; below 0 every label belongs in the set, above 1 none."""

    target: float = 0.1
    alpha: float = 0.1
    rate: float = RATE

    def after(self, covered: bool) -> AdaptiveLevel:
        """A miss makes the next sets larger, a hit makes them a little smaller."""
        return replace(self, alpha=self.alpha + self.rate * (self.target - (0.0 if covered else 1.0)))


@dataclass(frozen=True)
class Jumper:
    """Capital on "p-values are too small", "are uniform", "are too large"; 1 in all at the start."""

    capitals: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    highest: float = 1.0
    seen: int = 0
    jump: float = JUMP

    @property
    def capital(self) -> float:
        """How much a gambler against exchangeability would have made of 1."""
        return sum(self.capitals)

    def after(self, p_value: float) -> Jumper:
        """Bet on one p-value in [0, 1]: the capital on e grows by the factor 1 + e (p - 1/2)."""
        share = self.jump * self.capital / len(BETS)
        moved = [(1 - self.jump) * own + share for own in self.capitals]
        capitals = tuple(own * (1 + bet * (p_value - 0.5)) for own, bet in zip(moved, BETS, strict=True))
        return replace(self, capitals=capitals, highest=max(self.highest, sum(capitals)), seen=self.seen + 1)

    def alarms(self, level: float = ALARM_LEVEL) -> bool:
        """Has the capital ever reached 1 / level? Of exchangeable streams, at most that share ever does."""
        return self.highest >= 1 / level


def rank_p_value(nonconformity: float, earlier: Sequence[float]) -> float:
    """Share of `earlier` (ascending) and this one that conform less; equals count half, so no randomness is needed."""
    right = bisect_right(earlier, nonconformity)
    equal = right - bisect_left(earlier, nonconformity) + 1
    return (len(earlier) - right + equal / 2) / (len(earlier) + 1)


def watch(nonconformities: Iterable[float], *, calibration: Iterable[float] = ()) -> Jumper:
    """Bet along a stream of nonconformities of the true labels (such as 1 - the probability that the label was given).

    Args:
        calibration: those of the calibration split; with them a shift between calibration and use is noticed, without
            them only a change along the stream.
    """
    bag, jumper = sorted(calibration), Jumper()
    for value in nonconformities:
        jumper = jumper.after(rank_p_value(value, bag))
        insort(bag, value)
    return jumper
