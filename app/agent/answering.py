"""One turn: ask the model, carry out its tools, ask again, and keep what came of it."""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from app.agent import bounds, running
from app.agent.answer import Answer
from app.agent.context import as_texts
from app.agent.events import EventLog
from app.agent.grounding import Grounding, ground
from app.agent.model import (
    Model,
    ModelError,
    ModelEvent,
    Notice,
    Prompt,
    Round,
    Started,
    TextDelta,
    ToolCall,
    Usage,
)
from app.agent.prompt import system_prompt
from app.agent.tools.calls import ToolOutcome
from app.agent.tools.execution import carry_out, prepare
from app.agent.turns import OpenTurn, save_answer
from app.database import get_core_session
from app.ownership import OwnedPortfolio, owned_portfolios

_log = logging.getLogger("sigmasight.chat")

_STOPPED = "The answer was broken off"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an answer did not end well."""

    message: str
    kind: str
    retryable: bool


class Answering:
    """A turn that is being answered. `answer` is what there is of it so far."""

    def __init__(self, turn: OpenTurn, model: Model, log: EventLog) -> None:
        self.turn = turn
        self.model = model
        self.log = log
        self.answer = Answer(log)

    async def run(self) -> bool:
        """Answer, save, and tell the client; whether the answer is whole.

        Cancelled, it saves what there is, says that the client may try again, and ends.
        """
        self._announce()
        try:
            failure = await self._failure()
            return await self._finish(failure)
        finally:
            await self.model.close()

    async def _failure(self) -> Failure | None:
        try:
            async with asyncio.timeout(bounds.TURN_SECONDS):
                await self._converse()
        except ModelError as error:
            return Failure(error.message, error.kind, error.retryable)
        except TimeoutError:
            return Failure("The answer took too long", "SERVER_ERROR", True)
        except asyncio.CancelledError as stopped:
            why = str(stopped.args[0]) if stopped.args else _STOPPED
            await self._break_off(Failure(why, "CANCELLED", True))
            raise
        except Exception:
            _log.exception("a chat turn failed")
            return Failure("The answer could not be finished", "SERVER_ERROR", True)
        return None

    async def _converse(self) -> None:
        prompt = await self._prompt()
        self._start(prompt.grounding)
        for _ in range(bounds.TOOL_ROUNDS):
            round_ = await self._ask(prompt)
            if not round_.outcomes:
                return
            prompt = prompt.followed_by(round_)
        await self._ask(prompt.without_tools())
        if not self.answer.text:
            raise ModelError("The model gave no answer", "SERVER_ERROR", True)

    async def _prompt(self) -> Prompt:
        turn, reads = self.turn, self.model.reads_instructions
        grounding = await ground(turn.question, turn.user_id, turn.context, with_memories=reads)
        system = ""
        if reads:
            portfolios = await self._portfolios() if turn.context.candidates else []
            system = system_prompt(turn.mode, turn.context, portfolios, grounding)
        return Prompt(system, turn.history, turn.question, turn.context, grounding)

    async def _portfolios(self) -> list[OwnedPortfolio]:
        async with get_core_session() as session:
            return await owned_portfolios(session, self.turn.user_id)

    async def _ask(self, prompt: Prompt) -> Round:
        """One request to the model, and the tools that it asks for."""
        self.answer.begin_request()
        calls: list[ToolCall] = []
        async with aclosing(self.model.answer(prompt)) as events:
            async for event in events:
                if isinstance(event, ToolCall):
                    calls.append(event)
                else:
                    self._hear(event)
                if self.answer.too_long:
                    break
        if not prompt.tools_allowed or self.answer.too_long:
            calls = []
        outcomes = [await self._carry_out(call, number) for number, call in enumerate(calls)]
        return Round(self.answer.end_request(), tuple(outcomes))

    def _hear(self, event: ModelEvent) -> None:
        match event:
            case TextDelta(text):
                self.answer.say(text)
            case Usage():
                self.answer.count(event)
            case Started():
                self.answer.started(event)
            case Notice(data):
                self.log.note(str(data["info_type"]))
                self.log.emit("info", data)

    async def _carry_out(self, call: ToolCall, number: int) -> ToolOutcome:
        prepared = prepare(call.id, call.name, call.arguments, self.turn.context)
        if number >= bounds.CALLS_PER_ROUND:
            prepared = prepared.refused("too_many_calls", "Too many calls at once; ask again")
        named = {"tool_call_id": prepared.id, "tool_name": prepared.name}
        self.log.note("tool_call")
        self.log.emit("tool_call", {**named, "tool_args": prepared.arguments})
        outcome = await carry_out(prepared, self.turn.user_id)
        self.log.note("tool_result")
        result = {"tool_result": outcome.envelope, "duration_ms": outcome.duration_ms}
        self.log.emit("tool_result", {**named, **result})
        self.answer.used(outcome)
        return outcome

    def _announce(self) -> None:
        turn = self.turn
        ids = {
            "user_message_id": str(turn.user_message_id),
            "assistant_message_id": str(turn.assistant_message_id),
            "conversation_id": str(turn.conversation_id),
            "run_id": self.log.run_id,
        }
        self.log.note("message_created")
        self.log.emit_flat("message_created", ids)

    def _start(self, grounding: Grounding) -> None:
        turn, titles = self.turn, [each.title for each in grounding.documents]
        data: dict[str, Any] = {
            "conversation_id": str(turn.conversation_id),
            "mode": turn.mode,
            "model": self.model.name,
            "reasoning_effort": None,
            "text_verbosity": None,
            "web_search_enabled": False,
            "page_hint": turn.context.page_hint,
            "route": turn.context.route,
            "portfolio_id": turn.context.portfolio_id,
            "portfolio_ids": as_texts(turn.context.portfolio_ids),
            "rag": {"documents": len(titles), "titles": titles},
        }
        self.log.note("start")
        self.log.emit("start", data)

    async def _finish(self, failure: Failure | None) -> bool:
        try:
            await self._save(failure)
        except Exception:
            _log.exception("an answer could not be saved")
            failure = failure or Failure("The answer could not be saved", "SERVER_ERROR", True)
        if failure:
            self._tell(failure)
        else:
            self._done()
        return failure is None

    async def _break_off(self, failure: Failure) -> None:
        try:
            await self._save(failure)
        finally:
            self._tell(failure)

    async def _save(self, failure: Failure | None) -> None:
        error = None
        if failure:
            error = {
                "error": failure.message,
                "error_type": failure.kind,
                "attempts": self.model.retry_stats.attempts,
            }
        with running.uninterrupted():
            await save_answer(self.turn.assistant_message_id, self.answer.row(error))

    def _tell(self, failure: Failure) -> None:
        self.log.note("error")
        data = {
            "error": failure.message,
            "error_type": failure.kind,
            "retryable": failure.retryable,
            "attempts": self.model.retry_stats.attempts,
        }
        self.log.emit("error", data)

    def _done(self) -> None:
        stats = self.model.retry_stats
        self.log.note("done_emit")
        data = {
            **self.answer.summary(),
            "event_timeline": self.log.timeline,
            "fallback_used": stats.used_fallback_model,
            "model_used": self.model.name,
            "retry_stats": asdict(stats),
        }
        self.log.emit("done", data)
