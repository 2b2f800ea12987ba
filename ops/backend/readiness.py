"""Whether a backend says of itself that it can serve. For the supervisor, which stays small."""

import asyncio

from ops.backend.public_socket import LOOPBACK

_PATIENCE_SECONDS = 5.0
_REQUEST = b"GET /ready HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n"


async def says_ready(port: int) -> bool:
    """Ask `/ready` once."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(_REQUEST)
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
