"""One question over HTTP, of which only the answer is of interest."""

from typing import Any
from urllib.parse import urlsplit

import httpx

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(address: str) -> bool:
    """Whether an address names this machine."""
    return urlsplit(address).hostname in _LOOPBACK_NAMES


def http_answer(url: str, seconds: float, *, body: Any = None) -> httpx.Response | None:
    """What is answered, over a connection of its own; None where nobody answers.

    Args:
        body: what to post, as JSON; without one the address is only read.
    """
    try:
        return httpx.request(
            "GET" if body is None else "POST",
            url,
            json=body,
            timeout=seconds,
            trust_env=not is_loopback(url),
            # To read this machine's certificates takes fifty milliseconds of computing.
            verify=urlsplit(url).scheme != "http",
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
