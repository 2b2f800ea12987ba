"""The envelope of every tool's result."""

from datetime import UTC, datetime
from typing import Any

from app.agent import bounds
from app.agent.tools.calls import PreparedCall, Refusal
from app.agent.tools.truncation import bounded
from app.json_response import utc_text
from app.request_log import request_id


def success(call: PreparedCall, data: Any) -> dict[str, Any]:
    """The envelope of a result, cut to what a model is given."""
    shown, cuts = bounded(data, bounds.TOOL_RESULT_CHARACTERS)
    truncated = shown is not data
    limits = {"max_characters": bounds.TOOL_RESULT_CHARACTERS, **({"cut": cuts} if cuts else {})}
    return {"meta": _meta(call, truncated=truncated, limits=limits), "data": shown}


def failure(call: PreparedCall, refusal: Refusal) -> dict[str, Any]:
    """The envelope of an error."""
    meta = _meta(call, truncated=False, limits={}, retryable=refusal.retryable)
    error = {"type": refusal.kind, "message": refusal.message}
    return {"meta": meta, "data": None, "error": error}


def _meta(
    call: PreparedCall, *, truncated: bool, limits: dict[str, Any], retryable: bool = False
) -> dict[str, Any]:
    return {
        "requested": call.requested,
        "applied": call.arguments,
        "as_of": utc_text(datetime.now(UTC)),
        "truncated": truncated,
        "limits": limits,
        "retryable": retryable,
        "request_id": request_id.get(),
    }
