"""What can stop a training run, by name. Every message says what to change; none holds anything of a patient."""

from __future__ import annotations

from pathlib import Path

from shared.errors import AppError


class TrainingError(AppError):
    """The root of what can stop a training run."""

    status, title, slug = 500, "Training stopped", "training-stopped"

    def __reduce__(self) -> tuple[type[Exception], tuple[str]]:
        """Travels between processes as its kind and its sentence."""
        return _revive, (type(self), self.detail)  # type: ignore[return-value]


def _revive(kind: type[TrainingError], detail: str) -> TrainingError:
    error = kind.__new__(kind)
    TrainingError.__init__(error, detail)
    return error


class OutOfMemory(TrainingError):
    """A batch does not fit into the memory of its device."""

    title, slug = "Out of memory", "training-out-of-memory"

    def __init__(self, stage: str, batch_size: int, device: str) -> None:
        super().__init__(
            f"{stage}: a batch of {batch_size} does not fit into the memory of {device}. Halve the batch size, train "
            "with --precision bf16-mixed, or share each batch among several devices (torchrun --nproc-per-node)."
        )


class LossNotFinite(TrainingError):
    """The loss, or its gradient, is no number any more."""

    title, slug = "Loss is not finite", "training-loss-not-finite"

    def __init__(self, stage: str, step: int, value: float, last: float | None, what: str = "loss") -> None:
        before = "there was no finite one before" if last is None else f"the last finite loss was {last:.4g}"
        super().__init__(
            f"{stage}: the {what} of step {step} is {value}; {before}. Lower the learning rate, lengthen the warm-up, "
            "or train with --precision 32."
        )


class EmptyClass(TrainingError):
    """A split has no case of a class, so nothing can be learned or calibrated for it."""

    title, slug = "Empty class", "training-empty-class"

    def __init__(self, name: str, split: str, cases: int) -> None:
        super().__init__(
            f"the {split} split ({cases} cases) has no case of {name}. Take more patients, or split by that class."
        )


class EmptyModality(TrainingError):
    """No training case holds a modality, so its encoder cannot learn."""

    title, slug = "Empty modality", "training-empty-modality"

    def __init__(self, name: str, cases: int) -> None:
        super().__init__(f"none of the {cases} training cases holds {name}. Take patients of whom some have it.")


class PrecisionUnavailable(TrainingError):
    """The device cannot compute in the precision asked for."""

    title, slug = "Precision unavailable", "training-precision-unavailable"

    def __init__(self, precision: str, device: str) -> None:
        super().__init__(f"{device} cannot train in {precision}. Use --precision 32 or bf16-mixed.")


class CheckpointUnusable(TrainingError):
    """A checkpoint is damaged, or belongs to another version of the code."""

    title, slug = "Checkpoint unusable", "training-checkpoint-unusable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Start over with --fresh.")
