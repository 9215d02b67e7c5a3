"""Where the bundle that ships with the package lies."""

from __future__ import annotations

from pathlib import Path

DEMO_BUNDLE = Path(__file__).resolve().parent.parent / "bundles" / "demo"
"""Trained on the synthetic ward alone; `make demo-model` makes it again."""
