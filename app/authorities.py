"""Whose certificates count where a connection is encrypted."""

import ssl
from functools import lru_cache

import httpx


@lru_cache
def trusted_authorities() -> ssl.SSLContext:
    """Read once: it takes longer than many a request."""
    return httpx.create_ssl_context()
