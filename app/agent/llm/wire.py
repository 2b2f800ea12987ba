"""A prompt as the chat-completions protocol writes it."""

from typing import Any

from app.agent.model import Prompt, Round
from app.agent.tools.calls import PreparedCall, ToolOutcome
from app.agent.tools.catalog import TOOLS
from app.json_response import json_bytes

_NO_MORE_TOOLS = "No more tools can be called in this turn: answer now from the results above."


def request_body(prompt: Prompt, model: str) -> dict[str, Any]:
    """The body of a streamed request."""
    body: dict[str, Any] = {
        "model": model,
        "messages": _messages(prompt),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if prompt.tools_allowed:
        body["tools"] = [tool.schema() for tool in TOOLS.values()]
        body["tool_choice"] = "auto"
    return body


def _messages(prompt: Prompt) -> list[dict[str, Any]]:
    system = prompt.system
    if not prompt.tools_allowed and prompt.rounds:
        system = f"{system}\n\n{_NO_MORE_TOOLS}"
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    messages += [{"role": role, "content": text} for role, text in prompt.history]
    messages.append({"role": "user", "content": prompt.question})
    for round_ in prompt.rounds:
        messages += _round(round_)
    return messages


def _round(round_: Round) -> list[dict[str, Any]]:
    calls = [_call(outcome.call) for outcome in round_.outcomes]
    asked = {"role": "assistant", "content": round_.text or None, "tool_calls": calls}
    return [asked, *(_result(outcome) for outcome in round_.outcomes)]


def _call(call: PreparedCall) -> dict[str, Any]:
    # What the model wrote may be no JSON; an endpoint would refuse to read it back.
    arguments = json_bytes(call.requested).decode()
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _result(outcome: ToolOutcome) -> dict[str, Any]:
    content = json_bytes(outcome.envelope).decode()
    return {"role": "tool", "tool_call_id": outcome.call.id, "content": content}
