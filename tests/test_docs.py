"""What the documentation points at exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.common import PROJECT_ROOT

PAGES = sorted(
    [*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md"), *(PROJECT_ROOT / "infra").rglob("*.md")]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(PROJECT_ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_every_make_target_named_in_the_docs_exists() -> None:
    known = set(re.findall(r"^([a-z0-9-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {t for page in PAGES for t in re.findall(r"`make ([a-z0-9-]+)", page.read_text())}
    assert named <= known


def test_make_help_lists_the_targets() -> None:
    text = subprocess.run(["make", "help"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f" {target} " in text for target in ("help", "setup", "run", "test", "lint", "types"))
