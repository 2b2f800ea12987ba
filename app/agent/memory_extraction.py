"""Noting, after an answer, what is worth remembering of the investor. Never in anybody's way."""

import asyncio
import logging
import re
from contextlib import aclosing
from typing import Any

import orjson

from app.agent import bounds, running
from app.agent.context import ChatContext
from app.agent.grounding import Grounding
from app.agent.llm.endpoint import Endpoint
from app.agent.model import Prompt, TextDelta
from app.agent.services import memory_service
from app.agent.turns import OpenTurn
from app.config import get_settings
from app.database import get_ai_session
from app.storable import storable

_log = logging.getLogger("sigmasight.chat")

_MOST_FACTS = 3
_INSTRUCTIONS = f"""\
From an exchange between an investor and an analyst you note lasting facts about the investor:
goals, constraints, preferences, how they want to be answered. No figures of the market or of the
portfolio, nothing that holds for today only, nothing that the analyst said of itself.
Answer with a JSON list of at most {_MOST_FACTS} short sentences; [] where there is nothing."""

_LIST = re.compile(r"\[.*\]", re.DOTALL)
_under_way: set[asyncio.Task[None]] = set()


def begin(turn: OpenTurn, answer: str) -> None:
    """Extract memories in the background, where a language model is configured and not too many
    others do; an answer too short to hold any is left alone, and so is a verification's chat,
    which must leave nothing behind."""
    if not get_settings().LLM_BASE_URL or turn.context.route == bounds.VERIFICATION_ROUTE:
        return
    if len(answer) < bounds.EXTRACTION_ANSWER_CHARACTERS:
        return
    if len(_under_way) < bounds.EXTRACTIONS_AT_ONCE:
        task = running.start(_extract(turn, answer))
        _under_way.add(task)
        task.add_done_callback(_under_way.discard)


async def _extract(turn: OpenTurn, answer: str) -> None:
    try:
        async with asyncio.timeout(bounds.EXTRACTION_SECONDS):
            for fact in _facts(await _asked(turn, answer)):
                await _remember(turn, fact)
    except Exception as error:
        _log.warning("no memories were noted", exc_info=error)


async def _asked(turn: OpenTurn, answer: str) -> str:
    exchange = f"Investor: {turn.question}\n\nAnalyst: {answer}"
    prompt = Prompt(_INSTRUCTIONS, (), exchange, ChatContext(), Grounding(), tools_allowed=False)
    settings, said = get_settings(), list[str]()
    endpoint = Endpoint(settings)
    try:
        async with aclosing(endpoint.stream(prompt, settings.LLM_MODEL)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    said.append(event.text)
    finally:
        await endpoint.close()
    return "".join(said)


def _facts(said: str) -> list[str]:
    """The sentences of a list that may stand in other words; none where there is no list."""
    found = _LIST.search(said)
    try:
        listed = orjson.loads(found[0]) if found else []
    except orjson.JSONDecodeError:
        return []
    facts = [storable(each).strip() for each in listed if isinstance(each, str)]
    return [each for each in facts if each][:_MOST_FACTS]


async def _remember(turn: OpenTurn, fact: str) -> None:
    tags: dict[str, Any] = {
        "source": "auto_extraction",
        "conversation_id": str(turn.conversation_id),
    }
    async with get_ai_session() as ai:
        await memory_service.remember(ai, turn.user_id, "user", fact, tags)
