"""A bound on what a request may send."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.json_response import JsonResponse

LARGEST_BODY_BYTES = 1_048_576
_REFUSAL = f"The request is larger than {LARGEST_BODY_BYTES:,} bytes"


class BodyLimit:
    """Answer 413 to a body that is too large, whether or not it says its length."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and _declared_length(scope) > LARGEST_BODY_BYTES:
            await JsonResponse({"detail": _REFUSAL}, status_code=413)(scope, receive, send)
            return
        await self.app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    received = 0

    async def counting() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > LARGEST_BODY_BYTES:
            raise HTTPException(413, _REFUSAL)
        return message

    return counting


def _declared_length(scope: Scope) -> int:
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0
