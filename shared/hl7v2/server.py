"""The door of a service for HL7 v2: listens for MLLP connections on an event loop of its own, in a thread of its own.

Connections cost little while they wait; messages are worked on by a few threads, those of one connection in the order
in which they came. MLLP has no tokens: see docs/decisions/0098.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

import structlog
from starlette.datastructures import State

from shared.hl7v2.exchange import Exchange
from shared.hl7v2.framing import Deframer, FrameTooLong
from shared.hl7v2.settings import MllpSettings

WORKERS = 4
READ_BYTES = 2**16
STOP_S = 10.0
DRAIN_S, DRAIN_MAX_BYTES = 5.0, 64 * 2**20

T = TypeVar("T")
log = structlog.get_logger(__name__)


class MllpServer:
    """Listens for messages from `start` to `stop`."""

    def __init__(self, exchange: Exchange, settings: MllpSettings) -> None:
        self._exchange, self._settings = exchange, settings
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="mllp-worker")
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self.port = 0
        """The TCP port, once started."""

    def start(self) -> None:
        """Begin listening.

        Raises: RuntimeError: the port is not free.
        """
        listening: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), name="mllp", daemon=True)
        self._thread.start()
        try:
            self.port = listening.result()
        except OSError as error:
            self._thread.join()
            raise RuntimeError(
                f"MLLP port {self._settings.mllp_port} on {self._settings.mllp_host} cannot be opened "
                f"({error.strerror}); set {self._settings.variable('mllp_port')} to a free one, or "
                f"{self._settings.variable('mllp_enabled')}=false"
            ) from error

    def stop(self) -> None:
        """Stop listening and close what connections there are.

        A sender whose message is being worked on gets no answer and sends again, which stores nothing twice.
        """
        self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread:
            self._thread.join(timeout=STOP_S)
        self._workers.shutdown(wait=True)

    async def _serve(self, listening: Future[int]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await asyncio.start_server(self._connected, self._settings.mllp_host, self._settings.mllp_port)
        except OSError as error:
            listening.set_exception(error)
            return
        listening.set_result(int(server.sockets[0].getsockname()[1]))
        await self._stopping.wait()
        for listener in server.sockets:
            self._loop.remove_reader(listener)
        # What was accepted a moment ago becomes a connection only while the loop runs on, and its server is open.
        while unfinished := asyncio.all_tasks() - {asyncio.current_task()}:
            for connection in self._connections:
                connection.cancel()
            await asyncio.wait(unfinished)
        server.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._settings.mllp_max_connections:
            log.warning("connection closed", reason="as many as allowed are open")
            writer.close()
            return

        def close(connection: asyncio.Task[None]) -> None:
            # Not in the task itself: one that is cancelled before its first step runs no `finally`.
            self._connections.discard(connection)
            writer.close()

        connection = self._loop.create_task(self._converse(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(close)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        deframer = Deframer(self._settings.mllp_max_message_bytes)
        # Silence or a peer that is gone: nothing that was acknowledged hangs on it.
        with suppress(TimeoutError, ConnectionError):
            try:
                while data := await self._within_patience(reader.read(READ_BYTES)):
                    for message in deframer.feed(data):
                        await self._reply(writer, self._exchange.answer, message)
            except FrameTooLong as error:
                await self._reply(writer, self._exchange.answer_too_long, error.beginning)
                writer.write_eof()
                async with asyncio.timeout(DRAIN_S):
                    await _drain(reader)

    async def _reply(self, writer: asyncio.StreamWriter, answer: Callable[[bytes], bytes], content: bytes) -> None:
        writer.write(await self._loop.run_in_executor(self._workers, answer, content))
        await self._within_patience(writer.drain())

    async def _within_patience(self, waiting: Awaitable[T]) -> T:
        async with asyncio.timeout(self._settings.mllp_idle_timeout_s):
            return await waiting


@contextmanager
def listening(state: State, exchange: Exchange, settings: MllpSettings) -> Iterator[None]:
    """Listen while an app runs, where its settings say so; `state.mllp_port` is the port meanwhile, else None."""
    if not settings.mllp_enabled:
        yield
        return
    server = MllpServer(exchange, settings)
    server.start()
    state.mllp_port = server.port
    try:
        yield
    finally:
        state.mllp_port = None
        server.stop()


def waiting_for(state: State, settings: MllpSettings) -> Sequence[str]:
    """What an app with a listener is not ready for, for `/readyz`."""
    return ("mllp listener",) if settings.mllp_enabled and state.mllp_port is None else ()


async def _drain(reader: asyncio.StreamReader) -> None:
    """Read on and forget: closing on unread bytes would take the answer back from the peer (RFC 1122 4.2.2.13)."""
    drained = 0
    while drained < DRAIN_MAX_BYTES and (data := await reader.read(READ_BYTES)):
        drained += len(data)
