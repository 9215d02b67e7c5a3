"""Associations served by several processes, each connection by the one that serves the fewest.

One Python process takes in about as many instances as one core can, however many associations it has. The parent
listens and hands over connections; it reads nothing of what comes over them. A receiver that dies takes its
associations with it, whose senders got no success and send again; another one takes its place.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import threading
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

import structlog

from services.imaging.dimse.channel import ENDED, READY, hand_over
from services.imaging.dimse.receiver import receive
from services.imaging.dimse.tls import caller_context, listener_context
from services.imaging.errors import cannot_listen
from services.imaging.settings import Settings
from shared.settings import CommonSettings

STOP_S, KILL_S = 15.0, 1.0
START_AGAIN_S = 1.0
BACKLOG = 128

log = structlog.get_logger(__name__)


@dataclass
class _Receiver:
    """A receiving process, as its parent sees it."""

    process: BaseProcess
    channel: socket.socket
    ready: bool = False
    serves: int = 0


class Receivers:
    """Listens for associations from `start` to `stop`, and has other processes serve them."""

    def __init__(self, settings: Settings, common: CommonSettings) -> None:
        self._settings, self._common = settings, common
        # A child would only say that it ended: what is wrong with the TLS files is said here.
        listener_context(settings), caller_context(settings)
        self._receivers: list[_Receiver] = []
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket
        """Open from `start` to `stop`."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dicom-listener", daemon=True)

    @property
    def port(self) -> int:
        """The TCP port, once started."""
        return int(self._listener.getsockname()[1])

    @property
    def listening(self) -> bool:
        """Whether associations are served."""
        return any(receiver.ready for receiver in self._receivers)

    def start(self) -> None:
        """Begin listening; connections wait until a receiver is ready.

        Raises: RuntimeError: the port is not free.
        """
        host, port = self._settings.dimse_host, self._settings.dimse_port
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except OSError as error:
            raise cannot_listen(host, port, error) from error
        for _ in range(self._settings.dimse_processes):
            self._add_receiver()
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; receivers abort what associations there are and end."""
        self._stopping.set()
        self._thread.join()
        self._listener.close()
        for receiver in self._receivers:
            receiver.channel.close()
        for receiver in self._receivers:
            receiver.process.join(STOP_S)
            receiver.process.kill()
        self._receivers.clear()
        self._selector.close()

    def _add_receiver(self) -> None:
        ours, theirs = socket.socketpair()
        settings = self._settings.for_one_receiver()
        # A program of its own, not a fork: this process has threads.
        process = multiprocessing.get_context("spawn").Process(
            target=receive, args=(settings, self._common, theirs), name="dicom-receiver", daemon=True
        )
        process.start()
        theirs.close()
        receiver = _Receiver(process, ours)
        self._receivers.append(receiver)
        self._selector.register(ours, selectors.EVENT_READ, receiver)

    def _run(self) -> None:
        waits = False
        while not self._stopping.is_set():
            if self.listening and not waits:
                self._selector.register(self._listener, selectors.EVENT_READ)
                waits = True
            for key, _ in self._selector.select(timeout=0.2):
                if key.data is None:
                    self._hand_over()
                else:
                    self._hear(key.data)
            if waits and not self.listening:
                self._selector.unregister(self._listener)
                waits = False

    def _hand_over(self) -> None:
        receiver = min((one for one in self._receivers if one.ready), key=lambda one: one.serves, default=None)
        if receiver is None:
            return
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it was gone again
            return
        with connection:
            try:
                hand_over(receiver.channel, connection)
                receiver.serves += 1
            except OSError:
                log.warning("connection dropped", reason="its receiver ended")  # which is heard of next

    def _hear(self, receiver: _Receiver) -> None:
        try:
            said = receiver.channel.recv(1024)
        except OSError:
            said = b""
        receiver.ready = receiver.ready or READY in said
        receiver.serves = max(0, receiver.serves - said.count(ENDED))
        if not said:
            self._replace(receiver)

    def _replace(self, receiver: _Receiver) -> None:
        self._selector.unregister(receiver.channel)
        self._receivers.remove(receiver)
        receiver.channel.close()
        receiver.process.join(KILL_S)
        receiver.process.kill()
        log.error("DICOM receiver ended", exit_status=receiver.process.exitcode)
        if not self._stopping.wait(0 if receiver.ready else START_AGAIN_S):
            self._add_receiver()
