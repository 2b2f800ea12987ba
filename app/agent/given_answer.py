"""The answer that a question has, for who asks it again."""

from collections.abc import AsyncGenerator

from app.agent.model import Model, ModelEvent, Prompt, RetryStats, TextDelta


class GivenAnswer(Model):
    """Says what was said before, at once and without tools."""

    name = "stored"
    reads_instructions = False

    def __init__(self, text: str) -> None:
        self.retry_stats = RetryStats()
        self._text = text

    async def answer(self, prompt: Prompt) -> AsyncGenerator[ModelEvent, None]:
        """The whole of it."""
        yield TextDelta(self._text)

    async def close(self) -> None:
        """There is nothing to let go of."""
