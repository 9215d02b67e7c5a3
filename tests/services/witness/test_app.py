"""Start-up, keys, and what a witness tells."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.suite.servers import free_port
from services.witness.app import create_app
from services.witness.store import Base
from shared.database import create_engine, migrate
from shared.tlog.cosignature import parse_cosignature_key
from tests.services.witness.support import ORIGIN, Log, open_witness, settings_of

LOG = Log()


def test_key_is_made_once_and_kept(tmp_path: Path) -> None:
    with open_witness(tmp_path) as witness:
        first = witness.client.get("/key").text
    assert (tmp_path / "witness.key").stat().st_mode & 0o777 == 0o600
    with open_witness(tmp_path) as witness:
        assert witness.client.get("/key").text == first == witness.vkey
    assert parse_cosignature_key(first).name == "auditor.example/w1"


def test_lost_private_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    with open_witness(tmp_path):
        pass
    (tmp_path / "witness.key").unlink()
    with pytest.raises(ValueError, match="restore it"):
        create_app(settings_of(tmp_path))


@pytest.mark.parametrize("content", ["", "# nothing\n", "not a key\n"])
def test_file_without_a_logs_key_is_refused(tmp_path: Path, content: str) -> None:
    settings = settings_of(tmp_path)
    (tmp_path / "logs").write_text(content)
    with pytest.raises(ValueError, match="key"):
        create_app(settings)


@pytest.mark.parametrize(("path", "status"), [("/checkpoint", 404), ("/evidence", 200)])
def test_before_the_first_checkpoint_there_is_none(tmp_path: Path, path: str, status: int) -> None:
    with open_witness(tmp_path) as witness:
        assert witness.client.get(path, params={"origin": ORIGIN}).status_code == status
        assert witness.client.get(path, params={"origin": "elsewhere"}).status_code == 404
        assert witness.client.get(path).status_code == 422


def test_migrations_build_what_the_rows_declare(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/witness.db"
    migrate(url, "witness")
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_command_runs_a_witness_that_a_log_can_ask(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text(f"{LOG.signer.verifier_key}\n")
    port = free_port()
    arguments = [
        "witness",
        "--log-keys",
        str(tmp_path / "logs"),
        "--data-dir",
        str(tmp_path / "w"),
        "--port",
        str(port),
    ]
    process = subprocess.Popen([sys.executable, "-m", "services.cli", *arguments], env=os.environ.copy())
    try:
        answer = _ask(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert answer.status_code == 200
    assert answer.text.startswith("— consilium.local/witness ")


def _ask(url: str, process: subprocess.Popen[bytes]) -> httpx.Response:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return httpx.post(f"{url}/add-checkpoint", content=LOG.request(0, 5), timeout=10, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("the witness did not start")
