"""One question and its answer, within bounds: nothing that a server does makes it hang or grow."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import orjson

from ops.backend.address import is_loopback
from ops.verify.http.failures import AbsentError, NoAnswerError, UnusableAnswerError
from ops.verify.http.json_values import Json
from ops.verify.http.target import HttpTarget

_MOST_AT_ONCE = 4
_SHOWN = 80
_NOT_THERE = (404, 405, 501)


@dataclass(frozen=True)
class Answer:
    """What came back. `question` is its method and path."""

    question: str
    status: int
    kind: str
    body: bytes

    def json(self, *others: int) -> Json:
        """The JSON of a success, or of one of these statuses too.

        Raises:
            AbsentError: there is no such endpoint.
            NoAnswerError: it is a refusal or a redirection.
            UnusableAnswerError: it is no JSON.
        """
        self.expect(200, *others)
        if "json" not in self.kind:
            raise UnusableAnswerError(
                f"{self.question} answers {self.kind or 'something'}, no JSON"
            )
        return self._parsed()

    def expect(self, *statuses: int) -> None:
        """Raise what `json` raises unless the status is one of these."""
        if self.status in statuses:
            return
        if self.status in _NOT_THERE and not self._names_a_thing():
            raise AbsentError(f"{self.question} is absent ({self.status})")
        raise NoAnswerError(f"{self.question} answers {self.status}{self._reason()}")

    def _names_a_thing(self) -> bool:
        """Whether a 404 is about the thing asked for, not about the path."""
        detail = self._detail()
        return self.status == 404 and detail is not None and detail.lower() != "not found"

    def _reason(self) -> str:
        detail = self._detail()
        return f": {detail[:_SHOWN]}" if detail else ""

    def _detail(self) -> str | None:
        try:
            detail = self._parsed()["detail"].value
        except UnusableAnswerError:
            return None
        return detail if isinstance(detail, str) else None

    def _parsed(self) -> Json:
        try:
            return Json(orjson.loads(self.body), f"{self.question}:")
        except orjson.JSONDecodeError:
            raise UnusableAnswerError(f"{self.question} answers broken JSON") from None


class Exchange:
    """Asks one backend. Redirections are not followed, so that no token goes elsewhere; cookies
    are not kept, so that users stay apart."""

    def __init__(self, client: httpx.AsyncClient, target: HttpTarget) -> None:
        self._client = client
        self._patience = target.patience
        self._at_once = asyncio.Semaphore(_MOST_AT_ONCE)

    async def get(self, path: str, token: str | None = None, **parameters: str | int) -> Answer:
        """Ask for `path`."""
        return await self.ask("GET", path, token, params=parameters or None)

    async def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        *,
        seconds: float | None = None,
        json: Any = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """Ask, and read the answer to its end.

        Raises:
            NoAnswerError: none came, whole, within the bounds.
        """
        question = f"{method} {path}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        allowed = seconds or self._patience.answer
        try:
            async with self._at_once, asyncio.timeout(allowed):
                request = self._client.stream(
                    method, path, headers=headers, json=json, params=params
                )
                async with request as response:
                    body = await self._body(response, question)
        except TimeoutError:
            raise NoAnswerError(f"{question} has no end within {allowed:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise NoAnswerError(f"{question} has no answer: {_in_words(error)}") from None
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(question, response.status_code, kind, body)

    async def _body(self, response: httpx.Response, question: str) -> bytes:
        body = bytearray()
        # As it comes: what was compressed unasked could unpack to any size.
        async for part in response.aiter_raw():
            body += part
            if len(body) > self._patience.size:
                raise NoAnswerError(f"{question} answers more than {self._patience.size:,} bytes")
        return bytes(body)


@asynccontextmanager
async def exchange(target: HttpTarget) -> AsyncIterator[Exchange]:
    """An exchange with a backend; its connections end with the block."""
    # To read the authorities takes longer than to ask; nobody's are needed without encryption.
    local = is_loopback(target.url)
    client = httpx.AsyncClient(
        base_url=target.url,
        timeout=httpx.Timeout(None, connect=target.patience.connect),
        headers={"Accept-Encoding": "identity", "User-Agent": "sigmasight-verify"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        verify=not (local and target.url.startswith("http:")),
        trust_env=not local,
    )
    async with client:
        yield Exchange(client, target)


def _in_words(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_SHOWN] or type(error).__name__
