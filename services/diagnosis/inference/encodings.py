"""The newest encodings, kept in memory: a case to which a vital sign was added encodes its vital signs alone."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from services.diagnosis.inference.inputs import Prepared

NEWEST = 64
"""Encodings, of any modality; some ten megabytes with the demo bundle."""
Item = TypeVar("Item")


class Encodings(Generic[Item]):
    """What one encoder version said of what it was given; the least recently used goes first. Threads may share it."""

    def __init__(self, newest: int = NEWEST) -> None:
        self._newest = newest
        self._kept: OrderedDict[str, Item] = OrderedDict()
        self._lock = Lock()

    def of(self, name: str, prepared: Prepared, encode: Callable[[], Item]) -> Item:
        """The encoding of a modality: as kept, where just this was encoded before."""
        key = f"{name}:{digest_of(prepared)}"
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        item = encode()
        with self._lock:
            self._kept[key] = item
            while len(self._kept) > self._newest:
                self._kept.popitem(last=False)
        return item

    def forget(self) -> None:
        """Keep nothing of what was encoded before."""
        with self._lock:
            self._kept.clear()


def digest_of(prepared: Prepared) -> str:
    """SHA-256 of all that an encoder is given of a modality, and of the statistics beside it."""
    digest = hashlib.sha256()
    arrays = {key: value.numpy() for key, value in prepared.inputs.items()} | {"": prepared.statistics}
    for key, array in sorted(arrays.items()):
        digest.update(f"{key}:{array.dtype}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
