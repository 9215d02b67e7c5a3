"""An association server whose connections another process has accepted and hands over."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Any

from pynetdicom import evt
from pynetdicom.transport import ThreadedAssociationServer

from services.imaging.dimse.channel import ENDED, take_over

AT_THE_END_S = 0.05


class HandedAssociationServer(ThreadedAssociationServer):
    """Serves what comes over a channel instead of what connects to a port."""

    def __init__(self, *args: Any, channel: socket.socket, **options: Any) -> None:
        self._channel = channel
        self.ended = threading.Event()
        """Set when the other end of the channel is closed."""
        super().__init__(*args, **options)
        self.bind(evt.EVT_CONN_CLOSE, lambda _: self._one_is_over())

    def server_bind(self) -> None:
        """There is nothing to bind: `serve_forever` waits for the channel."""
        assert self.socket is not None  # noqa: S101  # the base class has just made it
        self.socket.close()
        self.socket = self._channel

    def server_activate(self) -> None:
        """Nor to listen on."""

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection and who is at its other end. Raises: OSError: there is none."""
        connection = take_over(self._channel)
        if connection is None:
            self.ended.set()
            time.sleep(AT_THE_END_S)  # a closed channel has always something to read, until this server is stopped
            raise OSError("the listener has closed the channel")
        try:
            address = connection.getpeername()
            if self.ssl_context:
                connection = self.ssl_context.wrap_socket(connection, server_side=True)
            return connection, address
        except OSError:  # it is gone already
            connection.close()
            self._one_is_over()
            raise

    def _one_is_over(self) -> None:
        with suppress(OSError):  # nobody counts any more
            self._channel.send(ENDED)
