"""What can be wrong with the files that an encoder begins from."""

from __future__ import annotations

from shared.errors import AppError


class EncoderFilesMissing(AppError):
    """A pretrained text encoder was asked for, and its files are not on this machine. They are never downloaded."""

    status, title, slug = 500, "Encoder files missing", "encoder-files-missing"
