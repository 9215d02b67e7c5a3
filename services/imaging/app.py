"""Puts the imaging service together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from fastapi import FastAPI

from services.imaging.api import evidence, qido, research, stow, wado, wado_pixels
from services.imaging.deid.text_finder import text_finder
from services.imaging.dicom.decoders import Decoders, open_decoders
from services.imaging.erasing import ERASER
from services.imaging.settings import Settings
from services.imaging.store import OutboxRow
from shared.erasure import erasure_router
from shared.settings import CommonSettings
from shared.web import Runtime, build_runtime, create_service_app

if TYPE_CHECKING:
    from services.imaging.dimse.receivers import Receivers
    from services.imaging.dimse.server import DimseServer

DESCRIPTION = "DICOM in by STOW-RS and C-STORE, out by QIDO-RS and WADO-RS; renderings for the diagnosis service."


def create_app(settings: Settings | None = None, common: CommonSettings | None = None) -> FastAPI:
    """The imaging service's web part, with its DICOM listener while the app runs; the database is migrated already.

    While it runs, `app.state.dimse_port` is the port of the listener (None where it is not enabled).
    """
    settings = settings or Settings()
    runtime = build_runtime("imaging", common or CommonSettings(), settings.database_url, OutboxRow)
    decoders = open_decoders(settings)

    def _waiting_for() -> Sequence[str]:
        listener = app.state.dimse
        return ("dicom listener",) if settings.dimse_enabled and not (listener and listener.listening) else ()

    @contextmanager
    def _running() -> Iterator[None]:
        if settings.decoders_started_ahead:
            threading.Thread(target=decoders.start_ahead, daemon=True).start()
        # The first instance should not wait for pydicom and numpy.
        threading.Thread(target=import_module, args=("services.imaging.usecases.ingest",), daemon=True).start()
        try:
            with _listening():
                yield
        finally:
            decoders.close()

    @contextmanager
    def _listening() -> Iterator[None]:
        if not settings.dimse_enabled:
            yield
            return
        listener = _listener(runtime, settings, decoders)
        listener.start()
        app.state.dimse_port, app.state.dimse = listener.port, listener
        try:
            yield
        finally:
            app.state.dimse_port = app.state.dimse = None
            listener.stop()

    app = create_service_app(
        "imaging",
        runtime,
        [
            stow.router,
            wado.router,
            wado_pixels.router,
            qido.router,
            research.router,
            evidence.router,
            erasure_router(ERASER),
        ],
        description=DESCRIPTION,
        readiness=_waiting_for,
        lifespan=_running,
        max_body_bytes=settings.max_body_bytes,
    )
    app.state.settings = settings
    app.state.decoders = decoders
    app.state.find_text = text_finder()
    app.state.dimse_port = app.state.dimse = None
    return app


def _listener(runtime: Runtime, settings: Settings, decoders: Decoders) -> DimseServer | Receivers:
    if settings.dimse_processes:
        from services.imaging.dimse.receivers import Receivers

        return Receivers(settings, runtime.common)
    from services.imaging.dimse.server import DimseServer

    return DimseServer(runtime, settings, decoders)
