"""Asking again while nothing has been said yet, at last another model."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from app.agent import bounds
from app.agent.llm.endpoint import Endpoint
from app.agent.model import (
    Model,
    ModelError,
    ModelEvent,
    Notice,
    Prompt,
    RetryStats,
    TextDelta,
    ToolCall,
)


class RetryingModel(Model):
    """A model of an endpoint, and the one that takes over where it fails.

    A request is repeated only while the turn has no text: afterwards the client would read some
    of it twice. All requests of a turn share its retries.
    """

    reads_instructions = True

    def __init__(self, endpoint: Endpoint, model: str, fallback: str | None) -> None:
        self.name = model
        self.retry_stats = RetryStats(max_retries=bounds.MAX_RETRIES)
        self._endpoint = endpoint
        self._fallback = fallback
        self._spoke = False

    async def answer(self, prompt: Prompt) -> AsyncGenerator[ModelEvent, None]:
        """The model's events, with a notice of each retry."""
        while True:
            try:
                async with aclosing(self._attempt(prompt)) as events:
                    async for event in events:
                        self._spoke = self._spoke or isinstance(event, TextDelta)
                        yield event
                return
            except ModelError as error:
                seconds = self._wait(error)
            yield self._scheduled(seconds)
            await asyncio.sleep(seconds)
            if notice := self._switched():
                yield notice

    async def close(self) -> None:
        """Close the endpoint."""
        await self._endpoint.close()

    async def _attempt(self, prompt: Prompt) -> AsyncGenerator[ModelEvent, None]:
        said_anything = False
        async with aclosing(self._endpoint.stream(prompt, self.name)) as events:
            async for event in events:
                said_anything = said_anything or isinstance(event, TextDelta | ToolCall)
                yield event
        if not said_anything:
            raise ModelError("The model gave no answer", "SERVER_ERROR", True)

    def _wait(self, error: ModelError) -> float:
        """How long to wait before the next attempt; the error itself where there is none."""
        stats = self.retry_stats
        if self._spoke or not error.retryable or stats.attempts > bounds.MAX_RETRIES:
            raise error
        retry = stats.attempts - 1
        stats.attempts += 1
        backoff = bounds.BACKOFF_MS << retry
        backoff += random.randint(0, bounds.BACKOFF_JITTER_MS)
        seconds: float = min(backoff, bounds.BACKOFF_CAP_MS) / 1000
        asked = error.retry_after or 0.0
        if self._fallback is not None:
            return seconds  # another model has limits of its own
        if asked > bounds.LONGEST_RETRY_AFTER_SECONDS:
            raise error
        return max(seconds, asked)

    def _scheduled(self, seconds: float) -> Notice:
        return Notice(
            {
                "info_type": "retry_scheduled",
                "attempt": self.retry_stats.attempts - 1,
                "max_attempts": bounds.MAX_RETRIES + 1,
                "retry_in_ms": round(seconds * 1000),
                "retryable": True,
            }
        )

    def _switched(self) -> Notice | None:
        if self._fallback is None or self._fallback == self.name:
            return None
        before, self.name = self.name, self._fallback
        self.retry_stats = replace(self.retry_stats, used_fallback_model=True)
        attempt = self.retry_stats.attempts
        return Notice(
            {"info_type": "model_switch", "from": before, "to": self.name, "attempt": attempt}
        )
