"""A decoder child whose codec does what a hostile frame tells it to: the real program, with another codec in it."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

import numpy as np

from services.imaging.dicom.codecs import decode_frame
from services.imaging.dicom.decoder_child import main
from services.imaging.dicom.decoder_wire import FrameForm

CRASH, LOOP, SLEEP, BOMB, LEAVE, SHAPE, PRINT, PROCESS = (
    b"crash", b"loop", b"sleep", b"bomb", b"leave", b"shape", b"print", b"process",
)  # fmt: skip


def decode(form: FrameForm, frame: bytes) -> Any:
    """What the frame says; any other frame is decoded as usual."""
    if frame.startswith(CRASH):
        ctypes.string_at(0)  # SIGSEGV
    while frame.startswith(LOOP):
        pass
    if frame.startswith(SLEEP):
        time.sleep(600)
    if frame.startswith(BOMB):
        np.ones(2**33, np.uint8)
    if frame.startswith(LEAVE):
        os._exit(0)
    if frame.startswith(SHAPE):
        return np.zeros((form.rows + 1, form.columns), np.uint16)
    if frame.startswith(PRINT):
        os.write(1, b"a codec's warning\n")
    if frame.startswith(PRINT) or frame.startswith(PROCESS):
        return np.full((form.rows, form.columns), os.getpid() % 2**16, np.uint16)
    return decode_frame(form, frame)


if __name__ == "__main__":
    main(decode)
