"""A proxy on loopback: each connection goes to the next of several backends."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from urllib.parse import urlsplit


@contextmanager
def by_turns(backends: Sequence[str]) -> Iterator[str]:
    """The proxy's address, until the block ends."""
    proxy = _Proxy(backends)
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve()))
    thread.start()
    assert proxy.ready.wait(10)
    try:
        yield proxy.address
    finally:
        proxy.end()
        thread.join(10)
        assert not thread.is_alive()


class _Proxy:
    def __init__(self, backends: Sequence[str]) -> None:
        self.ready = threading.Event()
        self.address = ""
        self._turns = cycle(backends)
        self._meeting: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.ready.set()
        await self._ended.wait()
        server.close()
        for task in self._meeting:
            task.cancel()
        await asyncio.gather(*self._meeting, return_exceptions=True)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._meet(reader, writer))
        self._meeting.add(task)
        task.add_done_callback(self._meeting.discard)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = urlsplit(next(self._turns))
        try:
            far_reader, far_writer = await asyncio.open_connection(place.hostname, place.port)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        finally:
            for each in (writer, far_writer):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
