"""When the UI is built again, and with which Node."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from services.review.build_ui import find_node, is_current, main
from services.review.settings import UI


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    """A UI that was built after its sources were written."""
    (tmp_path / "src").mkdir()
    (tmp_path / "dist").mkdir()
    for name, written_at in (("src/app.ts", 100), ("package.json", 100), ("dist/index.html", 200)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (written_at, written_at))
    return tmp_path


def test_build_newer_than_its_sources_is_current(ui: Path) -> None:
    assert is_current(ui)


def test_changed_source_makes_the_build_old(ui: Path) -> None:
    os.utime(ui / "src" / "app.ts", (300, 300))
    assert not is_current(ui)


def test_installed_packages_are_no_sources(ui: Path) -> None:
    (ui / "node_modules").mkdir()
    (ui / "node_modules" / "new.js").write_text("")
    assert is_current(ui)


def test_missing_build_is_not_current(ui: Path) -> None:
    (ui / "dist" / "index.html").unlink()
    assert not is_current(ui)


def test_node_is_new_enough_for_vite() -> None:
    version = subprocess.run([find_node(), "--version"], capture_output=True, text=True, check=True).stdout
    assert tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2]) >= (22, 12)


def test_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (UI / "package-lock.json").read_text()


def test_every_package_is_pinned() -> None:
    manifest = (UI / "package.json").read_text()
    versions = re.findall(r'": "(?:npm:typescript@)?([\^~]?\d+\.\d+\.\d+)"', manifest)
    assert [version for version in versions if not version[0].isdigit()] == []


def test_current_build_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    if not is_current(UI):
        pytest.skip("the UI is not built; run `make ui`")
    before = (UI / "dist" / "index.html").stat().st_mtime_ns
    assert main([]) == 0
    assert (UI / "dist" / "index.html").stat().st_mtime_ns == before
    assert "vite" not in capsys.readouterr().out
