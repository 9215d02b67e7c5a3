"""What can stop a measurement, by name."""

from __future__ import annotations

from shared.errors import AppError


class NoGpu(AppError):
    """A GPU was to be measured."""

    status, title, slug = 500, "No GPU", "bench-no-gpu"

    def __init__(self) -> None:
        super().__init__("torch finds no GPU here; --device cpu measures the processor instead.")


class BatchTooLarge(AppError):
    """A batch does not fit into the memory of its device."""

    status, title, slug = 500, "Out of memory", "bench-out-of-memory"

    def __init__(self, part: str, batch_size: int) -> None:
        super().__init__(f"{part}: a batch of {batch_size} does not fit; give a smaller --batch-size.")
