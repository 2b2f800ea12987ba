"""Requests to a chat-completions endpoint."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx

from app.agent.llm.chunks import BrokenStreamError, ChunkReader
from app.agent.llm.wire import request_body
from app.agent.model import ModelError, ModelEvent, Prompt
from app.authorities import trusted_authorities
from app.config import EndpointSettings

_CONNECT_SECONDS = 10.0
_RETRYABLE = frozenset({408, 409, 425, 429})


class Endpoint:
    """Where models answer. One for each turn, so that its connections end with it."""

    def __init__(self, settings: EndpointSettings) -> None:
        base_url = settings.LLM_BASE_URL or ""
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + "/",
            headers=settings.key_header,
            timeout=httpx.Timeout(settings.LLM_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS),
            verify=trusted_authorities() if base_url.startswith("https") else False,
        )

    async def stream(self, prompt: Prompt, model: str) -> AsyncGenerator[ModelEvent, None]:
        """One completion, as it comes.

        Raises:
            ModelError: the endpoint refuses, does not answer in time, or breaks off.
        """
        body = request_body(prompt, model)
        try:
            async with self._client.stream("POST", "chat/completions", json=body) as response:
                _refuse(response)
                async with aclosing(ChunkReader().events(response.aiter_bytes())) as events:
                    async for event in events:
                        yield event
        except httpx.TimeoutException:
            raise ModelError("The model does not answer", "NETWORK_ERROR", True) from None
        except httpx.RemoteProtocolError:
            raise BrokenStreamError("The model's stream was cut") from None
        except httpx.HTTPError:
            raise ModelError("The model cannot be reached", "NETWORK_ERROR", True) from None

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def _refuse(response: httpx.Response) -> None:
    """What the endpoint says in its refusal stays here: it may quote the key."""
    status = response.status_code
    if status == 200:
        return
    if status == 429:
        after = _seconds(response.headers.get("retry-after"))
        raise ModelError("The model is asked too often", "RATE_LIMITED", True, after)
    if status >= 500 or status in _RETRYABLE:
        after = _seconds(response.headers.get("retry-after"))
        raise ModelError(f"The model failed ({status})", "SERVER_ERROR", True, after)
    raise ModelError(f"The model refused the request ({status})", "FATAL_ERROR", False)


def _seconds(header: str | None) -> float | None:
    """Seconds of a Retry-After header; a date there is not honoured."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
