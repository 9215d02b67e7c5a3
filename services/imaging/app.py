"""Puts the imaging service together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from fastapi import FastAPI

from services.imaging.api import evidence, qido, research, stow, wado, wado_pixels
from services.imaging.deid.text_finder import text_finder
from services.imaging.dicom.decoder_process import Limits
from services.imaging.dicom.decoders import Decoders
from services.imaging.settings import Settings
from services.imaging.store import OutboxRow
from shared.settings import CommonSettings
from shared.web import build_runtime, create_service_app

DESCRIPTION = "DICOM in by STOW-RS and C-STORE, out by QIDO-RS and WADO-RS; renderings for the diagnosis service."


def create_app(settings: Settings | None = None, common: CommonSettings | None = None) -> FastAPI:
    """The imaging service's web part, with its DICOM listener while the app runs; the database is migrated already.

    While it runs, `app.state.dimse_port` is the port of the listener (None where it is not enabled).
    """
    settings = settings or Settings()
    runtime = build_runtime("imaging", common or CommonSettings(), settings.database_url, OutboxRow)
    decoders = Decoders(_limits(settings), settings.decoders)

    def _waiting_for() -> Sequence[str]:
        return ("dicom listener",) if settings.dimse_enabled and app.state.dimse_port is None else ()

    @contextmanager
    def _running() -> Iterator[None]:
        if settings.decoders_started_ahead:
            threading.Thread(target=decoders.start_ahead, daemon=True).start()
        try:
            with _listening():
                yield
        finally:
            decoders.close()

    @contextmanager
    def _listening() -> Iterator[None]:
        if not settings.dimse_enabled:
            # The first instance should not wait for pydicom and numpy.
            threading.Thread(target=import_module, args=("services.imaging.usecases.ingest",), daemon=True).start()
            yield
            return
        from services.imaging.dimse.server import DimseServer

        server = DimseServer(runtime, settings, decoders)
        server.start()
        app.state.dimse_port = server.port
        try:
            yield
        finally:
            app.state.dimse_port = None
            server.stop()

    app = create_service_app(
        "imaging",
        runtime,
        [stow.router, wado.router, wado_pixels.router, qido.router, research.router, evidence.router],
        description=DESCRIPTION,
        readiness=_waiting_for,
        lifespan=_running,
        max_body_bytes=settings.max_body_bytes,
    )
    app.state.settings = settings
    app.state.decoders = decoders
    app.state.find_text = text_finder()
    app.state.dimse_port = None
    return app


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_pixels=settings.max_pixels,
        memory_bytes=settings.decode_memory_bytes,
        cpu_s=settings.decode_cpu_s,
        wall_s=settings.decode_timeout_s,
    )
