"""The members of an ensemble asked in one go: as many sums, a fifth of the operations, each five times as large.

One member's operations are so small that calling them takes longer than doing them. Fits inference alone: the weights
are taken over once and do not follow training.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from copy import deepcopy

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from services.diagnosis.model.fusion import FusionMember


class _Logits(nn.Module):
    """A member that answers with its logits alone, for `vmap` knows tensors only."""

    def __init__(self, member: FusionMember) -> None:
        super().__init__()
        self.member = member

    def forward(self, tokens: Tensor, pooled: Tensor, available: Tensor) -> Tensor:
        logits: Tensor = self.member(tokens, pooled, available).logits
        return logits


class SideBySide:
    """Members of one architecture, finished and in evaluation mode."""

    def __init__(self, members: Sequence[FusionMember]) -> None:
        answering = [_Logits(member) for member in members]
        self._parameters, self._buffers = stack_module_state(answering)
        self._pattern = deepcopy(answering[0]).to("meta").eval()
        # `functional_call` lends a skeleton its weights for the length of the call: each call has one to itself. They
        # are kept, for a copy takes milliseconds and threads come and go with every explanation.
        self._idle: deque[_Logits] = deque()

    def __call__(self, tokens: Tensor, pooled: Tensor, available: Tensor) -> Tensor:
        """As `FusionEnsemble.forward`: logits of all members [members, batch, logits].

        Raises: ValueError: a row without any modality.
        """
        try:
            skeleton = self._idle.pop()
        except IndexError:
            skeleton = deepcopy(self._pattern)

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            answer: Tensor = functional_call(skeleton, (parameters, buffers), (tokens, pooled, available))
            return answer

        logits: Tensor = vmap(one)(self._parameters, self._buffers)
        self._idle.append(skeleton)  # not after an error, which may leave it with its weights
        return logits
