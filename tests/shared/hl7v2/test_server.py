"""Stopping a listener at the worst moment, over real sockets."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from services.notes.settings import Settings
from shared.hl7v2.exchange import Exchange
from shared.hl7v2.server import MllpServer


def test_a_stop_closes_connections_that_have_just_come() -> None:
    """They are accepted and told to stop in one turn of the loop, before anything of theirs has run."""
    nothing_to_answer = cast(Exchange, None)
    server = MllpServer(nothing_to_answer, Settings(database_url="sqlite://", mllp_port=0))
    server.start()
    held = threading.Event()
    server._loop.call_soon_threadsafe(held.wait, 20)
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(20)]
    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(server.stop)
        held.set()
        stopped.result()
    for connection in connections:
        with connection:
            assert connection.recv(1) == b""
