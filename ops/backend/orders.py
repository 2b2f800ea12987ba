"""What the supervisor is told: commands on a socket in a folder that is closed to others."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ops.backend.child import ChildGoneError, Spec
from ops.backend.supervision import CannotServeError, Supervisor

_LONGEST_LINE = 4 * 2**20

Said = dict[str, Any]


class Orders:
    """Carries out commands, one after the other on each connection."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> asyncio.Server:
        """Hear commands at `path`."""
        path.unlink(missing_ok=True)
        return await asyncio.start_unix_server(self._hear, path, limit=_LONGEST_LINE)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                await self._answer(json.loads(line), reader, writer)
        writer.close()

    async def _answer(
        self, said: Said, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if said["do"] == "hold":
            await _Hold(self._supervisor, reader, writer).carry_out(said["stream_seconds"])
            return
        try:
            await _tell(writer, await self._carry_out(said))
        except CannotServeError as error:
            await _tell(writer, {"refused": str(error)})
        except (ChildGoneError, OSError):
            await _tell(writer, {"refused": "does not start"})

    async def _carry_out(self, said: Said) -> Said:
        supervisor = self._supervisor
        match said["do"]:
            case "status":
                return supervisor.status()
            case "serve":
                self._background(self._serve(said))
            case "stage":
                return {"port": await supervisor.stage(_spec(said))}
            case "retire":
                await supervisor.retire(said["pair"])
            case "stop":
                self._background(supervisor.stop())
        return {}

    async def _serve(self, said: Said) -> None:
        await self._supervisor.serve(
            _spec(said), anew=said["anew"], patience=float(said["patience"])
        )

    def _background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Hold:
    """Nobody is served for as long as one connection lasts, or until it says otherwise."""

    def __init__(
        self, supervisor: Supervisor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._supervisor = supervisor
        self._reader = reader
        self._writer = writer
        self._released = False

    async def carry_out(self, stream_seconds: float) -> None:
        """Hold, obey what is said meanwhile, and serve again however that ends."""
        supervisor = self._supervisor
        if supervisor.active is None:
            await _tell(self._writer, {"refused": "is not there: nothing is served"})
            return
        async with supervisor.changing:
            try:
                await self._held(stream_seconds)
            finally:
                if not self._released:
                    with suppress(CannotServeError):
                        await supervisor.release()

    async def _held(self, stream_seconds: float) -> None:
        """The first line is read while requests come to their end: its end ends the wait."""
        line = asyncio.create_task(self._reader.readline())
        coming = asyncio.create_task(self._supervisor.hold(stream_seconds))
        await asyncio.wait([line, coming], return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            coming.cancel()
            return
        with suppress(OSError):
            await _tell(self._writer, {"cut": coming.result()})
            while (said := await line) and not self._released:
                await self._obey(json.loads(said))
                if not self._released:
                    line = asyncio.create_task(self._reader.readline())

    async def _obey(self, said: Said) -> None:
        answer: Said = {}
        if said["do"] == "flip":
            self._supervisor.flip(said["pair"])
        elif said["do"] == "release":
            self._released = True
            try:
                answer = {"seconds": await self._supervisor.release(said["pair"])}
            except CannotServeError as error:
                answer = {"refused": str(error)}
        await _tell(self._writer, answer)


def _spec(said: Said) -> Spec:
    return Spec(**said["spec"])


async def _tell(writer: asyncio.StreamWriter, answer: Said) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()
