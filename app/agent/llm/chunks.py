"""Reading a streamed completion: lines, chunks, and calls of tools that come in pieces."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import uuid4

import orjson

from app.agent import bounds
from app.agent.model import ModelError, ModelEvent, Started, TextDelta, ToolCall, Usage
from app.storable import storable

PROVIDER = "openai"
_LONGEST_NAME = 64


class BrokenStreamError(ModelError):
    """The endpoint's stream is cut, or says what no completion says."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "NETWORK_ERROR", True)


class ChunkReader:
    """Turns the chunks of one completion into events."""

    def __init__(self) -> None:
        self._started = False
        self._finished = False
        self._calls: dict[int, dict[str, str]] = {}

    async def events(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[ModelEvent, None]:
        """The events of a completion; calls of tools come whole, at its end.

        Raises:
            ModelError: the stream is cut or malformed, or reports an error.
        """
        async for line in _lines(chunks):
            payload = _payload(line)
            if payload == b"[DONE]":
                self._finished = True
                break
            if payload:
                for event in self._read(_parsed(payload)):
                    yield event
        if not self._finished:
            raise BrokenStreamError("The model's stream was cut")
        for _, call in sorted(self._calls.items()):
            yield ToolCall(
                call["id"] or f"call_{uuid4().hex[:24]}", call["name"], call["arguments"]
            )

    def _read(self, chunk: dict[str, Any]) -> list[ModelEvent]:
        if chunk.get("error"):
            raise ModelError("The model reported an error", "SERVER_ERROR", True)
        events: list[ModelEvent] = []
        if not self._started:
            self._started = True
            events.append(Started(str(chunk.get("id") or uuid4().hex), PROVIDER))
        choice = _first(chunk.get("choices"))
        delta = _mapping(choice.get("delta"))
        if isinstance(text := delta.get("content"), str) and text:
            events.append(TextDelta(text))
        self._gather(delta.get("tool_calls"))
        self._finished = self._finished or bool(choice.get("finish_reason"))
        return [*events, *_usage(chunk.get("usage"))]

    def _gather(self, pieces: object) -> None:
        for position, piece in enumerate(pieces if isinstance(pieces, list) else []):
            piece = _mapping(piece)
            index = piece.get("index", position)
            if not isinstance(index, int):
                raise BrokenStreamError("The model's stream is malformed")
            call = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
            function = _mapping(piece.get("function"))
            call["id"] = call["id"] or storable(str(piece.get("id") or ""))[:_LONGEST_NAME]
            # Some endpoints repeat the name in every piece, none splits it.
            call["name"] = call["name"] or storable(str(function.get("name") or ""))[:_LONGEST_NAME]
            call["arguments"] += str(function.get("arguments") or "")
            if len(call["arguments"]) > bounds.MODEL_LINE_BYTES:
                raise BrokenStreamError("The model's call of a tool is too long")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines, of bounded length."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r")
        if len(rest) > bounds.MODEL_LINE_BYTES:
            raise BrokenStreamError("The model's stream has a line without end")
    if rest:
        yield rest


def _payload(line: bytes) -> bytes:
    """What a line carries; nothing for comments, which keep connections alive, and other fields."""
    return line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""


def _parsed(payload: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise BrokenStreamError("The model's stream is malformed") from None
    if not isinstance(chunk, dict):
        raise BrokenStreamError("The model's stream is malformed")
    return chunk


def _first(choices: object) -> dict[str, Any]:
    return _mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _usage(value: object) -> list[ModelEvent]:
    found = _mapping(value)
    counts = [found.get(name) for name in ("prompt_tokens", "completion_tokens")]
    if all(isinstance(count, int) and 0 <= count < 2**31 for count in counts):
        return [Usage(*counts)]  # type: ignore[arg-type]  # checked to be numbers
    return []
