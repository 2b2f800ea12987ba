"""One question to a backend and its answer, within bounds: nothing that a server does makes it hang
or grow, and what is wrong with an answer is named by its endpoint and field."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError

from app.authorities import trusted_authorities
from app.gate.middleware import public_part
from ops.errors import SigmaSightError
from ops.http_answer import is_loopback
from ops.probe_accounts import ProbeAccounts

T = TypeVar("T")

_MOST_AT_ONCE = 4
# Each value may become an error of its own, which takes about a kilobyte.
_MOST_VALUES = 200_000
_SHOWN = 80
_NOT_THERE = (404, 405, 501)


class UnansweredError(SigmaSightError):
    """A question over HTTP has no good answer."""


class NoAnswerError(UnansweredError):
    """Nothing usable came: refused, broken off, too slow, too large, redirected."""


class AbsentError(UnansweredError):
    """The backend has no such endpoint."""


class UnusableAnswerError(UnansweredError):
    """What came is not what the contract says."""


@dataclass(frozen=True)
class Patience:
    """The bounds of one visit: seconds, and bytes of an answer."""

    connect: float = 5.0
    answer: float = 20.0
    stream: float = 120.0
    check: float = 150.0
    size: int = 16 * 2**20


@dataclass(frozen=True)
class HttpTarget:
    """A backend.

    Attributes:
        url: the base of its addresses, without a slash at its end.
        probes: whom to log in as.
        log: a file that it writes its log to, where that can be read from here.
        intrusion: whether it is tried without the right to come in. A backend may count that, and
            lock an account or an address for a while.
    """

    url: str
    probes: ProbeAccounts
    log: Path | None = None
    patience: Patience = Patience()
    intrusion: bool = True

    def __str__(self) -> str:
        """Its address without the secret part of one that is only tried."""
        return public_part(self.url)


@dataclass(frozen=True)
class Answer:
    """What came back. `question` is its method and path."""

    question: str
    status: int
    kind: str
    body: bytes

    def read(self, shape: type[T], *others: int) -> T:
        """The JSON of a success, or of one of these statuses too, as the shape that `app` declares.

        Raises:
            AbsentError: there is no such endpoint.
            NoAnswerError: it is a refusal or a redirection.
            UnusableAnswerError: it is no JSON, or not of this shape.
        """
        self.expect(200, *others)
        if "json" not in self.kind:
            raise UnusableAnswerError(
                f"{self.question} answers {self.kind or 'something'}, no JSON"
            )
        if self.body.count(b",") >= _MOST_VALUES:
            raise UnusableAnswerError(f"{self.question} answers more than {_MOST_VALUES:,} values")
        return checked(f"{self.question}:", self._parsed(), shape)

    def field(self, path: str, shape: type[T], *others: int) -> T:
        """A field of the JSON. Raises what `read` raises."""
        return field_of(f"{self.question}:", self.read(object, *others), path, shape)

    def expect(self, *statuses: int) -> None:
        """Raise what `read` raises unless the status is one of these."""
        if self.status in statuses:
            return
        detail = self._detail()
        # A 404 with words of its own is about the thing asked for, not about the path.
        names_a_thing = self.status == 404 and detail.lower() not in ("", "not found")
        if self.status in _NOT_THERE and not names_a_thing:
            raise AbsentError(f"{self.question} is absent ({self.status})")
        reason = f": {detail[:_SHOWN]}" if detail else ""
        raise NoAnswerError(f"{self.question} answers {self.status}{reason}")

    def _detail(self) -> str:
        try:
            parsed = self._parsed()
        except UnusableAnswerError:
            return ""
        detail = parsed.get("detail") if isinstance(parsed, dict) else None
        return detail if isinstance(detail, str) else ""

    def _parsed(self) -> Any:
        """The JSON; orjson refuses NaN, infinities and what is nested too deep."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise UnusableAnswerError(f"{self.question} answers broken JSON") from None


def checked(where: str, found: Any, shape: type[T]) -> T:
    """Return `found` if it has a shape: every field there and of its very type; more may be there.

    Raises:
        UnusableAnswerError: it has not; names the first field that is wrong, never its value.
    """
    try:
        value: T = _adapter(cast(Any, shape)).validate_python(found, strict=True)
        return value
    except ValidationError as error:
        first, *more = error.errors(include_url=False, include_context=False, include_input=False)
    name = "".join(f" {part}" for part in [".".join(map(str, first["loc"]))[:_SHOWN]] if part)
    wrong = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Input ")
    others = f" (and {len(more)} more)" if more else ""
    raise UnusableAnswerError(f"{where}{name} {wrong}{others}")


def field_of(where: str, found: object, path: str, shape: type[T]) -> T:
    """Return what stands at a path such as `data.delta`. Raises what `checked` raises."""
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            raise UnusableAnswerError(f"{where} {path} is missing")
        found = found[name]
    return checked(f"{where} {path}", found, shape)


@lru_cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


class Exchange:
    """Asks one backend. Redirections are not followed, so that no token goes elsewhere; cookies
    are not kept, so that users stay apart."""

    def __init__(self, client: httpx.AsyncClient, patience: Patience) -> None:
        self._client = client
        self._patience = patience
        self._at_once = asyncio.Semaphore(_MOST_AT_ONCE)

    async def get(self, path: str, token: str | None = None) -> Answer:
        """Ask for `path`. Raises what `ask` raises."""
        return await self.ask("GET", path, token)

    async def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        *,
        seconds: float | None = None,
        json: Any = None,
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
                request = self._client.stream(method, path, headers=headers, json=json)
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
    client = httpx.AsyncClient(
        base_url=target.url,
        timeout=httpx.Timeout(None, connect=target.patience.connect),
        headers={"Accept-Encoding": "identity", "User-Agent": "sigmasight-verify"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=not is_loopback(target.url),
        verify=trusted_authorities(),
    )
    async with client:
        yield Exchange(client, target.patience)


def _in_words(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_SHOWN] or type(error).__name__
