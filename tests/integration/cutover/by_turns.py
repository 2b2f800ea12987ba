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
    loop, ready, turns = asyncio.new_event_loop(), threading.Event(), cycle(backends)
    found: list[asyncio.Server] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = urlsplit(next(turns))
        far_reader, far_writer = await asyncio.open_connection(place.hostname, place.port)
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

    async def serve() -> None:
        found.append(await asyncio.start_server(meet, "127.0.0.1", 0))
        ready.set()
        with suppress(asyncio.CancelledError):
            await found[0].serve_forever()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{found[0].sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(found[0].close)
        loop.call_soon_threadsafe(lambda: [each.cancel() for each in asyncio.all_tasks(loop)])
        thread.join(10)
        loop.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
