"""A network that accepts and then sends nothing: a proxy that stops forwarding."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

_CHUNK = 65536


@dataclass
class StallingProxy:
    """Forwards what comes to `listener`, until it is stalled."""

    before: URL
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _ends: list[socket.socket] = field(default_factory=list)
    _stalled: set[int] = field(default_factory=set)
    _stalls_new: bool = False

    @property
    def url(self) -> URL:
        host, port = self.listener.getsockname()
        return self.before.set(host=host, port=port)

    def stall(self, *, new: bool = True, answers_only: bool = False) -> None:
        """Hold back what comes over what is open; `new`: also over what is opened from now on;
        `answers_only`: only what the server says."""
        ends = self._ends[1::2] if answers_only else self._ends
        self._stalled = {end.fileno() for end in ends}
        self._stalls_new = new and not answers_only

    def run(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((self.before.host, self.before.port))
                self._ends += [client, server]
                if self._stalls_new:
                    self._stalled |= {client.fileno(), server.fileno()}
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if source.fileno() in self._stalled:
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for end in (self.listener, *self._ends):
            end.close()


@contextmanager
def stalling_proxy(url: URL) -> Iterator[StallingProxy]:
    """Before the server of an address."""
    proxy = StallingProxy(url)
    threading.Thread(target=proxy.run, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
