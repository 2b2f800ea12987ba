"""The socket that users reach. Whoever may serve inherits it, so it outlives each of them."""

import socket

LOOPBACK = "127.0.0.1"
USUAL_PORT = 8000
_BACKLOG = 1024


def listen(preferred: int) -> socket.socket:
    """A socket that listens on the preferred port, or on any that is free. Callers wait in its
    queue until a backend takes them."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit this.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((LOOPBACK, preferred))
    except OSError:
        listener.bind((LOOPBACK, 0))
    listener.listen(_BACKLOG)
    return listener
