"""A backend that starts at once: it names its pair, counts, waits, and reads what it is sent."""

import asyncio
import os
import time
from typing import Any

_NAMED = [(b"x-sigmasight-pair", os.environ["ACTIVE_PAIR"].encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """`/slow/SECONDS` answers late, `/large` a lot, `/broken` fails; all others say the path.
    The moment of the answer is one of the machine's clock, the same for every process."""
    if scope["type"] != "http":
        await _live(receive, send)
        return
    path = scope["path"]
    length = 0
    while True:
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    if path.startswith("/slow/"):
        await asyncio.sleep(float(path.removeprefix("/slow/")))
    if path == "/broken":
        raise RuntimeError("as it was asked to")
    status = int(os.environ.get("READY_STATUS", "200")) if path == "/ready" else 200
    text = b"x" * 2_000_000 if path == "/large" else f"{path} {length}".encode()
    headers = [*_NAMED, (b"content-length", str(len(text)).encode())]
    headers.append((b"x-answered", str(time.monotonic()).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _live(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
