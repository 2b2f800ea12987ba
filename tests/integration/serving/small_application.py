"""A backend that starts at once: it names its pair, counts, and waits."""

import asyncio
import os
import time
from typing import Any

_NAMED = [(b"x-sigmasight-pair", os.environ["ACTIVE_PAIR"].encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """`/slow/SECONDS` answers late; all others say the path and the level that it was told. The
    moment of the answer is one of the machine's clock, the same for every process."""
    if scope["type"] != "http":
        await _live(receive, send)
        return
    path = scope["path"]
    if path.startswith("/slow/"):
        await asyncio.sleep(float(path.removeprefix("/slow/")))
    text = f"{path} {os.environ.get('LOG_LEVEL')}".encode()
    headers = [*_NAMED, (b"content-length", str(len(text)).encode())]
    headers.append((b"x-answered", str(time.monotonic()).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _live(receive: Any, send: Any) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
