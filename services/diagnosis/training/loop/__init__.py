"""One optimisation loop for every stage: AdamW on one cycle, clipped gradients, averaged weights, checkpoints, metrics.

A stage says what is trained and how its loss is computed (`objective.Objective`) and how long and how fast
(`plan.Plan`); the run says where and in which precision (`session.Session`); `optimise` does the rest. A run that was
killed goes on from its last checkpoint and ends with the very weights of a run that was not.
"""

from services.diagnosis.training.loop.objective import Losses, Objective
from services.diagnosis.training.loop.optimise import optimise
from services.diagnosis.training.loop.plan import Plan
from services.diagnosis.training.loop.session import Session

__all__ = ["Losses", "Objective", "Plan", "Session", "optimise"]
