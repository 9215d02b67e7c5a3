"""What can go wrong in the witness, by name (the statuses are those of C2SP `tlog-witness`)."""

from __future__ import annotations

from shared.errors import BadRequest, Conflict, Forbidden, InvalidInput, NotFound


class MalformedRequest(BadRequest):
    """Not an `add-checkpoint` request, or its old size is beyond the checkpoint's."""


class UnknownLog(NotFound):
    """No log of this origin is watched, or none of its checkpoints was seen yet."""


class NotSignedByLog(Forbidden):
    """None of the log's keys has signed this checkpoint, or one of them wrongly."""


class OtherSizeKnown(Conflict):
    """The witness has cosigned another size than the request says, or another tree of this very size."""

    def __init__(self, size: int) -> None:
        super().__init__("The witness knows another checkpoint of this log.")
        self.size = size


class ProofFails(InvalidInput):
    """The proof does not lead from the checkpoint that was cosigned last to this one."""
