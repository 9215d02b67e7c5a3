"""One process of several that serve associations (`receivers`): a DICOM server without a port."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress

from services.imaging.settings import Settings
from shared.settings import CommonSettings


def receive(settings: Settings, common: CommonSettings, channel: socket.socket) -> None:
    """Serve the connections that come over `channel`, until its other end is closed.

    Its audit events are left to the relay of the web process, which looks into the outbox each second: two relays
    would send most of them twice.
    """
    # Imported here: the process that starts this one has no use for them.
    from services.imaging.dicom.decoders import open_decoders
    from services.imaging.dimse.channel import READY
    from services.imaging.dimse.server import DimseServer
    from services.imaging.store import OutboxRow
    from shared.telemetry import configure_logging
    from shared.web import build_runtime

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the listener, which then closes the channel
    configure_logging(common.log_level)
    runtime = build_runtime("imaging", common, settings.database_url, OutboxRow)
    decoders = open_decoders(settings)
    server = DimseServer(runtime, settings, decoders)
    ended = server.start_on(channel)
    with suppress(BrokenPipeError):  # the listener was stopped before this process was up
        channel.send(READY)
        ended.wait()
    server.stop()
    decoders.close()
