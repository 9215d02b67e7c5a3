"""Logs as real services left them in real databases, for tests that edit them: filled once, copied for each test."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from services.audit.verify.notes import Key, parse_key
from shared.auth import Role
from tests.services.audit.support import Audit, event, lift_guards, open_audit, signature_of
from tests.support.common import make_test_bed

EVENTS = 300
MORE = {"purposeOfUse": "TREAT", "details": {"bundleDigest": "sha256:" + "b" * 64}}


@dataclass(frozen=True)
class Left:
    """A log's database after its service has stopped, and what was kept elsewhere."""

    url: str
    vkey: str
    key_file: Path
    note: str
    """The newest checkpoint, as somebody kept it."""
    consent: int
    """Index of a consent's entry."""
    model: int
    """Index of a model's registration."""

    @property
    def keys(self) -> list[Key]:
        """The log's key, kept elsewhere."""
        return [parse_key(self.vkey)]

    @property
    def place(self) -> str:
        """What `verify log` is told."""
        return self.url.removeprefix("sqlite:///")

    def edit(self, *statements: str, guarded: bool = False) -> None:
        """What an administrator does at the database's prompt."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            if not guarded:
                lift_guards(connection)
            for statement in statements:
                connection.execute(sa.text(statement))


def fill(directory: Path, url: str | None = None) -> Left:
    """Run a service, have it used, stop it."""
    bed = make_test_bed(directory)
    with open_audit(bed, database_url=url or bed.sqlite("audit")) as audit:
        _use(audit)
        note = audit.client.get("/audit/checkpoint").text
        consent, model = (_index(audit, subtype) for subtype in ("consent-given", "model-registered"))
        return Left(url or bed.sqlite("audit"), audit.vkey, directory / "log.key", note, consent, model)


def _use(audit: Audit) -> None:
    for size in (1, 9, EVENTS - 10):
        audit.append(*(event(object={"kind": "note", "id": str(n)}, **MORE) for n in range(size)))
    consent = {
        "patient": "MRN-7", "decision": "deny", "purposes": ["TREAT", "HRESCH"], "modalities": ["image", "note"],
        "actors": [{"role": "clinician"}], "exceptions": [{"decision": "permit", "purposes": ["HRESCH"]}],
    }  # fmt: skip
    given = audit.post("/consents", {**consent, "period": {"start": "2026-01-01T00:00:00+02:00"}}).json()
    audit.post(f"/consents/{given['id']}/withdraw")
    model = {"name": "m", "version": "1", "digest": "sha256:" + "a" * 64, "card": {"auroc": 0.9, "notes": ["é", 1e-7]}}
    registered = audit.post("/models", model, Role.SERVICE).json()
    audit.post(f"/models/{registered['id']}/signature", signature_of(registered["digest"]), Role.SERVICE)
    audit.post(f"/models/{registered['id']}/promote", {"stage": "shadow"}, Role.ADMIN)


def _index(audit: Audit, subtype: str) -> int:
    index: int = audit.get("/audit/entries", subtype=subtype).json()["items"][0]["index"]
    return index


def copy_sqlite(left: Left, directory: Path) -> Left:
    """The same log in another file."""
    file = shutil.copy(left.place, directory / "copy.db")
    return replace(left, url=f"sqlite:///{file}")


@contextmanager
def copy_postgres(left: Left) -> Iterator[Left]:
    """The same log in another database of the same server."""
    url, name = sa.engine.make_url(left.url), f"copy_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(
        url.difference_update_query(["options"]).set(database="postgres"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}" TEMPLATE "{url.database}"'))
    try:
        copied = url.set(database=name).render_as_string(hide_password=False)
        yield replace(left, url=copied)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()
