"""One question over HTTP, of which only the answer is of interest. It is asked by Python's own
client, because another one takes longer to import than a look at everything else."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import (
    BaseHandler,
    HTTPErrorProcessor,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

# By which a backend says which pair an answer is of.
PAIR_HEADER = "X-SigmaSight-Pair"
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class HttpAnswer:
    """What was answered, whatever it says."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Its document. Raises ValueError where it is none."""
        return json.loads(self.body)


class _AsItCame(HTTPErrorProcessor):
    """A refusal is an answer, and nothing is asked elsewhere."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        return response

    https_response = http_response


def is_loopback(address: str) -> bool:
    """Whether an address names this machine."""
    return urlsplit(address).hostname in _LOOPBACK_NAMES


def http_answer(url: str, seconds: float, *, body: Any = None) -> HttpAnswer | None:
    """As `ask`; None where nobody answers."""
    try:
        return ask(url, seconds, body=body)
    except (OSError, ValueError):
        return None


def ask(url: str, seconds: float, *, body: Any = None) -> HttpAnswer:
    """What is answered, over a connection of its own.

    Args:
        body: what to post, as JSON; without one the address is only read.

    Raises:
        OSError: nobody answers; TimeoutError, not in time.
        ValueError: that is no address.
    """
    told = None if body is None else json.dumps(body).encode()
    request = Request(url, told, {"Content-Type": "application/json"})
    try:
        with build_opener(*_handlers(url)).open(request, timeout=seconds) as found:
            return HttpAnswer(found.status, found.headers, found.read())
    except (HTTPException, URLError) as error:
        reason = getattr(error, "reason", None)
        raise reason if isinstance(reason, OSError) else ConnectionError(str(error)) from None


def _handlers(url: str) -> list[BaseHandler]:
    handlers = [_AsItCame(), HTTPSHandler(context=_trust(url))]
    return [*handlers, ProxyHandler({})] if is_loopback(url) else handlers


def _trust(url: str) -> ssl.SSLContext:
    """Whose certificates count: the same as for Prefect's own client, which takes long to import;
    nobody's where nothing is encrypted, because they take fifty milliseconds to read."""
    if urlsplit(url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    from httpx import create_ssl_context

    return create_ssl_context()
