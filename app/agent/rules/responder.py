"""Answers by rules: topics from words, figures from tools, and an honest word on what it is."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any
from uuid import uuid4

from app.agent.model import Model, ModelEvent, Prompt, RetryStats, Started, TextDelta, ToolCall
from app.agent.rules.question import Question, read
from app.agent.rules.telling import answer_text
from app.agent.rules.topics import Topic, topics_of
from app.agent.tools.arguments import MOST_PORTFOLIOS
from app.json_response import json_bytes

NAME = "rule-based"
LIST_TOOL = "list_user_portfolios"
_MOST_OF_ONE_TOOL = 3
_WORD = re.compile(r"\s*\S+\s*")


class RuleBasedResponder(Model):
    """The model where no language model is configured."""

    name = NAME
    reads_instructions = False

    def __init__(self) -> None:
        self.retry_stats = RetryStats()

    async def answer(self, prompt: Prompt) -> AsyncGenerator[ModelEvent, None]:
        """Calls of tools as long as some are needed, then the text, word by word."""
        if not prompt.rounds:
            yield Started(f"rules_{uuid4().hex}", NAME)
        question = read(prompt.question)
        topics = topics_of(question)
        calls = _needed(question, topics, prompt) if prompt.tools_allowed else []
        for name, arguments in calls:
            yield ToolCall(f"call_{uuid4().hex[:24]}", name, json_bytes(arguments).decode())
        if not calls:
            for word in _words(answer_text(question, topics, prompt)):
                yield TextDelta(word)
                await asyncio.sleep(0)

    async def close(self) -> None:
        """There is nothing to let go of."""


def _needed(
    question: Question, topics: Sequence[Topic], prompt: Prompt
) -> list[tuple[str, dict[str, Any]]]:
    """What to ask next: first which portfolios there are, then each topic's tool."""
    asked = {outcome.call.name for outcome in prompt.outcomes}
    if LIST_TOOL not in asked and _wants_list(topics, prompt):
        return [(LIST_TOOL, {})]
    if asked - {LIST_TOOL}:
        return []
    ids = _portfolio_ids(prompt)
    return [call for topic in topics for call in _calls(topic, question, ids)]


def _wants_list(topics: Sequence[Topic], prompt: Prompt) -> bool:
    if any(topic.tool in ("get_portfolio_complete", LIST_TOOL) for topic in topics):
        return True
    of_portfolio = any(topic.subject == "portfolio" for topic in topics)
    return of_portfolio and len(prompt.context.candidates) != 1


def _portfolio_ids(prompt: Prompt) -> list[str]:
    if prompt.context.candidates:
        return [str(each) for each in prompt.context.candidates]
    listed = [outcome.data for outcome in prompt.outcomes if outcome.call.name == LIST_TOOL]
    return [each["id"] for data in listed if data for each in data["portfolios"]]


def _calls(
    topic: Topic, question: Question, ids: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if topic.subject == "nothing":
        yield topic.tool, {}
    elif topic.subject == "symbols":
        yield topic.tool, {"symbols": ",".join(question.symbols)}
    elif topic.subject == "symbol":
        yield from ((topic.tool, {"symbol": each}) for each in question.symbols[:_MOST_OF_ONE_TOOL])
    elif topic.tool == "get_portfolio_complete" and len(ids) > 1:
        yield topic.tool, {"portfolio_ids": list(ids[:MOST_PORTFOLIOS])}
    elif topic.subject == "portfolio":
        yield from ((topic.tool, {"portfolio_id": each}) for each in ids[:_MOST_OF_ONE_TOOL])


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
