"""Sending a message: what the route starts and the stream shows."""

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

from app.agent import memory_extraction, running
from app.agent.answering import Answering
from app.agent.choice import chosen_model, model_name
from app.agent.context import MODES, ChatContext
from app.agent.conversations import change_mode, get_conversation, require_active
from app.agent.events import EventLog
from app.agent.given_answer import GivenAnswer
from app.agent.turns import open_turn
from app.database import get_core_session

_COMMAND = "/mode"
_ABANDONED = "The stream ended before the answer did"


@dataclass(frozen=True, slots=True)
class Stream:
    """Frames that come, and the task that makes them (None: they are all there)."""

    log: EventLog
    task: asyncio.Task[None] | None = None

    def abandon(self) -> None:
        """Nobody reads any more."""
        if self.task is not None:
            running.stop(self.task, _ABANDONED)


async def send(
    user_id: UUID,
    conversation_id: UUID,
    text: str,
    newer: ChatContext,
    message_id: UUID | None = None,
) -> Stream:
    """Begin to answer a message. Both of its rows are committed when this returns. With the id
    of one that was sent before it is the same message: it gets the answer that it has, if whole.

    Raises:
        UnauthorizedError: the caller is gone or inactive.
        NotFoundError: the conversation, or a portfolio of `newer`, is not the caller's, or
            `message_id` is that of a message elsewhere.
        ConflictError: `message_id` is that of another message of the conversation.
        TooManyRequestsError: the caller has too many answers under way.
    """
    log = EventLog(f"run_{uuid4().hex[:12]}")
    if text == _COMMAND or text.startswith(f"{_COMMAND} "):
        await _switch_mode(log, user_id, conversation_id, text.removeprefix(_COMMAND).strip())
        return Stream(log)
    slot = running.StreamSlot(user_id)
    try:
        turn = await open_turn(user_id, conversation_id, text, newer, message_id)
        model = chosen_model() if turn.answer is None else GivenAnswer(turn.answer)
        task = running.start(_answer(Answering(turn, model, log)))
    except BaseException:
        slot.free()
        raise

    def ended(_: asyncio.Task[None]) -> None:
        slot.free()
        log.close()

    task.add_done_callback(ended)
    return Stream(log, task)


async def _answer(answering: Answering) -> None:
    if await answering.run() and answering.turn.answer is None:
        memory_extraction.begin(answering.turn, answering.answer.text)


async def _switch_mode(log: EventLog, user_id: UUID, conversation_id: UUID, wanted: str) -> None:
    async with get_core_session() as session:
        await require_active(session, user_id)
        mode = (await get_conversation(session, user_id, conversation_id))["mode"]
        said = f"Unknown mode; choose one of {', '.join(MODES)}"
        if wanted in MODES:
            mode = (await change_mode(session, user_id, conversation_id, wanted))["new_mode"]
            said = f"Mode changed to {mode}"
    log.emit(
        "start", {"conversation_id": str(conversation_id), "mode": mode, "model": model_name()}
    )
    log.emit("message", {"delta": said, "role": "system"})
    log.emit("done", {"final_text": said, "tool_calls_count": 0})
    log.close()
