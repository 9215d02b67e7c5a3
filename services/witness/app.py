"""Wires the witness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from services.witness import api, store
from services.witness.settings import Settings
from services.witness.usecases import WitnessContext
from shared.access import refuse_unguarded
from shared.auth import write_secret
from shared.clock import Clock, utc_now
from shared.database import create_engine, migrate, session_factory
from shared.errors import install_error_handlers
from shared.headers import SecurityHeaders
from shared.limits import BodyLimit
from shared.secret_files import read_secret
from shared.telemetry import Instrumented
from shared.tlog.cosignature import Ed25519Cosigner, parse_cosignature_key
from shared.tlog.note import VerifierKey, parse_verifier_key
from shared.tlog.witnessing import MAX_BODY_BYTES

DESCRIPTION = "Cosigns checkpoints of verifiable logs that continue what it has seen (C2SP tlog-witness)."


def create_app(settings: Settings | None = None, *, clock: Clock = utc_now) -> FastAPI:
    """The witness's app. Its database is migrated here.

    Raises: ValueError: the settings leave something out, or a key file cannot be used.
    """
    settings = settings or Settings()
    migrate(settings.database_url, "witness")
    engine = create_engine(settings.database_url)
    logs = read_log_keys(settings.log_keys_file)
    context = WitnessContext(session_factory(engine), open_cosigner(settings), logs, clock)
    with context.sessions.begin() as session:
        for origin in logs:
            store.watch(session, origin)

    @asynccontextmanager
    async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(
        title="Consilium witness",
        description=DESCRIPTION,
        lifespan=_lifespan,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
    )
    app.state.witness = context
    install_error_handlers(app)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Instrumented, service="witness")
    app.include_router(api.router)
    refuse_unguarded(app)
    return app


def read_log_keys(file: Path) -> dict[str, Sequence[VerifierKey]]:
    """The keys of the logs that are watched, by origin.

    Raises: ValueError: the file cannot be read, holds none, or a line is no log's key.
    """
    try:
        lines = [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise ValueError(f"the logs' keys cannot be read from {file}: {error.strerror}") from error
    if not lines:
        raise ValueError(f"{file} holds no log's key")
    keys: dict[str, list[VerifierKey]] = {}
    for key in map(parse_verifier_key, lines):
        keys.setdefault(key.name, []).append(key)
    return dict(keys)


def open_cosigner(settings: Settings) -> Ed25519Cosigner:
    """The witness's key, made if there is none yet; the public key is written beside it.

    Raises: ValueError: a key file is unreadable, or the public key on file belongs to another private key.
    """
    secret, public = settings.signing_key_file, settings.public_key_file
    if not secret.exists():
        if public.exists():
            raise ValueError(f"the private key {secret} is missing although its public key is there: restore it")
        write_secret(secret, Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
    seed = bytes.fromhex(read_secret(secret))
    cosigner = Ed25519Cosigner(settings.name, Ed25519PrivateKey.from_private_bytes(seed))
    if not public.exists():
        public.write_text(f"{cosigner.key}\n")
    elif parse_cosignature_key(public.read_text()) != cosigner.key:
        raise ValueError(f"{public} is not the public key of this witness's name and private key")
    return cosigner
