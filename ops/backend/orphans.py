"""Backends whose supervisor was killed: they went on serving, and hold the public socket."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.serving.channel import Channel
from ops.backend.child import Child, ChildGoneError, Waiting
from ops.backend.processes import BACKEND, our_process
from ops.state_folder import StateFolder

_PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Orphan:
    """A backend that serves, and the public socket that it holds."""

    child: Child
    listener: socket.socket


async def find_orphan(
    state: StateFolder, recorded: Mapping[str, Any], parked: Callable[[list[Waiting]], None]
) -> Orphan | None:
    """The backend that goes on serving, if any. One that can neither be met nor leaves is killed:
    it would hold the public address for ever."""
    found: Orphan | None = None
    for each in recorded.get("backends", []):
        if our_process(each["pid"], BACKEND, state.root) is None:
            continue
        orphan = await _meet(state, each, parked)
        if found is not None and orphan is not None:
            orphan.child.kill()
            orphan.listener.close()
        else:
            found = found or orphan
    return found


async def _meet(
    state: StateFolder, each: Mapping[str, Any], parked: Callable[[list[Waiting]], None]
) -> Orphan | None:
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while (process := our_process(each["pid"], BACKEND, state.root)) is not None:
        end = await _connected(each["meeting"])
        if end is not None:
            orphan = await _greeted(end, each, parked)
            if orphan is not None:
                return orphan
        if asyncio.get_running_loop().time() > deadline:
            process.kill()
        await asyncio.sleep(_LOOK_SECONDS)
    return None


async def _connected(path: str) -> socket.socket | None:
    end = socket.socket(socket.AF_UNIX)
    end.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(end, path)
    except OSError:
        end.close()
        return None
    return end


async def _greeted(
    end: socket.socket, each: Mapping[str, Any], parked: Callable[[list[Waiting]], None]
) -> Orphan | None:
    """The backend behind a door that opened, unless it does not say a word."""
    child = Child(each["pair"], Channel(end), Path(each["meeting"]), parked)
    child.marks = each["marks"]
    try:
        hello = await child.listening(_PATIENCE_SECONDS)
    except ChildGoneError:
        child.forget()
        return None
    listener = socket.socket(fileno=hello.descriptors[0])
    return Orphan(child, listener)
