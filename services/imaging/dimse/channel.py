"""What the listener and a receiving process say to one another over a pair of sockets."""

from __future__ import annotations

import socket

READY, ENDED = b"r", b"e"
"""What a receiver says: it takes connections; one of them is over."""
CONNECTION = b"c"
"""What the listener says, with the descriptor of the connection."""


def hand_over(channel: socket.socket, connection: socket.socket) -> None:
    """Give a connection to the receiver at the other end. Raises: OSError: it has ended."""
    socket.send_fds(channel, [CONNECTION], [connection.fileno()])


def take_over(channel: socket.socket) -> socket.socket | None:
    """The next connection; None at the end of the channel. Raises: OSError: it was lost on the way."""
    message, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not message:
        return None
    if not descriptors:
        raise OSError("a connection came without its descriptor")
    return socket.socket(fileno=descriptors[0])
