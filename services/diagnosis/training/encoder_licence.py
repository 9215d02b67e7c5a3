"""Under which licence a pretrained encoder came, as far as its package and the model card in it say."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path

from services.diagnosis.model.text_files import locate

CARD = "README.md"
NOT_SAID = "not stated"
FIELDS = ("License-Expression", "License")
"""Of a package's metadata, the newer first (PEP 639)."""


def encoder_licence(source: str) -> str:
    """`package NAME VERSION: MIT; model card: apache-2.0`, each where there is one. Nobody's word but the publisher's.

    Args: source: as `text_files.locate` takes it.
    Raises: EncoderFilesMissing.
    """
    parts = [_package(source), f"model card: {_carded(locate(source) / CARD)}"]
    return "; ".join(part for part in parts if part)


def _package(source: str) -> str:
    for name in packages_distributions().get(source, ()):
        try:
            told = metadata(name)
        except PackageNotFoundError:  # removed since the list was made
            continue
        licence = next((told[field] for field in FIELDS if field in told), NOT_SAID)
        return f"package {name} {told['Version']}: {licence}"
    return ""


def _carded(card: Path) -> str:
    """The field `license` at the head of a model card."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    found = re.match(r"---\n(?:.*\n)*?license:\s*(\S+)\s*\n", text)
    return found[1] if found else NOT_SAID
