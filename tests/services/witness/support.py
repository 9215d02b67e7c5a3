"""A witness as its users meet it, and a log for it to watch that is nothing but leaves and a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from services.witness.app import create_app
from services.witness.settings import Settings
from shared.clock import Clock, utc_now
from shared.tlog.checkpoint import Checkpoint, sign_checkpoint
from shared.tlog.note import NoteSigner
from shared.tlog.witnessing import AddCheckpoint, format_add_checkpoint
from tests.shared.tlog import naive
from tests.shared.tlog.signers import signer_of

ORIGIN = "hospital.example/log"
LEAVES = [b"entry %d" % n for n in range(200)]


@dataclass(frozen=True)
class Log:
    """A log in memory; another list of leaves under the same key is a fork of it."""

    signer: NoteSigner = field(default_factory=lambda: signer_of(1, ORIGIN))
    leaves: list[bytes] = field(default_factory=lambda: LEAVES)

    def note(self, size: int) -> str:
        """The signed checkpoint of the first `size` leaves."""
        return sign_checkpoint(
            Checkpoint(self.signer.verifier_key.name, size, naive.mth(self.leaves[:size])), self.signer
        )

    def request(self, old: int, size: int, **changed: Any) -> bytes:
        """A true `add-checkpoint` request, unless something is changed."""
        proof = naive.proof(old, self.leaves[:size]) if 0 < old < size else []
        values: dict[str, Any] = {"old": old, "proof": tuple(proof), "note": self.note(size), **changed}
        return format_add_checkpoint(AddCheckpoint(**values)).encode()


@dataclass(frozen=True)
class Witness:
    """A running witness."""

    directory: Path
    client: TestClient

    def ask(self, body: bytes) -> Any:
        """Send an `add-checkpoint` request; gives the response."""
        return self.client.post("/add-checkpoint", content=body)

    @property
    def vkey(self) -> str:
        """Its public key line."""
        return (self.directory / "witness.vkey").read_text()


def settings_of(directory: Path, *vkeys: str) -> Settings:
    """Settings that keep everything in a directory."""
    (directory / "logs").write_text("\n".join(vkeys or [str(Log().signer.verifier_key)]) + "\n")
    return Settings(
        database_url=f"sqlite:///{directory}/witness.db",
        signing_key_file=directory / "witness.key",
        public_key_file=directory / "witness.vkey",
        name="auditor.example/w1",
        log_keys_file=directory / "logs",
    )


@contextmanager
def open_witness(directory: Path, *vkeys: str, clock: Clock = utc_now, **changed: Any) -> Iterator[Witness]:
    """Run a witness in a directory; run it again there and it goes on."""
    settings = settings_of(directory, *vkeys).model_copy(update=changed)
    with TestClient(create_app(settings, clock=clock), raise_server_exceptions=False) as client:
        yield Witness(directory, client)
