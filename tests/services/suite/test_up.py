"""What `consilium up` waits for, and what it does not."""

from __future__ import annotations

import threading
from io import StringIO
from pathlib import Path

import pytest
from fastapi import FastAPI
from rich.console import Console

from services.diagnosis.domain import NOTHING_ACTIVE
from services.suite import up
from services.suite.environment import DataDirectory, Ports, common_environment
from services.suite.processes import Supervisor
from services.suite.servers import free_port
from shared.keys.store import KeyStore
from shared.keys.wrapping import open_wrapper
from shared.settings import CommonSettings
from shared.web import ready_response
from tests.support.servers import serve


def _wait(tmp_path: Path, *waiting_for: str) -> bool:
    app = FastAPI()

    @app.get("/readyz")
    def readyz() -> object:
        return ready_response(list(waiting_for))

    with serve(app) as address:
        console = Console(file=StringIO())
        return up.wait_until_ready(address, Supervisor(), DataDirectory(tmp_path), console, threading.Event())


def test_a_suite_is_ready_when_nothing_is_waited_for(tmp_path: Path) -> None:
    assert _wait(tmp_path) is True


def test_a_suite_in_which_people_must_choose_a_bundle_stays_up(tmp_path: Path) -> None:
    assert _wait(tmp_path, f"diagnosis: {NOTHING_ACTIVE}") is False


def test_a_suite_that_waits_for_anything_else_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "READY_TIMEOUT_S", 1.0)
    with pytest.raises(up.CannotStart, match="not ready"):
        _wait(tmp_path, "diagnosis: the broker does not answer", f"diagnosis: {NOTHING_ACTIVE}")


@pytest.mark.parametrize("suffix", ["", "_FILE"])
def test_where_a_service_wraps_data_keys_no_file_is_named_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    (tmp_path / "kms").write_text("alias/keys")
    (tmp_path / "kms").chmod(0o600)
    value = str(tmp_path / "kms") if suffix else "alias/keys"
    monkeypatch.setenv(f"CONSILIUM_KEY_ENCRYPTION_KMS_KEY{suffix}", value)
    for name, set_to in common_environment(data, "redis://127.0.0.1:9/0", "http://x", {}, Ports(0)).items():
        monkeypatch.setenv(name, set_to)
    settings = CommonSettings()
    assert (settings.key_encryption_key_file, settings.key_encryption_kms_key) == (None, "alias/keys")


def test_a_suite_does_not_start_with_a_key_that_opens_nothing_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    up._check_keys(data)  # nothing is stored yet
    store = KeyStore(f"sqlite:///{data.keys_database}", open_wrapper(data.key_encryption_key, None))
    store.key_for("a/first")
    store.close()
    up._check_keys(data)
    (tmp_path / "other.key").write_text("5a" * 32)
    (tmp_path / "other.key").chmod(0o600)
    monkeypatch.setenv("CONSILIUM_KEY_ENCRYPTION_KEY_FILE", str(tmp_path / "other.key"))
    with pytest.raises(up.CannotStart, match=r"other\.key.*keys rewrap"):
        up._check_keys(data)


def test_a_suite_does_not_start_where_its_key_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_KEY_ENCRYPTION_KEY_FILE", str(tmp_path / "none.key"))
    with pytest.raises(up.CannotStart, match=r"none\.key"):
        up._check_keys(DataDirectory(tmp_path / "data"))


def test_a_database_of_keys_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    away = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/keys"
    monkeypatch.setenv("CONSILIUM_KEYS_DATABASE_URL", away)
    up._check_keys(data)
