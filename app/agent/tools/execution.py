"""Carrying out what a model asks for. Whatever goes wrong is a result that the model can read."""

import asyncio
import logging
import time
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.agent import bounds
from app.agent.context import ChatContext
from app.agent.tools.arguments import Arguments
from app.agent.tools.calls import PreparedCall, Refusal, ToolOutcome
from app.agent.tools.catalog import TOOLS
from app.agent.tools.envelope import failure, success
from app.database import get_core_session
from app.errors import NotFoundError, RequestRefusedError

_LONGEST_ARGUMENTS = 8_000
_MOST_NESTED = 50

_log = logging.getLogger("sigmasight.chat")


def prepare(call_id: str, name: str, arguments: str, context: ChatContext) -> PreparedCall:
    """Check a call, and give it the conversation's portfolio where it names none."""
    tool = TOOLS.get(name)
    requested = _object(arguments)
    if tool is None:
        refusal = Refusal("unknown_tool", f"There is no tool {name[:60]!r}")
        return PreparedCall(call_id, name, requested or {}, {}, refusal=refusal)
    if requested is None:
        refusal = Refusal("validation_error", "The arguments are no plain JSON object")
        return PreparedCall(call_id, name, {}, {}, refusal=refusal)
    try:
        checked = tool.arguments.model_validate(requested)
    except ValidationError as error:
        refusal = Refusal("validation_error", _first_fault(error))
        return PreparedCall(call_id, name, requested, requested, refusal=refusal)
    return _placed(PreparedCall(call_id, name, requested, {}, tool, checked), checked, context)


def _placed(call: PreparedCall, checked: Arguments, context: ChatContext) -> PreparedCall:
    refusal, known = None, context.candidates
    wanting = "portfolio_id" in type(checked).model_fields and not _names_portfolio(checked)
    if wanting and len(known) == 1:
        checked = checked.model_copy(update={"portfolio_id": known[0]})
    elif wanting and known and "portfolio_ids" in type(checked).model_fields:
        checked = checked.model_copy(update={"portfolio_ids": list(known)})
    elif wanting:
        ids = ", ".join(map(str, known)) or "see list_user_portfolios"
        refusal = Refusal("validation_error", f"Say which portfolio_id: {ids}")
    applied = checked.model_dump(mode="json", exclude_none=True)
    return PreparedCall(call.id, call.name, call.requested, applied, call.tool, checked, refusal)


def _names_portfolio(checked: Arguments) -> bool:
    return any(getattr(checked, name, None) for name in ("portfolio_id", "portfolio_ids"))


async def carry_out(call: PreparedCall, user_id: UUID) -> ToolOutcome:
    """Carry out a call on the caller's behalf."""
    started = time.monotonic()
    data, refusal = None, call.refusal
    if refusal is None:
        try:
            data = await _run(call, user_id)
        except Exception as error:
            refusal = _refusal(call.name, error)
    took = int((time.monotonic() - started) * 1000)
    envelope = failure(call, refusal) if refusal else success(call, data)
    return ToolOutcome(call, data, envelope, took)


async def _run(call: PreparedCall, user_id: UUID) -> Any:
    assert call.tool is not None
    async with asyncio.timeout(bounds.TOOL_SECONDS), get_core_session() as session:
        return await call.tool.handler(session, user_id, call.checked)


def _refusal(name: str, error: Exception) -> Refusal:
    if isinstance(error, NotFoundError):
        return Refusal("not_found", str(error))
    if isinstance(error, RequestRefusedError):
        return Refusal("validation_error", str(error), retryable=error.status >= 429)
    _log.warning("a tool failed", exc_info=error, extra={"tool": name})
    if isinstance(error, TimeoutError):
        return Refusal("timeout", "The tool took too long", retryable=True)
    if isinstance(error, SQLAlchemyError):
        return Refusal("execution_error", "The database does not answer", retryable=True)
    return Refusal("execution_error", "The tool failed")


def _object(arguments: str) -> dict[str, Any] | None:
    """The arguments, unless they are more than any tool takes or more than a row can hold."""
    nested = arguments.count("{") + arguments.count("[")
    if len(arguments) > _LONGEST_ARGUMENTS or nested > _MOST_NESTED or "\\u0000" in arguments:
        return None
    try:
        found = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"])) or "arguments"
    return f"{place}: {fault['msg']}"
