"""Users' connections that no backend serves for the moment."""

import asyncio

from app.serving.channel import MOST_DESCRIPTORS
from ops.backend.child import Child, ChildGoneError, Waiting


class WaitingRoom:
    """They wait here, open, between one backend and the next."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._passing_on = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, waiting: list[Waiting]) -> None:
        """Let some more wait."""
        self._waiting += waiting

    async def pass_on(self, child: Child) -> None:
        """Give all of them to a backend; those that it does not take wait for the next one."""
        async with self._passing_on:
            while self._waiting and child.accepting:
                batch = self._waiting[:MOST_DESCRIPTORS]
                try:
                    await child.adopt(batch)
                except ChildGoneError:
                    return
                del self._waiting[: len(batch)]
