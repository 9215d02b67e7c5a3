"""The signing key's life: made once, kept, and never silently replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.audit.keys import open_signer


def _open(directory: Path, origin: str = "hospital.example/log") -> str:
    return str(open_signer(origin, directory / "keys" / "log.key", directory / "log.pub").verifier_key)


def test_key_is_made_at_the_first_start_and_kept(tmp_path: Path) -> None:
    assert _open(tmp_path) == _open(tmp_path) == (tmp_path / "log.pub").read_text().strip()


def test_lost_public_key_file_is_written_again(tmp_path: Path) -> None:
    key = _open(tmp_path)
    (tmp_path / "log.pub").unlink()
    assert _open(tmp_path) == key


def test_lost_private_key_is_not_silently_replaced(tmp_path: Path) -> None:
    _open(tmp_path)
    (tmp_path / "keys" / "log.key").unlink()
    with pytest.raises(ValueError, match="missing"):
        _open(tmp_path)


def test_public_key_of_another_log_is_noticed(tmp_path: Path) -> None:
    _open(tmp_path)
    with pytest.raises(ValueError, match="not the public key"):
        _open(tmp_path, "other.example/log")


def test_unreadable_private_key_is_noticed(tmp_path: Path) -> None:
    _open(tmp_path)
    (tmp_path / "keys" / "log.key").write_text("not hex")
    with pytest.raises(ValueError, match="hex"):
        _open(tmp_path)
