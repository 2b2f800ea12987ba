"""Where a backend answers."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def backend_address(text: str) -> str:
    """`text` as the base of a backend's addresses, without a slash at its end.

    Raises:
        ValueError: it is no http(s) address, or holds more than one. The text is not repeated,
            since it may hold a password.
    """
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL; write http(s)://HOST:PORT") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("is not a URL of a backend; write http(s)://HOST:PORT")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("holds more than an address; write http(s)://HOST:PORT alone")
    return text.strip().rstrip("/")


def is_loopback(address: str) -> bool:
    """Whether an address names this machine."""
    return urlsplit(address).hostname in LOOPBACK_NAMES


BackendAddress = Annotated[str, AfterValidator(backend_address)]
