"""A chat's stream as an HTTP response."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.agent import bounds
from app.agent.chat import Stream

_HEADERS = {"Cache-Control": "no-cache", "Connection": "keep-alive", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """Frames as they come, heartbeats where none come. It ends the turn where its client goes."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(_frames(stream), media_type="text/event-stream", headers=_HEADERS)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.abandon()


async def _frames(stream: Stream) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(bounds.HEARTBEAT_SECONDS):
                frame = await stream.log.queue.get()
        except TimeoutError:
            yield stream.log.heartbeat()
            continue
        if frame is None:
            return
        yield frame
