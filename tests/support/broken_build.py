"""Builds of the project with one thing broken, in a directory of their own: do the tests notice?

Nothing broken is part of the product. A variant is a text that stands once in one file, and another in its place; when
the file changes so that the text is gone, the variant says so instead of breaking nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.common import PROJECT_ROOT

LEFT_OUT = shutil.ignore_patterns("__pycache__", "ui", "bundles", "node_modules", "dist")


@dataclass(frozen=True)
class Edit:
    """One replacement in one file."""

    file: str
    old: str
    new: str


def build(directory: Path, edits: tuple[Edit, ...]) -> Path:
    """A copy of the project with these edits. Raises: ValueError: a text to be replaced does not stand there once."""
    for part in ("services", "shared", "tests"):
        shutil.copytree(PROJECT_ROOT / part, directory / part, ignore=LEFT_OUT)
    shutil.copy(PROJECT_ROOT / "pyproject.toml", directory)
    bundles = Path("services/diagnosis/bundles")
    (directory / bundles).symlink_to(PROJECT_ROOT / bundles)
    for edit in edits:
        file = directory / edit.file
        text = file.read_text()
        if text.count(edit.old) != 1:
            raise ValueError(f"{edit.file} has changed: {edit.old!r} stands there {text.count(edit.old)} times")
        file.write_text(text.replace(edit.old, edit.new))
    return directory


def run_tests(build: Path, *selection: str) -> subprocess.CompletedProcess[str]:
    """Run tests of a build against that build, up to the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *selection]
    environment = {**os.environ, "PYTHONPATH": str(build), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=build, env=environment, capture_output=True, text=True, timeout=280, check=False)
