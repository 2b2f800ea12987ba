"""The gate before the application: each request waits for it, and belongs to a pair."""

import asyncio
import hashlib
import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import UnavailableError
from app.gate.gate import Gate
from app.gate.serving_pair import Pair, other_pair, serving_pair
from app.json_response import JsonResponse

# Alive is alive, whoever is served.
_OPEN = "/health"
# Below it, and behind a word whose digest Core knows, the pair that users do not reach is asked.
TRIAL = "/trial-"


def public_part(address: str) -> str:
    """An address without the word that lets a trial in."""
    return address.partition(TRIAL)[0]


def without_word(path: str) -> str:
    """A path as it may be logged: not with the word that lets a trial in."""
    return _TRIAL_PATH.sub(rf"{TRIAL}…\2", path)


_TRIAL_PATH = re.compile(rf"{TRIAL}([\w-]+)(/.*)")


def _unavailable(why: str) -> JsonResponse:
    return JsonResponse({"detail": why}, status_code=503, headers={"Retry-After": "2"})


class GateMiddleware:
    """Serve each request from the pair that is active when it begins."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif (trial := self._trial(scope["path"])) is not None:
            await self._answer(*trial, scope, receive, send)
        elif scope["path"] == _OPEN:
            pair = self.gate.order.pair if self.gate.order else None
            await self._answer(pair, _OPEN, scope, receive, send)
        else:
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            pair = await self.gate.enter()
        except UnavailableError as error:
            await _unavailable(str(error))(scope, receive, send)
            return
        with self.gate.passing(pair) as request:

            async def receiving() -> Message:
                message = await receive()
                request.awaits_body = bool(message.get("more_body"))
                return message

            async def sending(message: Message) -> None:
                request.is_answered = True
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    request.end()  # a client that reads slowly holds up nobody
                await send(message)

            try:
                await self.app(scope, receiving, sending)
            except asyncio.CancelledError:
                if not request.take_back():
                    raise
                await _unavailable("The request was broken off; try again")(scope, receive, send)

    def _trial(self, path: str) -> tuple[Pair, str] | None:
        found, order = _TRIAL_PATH.fullmatch(path), self.gate.order
        if found is None or order is None or order.trial_digest is None:
            return None
        given = hashlib.sha256(found[1].encode()).hexdigest()
        if not secrets.compare_digest(given, order.trial_digest):
            return None
        return other_pair(order.pair), found[2]

    async def _answer(
        self, pair: Pair | None, path: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        token = serving_pair.set(pair)
        try:
            await self.app({**scope, "path": path, "raw_path": path.encode()}, receive, send)
        finally:
            serving_pair.reset(token)
