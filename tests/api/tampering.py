"""A backend that answers as a real one, but for what a test makes of its answers."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ops.demo.marker import DEMO_USERS
from tests.api.backend import authorization
from tests.integration.verify_http.tiny_server import (
    Chunks,
    Request,
    json_reply,
    reply,
    serving,
)

Change = Callable[[Any], Any]
Frames = list[tuple[str, dict[str, Any]]]
Tampering = Callable[[Request, bytes], bytes | None]


@contextmanager
def between(backend: str, change: Tampering) -> Iterator[str]:
    """Answer as the backend at this address does, but for what `change` makes of it; None leaves
    an answer as it is. The demo users log in without the work that a hash takes."""

    def behave(request: Request) -> Chunks:
        if request.path.endswith("/auth/login") and b"not the password" not in request.body:
            email = json.loads(request.body)["email"]
            assert email in DEMO_USERS
            token = authorization(email)["Authorization"].removeprefix("Bearer ")
            return iter([json_reply(200, {"access_token": token, "token_type": "bearer"})])
        return iter([passed_on(backend, request, change)])

    with serving(behave) as url:
        yield url


def passed_on(
    backend: str, request: Request, change: Tampering = lambda request, body: None
) -> bytes:
    """The backend's answer, changed."""
    headers = {"Content-Type": "application/json"}
    if request.token:
        headers["Authorization"] = f"Bearer {request.token}"
    found = httpx.request(
        request.method,
        f"{backend}{request.path}",
        content=request.body,
        headers=headers,
        timeout=60,
    )
    kind = found.headers.get("content-type", "text/plain")
    changed = change(request, found.content)
    return reply(found.status_code, found.content, kind) if changed is None else changed


def of_json(path: str, change: Change) -> Tampering:
    """Change the JSON of the answers of one path."""

    def apply(request: Request, body: bytes) -> bytes | None:
        if not re.search(path, request.path.partition("?")[0]):
            return None
        found = json.loads(body)
        changed = change(found)
        return json_reply(200, found if changed is None else changed)

    return apply


def of_status(path: str, status: int) -> Tampering:
    def apply(request: Request, _: bytes) -> bytes | None:
        if not re.search(path, request.path):
            return None
        return json_reply(status, {"detail": "Not Found" if status == 404 else "Broken"})

    return apply


def of_chat(change: Callable[[Frames], Frames]) -> Tampering:
    """Change the frames of the chat's stream."""

    def apply(request: Request, body: bytes) -> bytes | None:
        if not request.path.endswith("/chat/send"):
            return None
        blocks = [block.split("\n") for block in body.decode().split("\n\n") if block]
        frames = [(name[7:], json.loads(data[6:])) for name, data in blocks]
        said = "".join(f"event: {n}\ndata: {json.dumps(d)}\n\n" for n, d in change(frames))
        return reply(200, said.encode(), "text/event-stream")

    return apply


def setting(path: str, value: Callable[[Any], Any]) -> Change:
    """Set what stands at `path` (numbers are places in a list) to `value` of it."""

    def change(found: Any) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            found = found[part]
        found[last] = value(found[last])

    return change


def without(name: str, **data: object) -> Callable[[Frames], Frames]:
    """The stream without the frames of a name whose data are such."""

    def change(frames: Frames) -> Frames:
        return [
            (each, payload)
            for each, payload in frames
            if each != name or any(payload["data"].get(k) != v for k, v in data.items())
        ]

    return change


def with_data(name: str, key: str, value: Callable[[Any], Any]) -> Callable[[Frames], Frames]:
    def change(frames: Frames) -> Frames:
        for each, payload in frames:
            if each == name:
                payload["data"][key] = value(payload["data"].get(key))
        return frames

    return change


def silenced(frames: Frames) -> Frames:
    """Tokens and final text that name nothing."""
    for name, payload in frames:
        if name == "token":
            payload["data"]["delta"] = "x"
        elif name == "done":
            payload["data"]["final_text"] = "x" * sum(each == "token" for each, _ in frames)
    return frames


def failing_tool(frames: Frames) -> Frames:
    return with_data("tool_result", "tool_result", lambda r: {**r, "error": {"type": "e"}})(frames)


def with_error(frames: Frames) -> Frames:
    payload = {**frames[1][1], "type": "error", "seq": 0, "data": {"error": "the model is away"}}
    return [*frames[:-1], ("error", payload), frames[-1]]


def swapped(frames: Frames) -> Frames:
    return [frames[1], frames[0], *frames[2:]]


def renumbered(frames: Frames) -> Frames:
    for _, payload in frames[3:5]:
        payload["seq"] = 0
    return frames


def of_another_run(frames: Frames) -> Frames:
    frames[2][1]["run_id"] = "run_other"
    return frames


def without_rag(frames: Frames) -> Frames:
    for _, payload in frames:
        payload.get("data", {}).pop("rag", None)
    return frames


def doubled(found: Any) -> None:
    found["exposures"]["long_exposure"] *= 2
