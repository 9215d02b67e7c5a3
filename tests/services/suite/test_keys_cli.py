"""`consilium keys rewrap`, as an operator runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.suite.environment import DataDirectory
from services.suite.keys_cli import app
from shared.keys.store import KeyStore
from shared.keys.wrapping import open_wrapper


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    """A directory as a suite leaves it, with one data key, and a new key beside it."""
    found = DataDirectory(tmp_path / "data")
    found.prepare()
    (found.root / "keys").mkdir(exist_ok=True)
    _store(found, found.secrets / "key-encryption.key").key_for("a/first")
    new = tmp_path / "new.key"
    new.write_text("5a" * 32)
    new.chmod(0o600)
    return found


def _store(data: DataDirectory, key: Path) -> KeyStore:
    return KeyStore(f"sqlite:///{data.root / 'keys' / 'keys.db'}", open_wrapper(key, None))


def _run(data: DataDirectory, to: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["rewrap", "--data-dir", str(data.root), "--to", to, *more])


def test_keys_are_wrapped_anew_and_it_is_told_what_to_set(data: DataDirectory) -> None:
    new = data.root.parent / "new.key"
    first = _run(data, f"file:{new}")
    assert (first.exit_code, "1 data keys wrapped under the new key; 0 were already." in first.output) == (0, True)
    assert f"CONSILIUM_KEY_ENCRYPTION_KEY_FILE={new}" in first.output.replace("\n", "")
    assert _store(data, new).key_of("a/first") is not None
    again = _run(data, f"file:{new}")
    assert (again.exit_code, "0 data keys wrapped under the new key; 1 were already." in again.output) == (0, True)


def test_a_running_suite_is_left_alone(data: DataDirectory) -> None:
    with data.lock():
        refused = _run(data, f"file:{data.root.parent / 'new.key'}")
    assert (refused.exit_code, "stop it first" in refused.output) == (1, True)
    assert _store(data, data.secrets / "key-encryption.key").key_of("a/first") is not None


def test_the_wrong_old_key_changes_nothing(data: DataDirectory) -> None:
    other = data.root.parent / "other.key"
    other.write_text("00" * 32)
    other.chmod(0o600)
    refused = _run(data, f"file:{data.root.parent / 'new.key'}", "--from", f"file:{other}")
    assert (refused.exit_code, "neither the old key nor the new one" in refused.output) == (1, True)
    assert _store(data, data.secrets / "key-encryption.key").key_of("a/first") is not None


@pytest.mark.parametrize(
    ("to", "told"), [("new.key", "file:PATH"), ("file:", "file:PATH"), ("file:/nowhere/key", "No such file")]
)
def test_what_is_no_key_is_told_as_such(data: DataDirectory, to: str, told: str) -> None:
    refused = _run(data, to)
    assert refused.exit_code == 2
    assert told in " ".join(refused.output.replace("│", " ").split())


def test_a_directory_without_keys_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "new.key").write_text("5a" * 32)
    refused = CliRunner().invoke(app, ["rewrap", "--data-dir", str(tmp_path), "--to", f"file:{tmp_path / 'new.key'}"])
    assert (refused.exit_code, "no data keys" in refused.output) == (1, True)
